"""The log: small durable facts, the grave ones in two copies in different sectors.

Kinds up to `SESSION`, `PRUNED` and `IDS_FROM` are kept twice, in a main log and in a guard log: used ids, latch, lock,
open session. The order of writing makes the main log right whenever it is whole: what is put goes to main first, what
is removed leaves main last. Where main is torn, damaged or unsure, both count: what either still says, holds. Where
both are damaged, nobody can say what was latched: `readable` is False, across reboots, until the driver has latched
anew and calls `settle`. So unreadable means latched and locked, and a single rotten sector means nothing.

Nothing is erased unless the caller says that the relay is open. `service` rewrites ahead, so that a session of 24 h
finds room: powered seconds cost one bit a minute (`facts`), the rest some 3 KB.
"""

from binascii import crc32

from weldgate_firmware.fact_reader import KEY_MAX, SPARE_CLEAN, VALUE_MAX
from weldgate_firmware.facts import FactLog
from weldgate_protocol._compat import const
from weldgate_protocol.errors import StorageError
from weldgate_protocol.reasons import (
    GATE_FLASH_FAILED,
    GATE_SPOOL_FULL,
    STORAGE_FAILED,
    STORAGE_FULL,
    STORAGE_TOO_LONG,
    STORAGE_UNREADABLE,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from weldgate_firmware.flash_io import Flash

USED_ID = const(1)  # key: token or order id, 8 bytes; value: expiry, u32 seconds from 2020
LATCH = const(2)  # key: alarm id, 8 bytes; value: reason, u16
LOCK = const(3)  # key: lock id, 8 bytes; value: mode u8, reason u16
SESSION = const(4)  # the open session
POWERED = const(5)  # powered seconds, u32; kept as a counter that rounds up to minutes
TRUSTED_FLOOR = const(6)
TENTATIVE_FLOOR = const(7)
BOOT_COUNT = const(8)
VERSIONS = const(9)  # without a key; LEAVE_KEY: planned removal, since all 14 kinds are given out
ACKED = const(10)  # epoch 4 bytes, through u32
PRUNED = const(11)  # largest expiry of a used id that was forgotten, u32
AHEAD = const(12)  # records are owed to a collector that was ahead: epoch 4 bytes, high-water u32, alarm id
IDS_FROM = const(13)  # tokens issued up to here may have been used: their ids were lost with both copies, u32
DAMAGE = const(14)  # both copies were damaged, and the driver has not latched for it yet

LEAVE_KEY = b"leave"  # order id, end u32, seconds granted u32; in one copy: lost, it is no leave

USED_IDS_MAX = const(256)  # a full table refuses, it never evicts (DESIGN §3.4)
LOG_SECTORS = const(8)  # two logs of two areas of two sectors
SESSION_BYTES = const(1280)  # free room a session start needs: its own facts and floors every 10 min for a shift

_AREA_SECTORS = const(2)
_PRUNE_STEP = const(2)  # ids forgotten in one call: two programs of 3 ms each


def mirrored(kind: int) -> bool:
    """Is this kind kept in two copies?"""
    return kind <= SESSION or kind in (PRUNED, IDS_FROM, DAMAGE)


class Log:
    """Durable facts by kind and key.

    Attributes:
        failed: flash did not take the last write; cleared when it works again.
        failures: flash operations that failed since boot.
    """

    def __init__(self, flash: "Flash", first_sector: int) -> None:
        """Bind to LOG_SECTORS sectors; `mount` reads them."""
        half = 2 * _AREA_SECTORS
        self._main = FactLog(flash, first_sector, _AREA_SECTORS, POWERED)
        self._guard = FactLog(flash, first_sector + half, _AREA_SECTORS, POWERED)
        self._together = False  # main is not surely whole: both copies count
        self._stale = False  # the guard does not say what main says
        self._doubt = False  # both were damaged
        self.failed = False
        self.failures = 0

    def mount(self) -> None:
        """Read both copies; erases and writes nothing. A copy that the driver can't read counts as damaged."""
        main, guard = self._main, self._guard
        for log in (main, guard):
            try:
                log.mount()
            except OSError:
                self.failures += 1
                log.give_up()
        self._together = main.torn or main.damaged or main.blank or main.unsure
        self._doubt = main.damaged and (guard.damaged or guard.blank)
        try:
            self._stale = guard.torn or guard.damaged or self._digest(main) != self._digest(guard)
            self._doubt = self._doubt or self._get(DAMAGE, b"") is not None
        except OSError:
            self._doubt = self._stale = True  # it could be read a moment ago: nothing is sure any more

    @staticmethod
    def _digest(log: FactLog) -> int:
        """Give a number that tells two sets of mirrored facts apart, whatever their order."""
        digest = 0
        for kind, key, value in log.facts():
            if mirrored(kind):
                digest ^= crc32(value, crc32(key, kind))
        return digest

    # -- reading -------------------------------------------------------------------

    def readable(self, kind: int) -> bool:
        """Tell whether what the log says of a kind can be relied on; if not, it is latched, locked, used."""
        return not self._doubt if mirrored(kind) else not self._main.damaged

    def get(self, kind: int, key: bytes = b"") -> "bytes | None":
        """Give a fact's value, None when there is none.

        Raises:
            StorageError: STORAGE_UNREADABLE, the driver could not read.
        """
        try:
            return self._get(kind, key)
        except OSError as error:
            raise StorageError(STORAGE_UNREADABLE, "fact %d can't be read: %s" % (kind, error))

    def _get(self, kind: int, key: bytes) -> "bytes | None":
        value = self._main.get(kind, key)
        if value is None and self._together and mirrored(kind):
            value = self._guard.get(kind, key)
        return value

    def items(self, kind: int) -> "Iterator[tuple[bytes, bytes]]":
        """Yield (key, value) of all facts of a kind; nothing may be written meanwhile.

        Raises:
            StorageError: STORAGE_UNREADABLE, the driver could not read.
        """
        try:
            for _, key, value in self._facts(kind):
                yield key, value
        except OSError as error:
            raise StorageError(STORAGE_UNREADABLE, "facts %d can't be read: %s" % (kind, error))

    def count(self, kind: int) -> int:
        """Count the facts of a kind."""
        if not self._together:
            return self._main.held(kind)
        n = 0
        for _ in self.items(kind):
            n += 1
        return n

    def _facts(self, kind: int = 0) -> "Iterator[tuple[int, bytes, bytes]]":
        """Yield all facts that hold, of one kind or of all."""
        yield from self._main.facts(kind)
        if not self._together:
            return
        for fact in self._guard.facts(kind):
            if mirrored(fact[0]) and self._main.find(fact[0], fact[1]) < 0:
                yield fact

    # -- writing -------------------------------------------------------------------

    def admits(self) -> int:
        """Tell whether a session's facts will find room: 0, GATE_FLASH_FAILED or GATE_SPOOL_FULL."""
        if self.failed:
            return GATE_FLASH_FAILED
        for log in (self._main, self._guard):
            if log.torn or log.area_bytes - log.end < SESSION_BYTES:
                return GATE_SPOOL_FULL
        return 0

    def put(self, kind: int, value: bytes, key: bytes = b"", may_erase: bool = False) -> None:
        """Make a fact durable; when this returns, it survives. Costs a program, two for a mirrored kind.

        Args:
            kind: 1..14.
            value: at most 253 bytes.
            key: at most 15 bytes.
            may_erase: the relay is open, so that room may be made by erasing.

        Raises:
            StorageError: STORAGE_FULL, no room, or too many used ids; STORAGE_FAILED, flash did not take it (it may
                hold after a reboot, or not); STORAGE_TOO_LONG.
        """
        if not 1 <= kind <= DAMAGE or len(key) > KEY_MAX or len(value) > VALUE_MAX:
            raise StorageError(STORAGE_TOO_LONG, "fact %d: key %d, value %d bytes" % (kind, len(key), len(value)))
        if kind == USED_ID and self.count(USED_ID) >= USED_IDS_MAX and self.get(USED_ID, key) is None:
            raise StorageError(STORAGE_FULL, "%d used ids, at most %d" % (USED_IDS_MAX, USED_IDS_MAX))
        self._write(self._main, kind, key, value, may_erase)
        if mirrored(kind):
            self._write(self._guard, kind, key, value, may_erase)

    def remove(self, kind: int, key: bytes = b"", may_erase: bool = False) -> None:
        """Make a fact go; when this returns, it stays gone.

        Raises:
            StorageError: STORAGE_FULL or STORAGE_FAILED, as `put`; the fact still holds, now or after a reboot.
        """
        if mirrored(kind):
            self._write(self._guard, kind, key, None, may_erase)
        self._write(self._main, kind, key, None, may_erase)

    def _write(self, log: FactLog, kind: int, key: bytes, value: "bytes | None", may_erase: bool) -> None:
        """Put or remove a fact in one copy, making room where that is allowed; one second try after a failure."""
        size = 0 if value is None else len(value)
        for attempt in (0, 1):
            try:
                if may_erase and not log.room(len(key), size):
                    self._make_room(log)
                if not log.room(len(key), size):
                    break
                if value is None:
                    log.remove(kind, key)
                else:
                    log.put(kind, key, value)
                self.failed = False
                return
            except OSError as error:
                self._note_failure()
                if log is self._guard:
                    self._stale = True
                if not may_erase or attempt:
                    raise StorageError(STORAGE_FAILED, "flash did not take fact %d: %s" % (kind, error))
        if self.failed:
            raise StorageError(STORAGE_FAILED, "flash did not take fact %d" % kind)
        raise StorageError(STORAGE_FULL, "no room for fact %d before the relay opens" % kind)

    def _note_failure(self) -> None:
        self.failed = True
        self.failures += 1

    # -- erasing, with the relay open only -------------------------------------------

    def service(self, may_erase: bool) -> bool:
        """Do one step of what makes room or mends a copy: erase a sector, or rewrite a log.

        Args:
            may_erase: the relay is open; this call may block up to 400 ms.

        Returns:
            True when it did something: call again. False when all is well, not allowed, or flash failed.
        """
        if not may_erase:
            return False
        try:
            return self._step()
        except OSError:
            self._note_failure()
            return False

    def _step(self) -> bool:
        main, guard = self._main, self._guard
        if main.worn() or self._together:
            if main.spare != SPARE_CLEAN:
                main.prepare()
            else:
                self._rewrite_main()
        elif guard.worn() or self._stale:
            if guard.spare != SPARE_CLEAN:
                guard.prepare()
            else:
                guard.rewrite(self._mirrored())
                self._stale = False
        elif main.spare != SPARE_CLEAN:
            main.prepare()
        elif guard.spare != SPARE_CLEAN:
            guard.prepare()
        else:
            self.failed = False
            return False
        self.failed = False
        return True

    def _rewrite_main(self) -> None:
        self._main.rewrite(self._with_damage())
        self._together = False
        self._stale = self._digest(self._main) != self._digest(self._guard)

    def _with_damage(self) -> "Iterator[tuple[int, bytes, bytes]]":
        """Yield all facts, and the one that keeps a doubt alive across the rewrite that ends its evidence."""
        if self._doubt and self._get(DAMAGE, b"") is None:
            yield DAMAGE, b"", b""
        yield from self._facts()

    def _mirrored(self) -> "Iterator[tuple[int, bytes, bytes]]":
        for fact in self._main.facts():
            if mirrored(fact[0]):
                yield fact

    def _make_room(self, log: FactLog) -> None:
        """Rewrite one log now, whatever it is worth.

        Raises:
            OSError: flash did not take it.
        """
        if log is self._guard and self._together:
            self._make_room(self._main)  # what only the guard still knows must be in main before the guard follows it
        while log.spare != SPARE_CLEAN:
            log.prepare()
        if log is self._main:
            self._rewrite_main()
        else:
            log.rewrite(self._mirrored())
            self._stale = False

    def settle(self) -> None:
        """End the doubt: the driver has latched for the damage.

        Raises:
            StorageError: as `remove`; the doubt stays.
        """
        self.remove(DAMAGE, may_erase=True)
        self._doubt = False

    # -- used ids --------------------------------------------------------------------

    def prune(self, before_s: int, may_erase: bool = False) -> bool:
        """Forget a few used ids that expired before a time, after noting the largest expiry forgotten.

        Args:
            before_s: seconds from 2020, of the trusted clock.
            may_erase: as `put`.

        Returns:
            True when there may be more: call again.

        Raises:
            StorageError: as `put`; an id that was not forgotten stays used.
        """
        gone: "list[bytes]" = []
        largest = 0
        for key, value in self.items(USED_ID):
            expiry = int.from_bytes(value, "big")
            if expiry < before_s and len(gone) < _PRUNE_STEP:
                gone.append(key)
                largest = max(largest, expiry)
        if not gone:
            return False
        if largest > int.from_bytes(self.get(PRUNED) or b"", "big"):
            self.put(PRUNED, largest.to_bytes(4, "big"), b"", may_erase)
        for key in gone:
            self.remove(USED_ID, key, may_erase)
        return True
