"""Headers that Django 5.2 does not set itself: what a page may load, and what it may ask the phone for."""

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

__all__ = ["CONTENT_POLICY", "ContentPolicyMiddleware"]

# No outside host, no inline script, no frame around us. `data:` images: Django's admin has its icons that way.
CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; manifest-src 'self'"
)
_PERMISSIONS = "camera=(self), geolocation=(self), microphone=(), payment=(), usb=()"


class ContentPolicyMiddleware:
    """Adds both headers to every answer."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer a request."""
        response = self._get_response(request)
        response["Content-Security-Policy"] = CONTENT_POLICY
        response["Permissions-Policy"] = _PERMISSIONS
        return response
