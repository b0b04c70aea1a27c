"""Flash's chores: writing what waits, asking failed flash again, erasing only when nothing is at stake."""

import os
import sys
import unittest

sys.path.append(os.getenv("WELDGATE_VECTORS", "tests/vectors") + "/../firmware")  # tests are no package

from driver_world import World

from weldgate_firmware import gate, log
from weldgate_protocol import messages, reasons


class TestChores(unittest.TestCase):
    """When flash is written and erased."""

    def test_failed_flash_is_asked_once_a_second(self):
        """While flash fails it is tried about once a second, and the alarm is raised once."""
        world = World().settle()
        world.flash.broken = list(range(world.flash.sector_count))
        world.driver.core.recorder.note(messages.POWER_OFF, {}, 3)
        before = world.storage.spool.failures
        world.run(5000)
        tries = world.storage.spool.failures - before
        world.flash.broken = []
        world.run(20000)

        self.assertTrue(4 <= tries <= 40)
        alarms = [fields["alarm"] for fields in world.all(messages.ALARM)]
        self.assertEqual(alarms.count(reasons.ALARM_FLASH_FAILED), 1)
        self.assertTrue(world.last(messages.POWER_OFF) is not None)

    def test_never_two_erases_in_a_row(self):
        """Between two erases, whoever asked for them, ticks get some 600 ms."""
        world = World()
        erased = []
        erase = world.flash.erase

        def watched(sector):
            erased.append(world.ms)
            erase(sector)

        world.flash.erase = watched
        world.run(15000)

        self.assertTrue(len(erased) > 2)
        for earlier, later in zip(erased, erased[1:]):  # noqa: RUF007
            self.assertTrue(later - earlier >= 400 + 580)

    def test_no_erase_within_a_second_of_the_opening(self):
        """After the relay opened flash waits until rule S4 has had its second."""
        world = World().settle().live()
        for _ in range(8):
            world.skip(60)
        before = sum(world.flash.erases)
        world.driver.stop()
        world.run(900)

        self.assertEqual(sum(world.flash.erases), before)

    def test_expired_ids_are_forgotten(self):
        """Used ids that expired before the trusted time are forgotten, and flash knows up to when."""
        world = World().settle()
        world.live(expires_s=3600)
        world.driver.stop()
        world.run(200)
        self.assertTrue(world.used("t1"))
        world.driver.time_offered(1577836800 + 200000000 + 7200, 0, 2)
        world.skip(70)

        self.assertFalse(world.used("t1"))
        self.assertEqual(int.from_bytes(world.storage.log.get(log.PRUNED), "big"), 200003600)

    def test_forgetting_on_failed_flash_ends_nothing(self):
        """Flash that fails while expired ids are forgotten is asked again later; a token waits on."""
        world = World().settle()
        world.live(expires_s=3600)
        world.driver.stop()
        world.run(200)
        world.driver.time_offered(1577836800 + 200000000 + 7200, 0, 2)
        world.run(2000)
        world.show(world.token("t2"))
        self.assertEqual(world.driver.state, gate.ARMED)
        self.assertTrue(world.used("t1"))
        world.driver._chores._tidy_s = 60
        world.flash.broken = list(range(world.flash.sector_count))
        for _ in range(5):
            world.driver.work()
        tries = world.flash.programs
        for _ in range(20):
            world.driver.work()

        self.assertEqual(world.driver.core.failures, 0)
        self.assertEqual(world.driver.state, gate.ARMED)
        self.assertEqual(world.flash.programs, tries)
        world.flash.broken = []
        world.run(15000)
        self.assertFalse(world.used("t1"))

    def test_what_the_collector_has_is_remembered(self):
        """The log learns now and then through where records are acknowledged."""
        world = World().settle()
        world.storage.spool.ack(2)
        world.skip(70)

        self.assertEqual(world.storage.log.get(log.ACKED), world.storage.spool.epoch + b"\0\0\0\x02")

    def test_a_stop_waits_for_an_erase_without_an_alarm(self):
        """A record for which no erased sector is left in a session waits until the relay opens; no alarm."""
        world = World().settle().live()
        alarms = len(world.all(messages.ALARM))
        spool = world.storage.spool
        while spool.clean or spool.admits(3) == 0:
            world.driver.core.recorder.write(
                messages.ORDER_RESULT, {"order": b"order-01", "type": 134, "result": 0}, 3, False
            )
            if spool.highest > 2000:
                break
        world.driver.core.recorder.note(messages.POWER_OFF, {}, 3)
        world.run(3000)
        self.assertTrue(world.outputs.closed)
        world.driver.stop()
        world.run(10000)

        self.assertEqual(len(world.all(messages.SESSION_STOP)), 1)
        flash_alarms = [f for f in world.all(messages.ALARM)[alarms:] if f["alarm"] == reasons.ALARM_FLASH_FAILED]
        self.assertEqual(flash_alarms, [])


if __name__ == "__main__":
    unittest.main()
