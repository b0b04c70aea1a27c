"""The gate's path: events into the table, its actions onto the pin, and what each action leaves behind.

Everything that can move the relay goes through `Core.post`. Opening comes first and waits for nothing; what happened
is queued and reaches flash afterwards. Closing happens in one place, `_close`, behind a second barrier that asks
again, independently of the table, whether anything is held, whether the sensor works and whether time is left.
"""

from weldgate_firmware import gate as gates
from weldgate_firmware.alarms import BypassWatch
from weldgate_firmware.gate import Gate
from weldgate_firmware.holds import Holds
from weldgate_firmware.log import POWERED, SESSION
from weldgate_firmware.pending import Pending
from weldgate_firmware.records import Recorder
from weldgate_firmware.refusals import Refusals
from weldgate_firmware.sense import ARC_ENDED
from weldgate_firmware.spool import RECORD, REFUSAL
from weldgate_firmware.spool import SESSION as SESSION_PRIORITY
from weldgate_protocol import messages, reasons
from weldgate_protocol._compat import HmacKey, const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from weldgate_firmware.clock import Clock
    from weldgate_firmware.config import Config
    from weldgate_firmware.identity import Identity
    from weldgate_firmware.profile import Profile
    from weldgate_firmware.sense import Sense
    from weldgate_firmware.sessions import Session
    from weldgate_firmware.storage import Storage
    from weldgate_protocol.token import Claims

    class Outputs(Protocol):
        """What the driver moves and tells; called synchronously, must not raise, `relay` must not allocate."""

        def relay(self, closed: bool) -> None:
            """Drive the relay's pin."""

        def show(self, state: int, reason: int) -> None:
            """Show the gate's state and a reason: why not, what is coming, 0 for nothing to say."""

        def changed(self) -> None:
            """What the heartbeat tells has changed: send one now."""

        def identify(self, seconds: int) -> None:
            """Blink, so that somebody finds this machine among many."""


VIA_SCANNER = const(1)  # how a token came (messages, session-start key 5)
VIA_CONSOLE = const(2)
VIA_DOWNLINK = const(3)
VIA_BUTTON = const(4)  # in a refusal only: the button was pressed and there was no token
ACT_SCANNER = const(1)  # what the chip itself sensed (session-start key 4)
ACT_BUTTON = const(2)

RAISED = const(1)  # alarm states (messages, alarm key 3)
CLEARED = const(2)


# States that a held lock leaves alone: in ENDING a soft one waits for the arc's pause, 120 s at most.
_SHUT_OR_ENDING = (gates.LOCKED, gates.LATCHED, gates.ENDING)


class Core:
    """Gate, session and what belongs to them; `driver` feeds it.

    Attributes:
        closed: whether the relay was told to be closed.
        ready: boot has read all that holds; before that nothing starts.
        armed: the claims that wait for a local act; armed_via: how they came.
        session: the open session, live or suspended.
        cause: why the session ends, a reason number; set by whoever posts the event.
        sensor_fault: reason number of the present sensor fault, 0 for none.
        power_failing: the supply is going; nothing starts.
        last_reason: the reason shown last.
        failures: exceptions caught on the gate's path; last_error, last_exception: number and type of the last.
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
        self.identity = identity
        self.storage = storage
        self.clock = clock
        self.config = config
        self.profile = profile
        self.outputs = outputs
        self.random = random
        self.sense = sense
        self.gate = Gate()
        self.facts = Pending(storage.log)
        self.holds = Holds(self.facts)
        self.recorder = Recorder(storage.spool, HmacKey(identity.k_up), identity.device, identity.generation, clock)
        self.refusals = Refusals()
        self.watch = BypassWatch(profile, config.bypass_ma)
        self.begin_commit: "Callable[[], None] | None" = None  # `starts` hangs itself in here
        self.drop_commit: "Callable[[], None] | None" = None
        self.closed = False
        self.ready = False
        self.armed: "Claims | None" = None
        self.armed_via = 0
        self.act = 0
        self.session: "Session | None" = None
        self.cause = 0
        self.sensor_fault = 0
        self.power_failing = False
        self.last_reason = 0
        self.failures = 0
        self.last_error = 0
        self.last_exception = ""
        self.moves = 0  # changes of state so far, wrapping at 2^16
        self._arcs = 0
        outputs.relay(False)

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
        """Let a token wait for the local act; its time begins now."""
        self.armed = claims
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

    def tell(self, reason: int) -> None:
        """Show state and reason, and have a heartbeat sent."""
        self.last_reason = reason or self.last_reason
        self.outputs.show(self.gate.state, reason)
        self.outputs.changed()

    def refuse(self, reason: int, via: int, claims: "Claims | None" = None) -> None:
        """Refuse with a reason: shown at once, recorded, repeats collapsed.

        Args:
            reason: a number of the register.
            via: how the token came.
            claims: of a verified token only.
        """
        who: "dict[str, Any]" = {}
        if claims is not None:
            who = {"token": claims.id, "kid": claims.kid, "holder": claims.holder}
        fields = self.refusals.note(reason, via, who)
        if fields is not None:
            self.recorder.note(messages.REFUSAL, fields, REFUSAL)
        self.last_reason = reason
        self.outputs.show(self.gate.state, reason)

    def seconds(self, passed: int) -> None:
        """Let powered seconds pass: refusals that repeated are recorded as a count."""
        for fields in self.refusals.passed(passed):
            self.recorder.note(messages.REFUSAL, fields, REFUSAL)
        self.recorder.skipped += self.refusals.take_overflow()

    def alarm(self, reason: int, id_: bytes, state: int, latched: bool, order: "bytes | None" = None) -> None:
        """Record an alarm raised or cleared, and have it told at once."""
        fields = {
            "alarm": reason,
            "id": id_,
            "state": state,
            "latched": latched,
            "current_ma": min(self.sense.current_ma, 0xFFFFFFFF) if state == RAISED else None,
            "token": self.session.token if self.session is not None else None,
            "order": order,
        }
        self.recorder.note(messages.ALARM, fields, RECORD)
        if state == RAISED:
            self.last_reason = reason
        self.outputs.changed()

    def latch(self, reason: int) -> None:
        """Raise an alarm that holds until its signed clear; the relay opens before anything is written."""
        self.post(gates.ALARM_LATCHED, reasons.END_ALARM)
        id_ = self.random(8)
        if self.holds.latch(id_, reason):
            self.alarm(reason, id_, RAISED, True)
        self.outputs.show(self.gate.state, reason)

    def note_arc(self) -> None:
        """Record the arc segment that has just been closed."""
        arc = self.sense.arc
        self._arcs += 1
        fields = {
            "token": self.session.token if self.session is not None else None,
            "index": self._arcs,
            "duration_ms": arc.arc_ms,
            "mean_ma": arc.mean_ma(),
            "peak_ma": arc.peak_ma,
            "charge_mah": arc.charge_mah,
            "strikes": arc.strikes,
            "source": self.sense.meter.profile.source,
        }
        self.recorder.note(messages.ARC, fields, SESSION_PRIORITY, self.sense.quiet_ms)

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
