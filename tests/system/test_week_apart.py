"""A week of ordinary work without a collector, on the default partition: what the ring keeps, thins out and declares.

Ordinary work: eight powered hours a day; four sessions; in each 30 electrodes of 80 s, 20 s apart (DOMAIN section 5: a
stick burns 60 to 90 s, changing takes 5 to 30 s); telemetry every 60 s, a refusal before each session. The records are
the firmware's own. Time goes in steps of 5 s, since nothing here depends on less.
"""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "firmware"))  # tests are no package

from driver_world import NOW_UNIX, SCANNER, World

from weldgate_firmware import gate
from weldgate_firmware.clock import EPOCH_2020_S, SYNCED
from weldgate_firmware.spool import START_PERMILLE
from weldgate_firmware.status import SLOWER
from weldgate_firmware.storage import PARTITION_SECTORS, RING_FIRST
from weldgate_protocol import messages
from weldgate_simulator.flash import VirtualFlash

DAYS = 7
DAY_S = 86_400
POWERED_S = 8 * 3600
SESSIONS = 4
ARCS = 30
ARC_S = 80
PAUSE_S = 20
STEP_S = 5


def passes(world: World, seconds: int) -> None:
    """Let time pass in coarse steps."""
    for _ in range(seconds // STEP_S):
        world.charge(1000 * STEP_S)
        world.driver.sensed(world.sense.window())
        world.tick()
        world.work(8)


def weld(world: World) -> None:
    """One electrode: struck, burnt, out, and recorded as a segment."""
    world.driver.sensed(world.sense.strike())
    passes(world, ARC_S)
    world.sense.out()
    world.sense.quiet_ms = 2_000  # the pause has lasted that long when the next window comes
    passes(world, PAUSE_S)


def day(world: World, number: int) -> None:
    """A day's work, from switching on to switching off."""
    world.power_cut()
    world.driver.time_offered(NOW_UNIX + number * DAY_S, 0, SYNCED)
    world.settle()
    for session in range(SESSIONS):
        began_s = world.clock.uptime_s
        world.show(b"not a token", SCANNER)
        name = f"d{number}s{session}"
        now_s = world.clock.now_s + EPOCH_2020_S
        world.show(world.token(name, issued_s=now_s, expires_s=now_s - NOW_UNIX + 8 * 3600), SCANNER)
        world.run(200)
        assert world.driver.state == gate.LIVE, (number, session, world.driver.core.last_reason)
        for _ in range(ARCS):
            weld(world)
        world.driver.stop()
        world.run(200)
        passes(world, POWERED_S // SESSIONS - (world.clock.uptime_s - began_s))


@pytest.fixture(scope="module")
def week() -> World:
    """Work for a week."""
    world = World(flash=VirtualFlash(PARTITION_SECTORS))
    world.settle()
    for number in range(DAYS):
        day(world, number)
    return world


def test_a_week_without_a_collector_loses_no_session(week: World) -> None:
    """Every session and every arc of seven days is on flash, nothing was given up, and an eighth day could begin."""
    spool = week.storage.spool

    assert len(week.all(messages.SESSION_START)) == DAYS * SESSIONS
    assert len(week.all(messages.SESSION_STOP)) == DAYS * SESSIONS
    assert len(week.all(messages.ARC)) == DAYS * SESSIONS * ARCS
    assert spool.dropped == 0
    assert spool.acked == 0
    assert spool.used_permille < START_PERMILLE, spool.used_permille


def test_what_is_thinned_out_is_declared(week: World) -> None:
    """Telemetry covers the whole time: its windows grew as the ring filled up, and what got no number was counted."""
    telemetry = week.all(messages.TELEMETRY)
    thin_s = week.driver.config.telemetry_s * SLOWER
    skipped = sum(fields.get("skipped") or 0 for fields in telemetry) + week.driver.core.recorder.skipped
    unrefused = DAYS * SESSIONS - sum(fields["count"] for fields in week.all(messages.REFUSAL))
    told_s = sum(fields["window_s"] for fields in telemetry)
    missing_s = DAYS * POWERED_S - told_s

    assert {fields["window_s"] // 60 for fields in telemetry} >= {1, SLOWER}
    assert 0 <= unrefused <= skipped
    assert abs(missing_s - (skipped - unrefused) * thin_s) < DAYS * (thin_s + 60)  # the last window of a day is cut off


def test_sectors_wear_alike(week: World) -> None:
    """Ring sectors were erased in turn: no one twice more often than another."""
    ring = week.flash.erases[RING_FIRST:]

    assert max(ring) - min(ring) <= 2, ring
