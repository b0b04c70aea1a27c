"""Which sector of the ring comes when: the newest, the clean ones after it, the oldest records after those.

Sectors are used strictly in turn, so their order is their place, counted from the newest (the *head*); the numbers in
their headers only say which one that is. Kept in RAM: a state, a first number and an erase count for each sector.
Nothing here knows priorities or what the collector has; the spool decides, this module opens and erases.
"""

from array import array

from weldgate_firmware.ring_format import CLEAN, DIRTY, LIVE, RAW_MIN, RETIRED, SECTOR_HEADER, UNREADABLE, RingSectors
from weldgate_protocol._compat import const

_ERASE_TRIES = const(2)  # a sector that twice did not take an erase is retired


class RingOrder:
    """The ring's sectors in turn.

    Attributes:
        sectors: reads and writes them.
        epoch: 4 bytes; zero before `mount` or `renew`.
        head: the newest sector, -1 when none is open. write_at: where its next record goes.
        clean, usable: how many sectors are ready, and how many take part at all.
        failures: flash operations that failed since boot.
    """

    def __init__(self, sectors: RingSectors) -> None:
        self.sectors = sectors
        self.count = sectors.count
        self.state = bytearray(sectors.count)
        self.first = array("I", [0] * sectors.count)
        self.erases = array("I", [0] * sectors.count)
        self.epoch = b"\x00\x00\x00\x00"
        self.head = -1
        self.write_at = sectors.size
        self.failures = 0
        self.clean = 0
        self.usable = sectors.count
        self._order = 0

    # -- mount -----------------------------------------------------------------

    def mount(self) -> bool:
        """Read every header and find the epoch and the head.

        Returns:
            False when no sector of ours could be read; `renew` comes next.
        """
        newest = -1
        epochs = []
        self._order = 0
        for index in range(self.count):
            self.state[index] = self.sectors.examine(index)
            self.erases[index] = self.sectors.erases
            epochs.append(b"")
            if self.state[index] == LIVE:
                epochs[index] = self.sectors.epoch
                self.first[index] = self.sectors.first
                if newest < 0 or self.sectors.order > self._order:
                    newest = index
                    self._order = self.sectors.order
        self.head = newest
        if newest < 0:
            self.recount()
            return False
        self.epoch = epochs[newest]
        for index in range(self.count):
            if self.state[index] == LIVE and epochs[index] != self.epoch:
                self.state[index] = DIRTY
            elif self.state[index] == DIRTY:
                self._revive(index)
        self._sort_out()
        self.recount()
        return True

    def _revive(self, index: int) -> None:
        """Take a sector whose header rotted by the number of its first record, if that one is intact."""
        sectors = self.sectors
        sectors.examine(index)
        if sectors.killed() or sectors.probe(index, SECTOR_HEADER) <= 0:
            return
        if sectors.seek(index, SECTOR_HEADER, 0, self.epoch) and sectors.at == SECTOR_HEADER:
            self.state[index] = LIVE
            self.first[index] = sectors.seq

    def _sort_out(self) -> None:
        """Make a revived sector that is newer than the head the new head; drop what does not descend from it."""
        behind = self.oldest()
        while behind != self.head and self.first[behind] > self.first[self.head]:
            self.head = behind
            behind = self.oldest()
        bound = 0
        for step in range(1, self.count):
            index = self.turn(step)
            if self.state[index] == LIVE and self._holds(index):
                if bound <= self.sectors.seq and self.first[index] <= self.first[self.head]:
                    bound = self.first[index] = self.sectors.seq
                else:
                    # Older than what stands before it: it was given up, and took neither the kill nor the erase.
                    self.state[index] = DIRTY
        bound = self.first[self.head]
        for step in range(1, self.count):
            index = (self.head - step) % self.count
            if self.state[index] == LIVE:
                if self.first[index] > bound:
                    self.state[index] = DIRTY  # opened, without a record: flash said no, and took it all the same
                bound = min(bound, self.first[index])

    def _holds(self, index: int) -> bool:
        """Is there an intact record in a sector? The first one is `sectors.seq` then."""
        return self.sectors.seek(index, SECTOR_HEADER, 0, self.epoch)

    def _find_firsts(self) -> None:
        """Let a sector without a record begin where the next one does: the one before may hold what was to come."""
        bound = self.first[self.head]
        for step in range(1, self.count):
            index = (self.head - step) % self.count
            if self.state[index] == LIVE:
                if self._holds(index):
                    bound = self.first[index]
                self.first[index] = bound

    def read_tail(self, floor: int = 1) -> "tuple[int, int]":
        """Find the newest committed record and whether something was torn behind it.

        Args:
            floor: smallest number that may have been given to what was torn, and may be given next.

        Returns:
            (highest number committed, next number to use). `write_at` is set; behind a torn record it is the
            sector's end, since half-programmed cells may read one way today and another tomorrow.
        """
        sectors = self.sectors
        highest = self._walk(self.head)
        next_seq = max(self.first[self.head], highest + 1, floor)
        self.write_at = sectors.end
        try:
            torn = not sectors.io.blank(sectors.start(self.head) + sectors.end, sectors.size - sectors.end)
        except OSError:
            torn = True
        if torn:
            next_seq += 1
            self.write_at = sectors.size
        step = 1
        while highest == 0 and step < self.count:
            index = (self.head - step) % self.count
            if self.state[index] == LIVE:
                highest = self._walk(index)
            step += 1
        if highest == 0:  # no record is held, only sectors that were opened for one
            highest = self.first[self.oldest()] - 1
        if step > 1 and highest >= self.first[self.head]:
            # The sector before has the record that was to come first here: its program failed, and took all the same.
            self.first[self.head] = highest + 1
        self._find_firsts()
        return highest, max(next_seq, highest + 1)

    def _walk(self, index: int) -> int:
        """Give the last number intact in a sector, 0 when none is; `sectors.end` is behind it."""
        sectors = self.sectors
        offset = SECTOR_HEADER
        last = 0
        while sectors.seek(index, offset, 0, self.epoch):
            last = sectors.seq
            offset = sectors.at + 8 + sectors.length
        sectors.end = offset
        return last

    def renew(self, epoch: bytes) -> None:
        """Begin a new epoch: every sector that is not clean is to be erased before use."""
        for index in range(self.count):
            if self.state[index] == LIVE:
                self.state[index] = DIRTY
        self.epoch = epoch
        self.head = -1
        self.write_at = self.sectors.size
        self.recount()

    # -- turn by turn ------------------------------------------------------------

    def turn(self, step: int) -> int:
        """Give the sector `step` places behind the head; `count` places is the head itself."""
        return (self.head + step) % self.count

    def oldest(self) -> int:
        """Give the sector with the oldest records, -1 when none is live."""
        for step in range(1, self.count + 1):
            if self.state[self.turn(step)] == LIVE:
                return self.turn(step)
        return -1

    def last_of(self, index: int, next_seq: int) -> int:
        """Give the last number that can stand in a live sector.

        Args:
            index: the sector.
            next_seq: the number the ring's next record will bear.
        """
        while index != self.head:
            index = (index + 1) % self.count
            if self.state[index] == LIVE:
                return self.first[index] - 1
        return next_seq - 1

    def pending(self, acked: int) -> int:
        """Count the sectors, the head apart, that may hold a record beyond `acked`."""
        n = 0
        behind = False
        for step in range(1, self.count + 1):
            index = self.turn(step)
            if self.state[index] == LIVE:
                if behind and self.first[index] - 1 > acked:
                    n += 1
                behind = True
        return n

    def head_takes(self, raw_bytes: int) -> bool:
        """Is there room in the head for a frame of that length?"""
        return self.head >= 0 and self.write_at + 8 + raw_bytes <= self.sectors.size

    def next_clean(self) -> int:
        """Give the clean sector that comes next in turn, -1 when the oldest records come before one."""
        for step in range(1, self.count + 1):
            index = self.turn(step)
            if self.state[index] == CLEAN:
                return index
            if self.state[index] == LIVE:
                break
        return -1

    def next_used(self) -> int:
        """Give the sector to be erased next: the first in turn that is dirty or holds records; -1 for none."""
        for step in range(1, self.count + 1):
            index = self.turn(step)
            if index != self.head and (self.state[index] == LIVE or self.state[index] == DIRTY):
                return index
        return -1

    def open(self, index: int, first: int) -> bool:
        """Make a clean sector the head; False when flash did not take it (it is to be erased again then).

        Args:
            index: the sector.
            first: the number its first record will bear.
        """
        self._order += 1  # also when it fails: what took in spite of an error must not look like the newest later
        try:
            self.sectors.open(index, self.epoch, self._order, first)
        except OSError:
            self.failures += 1
            self.state[index] = DIRTY
            self.recount()
            return False
        self.state[index] = LIVE
        self.first[index] = first
        self.head = index
        self.write_at = SECTOR_HEADER
        self.recount()
        return True

    def write(self, raw: "bytes | bytearray | memoryview") -> bool:
        """Commit one frame in the head, which has room for it.

        Returns:
            False when flash did not take it; the head is closed then, for what lies behind is not to be trusted.
        """
        try:
            self.write_at = self.sectors.write(self.head, self.write_at, raw)
        except OSError:
            self.failures += 1
            self.write_at = self.sectors.size
            return False
        return True

    def erase(self, index: int) -> bool:
        """Take a sector out of the ring and erase it; blocks up to 400 ms, or twice that when it fails.

        Returns:
            False when it did not take: it is retired.
        """
        if self.state[index] == LIVE:
            try:
                self.sectors.kill(index)
            except OSError:
                self.failures += 1  # the erase that follows does the same, less surely
        self.state[index] = RETIRED
        for _ in range(_ERASE_TRIES):
            self.erases[index] += 1
            try:
                self.sectors.erase(index, self.erases[index])
            except OSError:
                self.failures += 1
                continue
            self.state[index] = CLEAN
            break
        self.recount()
        return self.state[index] == CLEAN

    def pardon(self) -> None:
        """Let retired sectors be erased again: flash may have recovered."""
        for index in range(self.count):
            if self.state[index] == RETIRED:
                self.state[index] = DIRTY
        self.recount()

    def recount(self) -> None:
        """Count clean and usable sectors anew, after a state changed."""
        self.clean = 0
        self.usable = self.count
        for state in self.state:
            if state == CLEAN:
                self.clean += 1
            elif state in (RETIRED, UNREADABLE):
                self.usable -= 1

    def fits_ring(self, raw_bytes: int) -> bool:
        """Is a frame of that length one the ring can hold at all?"""
        return RAW_MIN <= raw_bytes <= self.sectors.largest_raw()
