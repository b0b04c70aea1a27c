"""What the chip tells of what happens: the display, the heartbeat, refusals, alarms, arcs.

Holds the parts that everything else needs to do so. What moves the relay builds on it (`core`).
"""

from weldgate_firmware.gate import Gate
from weldgate_firmware.pending import Pending
from weldgate_firmware.records import Recorder
from weldgate_firmware.refusals import Refusals
from weldgate_firmware.seals import Seals
from weldgate_firmware.spool import RECORD, REFUSAL
from weldgate_firmware.spool import SESSION as SESSION_PRIORITY
from weldgate_protocol import messages
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


class Telling:
    """The parts of a chip, and how it tells what becomes of them.

    Attributes:
        session: the open session, live or suspended.
        sensor_fault: reason number of the present sensor fault, 0 for none.
        last_reason: the reason shown last.
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
        self.recorder = Recorder(
            storage.spool,
            HmacKey(identity.k_up),
            identity.device,
            identity.generation,
            clock,
            Seals(HmacKey(identity.k_seal)),
        )
        self.refusals = Refusals()
        self.session: "Session | None" = None
        self.sensor_fault = 0
        self.last_reason = 0
        self._arcs = 0

    def tell(self, reason: int) -> None:
        """Show state and reason, and have a heartbeat sent."""
        self.last_reason = reason or self.last_reason
        self.outputs.show(self.gate.state, reason)
        self.outputs.changed()

    def refuse(self, reason: int, via: int, claims: "Claims | None" = None, name: "bytes | None" = None) -> None:
        """Refuse with a reason: shown at once, recorded, repeats collapsed.

        Args:
            reason: a number of the register.
            via: how the token came.
            claims: of a verified token only.
            name: what stands for the id of one that was not verified, where somebody waits for the answer.
        """
        who: "dict[str, Any]" = {"token": name} if name is not None else {}
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

    def alarm(self, reason: int, id_: bytes, state: int, latched: bool, order: "bytes | None" = None) -> bool:
        """Record an alarm raised or cleared, and have it told at once; False when the queue is full."""
        fields = {
            "alarm": reason,
            "id": id_,
            "state": state,
            "latched": latched,
            "current_ma": min(self.sense.current_ma, 0xFFFFFFFF) if state == RAISED else None,
            "token": self.session.token if self.session is not None else None,
            "order": order,
        }
        noted = self.recorder.note(messages.ALARM, fields, RECORD)
        if state == RAISED:
            self.last_reason = reason
        self.outputs.changed()
        return noted

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
