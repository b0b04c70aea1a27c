"""The composed driver explored: every sequence of events to depth 6 from several beginnings, and long random walks.

Equal states are merged: two worlds are equal when everything that decides the next steps is (the gate, the button, what
is armed, committed, held, queued, sensed, and what is on flash as facts; not the sequence numbers, nor counters that a
few seconds cannot bring to their limit). After each event the promises are checked against evidence of their own: the
acts that were performed, the bytes on flash, the pin.
"""

import io
import pickle
import random
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "firmware"))  # tests are no package

from driver_world import CONSOLE, DOWNLINK, OTHER, SCANNER, World

from weldgate_firmware import gate, log
from weldgate_firmware.config import Config
from weldgate_firmware.profile import Profile
from weldgate_protocol import messages, reasons
from weldgate_protocol._compat import HmacKey

DEPTH = 6
TICK_MS = 250  # one event "tick": long enough for a button's release, a pause of an arc, half a blanking
LOCK = b"lock-001"
CLOSED = (gate.LIVE, gate.ENDING)


class Known:
    """Records read so far; never changed once made."""

    def __init__(self, epoch: bytes, highest: int, frames: list[tuple[int, dict[str, Any]]]) -> None:
        self.epoch = epoch
        self.highest = highest
        self.frames = frames


class Explored(World):
    """A world that remembers what was really done to it, for the invariants."""

    def __init__(self, **settings: Any) -> None:
        self.known: Known | None = None
        super().__init__(**settings)
        self.shown = 0
        self.acted_ms = -1  # the last local act
        self.scanned: set[bytes] = set()  # ids of the tokens that the chip's own scanner saw since boot
        self.verified: dict[bytes, int] = {}  # when each token was first verified since boot
        self.broken: list[str] = []
        self.cut = False  # power was cut and no act has happened since
        self.level = True
        self.told = True  # the level of the last sample
        self.sampled_ms = 0
        self.released_ms = 0  # how long samples have shown it released; two of them prove 50 ms at most

    def tick(self) -> None:
        """As the world's; judges by the samples alone whether the button's level is an act."""
        gap_ms = self.ms - self.sampled_ms
        self.sampled_ms = self.ms
        if self.level == self.told:
            self.released_ms += 0 if self.level else min(gap_ms, 50)
        else:
            if self.level and self.released_ms >= 200:
                self.acted_ms = self.ms
                self.cut = False
            self.released_ms = 0
            self.told = self.level
        super().tick()

    def _button(self, pressed: bool) -> None:
        """Let the next tick see the button at a level."""
        self.level = pressed
        self.driver.button(pressed)
        self.charge(10)
        self.tick()

    # -- the alphabet ------------------------------------------------------------

    def do_token(self) -> None:
        """A token by the console: the newest one that is not used up, else a new one."""
        if not self.shown or self.used(f"t{self.shown}"):
            self.shown += 1
            self.token(f"t{self.shown}")
        self._present(CONSOLE, f"t{self.shown}")

    def _present(self, via: int, name: str) -> None:
        if via == SCANNER:
            self.acted_ms = self.ms
            self.cut = False
            self.scanned.add((name.encode() + b"\0" * 8)[:8])
        self.driver.token(name.encode(), via)

    def do_pressed(self) -> None:
        self._button(True)

    def do_released(self) -> None:
        self._button(False)

    def do_blocked(self) -> None:
        """An erase blocks: 400 ms in which nobody looks at anything."""
        self.charge(400)

    def do_lock(self) -> None:
        self.driver.lock(2, LOCK, 0)

    def do_tick(self) -> None:
        self.run(TICK_MS, work=False)

    def do_power_cut(self) -> None:
        self.cut = True
        self.verified = {}
        self.scanned = set()
        self.power_cut()
        self.level = self.told = True
        self.released_ms = 0
        self.sampled_ms = self.ms

    def do_flash_done(self) -> None:
        self.work(60)

    def do_flash_failed(self) -> None:
        """Flash refuses everything while the slices run."""
        self.flash.broken = list(range(self.flash.sector_count))
        self.work(60)
        self.flash.broken = []

    def do_link_up(self) -> None:
        self.driver.link_up()
        self.driver.heard()

    def do_link_down(self) -> None:
        self.driver.link_down()

    def do_ahead(self) -> None:
        """A collector has more than this chip ever gave."""
        self.driver.welcomed(self.storage.spool.next_seq + 2, True)

    def do_arc_on(self) -> None:
        """Current flows: an arc with the relay closed, a bypass with the relay open."""
        if self.outputs.closed:
            self.driver.sensed(self.sense.strike())
        else:
            self.sense.current_ma = 50000

    def do_arc_off(self) -> None:
        self.sense.out()

    # -- more, for the walks ---------------------------------------------------------

    def do_scan(self) -> None:
        self.shown += 1
        self._present(SCANNER, self.token(f"t{self.shown}").decode())

    def do_scan_again(self) -> None:
        self._present(SCANNER, f"t{max(self.shown, 1)}")

    def do_scan_other(self) -> None:
        self.shown += 1
        self._present(DOWNLINK, self.token(f"t{self.shown}", holder=OTHER).decode())

    def do_forged(self) -> None:
        self._present(SCANNER, "nobody signed this")

    def do_lock_soft(self) -> None:
        self.driver.lock(1, LOCK, 0)

    def do_release(self) -> None:
        self.order(f"r{self.ms}"[-8:], messages.RELEASE, lock=LOCK)

    def do_clear(self) -> None:
        self.order(f"c{self.ms}"[-8:], messages.CLEAR_ALARM, alarms=list(self.driver.core.holds.latches))

    def do_cut_in_flash(self) -> None:
        """Power goes in the middle of a program or an erase."""
        self.flash.cut_after(self.ms % 37)
        try:
            self.work(20)
        except BaseException as error:
            if type(error).__name__ != "PowerCut":
                raise
            self.do_power_cut()
        self.flash.cut_after(-1)

    def do_power_failing(self) -> None:
        self.driver.power_failing()
        self.driver.power_back()
        self.skip(4)  # until it is steady

    def do_minute(self) -> None:
        self.skip(60)

    def do_run(self) -> None:
        self.run(500)

    def do_ack(self) -> None:
        """The collector has everything."""
        self.storage.spool.ack(self.storage.spool.highest)

    def do_start(self) -> None:
        """What a welder does to start or to go on."""
        for event in ("released", "run", "token", "flash_done", "pressed", "flash_done", "released"):
            getattr(self, "do_" + event)()

    # -- the promises ------------------------------------------------------------------

    def frames(self) -> list[tuple[int, dict[str, Any]]]:
        """As the world's, reading only what is new: a record on flash never changes."""
        spool = self.storage.spool
        known = self.known
        if known is None or known.epoch != spool.epoch or known.highest > spool.highest:
            known = Known(spool.epoch, 0, [])
        if known.highest < spool.highest:
            known = Known(spool.epoch, spool.highest, known.frames + self.frames_from(known.highest + 1))
        self.known = known
        return known.frames

    def check_closing(self) -> None:
        """At the very moment the relay closes; what breaks is kept for `check`, since the driver would catch it."""
        try:
            self._check_closing()
        except AssertionError as error:
            self.broken.append(str(error))

    def _check_closing(self) -> None:
        core = self.driver.core
        session = core.session
        assert session is not None
        assert not core.holds.any, "closed though something is held"
        assert not self.cut, "resumed by itself after a power cut"
        verified_ms = self.verified.get(session.token, -1)
        assert self.acted_ms >= 0, "closed without any local act"
        assert self.acted_ms >= verified_ms or session.token in self.scanned, "closed by an act before the token"
        assert self.used(session.token.rstrip(b"\0").decode()), "closed before the used id was durable"
        kinds = [kind for kind, f in self.frames() if f.get("token") == session.token]
        assert kinds.count(messages.SESSION_START) == 1, "closed without exactly one durable session-start"
        assert messages.SESSION_STOP not in kinds, "a stopped session resumed"
        told = [k for k in kinds if k in (messages.SESSION_START, messages.SESSION_SUSPEND, messages.SESSION_RESUME)]
        assert told[-1] != messages.SESSION_SUSPEND, "closed without a durable session-resume"

    def _told(self) -> int:
        """The newest record of the open session on flash: what a power cut would leave of it."""
        session = self.driver.core.session
        kinds = [kind for kind, fields in self.frames() if session is not None and fields.get("token") == session.token]
        return kinds[-1] if kinds else 0

    def _judge_token(self, data: bytes, context: Any) -> Any:
        claims = super()._judge_token(data, context)
        self.verified.setdefault(claims.id, self.ms)
        return claims

    def check(self) -> None:
        """After every event."""
        driver = self.driver
        assert not self.broken, self.broken
        assert self.outputs.closed == driver.closed
        assert not self.outputs.closed or driver.state in CLOSED, "closed in a state that is open"
        assert driver.state not in CLOSED or driver.core.session is not None
        assert driver.core.failures == 0, driver.core.last_exception
        assert driver.core.gate.unknown == 0, "a pair outside the table was posted"
        holds = driver.core.holds
        if holds.latches:
            assert driver.state == gate.LATCHED
        elif holds.locks and not (driver.state == gate.ENDING and holds.lock_mode == 1):
            assert driver.state == gate.LOCKED

    def check_story(self) -> None:
        """The story on flash: each session starts once, stops at most once, and nothing of it follows its stop."""
        stopped: set[bytes] = set()
        started: list[bytes] = []
        for kind, fields in self.frames():
            token = fields.get("token")
            if kind == messages.SESSION_START:
                assert token not in started
                started.append(token)
            if kind in (messages.SESSION_RESUME, messages.SESSION_SUSPEND, messages.SESSION_STOP):
                assert token in started
                assert token not in stopped, f"{kind:#x} after the stop"
            if kind == messages.SESSION_STOP:
                stopped.add(token)

    def digest(self) -> tuple[Any, ...]:
        """What decides the next steps."""
        driver = self.driver
        core = driver.core
        session = core.session
        button = driver._button
        watch = core.watch
        return (
            core.gate.state,
            self.outputs.closed,
            (button.pressed, button._released_ms // 50, button._hold_ms >= 1750, button._hold_ms >= 1500),
            core.armed.id if core.armed is not None else None,
            (session.token, session.suspended, session.extensions) if session is not None else None,
            (driver._starts._at, len(driver._starts._steps), driver._starts._fresh is not None),
            (driver._tokens._steps is not None, driver._tokens._extension is not None),
            tuple(sorted(core.holds.locks)),
            tuple(core.holds.latches.values()),
            tuple((kind, key) for kind, key, _ in core.facts._queue),
            tuple(item[0] for item in core.recorder._queue),
            (core.facts.failing, core.recorder.failing, self.storage.spool.failed, self.storage.log.failed),
            (min(driver._chores._retry_ms, 1), driver.online, core.sensor_fault),
            (self.sense.burning, self.sense.arc_on, self.sense._segment, self.sense.current_ma),
            (min(watch._open_ms, 1000) // TICK_MS, watch._over_ms // 100, watch.over),
            tuple(sorted(key for key, _ in self.storage.log.items(log.USED_ID))),
            (self.cut, self.acted_ms >= 0, self.level, self.told, min(self.released_ms, 200) // 50),
            min(self.ms - self.sampled_ms, 400),
            self._told(),
        )

    def freeze(self) -> bytes:
        """The whole world as bytes, from which `thaw` makes copies that live on their own."""
        stream = io.BytesIO()
        pickler = pickle.Pickler(stream, pickle.HIGHEST_PROTOCOL)
        pickler.dispatch_table = DISPATCH
        pickler.dump(self)
        return zlib.compress(stream.getbuffer(), 1)  # flash is mostly FF, and thousands of worlds wait


def thaw(frozen: bytes) -> Explored:
    """Make a world."""
    world = pickle.loads(zlib.decompress(frozen))
    assert isinstance(world, Explored)
    return world


# What a thawed world shares with its origin: by type, the object itself; of a gate its table.
SHARED: dict[int, Any] = {}
TABLE = gate.Gate()._table


def _share(one: Any) -> tuple[Callable[[int], Any], tuple[int]]:
    SHARED[id(one)] = one
    return _shared, (id(one),)


def _shared(key: int) -> Any:
    return SHARED[key]


def _gate(state: int, unknown: int) -> gate.Gate:
    copied = gate.Gate.__new__(gate.Gate)
    copied.state, copied.unknown, copied._table = state, unknown, TABLE
    return copied


DISPATCH: dict[type, Callable[[Any], Any]] = {
    memoryview: lambda view: (memoryview, (view.obj,)),  # a copied view looks at the copied buffer
    gate.Gate: lambda one: (_gate, (one.state, one.unknown)),
    HmacKey: _share,
    Config: _share,
    Profile: _share,
    Known: _share,
}


ALPHABET = (
    "token",
    "pressed",
    "released",
    "blocked",
    "lock",
    "tick",
    "power_cut",
    "flash_done",
    "flash_failed",
    "link_up",
    "link_down",
    "arc_on",
    "arc_off",
)
WALK = (
    *ALPHABET,
    "token",
    "pressed",
    "released",
    "tick",
    "tick",
    "flash_done",
    "flash_done",
    "flash_done",
    "run",
    "run",
    "scan",
    "scan_again",
    "scan_other",
    "forged",
    "lock_soft",
    "release",
    "clear",
    "clear",
    "cut_in_flash",
    "power_failing",
    "minute",
    "ahead",
)


LIKELY = {
    gate.LOCKED: ("release",),
    gate.LATCHED: ("arc_off", "clear"),
    gate.IDLE: ("start", "scan", "ack"),
    gate.ARMED: ("released", "tick", "pressed", "flash_done"),
    gate.SUSPENDED: ("start", "scan_again"),
    gate.LIVE: ("arc_on", "arc_off", "run", "minute"),
}


def _settled() -> Explored:
    world = Explored()
    world.settle()
    return world


def _ready(world: Explored) -> None:
    """Bring it to where one press would start a session."""
    for event in ("released", "tick", "token", "flash_done"):
        getattr(world, "do_" + event)()


def _live(world: Explored) -> None:
    _ready(world)
    world.do_pressed()
    world.do_flash_done()
    world.do_released()
    assert world.outputs.closed


def _welding(world: Explored) -> None:
    _live(world)
    world.do_arc_on()


def _suspended(world: Explored) -> None:
    _live(world)
    world.do_power_cut()


def _from_boot(world: Explored) -> None:
    """Nothing has happened yet."""


def explore(worlds: list[Explored], depth: int) -> tuple[int, int]:
    """Play every sequence of the alphabet to a depth from each world, merging equal states; return states and edges."""
    seen = {world.digest() for world in worlds}
    layer = [(world.freeze(), f"[{number}]") for number, world in enumerate(worlds)]
    edges = 0
    for _ in range(depth):
        following = []
        for here, path in layer:
            for event in ALPHABET:
                there = thaw(here)
                story = f"{path} {event}"
                try:
                    getattr(there, "do_" + event)()
                    there.check()
                    there.check_story()
                except AssertionError as error:
                    raise AssertionError(f"after {story}: {error}") from error
                edges += 1
                digest = there.digest()
                if digest not in seen:
                    seen.add(digest)
                    following.append((there.freeze(), story))
        layer = following
    return len(seen), edges


def test_every_sequence_of_six_keeps_the_promises() -> None:
    """No sequence of six events breaks a promise, from boot and from four states deep inside a session."""
    worlds = []
    for begin in (_from_boot, _ready, _live, _welding, _suspended):
        world = _settled()
        begin(world)
        worlds.append(world)

    states, edges = explore(worlds, DEPTH)

    assert {here.driver.state for here in worlds} == {gate.IDLE, gate.ARMED, gate.LIVE, gate.SUSPENDED}
    assert states > 1000, states
    assert edges > 10000, edges


@pytest.mark.parametrize("seed", range(20))
def test_random_walks_keep_the_promises(seed: int) -> None:
    """Fifteen hundred random events, power cuts inside flash operations among them, break no promise."""
    rng = random.Random(seed)
    world = _settled()
    visited = set()
    closings = 0
    for number in range(1500):
        likely = LIKELY.get(world.driver.state)
        event = rng.choice(likely) if likely is not None and rng.random() < 0.5 else rng.choice(WALK)
        outputs, before = world.outputs, world.outputs.closings
        getattr(world, "do_" + event)()
        closings += world.outputs.closings - (before if world.outputs is outputs else 0)
        visited.add(world.driver.state)
        try:
            world.check()
        except AssertionError as error:
            raise AssertionError(f"seed {seed}, event {number} {event}: {error}") from error
    world.do_flash_done()
    world.check_story()
    assert closings >= 10, "a walk that starts nothing proves nothing"
    assert visited >= set(LIKELY) - {gate.ARMED}, visited
    assert reasons.ALARM_EXCEPTION not in [f["alarm"] for f in world.all(messages.ALARM)]
