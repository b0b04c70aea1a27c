"""The spool: a ring of flash sectors that holds every durable frame until the collector has it.

Theory of operation. Sectors are used strictly in turn. The newest takes records; behind it lie clean sectors, erased
ahead while the relay is open; then the oldest records. An append programs the whole record, reads it back, and then
programs its commit byte, so a power cut loses at most the record being written. A torn tail costs its number: it is
skipped, and the next record must be the gap that declares it (`skipped`), so that no number ever stands for other
bytes. A sector with a torn tail takes no more records. Acknowledged means "may be overwritten", not erased: sectors
are erased only up to a goal of clean ones, so a collector that was restored finds what the ring still holds.

Nothing here erases unless the caller says that the relay is open (`may_erase`). Priority is decided at admission;
eviction happens only to admit a stop, an alarm or their like when nothing else is left, and is declared
(`take_lost`). How it lies on flash: `ring_format`; the sectors' turn: `ring_order`; what is held: `spool_held`.
"""

from weldgate_firmware.ring_format import DIRTY, LIVE, RingSectors
from weldgate_firmware.spool_held import CAUSE_OVERWRITTEN, SpoolHeld
from weldgate_protocol._compat import const
from weldgate_protocol.errors import StorageError
from weldgate_protocol.messages import GAP
from weldgate_protocol.reasons import (
    GATE_FLASH_FAILED,
    GATE_SPOOL_FULL,
    STORAGE_FAILED,
    STORAGE_FULL,
    STORAGE_SEQUENCE,
    STORAGE_TOO_LONG,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from weldgate_firmware.flash_io import Flash

TELEMETRY = const(0)
REFUSAL = const(1)
SESSION = const(2)  # session start and resume, arcs
RECORD = const(3)  # stop, suspend, alarm, gap, order result: always wanted

SLOW_PERMILLE = const(750)  # DESIGN §5: above it telemetry slows (the driver's business)
QUIET_PERMILLE = const(850)  # above it telemetry and refusals get no number
START_PERMILLE = const(950)  # above it no session starts

SECTORS_MIN = const(4)  # the newest, one clean, one to erase, one with records
_TRIES = const(3)  # sectors tried for one record before giving up
_ORDINARY_BYTES = const(200)  # room a record of ordinary size needs: what `admits` reckons with


class Spool(SpoolHeld):
    """Durable frames of one epoch, numbered without reuse.

    Attributes:
        formatted: mount found nothing of ours: a new epoch, to be opened by a gap and an alarm.
        failed: flash did not take a record; cleared when it works again.
        dropped: unacknowledged records given up since boot.
        goal: clean sectors to be kept ready.
    """

    def __init__(self, flash: "Flash", first_sector: int, sectors: int, random: "Callable[[int], bytes]") -> None:
        """Bind to a part of the flash; `mount` reads it.

        Args:
            flash: the partition.
            first_sector: first sector of the ring.
            sectors: how many, at least 4.
            random: gives n random bytes.

        Raises:
            StorageError: STORAGE_TOO_LONG, fewer sectors than the ring needs.
        """
        if sectors < SECTORS_MIN:
            raise StorageError(STORAGE_TOO_LONG, "a ring of %d sectors, at least %d" % (sectors, SECTORS_MIN))
        super().__init__(RingSectors(flash, first_sector, sectors))
        self._random = random
        self.goal = max(2, sectors * 3 // 8)  # 24 of 64 sectors: some 1,000 records, a long session
        self._quiet_reserve = 1 + sectors // 16  # clean sectors kept from telemetry for sessions
        self.formatted = False
        self.failed = False
        self.dropped = 0

    def mount(self, acked: "tuple[bytes, int] | None" = None, ahead: "tuple[bytes, int] | None" = None) -> None:
        """Find the ring's order, its newest record and whether its tail is whole; erases nothing.

        Args:
            acked: (epoch, through) as the log remembers it; `through` may lag behind the truth.
            ahead: (epoch, high-water) of a collector that was ahead and is still owed what was unacknowledged.
        """
        self.failed = False
        if not self._ring.mount():
            self.renew()
            return
        self.formatted = False
        self._forget()
        if ahead is not None and ahead[0] == self._ring.epoch:
            self.ahead = ahead[1]
        self.highest, self.next_seq = self._ring.read_tail(self.ahead + 1)
        if acked is not None and acked[0] == self._ring.epoch:
            self.acked = acked[1]
            if acked[1] > self.highest:
                # The newest sector is gone. Its numbers were used, so they are not given out again.
                self.highest = acked[1]
                self.next_seq = max(self.next_seq, acked[1] + 1)
        if self.next_seq > self.highest + 1:
            self.skipped = (self.highest + 1, self.next_seq - 1)
        self._recount()

    def renew(self) -> None:
        """Begin a new epoch: nothing held, numbers from 1. Erases nothing; the first append makes it last."""
        self._ring.renew(self._random(4))
        self._forget()
        self.formatted = True
        self._recount()

    # -- room ----------------------------------------------------------------

    def admits(self, priority: int) -> int:
        """Tell whether a record of ordinary size would get a number now.

        Args:
            priority: TELEMETRY, REFUSAL, SESSION or RECORD.

        Returns:
            0, or GATE_FLASH_FAILED, or GATE_SPOOL_FULL. For a RECORD the latter means that only an append with
            `may_erase` can still take it.
        """
        if self.failed:
            return GATE_FLASH_FAILED
        if self._over(priority) or not self._fits(_ORDINARY_BYTES, priority):
            return GATE_SPOOL_FULL
        return 0

    def _over(self, priority: int) -> bool:
        """Is the ring too full of unacknowledged records for this priority?"""
        if priority <= REFUSAL:
            return self.used_permille > QUIET_PERMILLE
        return priority == SESSION and self.used_permille > START_PERMILLE

    def _fits(self, raw_bytes: int, priority: int) -> bool:
        """Is there erased room, beside what is reserved for higher priorities?

        One clean sector stays for RECORD: a session's stop, suspend and alarms must find room although nothing can
        be erased while its relay is closed, and 20 of them fit a sector.
        """
        reserve = 0
        if priority <= REFUSAL:
            reserve = self._quiet_reserve
        elif priority == SESSION:
            reserve = 1
        return self._ring.clean > reserve or (self._ring.clean == reserve and self._ring.head_takes(raw_bytes))

    # -- writing -------------------------------------------------------------

    def append(self, raw: "bytes | bytearray | memoryview", priority: int, may_erase: bool = False) -> None:
        """Commit one frame: when this returns, it survives.

        Args:
            raw: header, payload and tag; its epoch is the spool's and its number `next_seq`.
            priority: TELEMETRY, REFUSAL, SESSION or RECORD.
            may_erase: the relay is open, so that room may be made by erasing (up to 400 ms a sector); for a RECORD
                even of the oldest unacknowledged sector, see `take_lost`.

        Raises:
            StorageError: STORAGE_FULL, no room for this priority, nothing written and no number spent;
                STORAGE_FAILED, flash did not take it, and where bytes may stand on flash the number is spent (see
                `skipped`); STORAGE_SEQUENCE, other epoch or number, or not a gap while `skipped` waits to be
                declared; STORAGE_TOO_LONG, it fits no sector.
        """
        self._check(raw)
        if priority < RECORD:
            self._admit(len(raw), priority, may_erase)
        touched = False
        for _ in range(_TRIES):
            if not self._ring.head_takes(len(raw)) and not self._advance(priority, may_erase):
                break
            if self._ring.write(raw):
                self.highest = self.next_seq
                self.next_seq += 1
                self.skipped = None
                self.failed = False
                return
            touched = self.failed = True
        if not self.failed:
            raise StorageError(STORAGE_FULL, "no erased sector left for record %d" % self.next_seq)
        if touched:
            # The bytes may come to light again, so their number is skipped.
            self.skipped = (self.skipped[0] if self.skipped is not None else self.next_seq, self.next_seq)
            self.next_seq += 1
        raise StorageError(STORAGE_FAILED, "flash did not take the record")

    def _check(self, raw: "bytes | bytearray | memoryview") -> None:
        """Refuse a frame that is not the next one of this epoch."""
        if not self._ring.fits_ring(len(raw)):
            raise StorageError(STORAGE_TOO_LONG, "a frame of %d bytes does not fit" % len(raw))
        seq = int.from_bytes(raw[14:18], "big")
        if bytes(raw[10:14]) != self._ring.epoch or seq != self.next_seq:
            raise StorageError(STORAGE_SEQUENCE, "frame %d, the next one is %d of this epoch" % (seq, self.next_seq))
        if self.skipped is not None and raw[1] != GAP:
            raise StorageError(STORAGE_SEQUENCE, "numbers %d to %d are not declared yet" % self.skipped)

    def _admit(self, raw_bytes: int, priority: int, may_erase: bool) -> None:
        """Refuse what priority does not admit, after making room by erasing where that is allowed."""
        if self.failed:
            raise StorageError(STORAGE_FAILED, "flash did not take the last record")
        over = self._over(priority)
        while not over and not self._fits(raw_bytes, priority):
            over = not may_erase or not self._erase_next(False)
        if over:
            raise StorageError(STORAGE_FULL, "spool %d permille full, priority %d" % (self.used_permille, priority))

    def _advance(self, priority: int, may_erase: bool) -> bool:
        """Open the next clean sector, making one where that is allowed; False when there is none."""
        tries = _TRIES
        while tries > 0:
            index = self._ring.next_clean()
            if index < 0:
                if not may_erase:
                    return False
                if not self._erase_next(priority == RECORD):
                    if not self.failed:
                        return False
                    tries -= 1
            elif self._ring.open(index, self.next_seq):
                self._recount()
                return True
            else:
                self.failed = True
                tries -= 1
        return False

    # -- erasing, with the relay open only -------------------------------------

    def service(self, may_erase: bool) -> bool:
        """Erase one sector ahead, if that is allowed and the goal of clean sectors is not reached.

        Args:
            may_erase: the relay is open; this call may block for 400 ms, twice that when the sector fails.

        Returns:
            True when it did something: call again. False when there is nothing to do, or flash failed: call later.
        """
        if not may_erase:
            return False
        if self.failed:
            # A clean sector is erased once more, or retired ones are: the proof that flash works again.
            index = self._ring.next_clean()
            if index >= 0:
                self._ring.state[index] = DIRTY
            else:
                self._ring.pardon()
            return self._erase_next(False)
        return self._ring.clean < self.goal and self._erase_next(False)

    def _erase_next(self, drop: bool) -> bool:
        """Erase the next sector in turn, unless it holds what the collector has not got.

        Args:
            drop: give up even those records, and note them for `take_lost`.

        Returns:
            True when there is one more clean sector.
        """
        index = self._ring.next_used()
        if index < 0:
            return False
        if self._ring.state[index] == LIVE:
            last = self._ring.last_of(index, self.next_seq)
            if last > self.acked:
                if not drop:
                    return False
                first = max(self._ring.first[index], self.acked + 1)
                self.dropped += last - first + 1
                self._note_lost(first, last, CAUSE_OVERWRITTEN)
        self.failed = not self._ring.erase(index)
        self._reader.forget()
        self._recount()
        return not self.failed
