"""What a store's rows add up to: counts and sessions. Plain functions over rows, no SQL and no terminal."""

from collections.abc import Iterable
from typing import Any

from weldgate_collector import Record
from weldgate_protocol import messages, reason_texts
from weldgate_protocol.errors import RemoteError
from weldgate_protocol.frame import parse
from weldgate_tools.units import device_text, moment_text

__all__ = ["sessions", "summarise"]

FRAME = 1  # kind of a row: a chip's frame; 2 is the collector's own record


def _fields(record: Record) -> dict[Any, Any]:
    try:
        return dict(messages.decode(record.type, parse(record.raw).payload))
    except RemoteError:
        return {}


def summarise(records: Iterable[Record]) -> list[dict[str, Any]]:
    """Count rows by chip, in the order of their numbers.

    Args:
        records: in order of arrival.
    """
    chips: dict[int, dict[str, Any]] = {}
    epochs: dict[int, set[int]] = {}
    for record in records:
        at = moment_text(record.received_ms / 1000)
        chip = chips.setdefault(
            record.device,
            {"device": device_text(record.device), "frames": 0, "own_records": 0, "epochs": 0, "first": at, "last": at},
        )
        chip["last"] = at
        chip["frames" if record.kind == FRAME else "own_records"] += 1
        if record.kind == FRAME:
            epochs.setdefault(record.device, set()).add(record.epoch)
            chip["epochs"] = len(epochs[record.device])
    return [chips[device] for device in sorted(chips)]


def sessions(records: Iterable[Record]) -> list[dict[str, Any]]:
    """Join starts, suspensions, resumptions, arcs and stops into sessions, in the order of their starts.

    A session whose start is not among the rows (cut off by a time range) begins with what is known of it.
    """
    found: dict[tuple[int, bytes], dict[str, Any]] = {}
    for record in records:
        if record.kind != FRAME or record.type not in _HANDLERS:
            continue
        fields = _fields(record)
        token = fields.get("token")
        if not isinstance(token, bytes):
            continue
        head = parse(record.raw)
        session = found.setdefault(
            (record.device, token),
            {
                "device": device_text(record.device),
                "token": token.hex(),
                "holder": None,
                "started": None,
                "stopped": None,
                "cause": None,
                "cause_name": None,
                "arcs": 0,
                "arc_s": 0.0,
                "peak_a": 0.0,
                "suspended": 0,
                "synthesised": False,
            },
        )
        _HANDLERS[record.type](session, fields, head.time_s + head.time_ms / 1000)
    return list(found.values())


def _start(session: dict[str, Any], fields: dict[Any, Any], at_s: float) -> None:
    session.update(started=moment_text(at_s), holder=fields["holder"].hex())


def _suspend(session: dict[str, Any], _fields: dict[Any, Any], _at_s: float) -> None:
    session["suspended"] += 1


def _resume(_session: dict[str, Any], _fields: dict[Any, Any], _at_s: float) -> None:
    """Nothing to add: the suspension before it is counted."""


def _arc(session: dict[str, Any], fields: dict[Any, Any], _at_s: float) -> None:
    session["arcs"] += 1
    session["arc_s"] = round(session["arc_s"] + fields["duration_ms"] / 1000, 3)
    session["peak_a"] = max(session["peak_a"], fields["peak_ma"] / 1000)


def _stop(session: dict[str, Any], fields: dict[Any, Any], at_s: float) -> None:
    session.update(
        stopped=moment_text(at_s),
        cause=fields["cause"],
        cause_name=reason_texts.name(fields["cause"]),
        synthesised=fields["synthesised"],
    )


_HANDLERS = {
    messages.SESSION_START: _start,
    messages.SESSION_SUSPEND: _suspend,
    messages.SESSION_RESUME: _resume,
    messages.SESSION_STOP: _stop,
    messages.ARC: _arc,
}
