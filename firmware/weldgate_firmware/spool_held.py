"""The spool as its readers see it: what is held, what the collector has, and what is lost.

The link reads from here and acknowledges here; `spool` adds what writes and erases.
"""

from weldgate_firmware.ring_format import RingSectors
from weldgate_firmware.ring_order import RingOrder
from weldgate_firmware.ring_reader import RingReader
from weldgate_protocol import messages
from weldgate_protocol._compat import const
from weldgate_protocol.errors import CborError, MessageError, StorageError
from weldgate_protocol.frame import HEADER_BYTES, RAW_MAX, TAG_BYTES
from weldgate_protocol.messages import GAP
from weldgate_protocol.reasons import STORAGE_SEQUENCE

CAUSE_UNCLEAN = const(1)  # gap causes, SPEC "gap"
CAUSE_OVERWRITTEN = const(2)
CAUSE_UNREADABLE = const(4)
CAUSE_AHEAD = const(6)


class SpoolHeld:
    """Records by number, up to what the collector has, and the losses among them.

    Attributes:
        next_seq: the number the next record must bear.
        highest: the highest number held or acknowledged, 0 when none.
        acked: everything up to here is with the collector.
        ahead: high-water of a collector that had more than this chip ever gave, until an ack above it; else 0. What
            is held behind `acked` is owed to it as long, though it has those numbers.
        skipped: numbers (first, last) that the next record, a gap, must declare; or None.
        lost_cause: gap cause (2 or 4) of what `take_lost` gives.
    """

    def __init__(self, sectors: RingSectors) -> None:
        self._ring = RingOrder(sectors)
        self._reader = RingReader(self._ring)
        self.next_seq = 1
        self.highest = 0
        self.acked = 0
        self.ahead = 0
        self.skipped: "tuple[int, int] | None" = None
        self.lost_cause = CAUSE_OVERWRITTEN
        self._lost: "tuple[int, int] | None" = None
        self._noted = 0  # losses up to this number were noted already
        self._pending = 0

    def _forget(self) -> None:
        """Begin with nothing held."""
        self.next_seq = 1
        self.highest = self.acked = self.ahead = self._noted = 0
        self._lost = self.skipped = None
        self._reader.forget()

    @property
    def epoch(self) -> bytes:
        """Four bytes, drawn when the ring held nothing readable."""
        return self._ring.epoch

    @property
    def clean(self) -> int:
        """How many sectors are erased and ready."""
        return self._ring.clean

    @property
    def failures(self) -> int:
        """How many flash operations failed since boot."""
        return self._ring.failures

    @property
    def used_permille(self) -> int:
        """How much of the ring is not yet acknowledged, 0..1000; whole sectors, the newest by its bytes."""
        size = self._ring.sectors.size
        used = self._pending * size
        if self._ring.head >= 0 and self.highest > self.acked:
            used += self._ring.write_at
        return min(1000, 1000 * used // (max(self._ring.usable, 1) * size))

    # -- reading -------------------------------------------------------------

    def read(self, seq: int, buf: "bytearray | memoryview") -> int:
        """Copy one raw frame into `buf`; cheap when it follows the one read before.

        Args:
            seq: its number.
            buf: at least as long as the frame (1058 bytes hold any).

        Returns:
            The frame's length, or 0 when it is not held, not readable or does not fit.
        """
        return self._reader.read(seq, buf) if 1 <= seq <= self.highest else 0

    def next_held(self, seq: int) -> int:
        """Give the smallest number held that is `seq` or more, 0 when there is none.

        What is owed to a collector that was ahead, and is found missing on the way, is noted for `take_lost`: that
        collector has these numbers, so it will not declare them.
        """
        held = self._reader.next_held(seq)
        if held != seq and self.acked < seq <= min(self.ahead, self.highest):
            self._note_lost(seq, self._declared_from(held) - 1, self._cause_of(seq))
        return held

    def _declared_from(self, held: int) -> int:
        """Give the first number that the record `held` accounts for: its own, or a gap's first one right behind it."""
        if held == 0:
            return self.highest + 1
        raw = bytearray(RAW_MAX)
        length = self._reader.read(held, raw) if self._reader.type == GAP else 0
        if length:
            try:
                gap = messages.decode(GAP, bytes(raw[HEADER_BYTES : length - TAG_BYTES]))
            except (CborError, MessageError):
                return held
            if "epoch" not in gap and gap.get("last") == held - 1:
                return int(gap["first"])
        return held

    def hole_after(self, seq: int) -> bool:
        """Tell whether the record after `seq` is missing although later ones exist, and the next is no gap.

        A collector refuses to go on over such a hole; the link then connects anew, and `oldest` lets the collector
        declare it. Happens after flash rot, or when records were overwritten while they waited to be sent.
        """
        if seq >= self.highest:
            return False
        held = self._reader.next_held(seq + 1)
        return held != seq + 1 and not (held > 0 and self._reader.type == GAP)

    @property
    def oldest(self) -> int:
        """The number from which a collector can go on: the oldest held, `highest` + 1 when none is.

        Where the record right behind `acked` is missing, it is the first one behind that hole.
        """
        held = self._reader.next_held(self.acked + 1) if self.acked < self.highest else 0
        if held == self.acked + 1 or self.acked == self.highest:
            held = self._reader.next_held(1)
        return held or self.highest + 1

    # -- what the collector has ------------------------------------------------

    def ack(self, through: int) -> None:
        """Note that the collector has everything up to `through`; an older or repeated ack changes nothing.

        Raises:
            StorageError: STORAGE_SEQUENCE, beyond what was ever written; releases nothing.
        """
        if through > self.highest:
            raise StorageError(STORAGE_SEQUENCE, "ack %d, the highest record is %d" % (through, self.highest))
        if through > self.acked:
            self.acked = through
            if through > self.ahead:
                self.ahead = 0  # the same connection brought all that was owed before it
            self._recount()

    def rewind(self, high_water: int) -> int:
        """Take the collector's own word for what it has, which may have gone backward.

        Records behind it that are held no more are noted for `take_lost`.

        Args:
            high_water: its highest number of this epoch. While `ahead` it acknowledges nothing.

        Returns:
            The number to send next: the first held behind it, 0 when there is none.

        Raises:
            StorageError: STORAGE_SEQUENCE, the collector has more than this flash ever wrote: `go_above` comes first.
        """
        if high_water >= self.next_seq:
            raise StorageError(STORAGE_SEQUENCE, "high-water %d, next record %d" % (high_water, self.next_seq))
        self.acked = min(high_water, self.acked if self.ahead else self.highest)
        self._recount()
        held = self._reader.next_held(self.acked + 1)
        if self.hole_after(self.acked):
            last = (held or self.highest + 1) - 1
            self._note_lost(self.acked + 1, last, self._cause_of(self.acked + 1))
        return held

    def go_above(self, high_water: int) -> None:
        """Number on above a collector that is ahead; what it has not acknowledged stays owed to it.

        Args:
            high_water: its highest number of this epoch. Numbers up to it that were not given are `skipped`.
        """
        self.ahead = max(self.ahead, high_water)
        if high_water >= self.next_seq:
            self.skipped = (self.skipped[0] if self.skipped is not None else self.next_seq, high_water)
            self.next_seq = high_water + 1

    @property
    def skip_cause(self) -> int:
        """Gap cause of what is `skipped`."""
        ahead = self.skipped is not None and self.skipped[0] <= self.ahead
        return CAUSE_AHEAD if ahead else CAUSE_UNCLEAN

    def _cause_of(self, seq: int) -> int:
        """Gap cause of a number that is held no more: was its sector overwritten, or is it there?"""
        oldest = self._ring.oldest()
        return CAUSE_UNREADABLE if oldest >= 0 and self._ring.first[oldest] <= seq else CAUSE_OVERWRITTEN

    def take_lost(self) -> "tuple[int, int] | None":
        """Give the numbers (first, last) lost since the last call, to be declared by a gap; cause in `lost_cause`."""
        lost = self._lost
        self._lost = None
        return lost

    def _note_lost(self, first: int, last: int, cause: int) -> None:
        """Note a loss, once for each number."""
        first = max(first, self._noted + 1)
        if first > last:
            return
        self._noted = last
        self._lost = (self._lost[0] if self._lost is not None else first, last)
        self.lost_cause = cause

    def _recount(self) -> None:
        """Count unacknowledged sectors anew, after `acked` or the ring changed."""
        self._pending = self._ring.pending(self.acked)
