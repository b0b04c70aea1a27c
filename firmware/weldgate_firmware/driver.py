"""Gate, tokens, orders, clock and stores composed: events in, actions out, synchronous, without a thread of its own.

`tick` runs every 10 ms, drives the pin and lets time pass; `work` does one slice (at most 20 ms, longer only with the
relay open) of what may take its time: flash, verification, erasing ahead. Everything else is an input and returns at
once. The relay opens inside the input that demands it; what it leaves behind is written by later slices.

Errors are caught here and nowhere else on the gate's path: the relay opens, the session ends, the failure is recorded
as an alarm and its number kept (`core.last_error`). If that fails too, the error leaves through the caller, who must
stop feeding the watchdog.
"""

from weldgate_firmware import gate as gates
from weldgate_firmware import startup
from weldgate_firmware.acts import Button
from weldgate_firmware.chores import Chores
from weldgate_firmware.core import ACT_BUTTON, VIA_BUTTON, VIA_CONSOLE, VIA_DOWNLINK, VIA_SCANNER, Core
from weldgate_firmware.holds import MODE_NOW
from weldgate_firmware.limits import Limits
from weldgate_firmware.orders import Orders
from weldgate_firmware.senses import Senses
from weldgate_firmware.spool import RECORD
from weldgate_firmware.starts import Starts
from weldgate_firmware.status import Status
from weldgate_firmware.tokens import Tokens
from weldgate_firmware.trust import Trust
from weldgate_protocol import messages, order, reasons, token
from weldgate_protocol.errors import StorageError, WeldgateError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from weldgate_firmware.clock import Clock
    from weldgate_firmware.config import Config
    from weldgate_firmware.core import Outputs
    from weldgate_firmware.identity import Identity
    from weldgate_firmware.orders import Judge
    from weldgate_firmware.profile import Profile
    from weldgate_firmware.sense import Sense
    from weldgate_firmware.spool import Spool
    from weldgate_firmware.status import Fields
    from weldgate_firmware.storage import Storage
    from weldgate_firmware.tokens import Verify


class Driver:
    """The chip's decisions, one object.

    Attributes:
        core: gate, session, holds and stores, for those who read (console, tests).
        clock: running and wall time.
        online: whether the conversation is.
    """

    VIA_SCANNER = VIA_SCANNER
    VIA_CONSOLE = VIA_CONSOLE
    VIA_DOWNLINK = VIA_DOWNLINK

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
        firmware: str = "weldgate",
        verify: "Verify" = token.verify_steps,
        judge: "Judge" = order.verify_steps,
    ) -> None:
        """Join the parts; the relay is opened here, `boot` comes next.

        Args:
            identity: keys and names of this chip.
            storage: log, spool and slots, not yet mounted.
            clock: running and wall time.
            config: settings until boot finds the stored ones.
            profile: the installation's numbers.
            outputs: relay, display and heartbeat.
            random: gives n random bytes.
            sense: the arc detector that the caller feeds.
            firmware: name and version, at most 32 characters.
            verify: the routine that verifies tokens.
            judge: the routine that verifies orders.
        """
        self.core = Core(identity, storage, clock, config, profile, outputs, random, sense)
        self.clock = clock
        self.online = False
        self._outputs = outputs
        self._button = Button()
        self._trust = Trust(self.core)
        self._starts = Starts(self.core)
        self._tokens = Tokens(self.core, self._trust, verify)
        self._orders = Orders(self.core, self._trust, self._tokens, judge)
        self._limits = Limits(self.core)
        self._chores = Chores(self.core, self._limits)
        self._senses = Senses(self.core)
        self._status = Status(self.core, self._trust, firmware)
        self._uptime_s = 0
        self._told = 0  # moves of the gate that a heartbeat was asked for

    # -- boot, tick, work --------------------------------------------------------

    def boot(self, reset_cause: int) -> None:
        """Mount and read everything; before this the gate is LOCKED."""
        try:
            self._status.reset_cause = reset_cause
            self._status.boots = startup.boot(self.core, self._trust, reset_cause)
            self._status.report()
            self.core.tell(0)
        except Exception as error:
            self._failed(error)

    def tick(self) -> None:
        """Let the time since the last tick pass and drive the pin; every 10 ms."""
        try:
            self._tick()
        except Exception as error:
            self._failed(error)

    def _tick(self) -> None:
        core = self.core
        ms = self.clock.advance()
        self._button.passed(ms)
        if self._button.held(ms, core.gate.closed):
            self._limits.soft_end(reasons.END_WELDER)
        if not core.closed:
            core.watch.passed(ms)
        self._starts.passed(ms)
        self._limits.passed(ms)
        self._chores.passed(ms)
        seconds = self.clock.uptime_s - self._uptime_s
        if seconds:
            self._uptime_s = self.clock.uptime_s
            self._limits.seconds(seconds)
            self._status.seconds(seconds)
            self._chores.seconds(seconds)
            core.seconds(seconds)
        core.settle()
        core.drive()
        if core.moves != self._told:
            self._told = core.moves
            self._outputs.changed()

    def work(self) -> bool:
        """Do one slice of what waits; True when there was something, so that the caller comes back soon."""
        try:
            if self._chores.write() or self._starts.step() or self._tokens.step():
                return True
            if self._orders.step():
                if self._orders.report_due:
                    self._orders.report_due = False
                    self._status.report()
                return True
            return self._chores.tidy()
        except Exception as error:
            self._failed(error)
            return True

    def _failed(self, error: Exception) -> None:
        """The one place where the gate's path catches: open, end, tell."""
        self._outputs.relay(False)
        self.core.fail(error.code if isinstance(error, WeldgateError) else 0, type(error).__name__)

    # -- what people do ------------------------------------------------------------

    def token(self, data: "bytes | str", via: int) -> None:
        """Take a token.

        Args:
            data: COSE bytes, or `WG1:` and Base45.
            via: 1 own scanner, which is a local act; 2 console or 3 downlink, which are none.
        """
        try:
            self._tokens.submit(data, via)
        except Exception as error:
            self._failed(error)

    def button(self, pressed: bool) -> None:
        """Take the button's level, at every tick or when it changes."""
        try:
            if self._button.level(pressed):
                self._pressed()
        except Exception as error:
            self._failed(error)

    def _pressed(self) -> None:
        """A press that counts: an act, or the question why not."""
        core = self.core
        state = core.gate.state
        if state == gates.ARMED or state == gates.SUSPENDED:
            self._tokens.act(ACT_BUTTON, core.armed_via or VIA_SCANNER)
        elif state == gates.IDLE:
            core.refuse(reasons.GATE_NO_SESSION, VIA_BUTTON)
        elif state == gates.LATCHED:
            core.tell(reasons.GATE_LATCHED)
        elif state == gates.LOCKED:
            core.tell(reasons.GATE_LOCKED if core.ready else reasons.GATE_NOT_READY)

    def stop(self) -> None:
        """The welder's own stop by an input of its own, where the board has one."""
        try:
            self._limits.soft_end(reasons.END_WELDER)
        except Exception as error:
            self._failed(error)

    # -- what the collector and the platform say --------------------------------------

    def lock_now(self) -> None:
        """Open before anything else; nothing is allocated before the pin has moved. `lock` adds what is to be kept."""
        try:
            self.core.lock_now()
        except Exception as error:
            self._failed(error)

    def lock(self, mode: int, id_: bytes, reason: int) -> None:
        """Obey a lock.

        Args:
            mode: 1 soft, 2 now.
            id_: 8 bytes; the lock holds until the signed release that names it.
            reason: why, a number of the register, for the display; 0 for none.
        """
        if mode == MODE_NOW:
            self.lock_now()
        try:
            core = self.core
            if mode != MODE_NOW:
                self._limits.lock_soft()
            if not core.holds.lock(id_, mode, reason):
                core.latch(reasons.ALARM_FLASH_FAILED)  # more locks than can be kept: shut until somebody looks
            core.settle()
            core.tell(reason or reasons.GATE_LOCKED)
        except Exception as error:
            self._failed(error)

    def order(self, type_: int, data: bytes) -> None:
        """Take a signed order by the type of the message that carried it."""
        try:
            self._orders.submit(type_, data)
        except Exception as error:
            self._failed(error)

    def heard(self) -> None:
        """An authenticated downlink came: the offline allowance is whole again."""
        if self.core.session is not None:
            self.core.session.heard()

    def link_up(self) -> None:
        """The conversation is online."""
        self.online = True

    def link_down(self) -> None:
        """The link is gone; this alone ends nothing."""
        self.online = False

    def time_offered(self, unix_s: int, ms: int, quality: int) -> None:
        """Take the time of a fresh, authenticated welcome."""
        try:
            self._limits.time_offered(unix_s, ms, quality)
        except Exception as error:
            self._failed(error)

    def welcomed(self, high_water: int, ahead: bool = False) -> bool:
        """Take the collector's high-water of this epoch, which may have gone backward.

        Args:
            high_water: its highest number of this epoch.
            ahead: it has more than this chip ever sent.

        Returns:
            Whether the conversation may go on; False: a new epoch was drawn, the link must say hello again.
        """
        spool = self.core.storage.spool
        try:
            if not ahead:
                spool.rewind(high_water)
                return True
        except StorageError:
            ahead = True
        old = (spool.epoch, high_water)
        spool.renew()
        startup.open_epoch(self.core, old)
        return False

    def identify(self, seconds: int) -> None:
        """Have the chip show itself to somebody who looks for it."""
        self._outputs.identify(seconds)

    def query(self, query: bytes, what: int) -> None:
        """Take a question; `take_answer` gives the fields of diagnostics."""
        self._status.query(query, what)

    def take_answer(self) -> "Fields | None":
        """Return the fields of the next diagnostics message, None when nothing was asked."""
        return self._status.take_answer()

    # -- what the board senses ---------------------------------------------------------

    def sensed(self, happened: int) -> None:
        """Take what `Sense.feed` answered for one tick."""
        try:
            if happened:
                self._senses.sensed(happened)
                self.core.settle()
        except Exception as error:
            self._failed(error)

    def sensor_fault(self, reason: int) -> None:
        """A sensor fault that the board itself has found, 0 when it is over."""
        try:
            self._senses.sensor(reason)
            self.core.settle()
        except Exception as error:
            self._failed(error)

    def contact(self, closed: "bool | None") -> None:
        """Take the contactor's mirror contact: closed, open, or None where there is none."""
        self._senses.contact = closed

    def power_failing(self) -> None:
        """The supply is going: open, then write what the stored energy allows."""
        try:
            core = self.core
            core.power_failing = True
            session = core.session
            core.post(gates.POWER_FAILING, reasons.END_POWER_LOSS)
            core.settle()
            fields: "Fields" = {}
            if session is not None:
                fields = {"token": session.token, "powered_s": session.powered_s}
            core.recorder.note(messages.POWER_OFF, fields, RECORD)
            self._chores.write_all()
            self._outputs.changed()
        except Exception as error:
            self._failed(error)

    def power_back(self) -> None:
        """The supply did not go after all; an interrupted session still waits for a local act."""
        self.core.power_failing = False

    # -- what the chip says of itself -----------------------------------------------------

    def hello(self) -> "Fields":
        """Return the fields of hello, all but the nonce."""
        return self._status.hello()

    def heartbeat(self) -> "Fields":
        """Return the fields of heartbeat; whoever knows heap and signal adds them."""
        return self._status.heartbeat()

    def stamp(self) -> "tuple[int, int, int]":
        """Return the time of now: Unix seconds, milliseconds, quality."""
        return self.clock.stamp()

    @property
    def spool(self) -> "Spool":
        """The durable frames, for the link."""
        return self.core.storage.spool

    @property
    def config(self) -> "Config":
        """The settings in force."""
        return self.core.config

    @property
    def state(self) -> int:
        """The gate's state, as the heartbeat carries it."""
        return self.core.gate.state

    @property
    def closed(self) -> bool:
        """Whether the relay was told to be closed."""
        return self.core.closed
