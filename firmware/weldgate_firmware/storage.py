"""The data partition: which sectors are objects, log and ring, and how they come up together.

    sectors 0..7     slots: key set, revocations, configuration, identity, two each (`slots`)
    sectors 8..15    log: main and guard, two areas of two sectors each (`log`)
    sectors 16..     ring: all the rest, 64 by default (`spool`)

The layout depends on nothing but this file and the partition's size, so that a chip finds its data after an update.
"""

from weldgate_firmware.log import ACKED, AHEAD, LOG_SECTORS, Log
from weldgate_firmware.slots import SLOT_SECTORS, Slots
from weldgate_firmware.spool import SECTORS_MIN, SESSION, Spool
from weldgate_protocol._compat import const
from weldgate_protocol.errors import StorageError
from weldgate_protocol.reasons import STORAGE_TOO_LONG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from weldgate_firmware.flash_io import Flash

LOG_FIRST = SLOT_SECTORS
RING_FIRST = SLOT_SECTORS + LOG_SECTORS
RING_SECTORS = const(64)  # 256 KB: the default
PARTITION_SECTORS = RING_FIRST + RING_SECTORS  # 80 sectors of 4096 bytes

_SERVICE_MAX = const(12)  # steps the log may need at boot: 2 logs x (2 erases, a rewrite, 2 erases), and the check


class Storage:
    """A chip's flash: `slots`, `log` and `spool`."""

    def __init__(self, flash: "Flash", random: "Callable[[int], bytes]") -> None:
        """Divide the flash; `mount` reads it.

        Args:
            flash: the data partition, at least 20 sectors.
            random: gives n random bytes.

        Raises:
            StorageError: STORAGE_TOO_LONG, the partition is too small.
        """
        if flash.sector_count < RING_FIRST + SECTORS_MIN:
            raise StorageError(
                STORAGE_TOO_LONG,
                "a partition of %d sectors, at least %d" % (flash.sector_count, RING_FIRST + SECTORS_MIN),
            )
        self.slots = Slots(flash, 0)
        self.log = Log(flash, LOG_FIRST)
        self.spool = Spool(flash, RING_FIRST, flash.sector_count - RING_FIRST, random)

    def mount(self) -> None:
        """Bring all up, with the relay open: mends the log and makes its first areas, which may take seconds.

        Raises:
            StorageError: STORAGE_UNREADABLE, the log can't be read; the spool is mounted all the same.
        """
        acked = ahead = None
        try:
            self.log.mount()
            for _ in range(_SERVICE_MAX):
                if not self.log.service(True):
                    break
            acked = self._number_of(ACKED)
            ahead = self._number_of(AHEAD)
        finally:
            self.spool.mount(acked, ahead)

    def _number_of(self, kind: int) -> "tuple[bytes, int] | None":
        """Return a fact's epoch and number, None when there is no such fact."""
        value = self.log.get(kind) or b""
        return (value[:4], int.from_bytes(value[4:8], "big")) if len(value) >= 8 else None

    def save_acked(self) -> None:
        """Let the log remember what the collector has (a hint: it may lag behind, it never leads).

        Raises:
            StorageError: as `Log.put`.
        """
        self.log.put(ACKED, self.spool.epoch + self.spool.acked.to_bytes(4, "big"))

    def admits_session(self) -> int:
        """Tell whether flash can take a session, its stop and its alarms: 0, GATE_FLASH_FAILED or GATE_SPOOL_FULL."""
        return self.spool.admits(SESSION) or self.log.admits()

    def service(self, may_erase: bool) -> bool:
        """Do one step of erasing ahead, the log first; True when there may be more.

        Args:
            may_erase: the relay is open; this call may block for 400 ms.
        """
        return self.log.service(may_erase) or self.spool.service(may_erase)
