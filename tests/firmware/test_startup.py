"""Boot: what is found on flash, and what is told of it."""

import os
import sys
import unittest

sys.path.append(os.getenv("WELDGATE_VECTORS", "tests/vectors") + "/../firmware")  # tests are no package

from driver_world import NOW_UNIX, World

from weldgate_firmware import gate, log
from weldgate_firmware.storage import RING_FIRST
from weldgate_protocol import messages, reasons


class TestBoot(unittest.TestCase):
    """One boot after another."""

    def test_boots_in_a_row_displace_no_record(self):
        """Power that comes and goes two hundred times costs none of the records that no collector has yet."""
        world = World().settle().live()
        world.driver.lock_now()
        world.run(500)
        dropped = 0
        for _ in range(200):
            world.power_cut()
            world.run(1200)
            dropped += world.storage.spool.dropped

        self.assertEqual(dropped, 0)
        self.assertIsNotNone(world.last(messages.SESSION_START))

    def test_boots_are_counted(self):
        """Each boot has the next number, told in hello with the reset's cause."""
        world = World().settle()
        self.assertEqual(world.driver.hello()["boot"], 1)
        world.power_cut(3)
        world.run(100)
        world.power_cut(1)

        self.assertEqual((world.driver.hello()["boot"], world.driver.hello()["reset_cause"]), (3, 1))

    def test_a_stop_on_record_ends_the_session(self):
        """Power lost between the stop's record and the fact's removal: the session does not come back."""
        world = World().settle().live()
        fact = world.storage.log.get(log.SESSION)
        world.driver.stop()
        world.run(200)
        world.storage.log.put(log.SESSION, fact, b"", True)
        world.power_cut()
        world.run(200)

        self.assertEqual(world.driver.state, gate.IDLE)
        self.assertIsNone(world.storage.log.get(log.SESSION))
        self.assertEqual(len(world.all(messages.SESSION_STOP)), 1)

    def test_a_suspension_is_recorded_once(self):
        """Cuts while suspended add no further session-suspend."""
        world = World().settle().live()
        for _ in range(4):
            world.power_cut()
            world.run(500)

        self.assertEqual(len(world.all(messages.SESSION_SUSPEND)), 1)

    def test_a_cut_before_the_suspension_is_durable_records_it_next_time(self):
        """A chip that lost power before it could record the suspension does so at the next boot."""
        world = World().settle().live()
        world.power_cut()
        world.power_cut()
        world.run(500)

        self.assertEqual(len(world.all(messages.SESSION_SUSPEND)), 1)
        self.assertEqual(world.driver.state, gate.SUSPENDED)

    def test_a_session_past_its_limit_is_stopped(self):
        """An expiry that passed while the power was away ends the session with the first second."""
        world = World().settle()
        world.live(limit_s=180)
        world.skip(170 - 60)
        world.power_cut()
        world.skip(70)

        self.assertIsNone(world.driver.core.session)
        self.assertEqual(world.last(messages.SESSION_STOP)["cause"], reasons.END_SESSION_LIMIT)

    def test_a_lost_ring_opens_an_epoch_and_keeps_the_session(self):
        """A ring that lost its memory begins a new epoch that declares the old; the session can still be resumed."""
        world = World().settle().live()
        epoch = world.storage.spool.epoch
        world.driver.core.facts.log.put(log.ACKED, epoch + b"\0\0\0\x02")
        size = world.flash.sector_size
        for offset in range(RING_FIRST * size, world.flash.sector_count * size):
            world.flash.data[offset] = 0xFF
        world.power_cut()
        world.settle()
        gap = world.frames()[0][1]

        self.assertEqual((gap["epoch"], gap["first"], gap["cause"]), (epoch, 3, 3))
        self.assertTrue(world.storage.spool.epoch != epoch)
        self.assertEqual(world.driver.state, gate.SUSPENDED)

    def test_a_dead_flash_stays_shut(self):
        """When flash can't be read at all the machine is shut, and stays so when flash comes back before a reboot."""
        world = World().settle()

        def dead(offset, buffer):
            raise OSError(5)

        read = world.flash.read
        world.flash.read = dead
        copy = world.flash.copy
        world.flash.copy = lambda: world.flash
        world.power_cut()
        world.flash.copy = copy
        self.assertIn(world.driver.state, (gate.LOCKED, gate.LATCHED))
        world.flash.read = read
        world.show(world.token(), 1)
        world.run(500)

        self.assertEqual(world.outputs.closings, 0)

    def test_the_clock_begins_at_its_floors(self):
        """After a boot the time is a lower bound, and says so in each record."""
        world = World().settle()
        world.driver.time_offered(NOW_UNIX, 0, 2)
        world.run(100)
        world.power_cut()

        self.assertEqual(world.driver.stamp(), (NOW_UNIX, world.driver.stamp()[1], 0))


if __name__ == "__main__":
    unittest.main()
