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
                world.driver.lock(mode, LOCK, reasons.PLATFORM_CERT_REVOKED)
                self.assertEqual(world.driver.state, gate.LOCKED)
                self.assertIn(reasons.PLATFORM_CERT_REVOKED, world.outputs.shown)
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
        self.assertTrue(self.world.driver.welcomed(1))

        self.assertEqual(spool.acked, 1)

    def test_a_collector_that_is_ahead_begins_a_new_epoch(self):
        """Flash that went back in time draws a new epoch, declares the old one and raises an alarm."""
        for ahead, high_water in ((True, 2), (False, 5000)):
            with self.subTest(ahead=ahead):
                world = World().settle()
                epoch = world.storage.spool.epoch
                self.assertFalse(world.driver.welcomed(high_water, ahead))
                world.run(3000)
                self.assertTrue(world.storage.spool.epoch != epoch)
                gap = world.frames()[0][1]
                self.assertEqual((gap["epoch"], gap["first"], gap["cause"]), (epoch, high_water + 1, 3))
                self.assertEqual(world.last(messages.ALARM)["alarm"], reasons.ALARM_SPOOL_FORMATTED)

    def test_the_link_is_known(self):
        """The driver knows whether the link is up; neither way changes the gate."""
        self.world.driver.link_up()
        self.assertTrue(self.world.driver.online)
        self.world.driver.link_down()
        self.assertFalse(self.world.driver.online)
        self.assertEqual(self.world.driver.state, gate.IDLE)


if __name__ == "__main__":
    unittest.main()
