"""The one door to a page: `page` routes it, names the methods it answers and the capability it needs.

    page("machines/", views.machines, "machines", needs=Capability.REGISTRY_VIEW)

Order of the checks: method (405), signed in (to the sign-in page; 401 for a fragment, which htmx must not follow
into a page), capability (403). What is out of scope does not exist (404): that is the view's `visible_to`. A test
walks the URLconf and finds every address that did not come through here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path

from weldgate_platform.accounts.models import User
from weldgate_platform.accounts.roles import Capability
from weldgate_platform.accounts.scope import capabilities_of

__all__ = ["PUBLIC", "SIGNED_IN", "Access", "allowed", "may", "page", "user_of"]

PUBLIC = "public"  # for everybody: sign-in, the machine's label page, health
SIGNED_IN = "signed in"  # for everybody who has signed in, whatever he may do

View = Callable[..., HttpResponseBase]


@dataclass(frozen=True)
class Access:
    """What a page asks of its reader."""

    needs: str
    methods: tuple[str, ...]


def page(route: str, view: View, name: str, *, needs: str, methods: Sequence[str] = ("GET",)) -> URLPattern:
    """Return a route whose view is reached only by whom `needs` names.

    Args:
        route: as in `django.urls.path`.
        view: a function view.
        name: of the route.
        needs: PUBLIC, SIGNED_IN or a `Capability`.
        methods: HTTP methods; HEAD comes with GET, OPTIONS answers with the list.
    """
    answered = tuple(methods) + (("HEAD",) if "GET" in methods else ())
    access = Access(str(needs), answered)

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method not in access.methods:
            refused = HttpResponseNotAllowed(access.methods)
            if request.method == "OPTIONS":
                refused.status_code = 204
            return refused
        if access.needs != PUBLIC:
            if not request.user.is_authenticated:
                if request.headers.get("HX-Request"):
                    return HttpResponse(status=401)
                return redirect_to_login(request.get_full_path())
            if access.needs != SIGNED_IN and not allowed(request, Capability(access.needs)):
                raise PermissionDenied
        return view(request, *args, **kwargs)

    guarded.access = access  # type: ignore[attr-defined]  # read by the test that walks the URLconf
    return path(route, guarded, name=name)


def allowed(request: HttpRequest, capability: Capability) -> bool:
    """Say whether who asks may do something."""
    return capability in capabilities_of(request.user)


def user_of(request: HttpRequest) -> User:
    """Return who asks, on a page that only the signed in reach.

    Raises:
        PermissionDenied: nobody is signed in.
    """
    if not request.user.is_authenticated:
        raise PermissionDenied
    return request.user


def may(request: HttpRequest) -> dict[str, object]:
    """Give templates `may`: capability, dots as underscores -> whether who asks has it."""
    held = capabilities_of(request.user) if hasattr(request, "user") else frozenset()
    return {"may": {one.value.replace(".", "_"): one in held for one in Capability}}
