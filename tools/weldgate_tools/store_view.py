"""What a store's rows add up to: sessions, and what is missing. Plain functions over rows, no SQL and no terminal."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from weldgate_collector import Record
from weldgate_protocol import messages, reason_texts
from weldgate_protocol.collector_record import RECORD_GAP, decode_record
from weldgate_protocol.errors import RemoteError
from weldgate_protocol.frame import parse
from weldgate_tools.units import device_text, moment_text

__all__ = ["Line", "completeness", "sessions", "summarise"]

FRAME = 1  # kind of a row: a chip's frame; 2 is the collector's own record


@dataclass
class Line:
    """One chip's numbers in one epoch: which are stored, which are declared lost."""

    device: int
    epoch: int
    stored: list[list[int]] = field(default_factory=list)  # [first, last], ascending
    declared: list[list[int]] = field(default_factory=list)
    last_ms: int = 0

    def missing(self) -> list[tuple[int, int]]:
        """Return the ranges from 1 to the highest number that are neither stored nor declared."""
        holes = []
        expected = 1
        for first, last in sorted(self.stored + self.declared):
            if first > expected:
                holes.append((expected, first - 1))
            expected = max(expected, last + 1)
        return holes


def _fields(record: Record) -> dict[Any, Any]:
    try:
        return dict(messages.decode(record.type, parse(record.raw).payload))
    except RemoteError:
        return {}


def _add(ranges: list[list[int]], number: int) -> None:
    """Add a number to ranges that grow upwards."""
    if ranges and ranges[-1][0] <= number <= ranges[-1][1] + 1:
        ranges[-1][1] = max(ranges[-1][1], number)
    else:
        ranges.append([number, number])


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


def completeness(records: Iterable[Record]) -> list[Line]:
    """Follow every chip and epoch through all rows of a store.

    Args:
        records: in order of arrival.

    Returns:
        One line a chip and epoch; a line with `missing()` is a loss that nobody declared.
    """
    lines: dict[tuple[int, int], Line] = {}

    def line(device: int, epoch: int) -> Line:
        return lines.setdefault((device, epoch), Line(device, epoch))

    for record in records:
        if record.kind == FRAME:
            found = line(record.device, record.epoch)
            _add(found.stored, record.seq)
            found.last_ms = record.received_ms
            if record.type == messages.GAP:
                fields = _fields(record)
                epoch = int.from_bytes(fields["epoch"], "big") if "epoch" in fields else record.epoch
                if "last" in fields and (record.device, epoch) in lines:
                    line(record.device, epoch).declared.append([fields["first"], fields["last"]])
        else:
            own = decode_record(record.raw)
            if own.kind == RECORD_GAP:
                device, epoch = int.from_bytes(own.device, "big"), int.from_bytes(own.epoch, "big")
                line(device, epoch).declared.append([own.first, own.last])
    return sorted(lines.values(), key=lambda one: (one.device, one.epoch))


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
