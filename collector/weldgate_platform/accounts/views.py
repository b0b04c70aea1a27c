"""Signing in and out, and the list of devices on which one is signed in."""

from django import forms
from django.contrib.auth import authenticate, login, logout
from django.contrib.sessions.models import Session
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render, resolve_url
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy as _

from weldgate_platform.accounts.access import user_of
from weldgate_platform.accounts.lockout import forget, note_failure, wait_s
from weldgate_platform.accounts.models import SignIn, User
from weldgate_platform.audit.log import record

__all__ = ["devices", "end_device", "sign_in", "sign_out"]


class SignInForm(forms.Form):
    """Name and password."""

    username = forms.CharField(
        label=_("User name"), max_length=64, widget=forms.TextInput({"autocomplete": "username", "autofocus": True})
    )
    password = forms.CharField(
        label=_("Password"), max_length=256, widget=forms.PasswordInput({"autocomplete": "current-password"})
    )


def sign_in(request: HttpRequest) -> HttpResponse:
    """Ask for name and password, count failures, and go where one wanted to go."""
    target = request.POST.get("next") or request.GET.get("next") or ""
    if not url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure()):
        target = resolve_url("home")
    if request.user.is_authenticated:
        return redirect(target)
    form = SignInForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        wait = _try(request, form)
        if wait is None:
            return redirect(target)
        if wait:
            return _page(request, form, target, status=429)
        return _page(request, form, target, status=403)
    return _page(request, form, target, status=200)


def sign_out(request: HttpRequest) -> HttpResponse:
    """End this device's session."""
    user = user_of(request)
    SignIn.objects.filter(session_key=request.session.session_key or "").delete()
    record(user, "account.sign-out", user)
    logout(request)
    return redirect("sign-in")


def devices(request: HttpRequest) -> HttpResponse:
    """List the devices on which one is signed in."""
    alive = Session.objects.filter(expire_date__gt=timezone.now()).values("session_key")
    found = SignIn.objects.filter(user=user_of(request), session_key__in=alive).order_by("-at")
    return render(request, "accounts/devices.html", {"devices": found, "this": request.session.session_key})


def end_device(request: HttpRequest, pk: int) -> HttpResponse:
    """End the session of one device of one's own."""
    user = user_of(request)
    with transaction.atomic():
        one = get_object_or_404(SignIn, pk=pk, user=user)
        Session.objects.filter(session_key=one.session_key).delete()
        record(user, "account.end-device", user, device=one.agent)
        one.delete()
    return redirect("devices")


def _try(request: HttpRequest, form: SignInForm) -> int | None:
    """Try to sign in: None where it went well, else the seconds to wait; what to say is put on the form."""
    username, address, now = form.cleaned_data["username"], request.META.get("REMOTE_ADDR") or None, timezone.now()
    wait = wait_s(username, address, now)
    if wait:
        minutes = -(-wait // 60)
        form.add_error(None, _("Too many failed tries. Try again in %(minutes)d minutes.") % {"minutes": minutes})
        return wait
    user = authenticate(request, username=username, password=form.cleaned_data["password"])
    if not isinstance(user, User):
        note_failure(username, address, now)
        record(None, "account.sign-in-failed", None, address=address or "")
        form.add_error(None, _("User name or password is wrong."))
        return 0
    forget(username)
    login(request, user)  # draws a new session key
    with transaction.atomic():
        agent = request.headers.get("User-Agent", "")[:200]
        SignIn.objects.create(user=user, session_key=request.session.session_key or "", address=address, agent=agent)
        record(user, "account.sign-in", user, address=address or "")
    return None


def _page(request: HttpRequest, form: SignInForm, target: str, status: int) -> HttpResponse:
    return render(request, "accounts/sign_in.html", {"form": form, "next": target}, status=status)
