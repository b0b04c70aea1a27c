"""What the board senses and what follows from it: current with the relay open, over-current, a sensor that failed.

Turns the detector's bits into gate events and alarms (rules S3, S4, S5); what an arc is, is `sense`'s.
"""

from weldgate_firmware import gate as gates
from weldgate_firmware.meter import SENSOR_FAILED, SENSOR_RECOVERED
from weldgate_firmware.sense import ARC_ENDED, OVER_CURRENT, WINDOW_READ
from weldgate_firmware.telling import CLEARED, RAISED
from weldgate_protocol import reasons

TYPE_CHECKING = False
if TYPE_CHECKING:
    from weldgate_firmware.core import Core


class Senses:
    """The alarms that current and sensor raise.

    Attributes:
        contact: the contactor's mirror contact: True says closed, None that there is none.
    """

    def __init__(self, core: "Core") -> None:
        self._core = core
        self._present: "dict[int, bytes]" = {}  # alarms that hold as long as their cause: reason -> id
        self.contact: "bool | None" = None

    def sensed(self, happened: int) -> None:
        """Take what `Sense.feed` answered for one tick."""
        core = self._core
        if happened & SENSOR_FAILED:
            self.sensor(core.sense.meter.fault)
        elif happened & SENSOR_RECOVERED:
            self.sensor(0)
        if happened & OVER_CURRENT and core.gate.closed:
            core.post(gates.FAULT, reasons.END_OVER_CURRENT)
            core.alarm(reasons.ALARM_OVER_CURRENT, core.random(8), RAISED, False)
        if happened & WINDOW_READ and not core.closed and not core.sensor_fault:
            self._current_with_relay_open()
        if happened & ARC_ENDED:
            core.note_arc()

    def _current_with_relay_open(self) -> None:
        """Rule S4: with a mirror contact a welded contact is told from a bypass, without one it is called a bypass."""
        core = self._core
        if not core.watch.reading(core.sense.current_ma):
            return
        reason = reasons.ALARM_WELDED_CONTACT if self.contact else reasons.ALARM_BYPASS
        if not core.holds.latched(reason):
            core.latch(reason)

    def sensor(self, fault: int) -> None:
        """The sensor has failed (a reason number), or works again (0)."""
        core = self._core
        before = core.sensor_fault
        core.sensor_fault = fault
        if fault:
            core.post(gates.FAULT, reasons.END_SENSOR_FAULT)
        if before and before != fault:
            self.reported(before, False)
        if fault:
            self.reported(fault, True)

    def reported(self, reason: int, present: bool) -> None:
        """Raise an alarm that does not latch when it comes, and clear it under the same id when it goes."""
        core = self._core
        id_ = self._present.get(reason)
        if present and id_ is None:
            if core.leave.excuses(reason):
                return
            id_ = core.random(8)
            self._present[reason] = id_
            core.alarm(reason, id_, RAISED, False)
            core.outputs.show(core.gate.state, reason)
        elif id_ is not None and not present:
            del self._present[reason]
            core.alarm(reason, id_, CLEARED, False)
