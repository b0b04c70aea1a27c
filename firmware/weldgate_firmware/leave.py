"""Planned removal: signed leave, bounded in time, to open the case, unplug the sensor and take the box off.

While it holds, the machine is locked by a lock of the order's own id, and case, sensor and supply make a `removal`
record where they would make an alarm: honest work looks different from theft, and nobody can weld in its shadow, since
only a signed release of that lock puts the machine back to work. Leave ends with that release or with its time,
whichever comes first; the lock does not end with the time. Current with the relay open stays an alarm throughout.
"""

from struct import pack, unpack

from weldgate_firmware.holds import MODE_NOW
from weldgate_firmware.log import LEAVE_KEY, VERSIONS
from weldgate_firmware.spool import RECORD
from weldgate_protocol import messages, reasons
from weldgate_protocol._compat import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from weldgate_firmware.core import Core
    from weldgate_protocol.order import Order

GRANTED = const(1)  # removal key 1
CASE = const(2)
SENSOR = const(3)
SUPPLY = const(4)
OVER = const(5)

_FACT = ">8sII"  # order id, end in seconds from 2020, seconds granted
_FACT_BYTES = const(16)
_KINDS = {
    reasons.ALARM_CASE_OPEN: CASE,
    reasons.ALARM_SENSOR_OPEN: SENSOR,
    reasons.ALARM_SENSOR_SHORT: SENSOR,
}


class Leave:
    """The leave in force.

    Attributes:
        order: id of the order that gave it, None where there is none.
    """

    def __init__(self, core: "Core") -> None:
        self._core = core
        self.order: "bytes | None" = None
        self._ends_s = 0
        self._granted_s = 0
        self._noted = 0  # kinds on record since it began, or since the boot, as bits

    def load(self) -> None:
        """Read what flash keeps; what can't be read is no leave."""
        fact = self._core.facts.log.get(VERSIONS, LEAVE_KEY)
        if fact is not None and len(fact) == _FACT_BYTES:
            self.order, self._ends_s, self._granted_s = unpack(_FACT, fact)

    def grant(self, order: "Order") -> int:
        """Let an order's leave begin, and lock the machine; the relay is open. Return a reason, 0 when it began."""
        core = self._core
        if not core.holds.lock(order.id, MODE_NOW, reasons.GATE_REMOVAL):
            return reasons.STORAGE_FULL
        self.order = order.id
        self._granted_s = order.leave_s
        self._ends_s = core.clock.now_s + order.leave_s
        self._noted = 0
        core.facts.put(VERSIONS, pack(_FACT, order.id, self._ends_s, order.leave_s), LEAVE_KEY)
        self._note(GRANTED)
        return 0

    def released(self, lock: bytes) -> None:
        """A lock was released: if it was this leave's, the work is over."""
        if lock == self.order:
            self._end()

    def passed(self) -> None:
        """Look at the time, once a second.

        A clock that was set back does not lengthen it: what is left is never more than what was granted.
        """
        if self.order is None:
            return
        now_s = self._core.clock.now_s
        self._ends_s = min(self._ends_s, now_s + self._granted_s)
        if now_s >= self._ends_s:
            self._end()

    def excuses(self, alarm: int) -> bool:
        """Tell whether what this alarm says is part of the work; it is on record then, once for each kind."""
        kind = _KINDS.get(alarm, 0)
        if self.order is None or not kind:
            return False
        self._note(kind)
        return True

    def supply_failing(self) -> None:
        """The box is being unplugged."""
        if self.order is not None:
            self._note(SUPPLY)

    def _note(self, kind: int) -> None:
        if not self._noted & 1 << kind:
            fields = {"kind": kind, "order": self.order}
            if self._core.recorder.note(messages.REMOVAL, fields, RECORD):
                self._noted |= 1 << kind

    def _end(self) -> None:
        self._note(OVER)
        self.order = None
        self._core.facts.remove(VERSIONS, LEAVE_KEY)
