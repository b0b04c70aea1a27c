"""A world that is explored: what can happen to it, and what must hold after whatever happened.

Times are multiples of 100 ms (a page's 3 ms are left out), so that worlds meet again in the same state. The promises
are checked against evidence of their own: the acts that were performed, the bytes on flash, the pin.
"""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "firmware"))  # tests are no package

from driver_world import CONSOLE, DOWNLINK, HOLDER, NOW_UNIX, OTHER, SCANNER, Steps, World
from explored_stand_ins import Heard, StubbornFlash

from weldgate_firmware import gate, sessions
from weldgate_firmware import log as logs
from weldgate_firmware.clock import SYNCED, to_unix
from weldgate_firmware.driver import POWER_STEADY_MS
from weldgate_firmware.meter import SENSOR_FAILED, SENSOR_RECOVERED
from weldgate_firmware.sense import OVER_CURRENT
from weldgate_firmware.spool import REFUSAL
from weldgate_firmware.storage import RING_FIRST
from weldgate_protocol import messages, reasons
from weldgate_simulator.flash import ERASE_MS, PROGRAM_MS, VirtualFlash

SECTORS = RING_FIRST + 12
SECTOR_BYTES = 16384  # four times the chip's: within an exploration no sector fills up
STEP_MS = 100
TICK_MS = 400  # one event "tick": a button's release, a pause of an arc, half of what S4 needs
LOCK = b"lock-001"
CLOSED = (gate.LIVE, gate.ENDING)
BYPASS_MA = 50000
BYPASS_TOLD_MS = 1000  # DESIGN section 4, S4
TOLD = (messages.SESSION_START, messages.SESSION_SUSPEND, messages.SESSION_RESUME, messages.SESSION_STOP)


class Story:
    """The records read so far: each session starts once, stops at most once, and nothing of it follows its stop."""

    def __init__(self, epoch: bytes) -> None:
        self.epoch = epoch
        self.highest = 0
        self.last: dict[bytes, int] = {}  # token -> its newest record
        self.newest = b""  # token that began last

    def told(self, kind: int, token: bytes) -> None:
        """Take one more record of a session."""
        last = self.last.get(token, 0)
        assert last != messages.SESSION_STOP, f"{kind:#x} after the stop"
        assert (kind == messages.SESSION_START) == (last == 0), f"{kind:#x} after {last:#x}"
        if kind == messages.SESSION_RESUME:
            assert last == messages.SESSION_SUSPEND, "a resumption of what was not suspended"
        self.last[token] = kind
        self.newest = token


class Explored(World):
    """A world that remembers what was really done to it, for the promises."""

    def __init__(self, flash: "VirtualFlash | None" = None, **settings: Any) -> None:
        self.story = Story(b"")
        self.acted_for: set[bytes] = set()  # tokens that had been verified when a local act came
        self.cut = True  # power has come and no act has happened since
        self.level = self.seen_level = True
        self.released_ms = 0  # how long samples have shown it released; two of them prove 50 ms at most
        self.sampled_ms = 0
        self.flowing_ms = 0  # how long a current has flowed past the open relay, as far as windows were fed
        self.shown = self.ordered = 0
        self.scanned: set[bytes] = set()  # ids of the tokens that the chip's own scanner saw since boot
        self.verified: set[bytes] = set()  # ids of tokens verified since boot
        self.broken: list[str] = []
        self.posted: set[int] = set()  # pairs of the gate's table that were posted
        super().__init__(flash=flash or StubbornFlash(SECTORS, SECTOR_BYTES), **settings)

    def ready(self) -> "Explored":
        """Let the chip learn the time and do what a boot leaves to be done."""
        self.driver.time_offered(NOW_UNIX, 0, SYNCED)
        self.settle()
        self.do_tick()
        return self

    def built(self) -> None:
        """Put an ear at the gate; give the meter a fault of its own, not its class's."""
        self.sense.meter.fault = 0
        self.driver.core.gate = Heard(self.posted)

    def charge(self, ms: int) -> None:
        """Time passes while flash blocks; a page's 3 ms would let no two worlds ever be equal."""
        if ms != PROGRAM_MS:
            super().charge(ms)

    def tick(self) -> None:
        """As the world's; judges by the samples alone whether the button's level is an act."""
        gap_ms = self.ms - self.sampled_ms
        self.sampled_ms = self.ms
        if self.level == self.seen_level:
            self.released_ms += 0 if self.level else min(gap_ms, 50)
        else:
            if self.level and self.released_ms >= 200:
                self._act()
            self.released_ms = 0
            self.seen_level = self.level
        super().tick()

    def _act(self) -> None:
        """Somebody at the machine has acted."""
        self.acted_for |= self.verified
        self.cut = False

    def pass_time(self, ms: int) -> None:
        """Let time pass in steps of 100 ms, with the sensor's windows and no slice of work."""
        for _ in range(ms // STEP_MS):
            self.charge(STEP_MS)
            blind = self.outputs.closed or self.driver.core.sensor_fault
            over = not blind and self.sense.current_ma == BYPASS_MA
            self.flowing_ms = self.flowing_ms + STEP_MS if over else 0
            for _ in range(5):
                self.driver.sensed(self.sense.window())
            self.tick()

    def jump(self, seconds: int) -> None:
        """Let a long time pass; work is done on the way, as it would be."""
        for part_s in (seconds - 1, 1):
            self.charge(1000 * part_s)
            self.driver.sensed(self.sense.window())
            self.tick()
            self.do_flash_done()

    # -- what can happen ---------------------------------------------------------

    def _issue(self, holder: bytes) -> str:
        """Return a new token; it was issued long enough ago to move no clock, and leaves eight hours."""
        self.shown += 1
        passed_s = to_unix(self.clock.now_s) - NOW_UNIX
        self.token(f"t{self.shown}", holder=holder, issued_s=NOW_UNIX - 600, expires_s=passed_s + 8 * 3600)
        return f"t{self.shown}"

    def usable(self) -> bool:
        """Whether the newest token is neither used up nor another holder's nor expired."""
        name = f"t{self.shown}"
        known = self.tokens.get(name.encode())
        good = known is not None and known["holder"] == HOLDER and known["expires_s"] > to_unix(self.clock.now_s)
        return good and not self.used(name)

    def _newest(self) -> str:
        """Return the newest token, where it is still good, else a new one."""
        return f"t{self.shown}" if self.usable() else self._issue(HOLDER)

    def _verify(self, data: bytes, context: Any) -> Steps:
        """As the world's, in one slice."""
        steps = super()._verify(data, context)
        steps._left = 0
        return steps

    def _present(self, via: int, name: str) -> None:
        if via == SCANNER:
            self._act()
            self.scanned.add((name.encode() + b"\0" * 8)[:8])
        self.driver.token(name.encode(), via)

    def do_token(self) -> None:
        """A token by the console."""
        self._present(CONSOLE, self._newest())

    def do_scan(self) -> None:
        """The same token before the chip's own scanner, which is an act."""
        self._present(SCANNER, self._newest())

    def do_scan_used(self) -> None:
        """The token of the open session again, else the one that was used up last."""
        session = self.driver.core.session
        used = session.token if session is not None else self.story.newest
        if used:
            self._present(SCANNER, used.rstrip(b"\0").decode())

    def do_other(self) -> None:
        """Another holder's token by the downlink."""
        self._present(DOWNLINK, self._issue(OTHER))

    def _button(self, pressed: bool) -> None:
        """Let the next tick see the button at a level."""
        self.level = pressed
        self.driver.button(pressed)
        self.pass_time(TICK_MS)

    def do_pressed(self) -> None:
        self._button(True)

    def do_released(self) -> None:
        self._button(False)

    def do_stop(self) -> None:
        """The welder's own stop, by an input of its own."""
        self.driver.stop()

    def do_tick(self) -> None:
        self.pass_time(TICK_MS)

    def do_blocked(self) -> None:
        """An erase blocks: 400 ms in which nobody looks at anything."""
        self.charge(ERASE_MS)
        self.tick()

    def do_wait(self) -> None:
        """Two minutes: longer than a token waits for its act, and than a soft end lasts."""
        self.jump(121)

    def do_hours(self) -> None:
        """Nine hours: every limit of every token is over."""
        self.jump(9 * 3600)

    def do_lock(self) -> None:
        self.driver.lock(2, LOCK, 0)

    def do_lock_soft(self) -> None:
        self.driver.lock(1, LOCK, 0)

    def _order(self, type_: int, **found: Any) -> None:
        """Have a signed order verified and carried out."""
        self.ordered += 1
        self.submit(f"o{self.ordered}", type_, **found)
        self.do_flash_done()

    def do_release(self) -> None:
        self._order(messages.RELEASE, lock=LOCK)

    def do_clear(self) -> None:
        self.flowing_ms = 0  # what flows on has to become an alarm anew
        self._order(messages.CLEAR_ALARM, alarms=list(self.driver.core.holds.latches))

    def do_power_cut(self) -> None:
        self.cut = True
        self.verified = set()
        self.scanned = set()
        self.acted_for = set()
        self.power_cut()
        self.level = self.seen_level = True
        self.released_ms = self.flowing_ms = 0
        self.sampled_ms = self.ms

    def do_power_failing(self) -> None:
        """The supply is going."""
        self.driver.power_failing()

    def do_power_back(self) -> None:
        """It did not go after all, and stays steady."""
        if not self.driver.core.power_failing:
            return  # three seconds of nothing would be no small event
        self.driver.power_back()
        self.charge(POWER_STEADY_MS)
        self.tick()

    def do_flash_done(self) -> None:
        """Everything that waits for flash or for its turn is done."""
        busy = True
        while busy or self.driver._chores._erase_ticks:
            busy = self.driver.work()
            self.tick()

    def _calm(self) -> None:
        """Let the pause between two erases end, which is counted in ticks."""
        while self.driver._chores._erase_ticks:
            self.tick()

    def do_slice(self) -> None:
        """What waits for flash is written, and then one slice goes to whatever else is under way."""
        driver = self.driver
        core = driver.core
        busy = True
        while busy and (len(core.facts) or len(core.recorder)):
            busy = driver.work()
            self.tick()
        if driver._starts._steps or driver._tokens._steps is not None or driver._tokens._extension is not None:
            self.work(1)
        self._calm()

    def do_flash_failed(self) -> None:
        """Flash refuses everything while the slices run; a refusal waits for it before all else."""
        recorder = self.driver.core.recorder
        recorder.note(messages.REFUSAL, {"reason": 1, "via": 1, "count": 1}, REFUSAL)
        recorder._queue = recorder._queue[-1:] + recorder._queue[:-1]
        self.flash.broken = list(range(self.flash.sector_count))
        self.work(60)
        self.flash.broken = []
        self.tick()
        self._calm()

    def do_arc_on(self) -> None:
        """Current flows: with the relay closed an arc, for the second in which it is noticed; else a bypass."""
        if self.outputs.closed:
            self.driver.sensed(self.sense.strike())
            self.pass_time(1000)
        else:
            self.sense.current_ma = BYPASS_MA

    def do_arc_off(self) -> None:
        self.sense.out()

    def do_over_current(self) -> None:
        self.driver.sensed(OVER_CURRENT)

    def do_sensor_fault(self) -> None:
        self.sense.meter.fault = reasons.ALARM_SENSOR_OPEN
        self.driver.sensed(SENSOR_FAILED)

    def do_sensor_back(self) -> None:
        self.sense.meter.fault = 0
        self.driver.sensed(SENSOR_RECOVERED)

    # -- the promises ------------------------------------------------------------------

    def read_story(self) -> Story:
        """Read what is new on flash, and hold it against the story so far."""
        spool = self.storage.spool
        if self.story.epoch != spool.epoch:
            self.story = Story(spool.epoch)
        if self.story.highest < spool.highest:
            for kind, fields in self.frames_from(self.story.highest + 1):
                if kind in TOLD:
                    self.story.told(kind, fields["token"])
            self.story.highest = spool.highest
        return self.story

    def check_closing(self) -> None:
        """At the very moment the relay closes; what breaks is kept for `check`, since the driver would catch it."""
        self.flowing_ms = 0
        try:
            self._check_closing()
        except AssertionError as error:
            self.broken.append(str(error))

    def _check_closing(self) -> None:
        core = self.driver.core
        session = core.session
        assert session is not None, "closed without a session"
        assert not core.holds.any, "closed though something is held"
        assert not core.sensor_fault, "closed with a failed sensor"
        assert not core.power_failing, "closed while the supply goes"
        assert not self.cut, "closed without an act since power came"
        acted = session.token in self.acted_for or session.token in self.scanned
        assert acted or session.token not in self.verified, "closed by an act before the token"
        assert self.used(session.token.rstrip(b"\0").decode()), "closed before the used id was durable"
        assert session.left(self.clock)[0] > 0, "closed with nothing left"
        last = self.read_story().last.get(session.token, 0)
        assert last in (messages.SESSION_START, messages.SESSION_RESUME), "closed without a durable start or resumption"

    def _judge_token(self, data: bytes, context: Any) -> Any:
        claims = super()._judge_token(data, context)
        self.verified.add(claims.id)
        return claims

    def check(self) -> None:
        """After every event."""
        driver = self.driver
        core = driver.core
        closed = driver.state in CLOSED
        assert not self.broken, self.broken
        assert self.outputs.closed == driver.closed
        assert not self.outputs.closed or closed, "closed in a state that is open"
        assert not closed or core.session is not None
        assert core.failures == 0, core.last_exception
        assert core.gate.unknown == 0, "a pair outside the table was posted"
        assert not closed or not core.sensor_fault, "goes on with a failed sensor"
        holds = core.holds
        if holds.latches:
            assert driver.state == gate.LATCHED
        elif holds.locks and not (driver.state == gate.ENDING and holds.lock_mode == 1):
            assert driver.state == gate.LOCKED
        if closed and self.sampled_ms == self.ms:  # a tick was the last to look
            assert core.session.left(self.clock)[0] > 0, "goes on with nothing left"
        if self.flowing_ms > BYPASS_TOLD_MS:
            assert driver.state == gate.LATCHED, "a second of current past the open relay is no alarm"
        self.read_story()

    def interrupted(self) -> "sessions.Session | None":
        """The session that flash keeps, whatever a boot would make of it."""
        fact = self.storage.log.get(logs.SESSION)
        return sessions.decode(fact) if fact is not None else None
