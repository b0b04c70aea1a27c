"""What time does to a session: the wait for the act, warnings, soft and hard ends, the long pause without an arc.

Fed with milliseconds and powered seconds by the driver's tick; holds no timestamps, so ticks may wrap as they like.
"""

from struct import pack

from weldgate_firmware import gate as gates
from weldgate_firmware.clock import FLOOR
from weldgate_firmware.log import POWERED, TENTATIVE_FLOOR, TRUSTED_FLOOR
from weldgate_firmware.sessions import SOFT_S
from weldgate_firmware.telling import RAISED
from weldgate_protocol import reasons
from weldgate_protocol._compat import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from weldgate_firmware.core import Core

ENDING_MS = const(120000)  # DESIGN 4, S3: a soft end turns hard after 120 s
IDLE_WARN_S = const(60)  # DESIGN 4, S3: warned 1 min before


class Limits:
    """The running times of what is armed, live or ending."""

    def __init__(self, core: "Core") -> None:
        self._core = core
        self._armed_ms = 0
        self._ending_ms = 0
        self._idle_s = 0
        self._idle_warned = False
        self._moves = 0

    def passed(self, ms: int) -> None:
        """Let `ms` pass for what is counted in ticks."""
        core = self._core
        state = core.gate.state
        if core.moves != self._moves:
            self._moves = core.moves
            self._entered(state)
        if state == gates.ARMED:
            self._armed_ms += ms
            if self._armed_ms > core.config.arm_s * 1000:
                claims = core.armed
                core.post(gates.ARM_EXPIRED)
                core.refuse(reasons.GATE_NO_LOCAL_ACT, core.armed_via, claims)
        elif state == gates.ENDING:
            self._ending_ms += ms
            if not core.sense.arc_on:
                core.post(gates.ARC_QUIET)
            elif self._ending_ms >= ENDING_MS:
                core.post(gates.HARD_END)

    def _entered(self, state: int) -> None:
        if state == gates.ARMED:
            self._armed_ms = 0
        elif state == gates.ENDING:
            self._ending_ms = 0
        elif state == gates.LIVE:
            self._idle_s = 0
            self._idle_warned = False

    def seconds(self, passed: int) -> None:
        """Let powered seconds pass: the session's account, its limits, the pause without an arc."""
        core = self._core
        session = core.session
        self.keep_floors()
        if session is None:
            return
        if session.second(passed):
            core.facts.put(POWERED, session.keep_next())
        self._check_limits()
        if core.gate.state == gates.LIVE:
            self._idle(passed)

    def keep_floors(self) -> None:
        """Have the floors stored when they have moved."""
        clock = self._core.clock
        if clock.keep():
            self._core.facts.put(TRUSTED_FLOOR, pack(">I", clock.trusted_s))
            self._core.facts.put(TENTATIVE_FLOOR, pack(">I", clock.tentative_s))

    def _check_limits(self) -> None:
        """End, soften or warn by whichever limit comes first."""
        core = self._core
        session = core.session
        if session is None:
            return
        left_s, cause = session.left(core.clock, not core.closed)
        if left_s <= 0:
            core.post(gates.HARD_END, cause)
        elif core.gate.state == gates.LIVE:
            if left_s <= min(SOFT_S, session.granted_s(cause) // 2):
                self.soft_end(cause)
            elif session.warn(left_s):
                core.tell(cause)

    def _idle(self, passed: int) -> None:
        """Count seconds without an arc."""
        core = self._core
        if core.sense.burning:
            self._idle_s = 0
            self._idle_warned = False
            return
        self._idle_s += passed
        if self._idle_s >= core.config.idle_end_s:
            self.soft_end(reasons.END_IDLE)
        elif self._idle_s >= core.config.idle_end_s - IDLE_WARN_S and not self._idle_warned:
            self._idle_warned = True
            core.tell(reasons.END_IDLE)

    def soft_end(self, cause: int) -> None:
        """Begin a soft end: at once when no arc is burning, else at its first pause."""
        core = self._core
        if core.gate.state != gates.LIVE:
            return
        core.post(gates.SOFT_END, cause)
        if core.sense.arc_on:
            core.tell(cause)
        else:
            core.post(gates.ARC_QUIET)

    def lock_soft(self) -> None:
        """An ordinary lock: a live session ends softly, all else is shut at once."""
        core = self._core
        core.post(gates.LOCK_SOFT, reasons.END_LOCK_SOFT)
        if core.gate.state == gates.ENDING and not core.sense.arc_on:
            core.post(gates.ARC_QUIET)

    def time_offered(self, unix_s: int, ms: int, quality: int) -> None:
        """Take the time of an authenticated welcome and keep the floors it leaves, if they moved.

        Args:
            unix_s: Unix seconds.
            ms: 0 to 999.
            quality: the sender's.
        """
        core = self._core
        clock = core.clock
        if quality == FLOOR:
            return
        taken = clock.offer(unix_s, ms, quality)
        self._check_limits()
        self.keep_floors()
        if not taken and core.clock_alarm is None:
            core.clock_alarm = core.random(8)
            core.alarm(reasons.ALARM_CLOCK, core.clock_alarm, RAISED, False)
