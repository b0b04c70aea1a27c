"""What happened becomes a durable frame: numbered, stamped, encoded and tagged once, then appended to the spool.

Records of what has just happened are queued with their time and written by `flush`, so that the relay never waits;
what closing waits for is written at once by `write`. Numbers are given when a frame is written, in the order of
writing. Where the spool lost a number, the gap that declares it goes first. Which record bears a seal is `seals`'s.
"""

from weldgate_firmware import spool as spools
from weldgate_protocol import frame, messages
from weldgate_protocol._compat import const
from weldgate_protocol.errors import StorageError
from weldgate_protocol.reasons import GATE_SPOOL_FULL, STORAGE_FULL
from weldgate_protocol.seal import SEAL_BYTES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from weldgate_firmware.clock import Clock
    from weldgate_firmware.seals import Seals
    from weldgate_firmware.spool import Spool
    from weldgate_protocol._compat import HmacKey

    Fields = dict[str, Any]
    Stamp = tuple[int, int, int]
    Item = tuple[int, Fields, int, Stamp, "Callable[[], None] | None"]

# Gap causes, SPEC "gap"; the spool gives 1, 2, 4 and 6.
GAP_FORMATTED = const(3)
GAP_NOT_ADMITTED = const(5)

QUEUE_MAX = const(32)
# Places of the queue that a priority may fill: telemetry, refusal, session, record.
_ROOM = (8, 12, 20, 32)


class Recorder:
    """The queue before the spool.

    Attributes:
        skipped: records that got no number since telemetry last said how many.
        failing: the spool did not take the last record; cleared when it takes one.
    """

    def __init__(
        self, spool: "Spool", key: "HmacKey", device: bytes, generation: int, clock: "Clock", seals: "Seals"
    ) -> None:
        self.spool = spool
        self._seals = seals
        self._key = key
        self._device = device
        self._parity = frame.FLAG_PARITY if generation & 1 else 0
        self._clock = clock
        self._queue: "list[Item]" = []
        self.skipped = 0
        self.failing = False

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def next_seq(self) -> int:
        """The number that a record written now would bear: where numbers are `skipped`, a gap goes first."""
        return self.spool.next_seq + (0 if self.spool.skipped is None else 1)

    def note(
        self,
        type_: int,
        fields: "Fields",
        priority: int,
        ago_ms: int = 0,
        done: "Callable[[], None] | None" = None,
        must: bool = False,
    ) -> bool:
        """Queue a record with the time of now; False when it found no place and was counted instead.

        Args:
            type_: a durable message type.
            fields: its fields by name.
            priority: of the spool: TELEMETRY, REFUSAL, SESSION or RECORD.
            ago_ms: how long ago it happened.
            done: called when the record is durable.
            must: take it though the queue is full; for a session's stop and suspend, of which only one can wait.
        """
        if not must and len(self._queue) >= _ROOM[priority]:
            self.skipped += 1
            return False
        self._queue.append((type_, fields, priority, self._clock.stamp(ago_ms), done))
        return True

    def write(self, type_: int, fields: "Fields", priority: int, may_erase: bool) -> int:
        """Write a record of now and return its number; when this returns, it survives.

        Raises:
            StorageError: it is not on flash.
        """
        return self._append(type_, fields, priority, self._clock.stamp(), may_erase)

    def needs_room(self) -> bool:
        """Tell whether the record that has waited longest finds no erased room."""
        return len(self._queue) > 0 and self.spool.admits(self._queue[0][2]) == GATE_SPOOL_FULL

    def flush(self, may_erase: bool) -> bool:
        """Write the record that has waited longest; True when the queue, or what is to be read first, is shorter.

        Raises:
            StorageError: a record that must not be lost was not taken; it stays queued.
        """
        if self._seals.recall(self.spool):
            return True
        self._declare_lost()
        if not self._queue:
            return False
        type_, fields, priority, stamp, done = self._queue[0]
        try:
            self._append(type_, fields, priority, stamp, may_erase)
        except StorageError as error:
            if error.code != STORAGE_FULL or priority == spools.RECORD:
                self.failing = True
                raise
            self.skipped += 1
        else:
            if done is not None:
                done()
        self.failing = False
        self._queue = self._queue[1:]
        return True

    def _declare_lost(self) -> None:
        lost = self.spool.take_lost()
        if lost is not None:
            fields = {"first": lost[0], "last": lost[1], "cause": self.spool.lost_cause}
            self.note(messages.GAP, fields, spools.RECORD)

    def _append(self, type_: int, fields: "Fields", priority: int, stamp: "Stamp", may_erase: bool) -> int:
        spool = self.spool
        while self._seals.recall(spool):
            pass  # at most 256 records; the relay is open, since nothing is written before this ends
        skipped = spool.skipped
        if skipped is not None:
            gap: "Fields" = {"first": skipped[0], "last": skipped[1], "cause": spool.skip_cause}
            self._commit(messages.GAP, gap, spools.RECORD, stamp, may_erase)
        if type_ == messages.TELEMETRY and self.skipped:
            fields["skipped"] = self.skipped
        seq = self._commit(type_, fields, priority, stamp, may_erase)
        if type_ == messages.TELEMETRY:
            self.skipped = 0
        return seq

    def _commit(self, type_: int, fields: "Fields", priority: int, stamp: "Stamp", may_erase: bool) -> int:
        """Encode, seal where that is due, and tag a frame for the next number; have it on flash and in the chain."""
        spool = self.spool
        seq = spool.next_seq
        sealed = self._seals.due(type_, seq)
        if sealed:
            fields = dict(fields)
            fields["seal"] = bytes(SEAL_BYTES)
        payload = messages.encode(type_, fields)
        flags = frame.FLAG_DURABLE | self._parity | stamp[2]
        body = frame.encode_body(flags, type_, self._device, spool.epoch, seq, stamp[0], stamp[1], payload)
        if sealed:
            body = self._seals.close(body)
        raw = frame.seal(body, self._key)
        spool.append(raw, priority, may_erase)
        self._seals.took(raw, seq, sealed)
        return seq
