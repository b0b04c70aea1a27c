"""Silence in a live session (DESIGN S5): whose session is live, when it was last heard of, whose silence is an alarm.

A session is live by the chip's latest heartbeat, or by a session record that is newer than it: its number is above the
heartbeat's ``highest``, so that an old start out of a backlog says nothing. Both are rows of the store, and so is the
alarm: a presence record, which the next presence record ends. What a restart has to know is read from them, so that no
alarm is lost or raised twice. Time is monotonic; from when nobody listened (the start, back-pressure, a program that
stood still) every chip has the whole allowance again. Pure but for ``stored_states``, which only reads.
"""

from collections.abc import Callable

import structlog

from weldgate_protocol import messages
from weldgate_protocol.collector_record import decode_record
from weldgate_protocol.errors import RemoteError
from weldgate_protocol.frame import Frame, parse
from weldgate_protocol.reasons import ALARM_SILENT

from .store.reader import Reader, Record
from .store.schema import OWN, PRESENCE

__all__ = ["SESSION_TYPES", "SILENT_S", "Silence", "State", "stored_states"]

_log = structlog.get_logger("weldgate.silence")

SILENT_S = 90.0  # DESIGN §8: a link is dead after three missed heartbeats of 30 s; M-CONV-16
SESSION_TYPES = frozenset(
    (
        messages.SESSION_START, messages.SESSION_SUSPEND, messages.SESSION_RESUME, messages.SESSION_STOP,
        messages.POWER_OFF,
    )
)  # fmt: skip
_BEGINNINGS = (messages.SESSION_START, messages.SESSION_RESUME)
_CLOSING_OR_CLOSED = (4, 5, 6)  # gate states COMMITTING, LIVE and ENDING (SPEC §8)
_RECALL_MS = 2 * 86_400_000  # rows older than the newest by more say nothing of now; two days outlast a clock's jump


class _Live:
    """A live session: when its chip was last heard, and its latest heartbeat where there was one."""

    __slots__ = ("frame", "heard_s")

    def __init__(self, heard_s: float, frame: Frame | None) -> None:
        self.heard_s = heard_s
        self.frame = frame


class Silence:
    """The live sessions of one collector's chips."""

    def __init__(self, clock_s: Callable[[], float]) -> None:
        """Begin to listen.

        Args:
            clock_s: monotonic seconds.
        """
        self._clock_s = clock_s
        self._listening_s = clock_s()
        self._live: dict[bytes, _Live] = {}
        self._alarmed: set[bytes] = set()
        self._heard: set[bytes] | None = set()  # since the start, until the store's rows were recalled

    @property
    def silent(self) -> list[bytes]:
        """The chips whose silence is an alarm now, by number."""
        return sorted(self._alarmed)

    def stands(self, device: bytes) -> bool:
        """Tell whether a chip's silence is an alarm now."""
        return device in self._alarmed

    def heartbeat(self, device: bytes, frame: Frame, gate: int | None) -> bool:
        """Take a heartbeat: the chip is there, and says whether its session is live.

        Args:
            device: 8 bytes.
            frame: the heartbeat.
            gate: its gate state, None where that can't be read.

        Returns:
            True when this ends an alarm.
        """
        if self._heard is not None:
            self._heard.add(device)
        known = self._live.get(device)
        if gate in _CLOSING_OR_CLOSED or (gate is None and known is not None):
            self._live[device] = _Live(self._clock_s(), frame)
        elif known is not None:
            del self._live[device]
        if device not in self._alarmed:
            return False
        self._alarmed.discard(device)
        return True

    def session(self, device: bytes, type_: int, frame: Frame | None) -> None:
        """Take a session record, or a last gasp, that is newer than the chip's latest heartbeat ``frame``."""
        if self._heard is not None:
            self._heard.add(device)
        if type_ in _BEGINNINGS:
            self._live[device] = _Live(self._clock_s(), frame)
        else:
            self._live.pop(device, None)

    def deaf(self) -> None:
        """Nobody listened until now: every allowance begins again."""
        self._listening_s = self._clock_s()

    def forget(self, device: bytes) -> None:
        """Forget a chip that is no longer known."""
        self._live.pop(device, None)
        self._alarmed.discard(device)

    def sweep(self, heard_s: Callable[[bytes], float]) -> list[tuple[bytes, Frame | None]]:
        """Return (chip, latest heartbeat) of each chip that has been silent for too long since the last call.

        Args:
            heard_s: when a chip's connection brought something last, 0.0 or less where it has none.
        """
        late_s = self._clock_s() - SILENT_S
        if self._listening_s >= late_s:
            return []
        silent = [
            (device, live.frame)
            for device, live in self._live.items()
            if live.heard_s < late_s and heard_s(device) < late_s
        ]
        for device, _ in silent:
            del self._live[device]
            self._alarmed.add(device)
        return silent

    def recall(self, states: "list[State]") -> None:
        """Take what ``stored_states`` found; of a chip that was heard since the start that is newer."""
        heard, self._heard = self._heard or set(), None
        for device, live, alarmed, frame in states:
            if device in heard:
                continue
            if alarmed:
                self._alarmed.add(device)
            elif live:
                self._live[device] = _Live(self._listening_s, frame)


State = tuple[bytes, bool, bool, Frame | None]
"""A chip; whether its session is live; whether its silence was an alarm already; its latest heartbeat."""


def stored_states(reader: Reader, go_on: Callable[[], bool] = lambda: True) -> list[State]:
    """Return what the store says of each chip, by its newest presence record and its newest session record.

    Args:
        reader: the store.
        go_on: asked now and then; on False the answer is what was found by then.
    """
    last = reader.last_index()
    newest = next(reader.rows(last, last), None)
    if newest is None:
        return []
    by_chip: dict[int, list[Record]] = {}
    for record in reader.newest((PRESENCE, *sorted(SESSION_TYPES)), newest[1] - _RECALL_MS, go_on):
        by_chip.setdefault(record.device, []).append(record)
    return [(device.to_bytes(8, "big"), *_derive(records)) for device, records in by_chip.items()]


def _derive(records: list[Record]) -> tuple[bool, bool, Frame | None]:
    """Return whether a chip's session is live, whether its silence was an alarm already, and its latest heartbeat."""
    live = alarmed = False
    frame: Frame | None = None
    highest = -1  # the highest number that the heartbeat knew of
    for record in records:
        if record.kind == OWN:
            try:
                own = decode_record(record.raw)
                alarmed = own.reason == ALARM_SILENT
                frame = parse(own.frame) if own.frame else None
                fields = messages.decode(frame.type, frame.payload) if frame is not None else {}
            except RemoteError:
                continue  # a heartbeat that nobody can read says nothing
            live = fields.get("gate") in _CLOSING_OR_CLOSED
            highest = int(fields.get("highest", -1))
    for record in records:
        if record.kind != OWN:
            same = frame is not None and int.from_bytes(frame.epoch, "big") == record.epoch
            newer = record.seq > highest if same or frame is None else record is records[-1]
            if newer:
                live = record.type in _BEGINNINGS
    return live, alarmed, frame
