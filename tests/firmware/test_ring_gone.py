"""A ring that takes nothing, or is full of what the collector has not got: at the start, and at every way to end.

Whatever the ring does, the relay opens in time; and it never closes without a durable session-start.
"""

import os
import sys
import unittest

sys.path.append(os.getenv("WELDGATE_VECTORS", "tests/vectors") + "/../firmware")  # tests are no package

from driver_world import OVER, SCANNER, World

from weldgate_firmware import gate
from weldgate_firmware.meter import SENSOR_FAILED
from weldgate_firmware.spool import RECORD
from weldgate_firmware.storage import RING_FIRST
from weldgate_protocol import messages, reasons

ENDING_S = 120
RESULT = {"order": b"order-01", "type": 134, "result": 0}


def unwritable(world):
    """Let no sector of the ring take anything."""
    world.flash.broken = list(range(RING_FIRST, world.flash.sector_count))


def full(world):
    """Fill every erased sector with records that nobody has acknowledged."""
    spool = world.storage.spool
    while not spool.admits(RECORD):
        world.driver.core.recorder.write(messages.ORDER_RESULT, dict(RESULT), RECORD, False)


def failing_sensor(world):
    """The sensor's lead is off."""
    world.sense.meter.fault = reasons.ALARM_SENSOR_OPEN
    world.driver.sensed(SENSOR_FAILED)


HARD = (
    ("lock now", lambda world: world.driver.lock(2, b"lock-001", 0)),
    ("latched alarm", lambda world: world.driver.core.latch(reasons.ALARM_BYPASS)),
    ("over-current", lambda world: world.driver.sensed(OVER)),
    ("failed sensor", failing_sensor),
    ("supply", lambda world: world.driver.power_failing()),
)
SOFT = (
    ("the welder's own stop", lambda world: world.driver.stop()),
    ("ordinary lock", lambda world: world.driver.lock(1, b"lock-001", 0)),
)
RINGS = (("unwritable", unwritable), ("full", full))


class TestRingGone(unittest.TestCase):
    """The gate beside a ring that is of no use."""

    def test_hard_ends_open_at_once(self):
        """Lock, alarm, over-current, sensor and supply open the relay inside the call."""
        for ring, spoil in RINGS:
            for what, happen in HARD:
                with self.subTest(ring=ring, what=what):
                    world = World().settle().live()
                    spoil(world)
                    world.run(500)
                    self.assertTrue(world.outputs.closed)
                    happen(world)

                    self.assertFalse(world.outputs.closed)
                    world.run(2000)
                    self.assertFalse(world.outputs.closed)

    def test_soft_ends_open_at_the_pause_or_after_two_minutes(self):
        """A stop and an ordinary lock open without an arc at once, with one at its pause or 120 s later."""
        for ring, spoil in RINGS:
            for what, happen in SOFT:
                with self.subTest(ring=ring, what=what):
                    world = World().settle().live()
                    spoil(world)
                    world.driver.sensed(world.sense.strike())
                    world.run(500)
                    happen(world)
                    self.assertTrue(world.outputs.closed)
                    world.skip(ENDING_S + 1)

                    self.assertFalse(world.outputs.closed)

    def test_limits_open_in_time(self):
        """Expiry, session limit and offline allowance end a session whose records go nowhere."""
        for ring, spoil in RINGS:
            for limit in ("expires_s", "limit_s", "offline_s"):
                with self.subTest(ring=ring, limit=limit):
                    world = World().settle().live(**{limit: 300})
                    spoil(world)
                    world.driver.sensed(world.sense.strike())
                    world.skip(302)

                    self.assertFalse(world.outputs.closed)

    def test_nothing_starts(self):
        """A token at the scanner closes nothing while the ring takes no session-start; its reason is shown."""
        for ring, spoil in RINGS:
            with self.subTest(ring=ring):
                world = World().settle()
                spoil(world)
                while ring == "full" and world.storage.spool.used_permille <= 950:
                    world.driver.core.recorder.write(messages.ORDER_RESULT, dict(RESULT), RECORD, True)
                world.show(world.token("t1"), SCANNER)
                world.run(6000)

                self.assertEqual(world.outputs.closings, 0)
                self.assertEqual(world.all(messages.SESSION_START), [])
                self.assertIn(world.driver.state, (gate.IDLE, gate.ARMED))
                reason = reasons.GATE_SPOOL_FULL if ring == "full" else reasons.GATE_FLASH_FAILED
                self.assertIn(reason, world.outputs.shown)

    def test_what_ended_is_told_when_the_ring_works_again(self):
        """The stop of a session that ended on an unwritable ring is recorded once flash takes it, and only once."""
        world = World().settle().live()
        unwritable(world)
        world.driver.lock(2, b"lock-001", 0)
        world.run(3000)
        world.flash.broken = []
        world.run(20000)

        self.assertEqual(len(world.all(messages.SESSION_STOP)), 1)
        self.assertEqual(world.driver.core.failures, 0)


if __name__ == "__main__":
    unittest.main()
