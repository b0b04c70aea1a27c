"""What keeps the machine shut: locks and latched alarms, in memory and on flash.

A lock holds until the signed release that names it, a latched alarm until the signed clear that names it, through
any number of power cycles; the log keeps both in two copies. Facts of these kinds that can't be read count as a
latched alarm of their own: shut is the safe side. They act at once; flash follows.
"""

from struct import pack, unpack

from weldgate_firmware.log import LATCH, LOCK
from weldgate_protocol._compat import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from weldgate_firmware.pending import Pending

MODE_SOFT = const(1)
MODE_NOW = const(2)

HOLDS_MAX = const(8)  # of each kind


class Holds:
    """Locks (id -> mode, reason) and latched alarms (id -> reason)."""

    def __init__(self, facts: "Pending") -> None:
        self._facts = facts
        self.locks: "dict[bytes, tuple[int, int]]" = {}
        self.latches: "dict[bytes, int]" = {}

    @property
    def any(self) -> bool:
        """Whether the machine must stay shut."""
        return bool(self.locks or self.latches)

    @property
    def lock_mode(self) -> int:
        """0 for no lock, 1 for soft ones only, 2 when one is of mode now."""
        mode = 0
        for one in self.locks.values():
            mode = max(mode, one[0])
        return mode

    def load(self) -> bool:
        """Read what flash keeps; False when a copy of it could not be read."""
        log = self._facts.log
        sound = log.readable(LOCK) and log.readable(LATCH)
        for key, value in log.items(LOCK):
            if len(key) == 8 and len(value) == 3:
                self.locks[key] = unpack(">BH", value)
            else:
                sound = False
        for key, value in log.items(LATCH):
            if len(key) == 8 and len(value) == 2:
                self.latches[key] = unpack(">H", value)[0]
            else:
                sound = False
        return sound

    def lock(self, id_: bytes, mode: int, reason: int) -> bool:
        """Hold by a lock; False when there is no room to remember one more.

        The same lock again keeps the stricter mode.
        """
        known = self.locks.get(id_)
        if known is not None and known[0] >= mode:
            return True
        if known is None and len(self.locks) >= HOLDS_MAX:
            return False
        self.locks[id_] = (mode, reason)
        self._facts.put(LOCK, pack(">BH", mode, reason), id_)
        return True

    def release(self, id_: bytes) -> None:
        """Take one lock away; the machine stays as it is."""
        if self.locks.pop(id_, None) is not None:
            self._facts.remove(LOCK, id_)

    def latch(self, id_: bytes, reason: int) -> bool:
        """Hold by an alarm; False when an alarm of this reason holds already, or eight do."""
        if self.latched(reason) or len(self.latches) >= HOLDS_MAX:
            return False
        self.latches[id_] = reason
        self._facts.put(LATCH, pack(">H", reason), id_)
        return True

    def latched(self, reason: int) -> bool:
        """Whether an alarm of this reason holds."""
        return reason in self.latches.values()

    def clear(self, id_: bytes) -> int:
        """Take one latched alarm away and return its reason, 0 when there is none of this id."""
        reason = self.latches.pop(id_, 0)
        if reason:
            self._facts.remove(LATCH, id_)
        return reason
