"""Sessions read off frames: each frame is applied once, in whatever order it comes, and the outcome is the same.

So a back-fill of a week ago lands in its own time, and `rebuild` makes from what is kept exactly what was.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import transaction

from weldgate_platform.ingest.models import Kept, Session
from weldgate_platform.routers import INGEST
from weldgate_protocol import messages
from weldgate_protocol.errors import WeldgateError
from weldgate_protocol.frame import Frame

__all__ = ["TYPES", "apply_frames", "rebuild"]

TYPES = (
    messages.SESSION_START,
    messages.SESSION_SUSPEND,
    messages.SESSION_RESUME,
    messages.SESSION_STOP,
    messages.ARC,
)
_BATCH = 500


def apply_frames(frames: Iterable[Frame]) -> None:
    """Apply frames that were not applied before, in the caller's transaction; other types are left alone."""
    told = [(frame, fields) for frame in frames if frame.type in TYPES if (fields := _fields(frame)) is not None]
    tokens = {fields["token"].hex() for _frame, fields in told}
    there = Session.objects.using(INGEST).filter(token__in=tokens)
    known = {(one.device, one.token): one for one in there}
    fresh: list[Session] = []
    for frame, fields in told:
        device = int.from_bytes(frame.device, "big")
        key = (device, fields["token"].hex())
        if key not in known:
            known[key] = Session(device=device, token=key[1], epoch=int.from_bytes(frame.epoch, "big"))
            fresh.append(known[key])
        _apply(known[key], frame, fields)
    changed = [one for one in known.values() if not one._state.adding]
    names = ["holder", "started_ms", "stopped_ms", "cause", "suspended", "turned_seq", "arcs", "arc_ms"]
    Session.objects.using(INGEST).bulk_update(changed, names, batch_size=100)
    Session.objects.using(INGEST).bulk_create(fresh, batch_size=_BATCH)


def rebuild() -> int:
    """Make all sessions anew from the frames that are kept; return how many there are."""
    with transaction.atomic(using=INGEST):
        Session.objects.using(INGEST).all().delete()
        rows = Kept.objects.using(INGEST).filter(type__in=TYPES).order_by("pk")
        batch: list[Frame] = []
        for row in rows.iterator(_BATCH):
            batch.append(Frame(bytes(row.raw)))
            if len(batch) == _BATCH:
                apply_frames(batch)
                batch = []
        apply_frames(batch)
        return Session.objects.using(INGEST).count()


def _apply(session: Session, frame: Frame, fields: Mapping[Any, Any]) -> None:
    at_ms = frame.time_s * 1000 + frame.time_ms
    if frame.type == messages.SESSION_START:
        session.started_ms = at_ms
        session.holder = fields["holder"].hex()
    elif frame.type == messages.ARC:
        session.arcs += 1
        if session.stopped_ms is None:
            session.arc_ms += fields["duration_ms"]
    elif frame.type == messages.SESSION_STOP:
        session.stopped_ms = at_ms
        session.cause = fields["cause"]
        session.arc_ms = fields["arc_ms"]
    elif frame.seq > session.turned_seq:
        session.suspended = frame.type == messages.SESSION_SUSPEND
        session.turned_seq = frame.seq


def _fields(frame: Frame) -> Mapping[Any, Any] | None:
    """Return a frame's fields; None for one without a token, or that this release cannot read (it is kept)."""
    try:
        fields = messages.decode(frame.type, frame.payload)
    except WeldgateError:
        return None
    return fields if fields.get("token") else None
