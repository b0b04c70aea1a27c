"""Every address of the platform. `page` is the one way to add one; see `accounts.access`."""

from django.contrib import admin
from django.urls import path
from django.views.i18n import set_language

from weldgate_platform.accounts import views as accounts
from weldgate_platform.accounts.access import PUBLIC, SIGNED_IN, page
from weldgate_platform.accounts.roles import Capability
from weldgate_platform.health import healthz, metrics
from weldgate_platform.people import views as people
from weldgate_platform.registry import export
from weldgate_platform.registry import views as registry
from weldgate_platform.sheets import views as sheets
from weldgate_platform.starts import views as starts

__all__ = ["urlpatterns"]

_SEE = Capability.REGISTRY_VIEW
_REVEAL, _DECIDE, _IMPORT = Capability.IDENTITY_REVEAL, Capability.CONFLICT_DECIDE, Capability.SHEETS_IMPORT
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
    page("m/<str:code>", starts.label, "label", needs=PUBLIC),
    page("m/<str:code>/start", starts.start, "start", needs=Capability.MACHINE_START, methods=("POST",)),
    page("starts/<int:pk>", starts.started, "started", needs=Capability.MACHINE_START),
    page("starts/<int:pk>/state", starts.start_state, "start-state", needs=Capability.MACHINE_START),
    page("starts/<int:pk>/code.svg", starts.start_code, "start-code", needs=Capability.MACHINE_START),
    page("areas/<str:key>", registry.area, "area", needs=_SEE),
    page("enterprises", registry.enterprises, "enterprises", needs=_SEE),
    page("enterprises/<int:pk>", registry.enterprise, "enterprise", needs=_SEE),
    page("enterprises.csv", export.enterprises_csv, "enterprises-csv", needs=_SEE),
    page("machines", registry.machines, "machines", needs=_SEE),
    page("machines/<int:pk>", registry.machine, "machine", needs=_SEE),
    page("machines.csv", export.machines_csv, "machines-csv", needs=_SEE),
    page("people", people.people, "people", needs=Capability.PEOPLE_VIEW, methods=_FORM),
    page("people/<int:pk>", people.person, "person", needs=Capability.PEOPLE_VIEW),
    page("people/<int:pk>/identity", people.reveal_identity, "reveal-identity", needs=_REVEAL, methods=("POST",)),
    page("certificates/check", people.check_number, "check-number", needs=Capability.PEOPLE_VIEW, methods=_FORM),
    page("conflicts", people.conflicts, "conflicts", needs=Capability.CONFLICT_DECIDE),
    page("conflicts/<int:pk>", people.decide_conflict, "decide-conflict", needs=_DECIDE, methods=("POST",)),
    page("imports", sheets.imports, "imports", needs=_IMPORT, methods=_FORM),
    page("imports/<int:pk>", sheets.import_page, "import", needs=_IMPORT),
    page("imports/<int:pk>/bad-rows.xlsx", sheets.bad_rows, "bad-rows", needs=_IMPORT),
    page("imports/<int:pk>/apply", sheets.apply_import, "apply-import", needs=_IMPORT, methods=("POST",)),
    page("imports/<int:pk>/undo", sheets.undo_import, "undo-import", needs=_IMPORT, methods=("POST",)),
    path("admin/", admin.site.urls),
]
