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
from weldgate_firmware.core import Core
from weldgate_firmware.limits import Limits
from weldgate_firmware.orders import Orders
from weldgate_firmware.remote import Remote
from weldgate_firmware.senses import Senses
from weldgate_firmware.spool import QUIET_PERMILLE, SESSION, SLOW_PERMILLE
from weldgate_firmware.starts import Starts
from weldgate_firmware.status import Status
from weldgate_firmware.telling import ACT_BUTTON, VIA_BUTTON, VIA_CONSOLE, VIA_DOWNLINK, VIA_SCANNER
from weldgate_firmware.tokens import Tokens
from weldgate_firmware.trust import Trust
from weldgate_protocol import live, messages, order, reasons, token
from weldgate_protocol._compat import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from weldgate_firmware.clock import Clock
    from weldgate_firmware.config import Config
    from weldgate_firmware.identity import Identity
    from weldgate_firmware.orders import Judge
    from weldgate_firmware.profile import Profile
    from weldgate_firmware.sense import Sense
    from weldgate_firmware.status import Fields
    from weldgate_firmware.storage import Storage
    from weldgate_firmware.telling import Outputs
    from weldgate_firmware.tokens import Verify


STANDING_EVERY_S = const(60)
CASE_CALM_S = const(60)  # an open case is over when it has been closed so long: a loose switch must not flood the ring
POWER_STEADY_MS = const(3000)  # the supply is back when it has stayed for so long: a flickering one starts nothing
POWER_OFF_EVERY_S = const(60)  # and is one record a minute
KEY_SET_ENDING_DAYS = const(30)  # the platform signs a new one at 60; at 30 somebody has to look why it did not come


class Driver(Remote):
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
        self._level: bool | None = None  # of the button, as told last; None on a board that has none
        self._trust = Trust(self.core)
        self._starts = Starts(self.core)
        self._tokens = Tokens(self.core, self._trust, verify)
        self._limits = Limits(self.core)
        self._orders = Orders(self.core, self._trust, judge, self._limits.soft_end)
        self._chores = Chores(self.core, self._limits)
        self._senses = Senses(self.core)
        self._status = Status(self.core, self._trust, firmware)
        self._uptime_s = 0
        self._case_s = 0  # until a closed case counts as closed
        self._steady_ms = 0  # until the supply that came back counts as back
        self._power_off_s = 0  # until the next power-off is a record of its own
        self._standing_s = 0
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
        if self._level is not None:
            self._sample(self._level, ms)
        if self._steady_ms:
            self._steady_ms = max(self._steady_ms - ms, 0)
            core.power_failing = self._steady_ms > 0
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
            core.leave.passed()
            self._case_s = max(self._case_s - seconds, 0)
            self._power_off_s = max(self._power_off_s - seconds, 0)
            self._standing_s += seconds
            if self._standing_s >= STANDING_EVERY_S:
                self._standing_s = 0
                self._standing()
        core.settle()
        core.drive()
        if core.moves != self._told:
            self._told = core.moves
            self._outputs.changed()

    def _standing(self) -> None:
        """Say what will stop this machine soon if nobody acts: an ending key set, a filling spool, a lost object."""
        if self.core.sensor_fault:
            self._senses.reported(self.core.sensor_fault, True)  # leave to unplug it may have ended
        self._senses.reported(reasons.ALARM_FLASH_FAILED, self._trust.lost)
        days = self._trust.days_left()
        self._senses.reported(reasons.ALARM_KEY_SET_ENDING, days is not None and days <= KEY_SET_ENDING_DAYS)
        used = self.core.storage.spool.used_permille
        if used > QUIET_PERMILLE or used < SLOW_PERMILLE:
            self._senses.reported(reasons.ALARM_SPOOL_FULL, used > QUIET_PERMILLE)

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
            return (not self.core.closed and self._trust.prepare()) or self._chores.tidy()
        except Exception as error:
            self._failed(error)
            return True

    # -- what people do ------------------------------------------------------------

    def token(self, data: "bytes | str", via: int) -> None:
        """Take a token, or the live code that proves its holder.

        Args:
            data: COSE bytes, or `WG1:` and Base45; `WGA:` and Base45 for a live code.
            via: 1 own scanner, which is a local act; 2 console or 3 downlink, which are none.
        """
        try:
            if isinstance(data, str) and data.startswith(live.PREFIX):
                self._tokens.prove_text(data, via)
            else:
                self._tokens.submit(data, via)
        except Exception as error:
            self._failed(error)

    def button(self, pressed: bool) -> None:
        """Take the button's level; the next `tick` judges it, once the time up to now has passed."""
        self._level = pressed

    def _sample(self, pressed: bool, ms: int) -> None:
        core = self.core
        button = self._button
        if button.sample(pressed, ms):
            self._pressed()
        if button.stuck != core.button_stuck:
            core.button_stuck = button.stuck
            self._senses.reported(reasons.ALARM_BUTTON_STUCK, core.button_stuck)
        if button.held(ms, core.gate.closed):
            self._limits.soft_end(reasons.END_WELDER)

    def _pressed(self) -> None:
        """A press that counts: an act, or the question why not."""
        core = self.core
        state = core.gate.state
        if state == gates.ARMED or state == gates.SUSPENDED:
            self._tokens.act(ACT_BUTTON, core.armed_via or VIA_SCANNER)
        elif state == gates.IDLE:
            core.refuse(reasons.GATE_NO_SESSION, VIA_BUTTON)
        elif not core.closed:
            core.tell(core.shut())

    def stop(self) -> None:
        """The welder's own stop by an input of its own, where the board has one."""
        try:
            self._limits.soft_end(reasons.END_WELDER)
        except Exception as error:
            self._failed(error)

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

    def case(self, closed: bool) -> None:
        """Take the case switch: an open case is told, and told again once it has stayed closed for a minute."""
        try:
            if not closed:
                self._case_s = CASE_CALM_S
            self._senses.reported(reasons.ALARM_CASE_OPEN, self._case_s > 0)
        except Exception as error:
            self._failed(error)

    def power_failing(self) -> None:
        """The supply is going: open, then write what the stored energy allows.

        Told once a minute, and it displaces no record: a loose plug must not empty the ring.
        """
        try:
            core = self.core
            core.power_failing = True
            self._steady_ms = 0
            session = core.session
            core.post(gates.POWER_FAILING, reasons.END_POWER_LOSS)
            core.settle()
            if not self._power_off_s:
                self._power_off_s = POWER_OFF_EVERY_S
                fields: "Fields" = {}
                if session is not None:
                    fields = {"token": session.token, "powered_s": session.powered_s}
                core.recorder.note(messages.POWER_OFF, fields, SESSION)
            core.leave.supply_failing()
            self._chores.write_all()
            self._outputs.changed()
        except Exception as error:
            self._failed(error)

    def power_back(self) -> None:
        """The supply did not go after all: it counts once it is steady; an interrupted session waits for an act."""
        if self.core.power_failing:
            self._steady_ms = POWER_STEADY_MS

    @property
    def state(self) -> int:
        """The gate's state, as the heartbeat carries it."""
        return self.core.gate.state

    @property
    def closed(self) -> bool:
        """Whether the relay was told to be closed."""
        return self.core.closed
