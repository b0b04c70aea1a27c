"""Long random walks of the composed driver: a small ring that wraps, real flash times, cuts inside operations."""

import random
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # tests are no package

from explore import ALPHABET
from explored_world import SCANNER, Explored

from weldgate_firmware import gate
from weldgate_firmware.storage import RING_FIRST
from weldgate_protocol import messages, reasons
from weldgate_simulator.flash import PowerCut, VirtualFlash

SECTORS = RING_FIRST + 6  # a small ring, so that filling it is quick
SECTOR_BYTES = 2048
OFTEN = ("token", "pressed", "released", "tick", "tick", "flash_done", "flash_done", "run", "run", "clear")
WALK = (
    *ALPHABET,
    *OFTEN,
    *("forged", "cut_in_flash", "flicker", "minute", "ahead", "ack", "start", "link_up", "link_down"),
)
LIKELY = {
    gate.LOCKED: ("release",),
    gate.LATCHED: ("arc_off", "clear", "sensor_back"),
    gate.IDLE: ("start", "scan", "ack", "sensor_back"),
    gate.ARMED: ("released", "tick", "pressed", "flash_done"),
    gate.SUSPENDED: ("start", "scan_used"),
    gate.LIVE: ("arc_on", "arc_off", "run", "minute"),
}


class Walked(Explored):
    """An explored world with what only walks do, on flash that blocks as long as it does and leaves half of things."""

    def __init__(self) -> None:
        super().__init__(flash=VirtualFlash(SECTORS, SECTOR_BYTES))

    def charge(self, ms: int) -> None:
        """Time passes, a page's 3 ms among it."""
        self.ms += ms
        self._ticks = (self._ticks + ms) & 0x3FFFFFFF

    def do_forged(self) -> None:
        self._present(SCANNER, "nobody signed this")

    def do_cut_in_flash(self) -> None:
        """Power goes in the middle of a program or an erase."""
        self.flash.cut_after(self.ms % 37)
        try:
            self.work(20)
        except PowerCut:
            self.do_power_cut()
        self.flash.cut_after(-1)

    def do_flicker(self) -> None:
        """The supply goes, and is back and steady a little later."""
        self.driver.power_failing()
        self.driver.power_back()
        self.skip(4)

    def do_minute(self) -> None:
        self.skip(60)

    def do_run(self) -> None:
        self.run(500)

    def do_ack(self) -> None:
        """The collector has everything."""
        self.storage.spool.ack(self.storage.spool.highest)

    def do_ahead(self) -> None:
        """A collector has more than this chip ever gave."""
        self.driver.welcomed(self.storage.spool.next_seq + 2, True)

    def do_link_up(self) -> None:
        self.driver.link_up()
        self.driver.heard()

    def do_link_down(self) -> None:
        self.driver.link_down()

    def do_start(self) -> None:
        """What a welder does to start or to go on."""
        for event in ("power_back", "released", "run", "token", "flash_done", "pressed", "flash_done", "released"):
            getattr(self, "do_" + event)()


@pytest.mark.parametrize("seed", range(20))
def test_random_walks_keep_the_promises(seed: int) -> None:
    """Fifteen hundred random events, power cuts inside flash operations among them, break no promise."""
    rng = random.Random(seed)
    world = Walked().ready()
    visited = set()
    closings = 0
    for number in range(1500):
        likely = LIKELY.get(world.driver.state)
        event = rng.choice(likely) if likely is not None and rng.random() < 0.5 else rng.choice(WALK)
        outputs, before = world.outputs, world.outputs.closings
        try:
            getattr(world, "do_" + event)()
            world.check()
        except AssertionError as error:
            raise AssertionError(f"seed {seed}, event {number} {event}: {error}") from error
        closings += world.outputs.closings - (before if world.outputs is outputs else 0)
        visited.add(world.driver.state)
    assert closings >= 10, "a walk that starts nothing proves nothing"
    assert visited >= set(LIKELY) - {gate.ARMED}, visited
    assert reasons.ALARM_EXCEPTION not in [f["alarm"] for f in world.all(messages.ALARM)]
