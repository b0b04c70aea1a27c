"""The pages behind a machine's code: is it this one, may I, start, and what to do when not."""

import io
from datetime import UTC, datetime
from math import isfinite

import segno
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import get_language

from weldgate_issuer import token_text
from weldgate_platform.accounts.access import user_of
from weldgate_platform.accounts.models import User
from weldgate_platform.accounts.roles import Capability
from weldgate_platform.accounts.scope import capabilities_of
from weldgate_platform.ingest.models import Session
from weldgate_platform.people.models import Certificate, Person
from weldgate_platform.registry.codes import normalise_machine_code
from weldgate_platform.registry.models import Machine
from weldgate_platform.routers import INGEST
from weldgate_platform.starts.asking import Position, ask, judge
from weldgate_platform.starts.models import Dispatch, Start
from weldgate_protocol.reason_texts import TEXTS

__all__ = ["label", "start", "start_code", "start_state", "started"]

_MACHINES = Machine.objects.select_related("site__area", "site__kind", "site__enterprise")


def label(request: HttpRequest, code: str) -> HttpResponse:
    """Answer a machine's QR code: to everybody which machine it is, to a welder also whether he may start it.

    The public page shows no person. A code that was typed in another form leads to the address of its own.
    """
    normal = normalise_machine_code(code)
    if normal != code:
        return redirect("label", code=normal)
    one = get_object_or_404(_MACHINES, code=code)
    page: dict[str, object] = {"machine": one, "reason": None}
    user = request.user
    if isinstance(user, User) and Capability.MACHINE_START in capabilities_of(user):
        person = Person.objects.filter(user=user).first()
        decision = judge(one, person, timezone.now())
        page |= {
            "reason": decision.reason,
            "told": told(decision.reason),
            "certificate": Certificate.objects.filter(pk=decision.certificate or 0).first(),
        }
    return render(request, "registry/label.html", page)


def start(request: HttpRequest, code: str) -> HttpResponse:
    """Ask for the start of a machine, and go to the page of the answer."""
    one = get_object_or_404(_MACHINES, code=code)
    done = ask(one, user_of(request), timezone.localtime(), _position(request))
    return redirect("started", pk=done.pk)


def started(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the answer: what to do now, or why not and what to do instead."""
    done = _own(request, pk)
    page = {
        "start": done,
        "told": told(done.reason),
        "dispatch": Dispatch.objects.filter(start=done).first(),
        "session": session_of(done),
        "warnings": [told(number) for number in done.warnings],
        "expired": done.expires is not None and done.expires < timezone.now(),
    }
    return render(request, "starts/started.html", page)


def start_state(request: HttpRequest, pk: int) -> HttpResponse:
    """Return the fragment that tells how far the token has come; asked for again until that is final."""
    done = _own(request, pk)
    found = Dispatch.objects.filter(start=done).first()
    page = {
        "dispatch": found,
        "told": told(found.reason if found is not None else 0),
        "start": done,
        "session": session_of(done),
    }
    return render(request, "starts/state.html", page)


def start_code(request: HttpRequest, pk: int) -> HttpResponse:
    """Return the token as an SVG QR code, for the machine's own scanner; from no cache, and not once it has expired."""
    done = _own(request, pk)
    if not done.token or done.expires is None or done.expires < timezone.now():
        return HttpResponse(status=404)
    out = io.BytesIO()
    segno.make(token_text(bytes(done.token)), error="m", boost_error=False, micro=False).save(
        out, kind="svg", border=4, scale=8, xmldecl=False, dark="#000", light="#fff", omitsize=True
    )
    response = HttpResponse(out.getvalue(), content_type="image/svg+xml")
    response["Cache-Control"] = "no-store"
    return response


def session_of(done: Start) -> dict[str, object] | None:
    """Return the session that a start's token opened, as far as its frames have come; None before the first."""
    found = Session.objects.using(INGEST).filter(token=done.token_id).first() if done.token_id else None
    if found is None or found.started_ms is None:
        return None
    stopped = None if found.stopped_ms is None else datetime.fromtimestamp(found.stopped_ms / 1000, UTC)
    return {
        "started": datetime.fromtimestamp(found.started_ms / 1000, UTC),
        "stopped": stopped,
        "suspended": found.suspended,
        "arc_s": found.arc_ms // 1000,
        "arcs": found.arcs,
        "ended": told(found.cause),
    }


def told(number: int) -> tuple[int, str, str]:
    """Return a reason's number, its sentence and what to do next, in the reader's language."""
    if not number:
        return 0, "", ""
    _name, zh, en, next_zh, next_en = TEXTS[number]
    return (number, en, next_en) if (get_language() or "").startswith("en") else (number, zh, next_zh)


def _own(request: HttpRequest, pk: int) -> Start:
    """Return a start of one's own; another's does not exist."""
    return get_object_or_404(Start.objects.select_related("machine"), pk=pk, person__user=user_of(request))


def _position(request: HttpRequest) -> Position | None:
    """Return where the phone says it is; nothing where it says nothing, or nonsense."""
    try:
        latitude, longitude, accuracy = (float(request.POST[name]) for name in ("latitude", "longitude", "accuracy"))
    except (KeyError, ValueError):
        return None
    sound = isfinite(accuracy) and accuracy >= 0 and abs(latitude) <= 90 and abs(longitude) <= 180
    return Position(latitude, longitude, accuracy) if sound else None
