"""Every address of the platform. `page` is the one way to add one; see `accounts.access`."""

from django.contrib import admin
from django.urls import path
from django.views.i18n import set_language

from weldgate_platform.accounts import views as accounts
from weldgate_platform.accounts.access import PUBLIC, SIGNED_IN, page
from weldgate_platform.accounts.roles import Capability
from weldgate_platform.health import healthz, metrics
from weldgate_platform.registry import export
from weldgate_platform.registry import views as registry

__all__ = ["urlpatterns"]

_SEE = Capability.REGISTRY_VIEW
_FORM = ("GET", "POST")

urlpatterns = [
    page("", registry.home, "home", needs=SIGNED_IN),
    page("sign-in", accounts.sign_in, "sign-in", needs=PUBLIC, methods=_FORM),
    page("sign-out", accounts.sign_out, "sign-out", needs=SIGNED_IN, methods=("POST",)),
    page("devices", accounts.devices, "devices", needs=SIGNED_IN),
    page("devices/<int:pk>/end", accounts.end_device, "end-device", needs=SIGNED_IN, methods=("POST",)),
    page("language", set_language, "language", needs=PUBLIC, methods=("POST",)),
    page("healthz", healthz, "healthz", needs=PUBLIC),
    page("metrics", metrics, "metrics", needs=PUBLIC),
    page("m/", registry.typed_code, "typed-code", needs=PUBLIC),
    page("m/<str:code>", registry.label, "label", needs=PUBLIC),
    page("areas/<str:key>", registry.area, "area", needs=_SEE),
    page("enterprises", registry.enterprises, "enterprises", needs=_SEE),
    page("enterprises/<int:pk>", registry.enterprise, "enterprise", needs=_SEE),
    page("enterprises.csv", export.enterprises_csv, "enterprises-csv", needs=_SEE),
    page("machines", registry.machines, "machines", needs=_SEE),
    page("machines/<int:pk>", registry.machine, "machine", needs=_SEE),
    page("machines.csv", export.machines_csv, "machines-csv", needs=_SEE),
    path("admin/", admin.site.urls),
]
