"""From what a conversation hands up to rows of the store: pure, no socket, no database, no clock.

Decides what is new, what is a repeat, what is a conflict, and which heartbeats are worth a record. A *line* is the
numbers of one chip and epoch; it is known by 12 bytes, device ‖ epoch, as they stand in every frame's header (offset
2).
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from weldgate_protocol.collector_record import (
    RECORD_CHALLENGE,
    RECORD_CONFLICT,
    RECORD_GAP,
    RECORD_OPERATOR,
    RECORD_PRESENCE,
    TEXT_MAX,
    encode_record,
)
from weldgate_protocol.collector_record import Record as OwnRecord
from weldgate_protocol.frame import Frame, encode_body
from weldgate_protocol.reasons import ALARM_IDENTITY_CLONED, ALARM_SILENT

from .store.highs import HighTable
from .store.reader import Record
from .store.schema import FRAME, OWN
from .store.writer import Row

if TYPE_CHECKING:
    from weldgate_protocol.fields import Fields

__all__ = [
    "Lines",
    "Presence",
    "conflict_row",
    "conflicts",
    "frame_row",
    "gap_row",
    "operator_row",
    "silence_row",
]

PRESENCE_MS = 60_000  # DESIGN §2.12: a change, or 60 s, makes one presence record


class Lines:
    """The highest number of each line: in line, and committed. All that the hot path knows of the past."""

    def __init__(self, highs: Iterable[tuple[int, int, int]] = ()) -> None:
        """Begin with what the store holds.

        Args:
            highs: (device, epoch, highest number stored or declared).
        """
        self._high = HighTable(highs)
        self._behind: dict[bytes, int] = {}  # lines with rows that are not durable yet: what is committed of them

    def __len__(self) -> int:
        return len(self._high)

    def high(self, key: bytes) -> int:
        """Return the highest number in line, committed or not; 0 for a line that is new."""
        return self._high.get(key)

    def committed(self, device: bytes, epoch: bytes) -> int | None:
        """Return the highest committed number in line, None when there is none: what a chip may be told."""
        key = device + epoch
        return (self._behind[key] if key in self._behind else self._high.get(key)) or None

    def advance(self, key: bytes, seq: int) -> None:
        """Move a line on to ``seq``, whose row is on its way to the store."""
        if key not in self._behind:
            self._behind[key] = self._high.get(key)
        self._high.put(key, seq)

    def commit(self, key: bytes, seq: int) -> None:
        """Note that a line is durable through ``seq``."""
        if self._high.get(key) <= seq:
            self._behind.pop(key, None)
        elif seq > self._behind.get(key, seq):
            self._behind[key] = seq


class Presence:
    """What is known of one chip's state, and whether it is worth a record.

    Attributes:
        heartbeat: the latest, None before the first.
        highest: the highest number that it knew of; 0 where that can't be read.
    """

    def __init__(self, device: bytes, epoch: bytes, oldest: int) -> None:
        """Begin with a connection's hello: the chip, its epoch, and the oldest number that it holds."""
        self._device = device
        self._epoch = epoch
        self._oldest = oldest
        self.heartbeat: Frame | None = None
        self.highest = 0
        self._shown: object = None
        self._recorded_ms = 0

    def heard(self, frame: Frame, fields: "Fields | None", now_ms: int) -> Row | None:
        """Take a heartbeat; return a row when something changed or the last one is 60 s old.

        Args:
            frame: the heartbeat.
            fields: its decoded fields, None where they can't be read.
            now_ms: Unix milliseconds.
        """
        names = ("gate", "token", "alarms", "alarm_ids", "lock", "lock_ids")
        shown = frame.payload if fields is None else [fields.get(name) for name in names]
        self.heartbeat = frame
        self.highest = 0 if fields is None else fields["highest"]
        if shown == self._shown and 0 <= now_ms - self._recorded_ms < PRESENCE_MS:
            return None
        self._shown = shown
        return self.row(True, now_ms)

    def row(self, online: bool, now_ms: int, ahead: bool = False) -> Row:
        """Return a presence record with the latest heartbeat.

        Args:
            online: whether the chip is there.
            now_ms: Unix milliseconds.
            ahead: we hold more of its line than it says it ever sent: a cloned identity, or a lost tail.
        """
        self._recorded_ms = now_ms
        reason = ALARM_IDENTITY_CLONED if ahead else 0
        raw = b"" if self.heartbeat is None else _raw(self.heartbeat)
        record = OwnRecord(
            RECORD_PRESENCE, self._device, self._epoch, self._oldest, frame=raw, online=online, reason=reason
        )
        return _own_row(record, now_ms)


def frame_row(raw: bytes, device: int, epoch: int, seq: int, now_ms: int) -> Row:
    """Return a durable frame's row."""
    return (now_ms, FRAME, device, epoch, seq, raw[1], raw)


def gap_row(device: bytes, epoch: bytes, first: int, last: int, now_ms: int) -> Row:
    """Return the collector's own gap record: ``first`` to ``last`` can't be had."""
    return _own_row(OwnRecord(RECORD_GAP, device, epoch, first, last), now_ms)


def conflict_row(raw: bytes, now_ms: int) -> Row:
    """Return a conflict record: a row with other bytes holds this frame's identity; both are evidence."""
    seq = int.from_bytes(raw[14:18], "big")
    return _own_row(OwnRecord(RECORD_CONFLICT, raw[2:10], raw[10:14], seq, seq, raw), now_ms)


def silence_row(device: bytes, heartbeat: Frame | None, now_ms: int) -> Row:
    """Return the alarm of a chip that fell silent in a live session: a presence record, ended by the next one."""
    raw, epoch = (b"", bytes(4)) if heartbeat is None else (_raw(heartbeat), heartbeat.epoch)
    record = OwnRecord(RECORD_PRESENCE, device, epoch, frame=raw, online=False, reason=ALARM_SILENT)
    return _own_row(record, now_ms)


def challenge_row(frame: Frame, now_ms: int) -> Row:
    """Return the record of a chip that waits for its holder's live code: whoever knows his phone is to ask it."""
    return _own_row(OwnRecord(RECORD_CHALLENGE, frame.device, frame.epoch, frame=_raw(frame)), now_ms)


def operator_row(device: bytes, text: str, now_ms: int) -> Row:
    """Return the record of an act by the collector's own operator (DESIGN §2.8: audited)."""
    text = text.encode()[:TEXT_MAX].decode(errors="ignore")
    return _own_row(OwnRecord(RECORD_OPERATOR, device, bytes(4), text=text), now_ms)


def conflicts(repeats: list[tuple[int, bytes]], found: list[Record], now_ms: int) -> list[Row]:
    """Compare repeats with what is stored.

    Args:
        repeats: (number, frame) that came again, of one line.
        found: the line's frames and conflict records of these numbers.
        now_ms: Unix milliseconds.

    Returns:
        A conflict record for each frame whose bytes differ from the stored ones and are not in a record yet. A number
        that is held by no frame was declared a gap: the frame itself is the row then, since it turned up after all.
    """
    stored = {record.seq: record.raw for record in found if record.kind == FRAME}
    kept = {record.raw for record in found if record.kind == OWN}
    rows: list[Row] = []
    for seq, raw in repeats:
        first = stored.get(seq)
        if first is None:
            rows.append(
                frame_row(raw, int.from_bytes(raw[2:10], "big"), int.from_bytes(raw[10:14], "big"), seq, now_ms)
            )
            stored[seq] = raw
        elif first != raw:
            row = conflict_row(raw, now_ms)
            if row[6] not in kept:
                kept.add(row[6])
                rows.append(row)
    return rows


def _raw(frame: Frame) -> bytes:
    """Return a decoded frame's bytes; they are the ones that came, since an encoding is the only one of its frame."""
    return (
        encode_body(
            frame.flags, frame.type, frame.device, frame.epoch, frame.seq, frame.time_s, frame.time_ms, frame.payload
        )
        + frame.tag
    )


def _own_row(record: OwnRecord, now_ms: int) -> Row:
    device, epoch = int.from_bytes(record.device, "big"), int.from_bytes(record.epoch, "big")
    return (now_ms, OWN, device, epoch, record.last, record.kind, encode_record(record))
