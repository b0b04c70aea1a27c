"""The gate's path: events into the table, its actions onto the pin, and what each action leaves behind.

Everything that can move the relay goes through `Core.post`. Opening comes first and waits for nothing; what happened
is queued and reaches flash afterwards. Closing happens in one place, `_close`, behind a second barrier that asks
again, independently of the table, whether anything is held, whether the sensor works and whether time is left.
"""

from weldgate_firmware import gate as gates
from weldgate_firmware.ahead import Ahead
from weldgate_firmware.alarms import BypassWatch
from weldgate_firmware.holds import Holds
from weldgate_firmware.leave import Leave
from weldgate_firmware.log import POWERED, SESSION
from weldgate_firmware.sense import ARC_ENDED
from weldgate_firmware.spool import RECORD
from weldgate_firmware.telling import RAISED, Telling
from weldgate_protocol import messages, reasons
from weldgate_protocol.live import CHALLENGE_BYTES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from weldgate_firmware.clock import Clock
    from weldgate_firmware.config import Config
    from weldgate_firmware.identity import Identity
    from weldgate_firmware.profile import Profile
    from weldgate_firmware.sense import Sense
    from weldgate_firmware.sessions import Session
    from weldgate_firmware.storage import Storage
    from weldgate_firmware.telling import Outputs
    from weldgate_protocol.token import Claims

# States that a held lock leaves alone: in ENDING a soft one waits for the arc's pause, 120 s at most.
_SHUT_OR_ENDING = (gates.LOCKED, gates.LATCHED, gates.ENDING)


class Core(Telling):
    """The gate's path; `driver` feeds it.

    Attributes:
        closed: whether the relay was told to be closed.
        ready: boot has read all that holds; before that nothing starts.
        armed: the claims that wait for a local act; armed_via: how they came; act: what the chip sensed last.
        challenge: what their holder's key has yet to sign, 16 bytes; empty when nothing is asked or he has.
        restart: the app is to end once all is written, and to begin again with what flash holds by now.
        cause: why the session ends, a reason number; set by whoever posts the event.
        power_failing: the supply is going; nothing starts.
        button_stuck: the button has been held for a minute; nothing starts.
        moves: changes of the gate's state so far, wrapping at 2^16.
        failures: exceptions caught on the gate's path; last_error, last_exception: number and type of the last.
        begin_commit, drop_commit: what COMMIT and ABANDON do; `starts` hangs itself in here.
    """

    def __init__(
        self,
        identity: "Identity",
        storage: "Storage",
        clock: "Clock",
        config: "Config",
        profile: "Profile",
        outputs: "Outputs",
        random: "Callable[[int], bytes]",
        sense: "Sense",
    ) -> None:
        super().__init__(identity, storage, clock, config, profile, outputs, random, sense)
        self.holds = Holds(self.facts)
        self.leave = Leave(self)
        self.ahead = Ahead(self)
        self.watch = BypassWatch(profile, config.bypass_ma)
        self.begin_commit: "Callable[[], None] | None" = None
        self.drop_commit: "Callable[[], None] | None" = None
        self.closed = False
        self.ready = False
        self.armed: "Claims | None" = None
        self.armed_via = 0
        self.challenge = b""
        self.restart = False
        self.act = 0
        self.cause = 0
        self.power_failing = False
        self.clock_alarm: "bytes | None" = None  # raised since boot: the collector's time lies below the trusted floor
        self.button_stuck = False
        self.moves = 0
        self.failures = 0
        self.last_error = 0
        self.last_exception = ""
        outputs.relay(False)

    def shut(self) -> int:
        """Return why no token can be accepted in this state, 0 when one can."""
        state = self.gate.state
        if state == gates.LATCHED:
            return reasons.GATE_LATCHED
        if not self.ready or self.power_failing:
            return reasons.GATE_NOT_READY
        if state == gates.LOCKED:
            return reasons.GATE_LOCKED if self.leave.order is None else reasons.GATE_REMOVAL
        return reasons.GATE_BUSY if state in (gates.COMMITTING, gates.ENDING) else 0

    # -- events in -------------------------------------------------------------

    def lock_now(self) -> None:
        """Open at once; nothing is allocated before the pin has moved."""
        actions = self.gate.post(gates.LOCK_NOW)
        self.outputs.relay(False)
        self.moves = (self.moves + 1) & 0xFFFF
        self.cause = reasons.END_LOCK_NOW
        self.run(actions)

    def post(self, event: int, cause: int = 0) -> "tuple[int, ...]":
        """Give the gate an event and carry out its actions.

        Args:
            event: of `gate`.
            cause: why a session ends by it, 0 to leave what was set before.

        Returns:
            The actions, for what only the caller can do (EXTEND, REFUSE).
        """
        if cause:
            self.cause = cause
        before = self.gate.state
        actions = self.gate.post(event)
        if self.gate.state != before:
            self.moves = (self.moves + 1) & 0xFFFF
        self.run(actions)
        return actions

    def arm(self, claims: "Claims", via: int) -> None:
        """Let a token wait for the local act, and for the holder's live code where it names his key."""
        self.armed = claims
        self.challenge = self.random(CHALLENGE_BYTES) if claims.proof is not None else b""
        self.armed_via = via
        self.moves = (self.moves + 1) & 0xFFFF

    def run(self, actions: "tuple[int, ...]") -> None:
        """Carry out actions in their order; the table puts opening first."""
        for action in actions:
            if action == gates.OPEN_RELAY:
                self._open()
            elif action == gates.CLOSE_RELAY:
                self._close()
            elif action == gates.DISARM:
                self.armed = None
            elif action == gates.COMMIT:
                if self.begin_commit is not None:
                    self.begin_commit()
            elif action == gates.ABANDON:
                if self.drop_commit is not None:
                    self.drop_commit()
                self.armed = None
            elif action == gates.STOP:
                self.stop()
            elif action == gates.SUSPEND:
                self.suspend(reasons.END_POWER_LOSS)

    def settle(self) -> None:
        """After any change: post what is still held, or that nothing is, until the state says the same."""
        if not self.ready:
            return
        gate = self.gate
        holds = self.holds
        if gate.state == gates.LATCHED and not holds.latches:
            self.post(gates.ALARMS_CLEARED)
        if gate.state == gates.LOCKED and not holds.any:
            self.post(gates.FREED)
        if holds.latches and gate.state != gates.LATCHED:
            self.post(gates.ALARM_LATCHED, reasons.END_ALARM)
        elif holds.locks and gate.state not in _SHUT_OR_ENDING:
            self.post(gates.LOCK_NOW, reasons.END_LOCK_NOW)
        if self.session is not None and not self.gate.closed:
            if gate.state == gates.IDLE:
                self.post(gates.SESSION_FOUND)
            elif gate.state == gates.LOCKED:
                self.post(gates.SESSION_FOUND, reasons.END_LOCK_NOW)
            elif gate.state == gates.LATCHED:
                self.post(gates.SESSION_FOUND, reasons.END_ALARM)

    # -- the pin ---------------------------------------------------------------

    def _open(self) -> None:
        self.outputs.relay(False)
        if not self.closed:
            return
        self.closed = False
        self.watch.opened()
        if self.sense.finish() & ARC_ENDED:
            self.note_arc()

    def _close(self) -> None:
        """Close the relay, if a second look agrees with the table; else fall back to open."""
        session = self.session
        if (
            session is None
            or self.gate.state != gates.LIVE
            or not self.ready
            or self.holds.any
            or self.sensor_fault
            or self.power_failing
            or session.left(self.clock)[0] <= 0
        ):
            self.post(gates.FAULT, reasons.END_FAULT)
            return
        self.sense.begin_session()
        self.closed = True
        self.outputs.relay(True)
        self.tell(0)

    def drive(self) -> None:
        """Drive the pin again, as every tick does: closed only if command and table agree."""
        self.outputs.relay(self.closed and self.gate.closed)

    # -- what happened ---------------------------------------------------------

    def latch(self, reason: int) -> None:
        """Raise an alarm that holds until its signed clear; the relay opens before anything is written."""
        self.post(gates.ALARM_LATCHED, reasons.END_ALARM)
        id_ = self.random(8)
        if self.holds.latch(id_, reason):
            self.alarm(reason, id_, RAISED, True)
        self.outputs.show(self.gate.state, reason)

    def _sum_up(self, session: "Session") -> None:
        """Move what sense has summed since the relay closed into the session's totals."""
        totals = session.totals
        now = self.sense.session
        totals.arc_ms += now.arc_ms
        totals.arcs += now.arcs
        totals.strikes += now.strikes
        totals.charge_mah += now.charge_mah
        totals.peak_ma = max(totals.peak_ma, now.peak_ma)
        now.reset()

    def stop(self) -> None:
        """Record the end of the session; it never resumes, whatever happens to power or flash from here on."""
        session = self.session
        if session is None:
            return
        self.session = None
        cause = self.cause or reasons.END_FAULT
        self.cause = 0
        synthesised = session.suspended
        if not synthesised:
            self._sum_up(session)
        totals = session.totals
        fields = {
            "token": session.token,
            "cause": cause,
            "powered_s": session.powered_s,
            "arc_ms": totals.arc_ms,
            "arcs": totals.arcs,
            "strikes": totals.strikes,
            "peak_ma": totals.peak_ma,
            "charge_mah": totals.charge_mah,
            "synthesised": synthesised,
            "extensions": session.extensions or None,
        }
        self.recorder.note(messages.SESSION_STOP, fields, RECORD, done=self.forget_session, must=True)
        self.tell(cause)

    def forget_session(self) -> None:
        """Take the open session off flash: its stop is durable, or it never began."""
        if self.session is None:
            self.facts.remove(SESSION)
            self.facts.remove(POWERED)

    def suspend(self, cause: int) -> None:
        """Record the interruption of the session, which a local act may end."""
        session = self.session
        if session is None or session.suspended:
            return
        session.suspended = True
        self._sum_up(session)
        fields = {
            "token": session.token,
            "cause": cause,
            "powered_s": session.powered_s,
            "arc_ms": session.totals.arc_ms,
        }
        self.recorder.note(messages.SESSION_SUSPEND, fields, RECORD, done=self._keep_session, must=True)
        self.tell(cause)

    def _keep_session(self) -> None:
        if self.session is not None:
            self.facts.put(SESSION, self.session.encode())

    def fail(self, code: int, name: str) -> None:
        """Something raised on the gate's path: open, end what was running, and say so.

        Args:
            code: the error's own number, 0 when it had none.
            name: the exception's type.
        """
        self.failures += 1
        self.last_error = code
        self.last_exception = name
        self.post(gates.FAULT, reasons.END_FAULT)
        if self.failures & (self.failures - 1) == 0:  # the 1st, 2nd, 4th, 8th ..: told, and never a flood
            self.alarm(reasons.ALARM_EXCEPTION, self.random(8), RAISED, False)
        self.last_reason = code or reasons.ALARM_EXCEPTION
        self.outputs.show(self.gate.state, reasons.ALARM_EXCEPTION)
        self.settle()
