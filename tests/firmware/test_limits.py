"""What time does: the wait for the act, warnings, ends, floors that are kept."""

import os
import sys
import unittest

sys.path.append(os.getenv("WELDGATE_VECTORS", "tests/vectors") + "/../firmware")  # tests are no package

from driver_world import NOW_UNIX, World

from weldgate_firmware import gate, log
from weldgate_protocol import messages, reasons


class TestLimits(unittest.TestCase):
    """The running times (the ends themselves: test_safety_ends)."""

    def test_the_act_may_come_as_late_as_configured(self):
        """A token waits as long as the configuration says, 120 s at most."""
        world = World(config={3: 10}).settle()
        world.show(world.token())
        world.skip(9)
        self.assertEqual(world.driver.state, gate.ARMED)
        world.skip(2)
        self.assertEqual(world.driver.state, gate.IDLE)

    def test_a_short_limit_leaves_half_for_welding(self):
        """A soft end never takes more than half of what was granted."""
        world = World().settle()
        world.live(limit_s=100)
        world.driver.sensed(world.sense.strike())
        world.skip(45)
        self.assertEqual(world.driver.state, gate.LIVE)
        world.skip(10)
        self.assertEqual(world.driver.state, gate.ENDING)

    def test_a_pause_shorter_than_idle_begins_anew(self):
        """An arc in between sets the quarter of an hour back."""
        world = World(config={4: 120}).settle()
        world.live()
        for _ in range(3):
            world.skip(100)
            world.sense.strike()
            world.skip(2)
            world.sense.out()
        self.assertTrue(world.outputs.closed)
        world.skip(121)
        self.assertFalse(world.outputs.closed)

    def test_a_new_time_is_judged_at_once(self):
        """A welcome that says the token has expired opens the relay inside the call."""
        world = World().settle()
        world.live(expires_s=3600)

        world.driver.time_offered(NOW_UNIX + 3600, 0, 2)

        self.assertFalse(world.outputs.closed)

    def test_floors_are_kept(self):
        """After a welcome and a power cut the clock begins at the trusted floor, a minute below."""
        world = World().settle()
        world.driver.time_offered(NOW_UNIX + 1000, 0, 2)
        world.run(100)
        world.power_cut()

        self.assertEqual(world.clock.trusted_s, NOW_UNIX - 1577836800 + 940)
        self.assertEqual(world.clock.quality, 0)

    def test_a_flood_of_welcomes_wears_no_flash(self):
        """A welcome every second writes the floors once in ten minutes."""
        world = World().settle()
        world.driver.time_offered(NOW_UNIX, 0, 2)
        world.run(200)
        puts = []
        world.driver.core.facts.put = lambda kind, data: puts.append(kind)
        for number in range(601):
            world.skip(1)
            world.driver.time_offered(NOW_UNIX + number, 0, 2)

        self.assertEqual(puts, [log.TRUSTED_FLOOR, log.TENTATIVE_FLOOR])

    def test_running_time_is_kept_every_ten_minutes(self):
        """Powered time raises the trusted floor on flash."""
        world = World().settle()
        before = int.from_bytes(world.storage.log.get(log.TRUSTED_FLOOR) or b"", "big")
        world.skip(605)
        after = int.from_bytes(world.storage.log.get(log.TRUSTED_FLOOR) or b"", "big")

        self.assertTrue(590 <= after - before <= 620)

    def test_a_time_below_the_trusted_floor_is_an_alarm_once(self):
        """A collector whose clock lies below what is known to be past is told of, once."""
        world = World().settle()
        world.driver.time_offered(NOW_UNIX + 1000, 0, 2)
        world.driver.time_offered(NOW_UNIX - 10000, 0, 2)
        world.driver.time_offered(NOW_UNIX - 20000, 0, 2)
        world.run(200)
        alarms = [fields["alarm"] for fields in world.all(messages.ALARM)]

        self.assertEqual(alarms.count(reasons.ALARM_CLOCK), 1)

    def test_an_unsure_time_is_not_kept(self):
        """A collector that is unsure itself moves nothing."""
        world = World().settle()
        world.driver.time_offered(NOW_UNIX + 1000, 0, 0)
        world.run(100)

        self.assertEqual(world.clock.quality, 0)
        self.assertIsNone(world.storage.log.get(log.TENTATIVE_FLOOR))

    def test_powered_seconds_survive_a_cut_after_a_long_run(self):
        """A session that ran for five minutes without a cut has used up five minutes after it, rounded up."""
        world = World().settle()
        world.live()
        world.skip(300)
        world.power_cut()

        self.assertTrue(300 <= world.driver.core.session.powered_s <= 360)

    def test_a_session_whose_seconds_cannot_be_kept_ends(self):
        """When flash no longer takes the powered seconds the session ends softly."""
        world = World().settle()
        world.live()
        world.flash.broken = list(range(world.flash.sector_count))
        world.skip(61)

        self.assertFalse(world.outputs.closed)
        world.flash.broken = []
        world.run(20000)
        self.assertEqual(world.last(messages.SESSION_STOP)["cause"], reasons.END_FAULT)


if __name__ == "__main__":
    unittest.main()
