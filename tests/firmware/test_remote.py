"""Inputs from afar: locks that are kept, high-water that goes back, a link that comes and goes."""

import os
import sys
import unittest

sys.path.append(os.getenv("WELDGATE_VECTORS", "tests/vectors") + "/../firmware")  # tests are no package

from driver_world import World

from weldgate_firmware import gate
from weldgate_firmware.holds import HOLDS_MAX
from weldgate_protocol import messages, reasons

LOCK = b"lock-001"


class TestRemote(unittest.TestCase):
    """What the link says to the driver."""

    def setUp(self):
        self.world = World().settle()

    def test_a_lock_survives_a_power_cut(self):
        """Locks of either mode are kept, with the reason that came with them on the display."""
        for mode in (1, 2):
            with self.subTest(mode=mode):
                world = World().settle()
                world.driver.lock(mode, LOCK, 323)
                self.assertEqual(world.driver.state, gate.LOCKED)
                self.assertIn(323, world.outputs.shown)
                world.run(100)
                world.power_cut()
                self.assertEqual(world.driver.state, gate.LOCKED)
                self.assertEqual(world.driver.heartbeat()["lock"], mode)

    def test_the_same_lock_again_is_one_lock(self):
        """A collector that repeats itself adds nothing."""
        for _ in range(20):
            self.world.driver.lock(2, LOCK, 0)
        self.world.run(200)

        self.assertEqual(self.world.driver.heartbeat()["lock_ids"], [LOCK])

    def test_more_locks_than_can_be_kept_latch(self):
        """One lock too many shuts the machine by an alarm instead, so that releasing the others does not free it."""
        for number in range(HOLDS_MAX + 1):
            self.world.driver.lock(2, b"lock-%03d" % number, 0)
        self.world.run(500)
        for number in range(HOLDS_MAX):
            self.world.order("r%d" % number, messages.RELEASE, lock=b"lock-%03d" % number)

        self.assertEqual(self.world.driver.state, gate.LATCHED)

    def test_high_water_may_go_back(self):
        """A collector that lost records is sent them again."""
        spool = self.world.storage.spool
        spool.ack(3)
        self.assertEqual(self.world.driver.welcomed(1), 2)

        self.assertEqual(spool.acked, 1)

    def test_a_collector_that_is_ahead_is_gone_above(self):
        """M-CONV-19: same epoch, a gap of cause 6 numbered right above it, the alarm, nothing acknowledged."""
        for high_water in (4, 5, 5000):
            with self.subTest(high_water=high_water):
                world = World().settle()
                spool = world.storage.spool
                epoch, highest = spool.epoch, spool.highest
                spool.ack(1)
                self.assertEqual(world.driver.welcomed(highest + high_water, True), 2)
                world.run(3000)
                gap, alarm = world.frames()[highest : highest + 2]
                self.assertEqual(spool.epoch, epoch)
                self.assertEqual(spool.next_held(highest + 1), highest + high_water + 1)
                self.assertEqual(gap, (messages.GAP, {"first": highest + 1, "last": highest + high_water, "cause": 6}))
                self.assertEqual(alarm[1]["alarm"], reasons.ALARM_IDENTITY_CLONED)
                self.assertEqual(spool.acked, 1)

    def test_a_collector_found_ahead_by_numbers_given_since_the_hello(self):
        """M-CONV-19: what was numbered between hello and welcome stays owed; there is nothing to skip."""
        spool = self.world.storage.spool
        highest = spool.highest
        spool.ack(1)
        self.assertEqual(self.world.driver.welcomed(highest, True), 2)
        self.world.run(3000)

        self.assertEqual(self.world.all(messages.GAP)[1:], [])
        self.assertEqual(self.world.last(messages.ALARM)["alarm"], reasons.ALARM_IDENTITY_CLONED)
        self.assertEqual((spool.acked, spool.highest), (1, highest + 1))

    def test_a_collector_that_stays_ahead_is_told_once_an_hour(self):
        """M-CONV-19: two devices that take turns do not fill the ring with alarms."""
        world = self.world
        for _ in range(5):
            world.driver.welcomed(world.storage.spool.highest + 3, True)
            world.run(1000)
        self.assertEqual(self.alarms(), 1)
        world.skip(3600)
        world.driver.welcomed(world.storage.spool.highest + 3, True)
        world.run(1000)

        self.assertEqual(self.alarms(), 2)

    def alarms(self):
        """Count the alarms of a cloned identity on record."""
        alarms = [fields["alarm"] for fields in self.world.all(messages.ALARM)]
        return alarms.count(reasons.ALARM_IDENTITY_CLONED)

    def test_the_link_is_known(self):
        """The driver knows whether the link is up; neither way changes the gate."""
        self.world.driver.link_up()
        self.assertTrue(self.world.driver.online)
        self.world.driver.link_down()
        self.assertFalse(self.world.driver.online)
        self.assertEqual(self.world.driver.state, gate.IDLE)


if __name__ == "__main__":
    unittest.main()
