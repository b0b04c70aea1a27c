"""Reading records back by number: cheap in sequence, bounded by a sector's walk otherwise.

Back-fill reads a thousand records one after the other, so the place behind the last one read is remembered. Damage is
found here, when a record is asked for, and not at mount: what can't be read is simply not held.
"""

from weldgate_firmware.ring_format import LIVE, SECTOR_HEADER
from weldgate_firmware.ring_order import RingOrder


class RingReader:
    """A cursor over the records of a ring.

    Attributes:
        type: message type of the record `next_held` found.
    """

    def __init__(self, order: RingOrder) -> None:
        self._order = order
        self._sectors = order.sectors
        self.type = 0
        self._index = -1
        self._offset = 0
        self._seq = 0

    def forget(self) -> None:
        """Drop the remembered place: a sector was erased."""
        self._seq = 0

    def read(self, seq: int, buf: "bytearray | memoryview") -> int:
        """Copy one raw frame.

        Args:
            seq: its number, 1 or more.
            buf: where to.

        Returns:
            Its length; 0 when it is not held, not readable, or longer than `buf`.
        """
        if seq == self._seq:
            n = self._load(seq, buf)
            if n > 0:
                return n
        return self._load(seq, buf) if self.next_held(seq) == seq else 0

    def _load(self, seq: int, buf: "bytearray | memoryview") -> int:
        """Copy the frame at the remembered place, if it is the one, and remember the place behind it."""
        sectors = self._sectors
        n = sectors.probe(self._index, self._offset)
        if n <= 0 or n > len(buf) or sectors.seq != seq:
            return 0
        if not sectors.load(self._index, self._offset, n, buf) or bytes(buf[10:14]) != self._order.epoch:
            return 0
        self._offset += 8 + n
        self._seq = seq + 1
        return n

    def next_held(self, seq: int) -> int:
        """Give the smallest number held that is `seq` or more, 0 when there is none."""
        order = self._order
        if seq == self._seq:
            n = self._sectors.probe(self._index, self._offset)
            if n > 0 and self._sectors.seq == seq and self._sectors.intact(self._index, self._offset, n, order.epoch):
                self.type = self._sectors.type
                return seq
        begin = earlier = 0
        for step in range(1, order.count + 1):
            index = order.turn(step)
            if order.state[index] == LIVE and (begin == 0 or order.first[index] <= seq):
                begin = step
                if earlier == 0 or order.first[index] < seq:
                    earlier = step
        self._seq = 0
        if begin == 0:
            return 0
        held = self._search(begin, seq)
        if held != seq and earlier != begin:
            # A record whose sector failed was begun again, with the same bytes, in the next one. Where power went
            # away in between, the first try may be the one that took.
            held = self._search(earlier, seq)
        return held

    def _search(self, begin: int, seq: int) -> int:
        """Find the first record numbered `seq` or more in the sectors from the turn `begin` on."""
        order = self._order
        for step in range(begin, order.count + 1):
            index = order.turn(step)
            if order.state[index] == LIVE and self._sectors.seek(index, SECTOR_HEADER, seq, order.epoch):
                self._index = index
                self._offset = self._sectors.at
                self._seq = self._sectors.seq
                self.type = self._sectors.type
                return self._seq
        return 0
