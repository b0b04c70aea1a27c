"""Flash's share of the driver's slices: write what waits, erase ahead, forget what has expired.

Writing has no haste, since opening never waits for it; but a start does, so what is queued goes first. Flash that
fails is asked again after a second, because each try may spend a sequence number.
"""

from weldgate_firmware.clock import ticks_diff
from weldgate_firmware.log import ACKED
from weldgate_firmware.telling import RAISED
from weldgate_protocol import reasons
from weldgate_protocol._compat import const
from weldgate_protocol.errors import StorageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from weldgate_firmware.core import Core
    from weldgate_firmware.limits import Limits

RETRY_MS = const(1000)
ERASE_GAP_TICKS = const(60)  # between two erases of 400 ms the gate sees its sensor and its button for 600 ms
ERASED_MS = const(40)  # a write that took so long has erased a sector to find room
TIDY_EVERY_S = const(60)


class Chores:
    """When flash is written, erased, and asked again."""

    def __init__(self, core: "Core", limits: "Limits") -> None:
        self._core = core
        self._limits = limits
        self._retry_ms = 0
        self._erase_ticks = 0
        self._tidy_s = 0
        self._acked = 0
        self._told = False

    def passed(self, ms: int) -> None:
        """Let a tick of `ms` pass; the tick after an erase is as long as that was, so erases are spaced in ticks."""
        self._retry_ms = max(self._retry_ms - ms, 0)
        self._erase_ticks = max(self._erase_ticks - 1, 0)

    def seconds(self, passed: int) -> None:
        """Let powered seconds pass."""
        self._tidy_s += passed

    def write(self) -> bool:
        """Write one fact, else one record; True when one was written."""
        if self._retry_ms:
            return False
        clock = self._core.clock
        begun = clock.ticks_ms()
        written = self._write_one()
        if ticks_diff(clock.ticks_ms(), begun) >= ERASED_MS:
            self._erase_ticks = ERASE_GAP_TICKS
        return written

    def _write_one(self) -> bool:
        core = self._core
        may_erase = not core.closed
        try:
            if core.facts.flush(may_erase) or (not self._pausing() and core.recorder.flush(may_erase)):
                self._told = False
                return True
        except StorageError as error:
            self._failed(error)
        return False

    def _pausing(self) -> bool:
        """Whether the next record has to wait for the pause between two erases, because it needs one."""
        core = self._core
        return self._erase_ticks > 0 and not core.closed and core.recorder.needs_room()

    def write_all(self) -> None:
        """Write everything that waits, as far as flash takes it: the supply is going."""
        self._retry_ms = 0
        while self.write():
            pass  # each round makes one of two bounded queues shorter

    def _failed(self, error: StorageError) -> None:
        """Try again later, say so once, and let a session end whose seconds can't be kept."""
        core = self._core
        self._retry_ms = RETRY_MS
        if core.facts.failing:
            self._limits.soft_end(reasons.END_FAULT)
        elif core.closed and error.code == reasons.STORAGE_FULL:
            return  # no erased sector is left for this record: it waits until the relay opens
        if not self._told:
            self._told = True
            core.alarm(reasons.ALARM_FLASH_FAILED, core.random(8), RAISED, False)

    def tidy(self) -> bool:
        """Erase ahead and forget, with the relay open and rule S4 settled, never two erases in a row."""
        core = self._core
        if core.closed or self._erase_ticks or not core.watch.settled:
            return False
        if core.storage.service(True):
            self._erase_ticks = ERASE_GAP_TICKS
            return True
        if self._tidy_s < TIDY_EVERY_S or self._retry_ms:
            return False
        try:
            if core.facts.log.prune(core.clock.now_s, True):
                return True
        except StorageError as error:
            self._failed(error)  # what was not forgotten stays used
            return False
        self._tidy_s = 0
        core.ahead.settle()
        spool = core.storage.spool
        if spool.acked != self._acked:
            self._acked = spool.acked
            core.facts.put(ACKED, spool.epoch + spool.acked.to_bytes(4, "big"))
        return True
