"""What tokens and orders are judged by: kept in slots, never going back (signed objects: test_driver)."""

import os
import sys
import unittest
from array import array

sys.path.append(os.getenv("WELDGATE_VECTORS", "tests/vectors") + "/../firmware")  # tests are no package

from driver_world import DEVICE, NOW_UNIX, World

from weldgate_firmware import slots
from weldgate_firmware.meter import Meter, ac_ct_100a
from weldgate_firmware.sense import ARC_STRUCK, OVER_CURRENT, WINDOW_READ, Sense
from weldgate_protocol import messages, reasons


class TestTrust(unittest.TestCase):
    """The objects in force."""

    def setUp(self):
        self.world = World().settle()

    def context(self):
        """Return what a token would be judged by now."""
        return self.world.driver._trust.context(lambda id_: False)

    def test_the_context_is_what_the_chip_knows(self):
        """Device, area, clock, roots, locks and alarms of the moment."""
        self.world.driver.time_offered(NOW_UNIX, 0, 2)
        self.world.driver.lock(2, b"lock-001", 0)
        context = self.context()

        self.assertEqual((context.device, context.area), (DEVICE, "410184"))
        self.assertEqual((context.now_s, context.quality), (NOW_UNIX, 2))
        self.assertEqual(context.locks, [b"lock-001"])
        self.assertIsNone(context.key_set)

    def test_a_clock_without_any_idea_says_so(self):
        """A chip that was never told any time knows none."""
        self.assertIsNone(World().driver._trust.context(lambda id_: False).now_s)

    def test_revocations_are_kept(self):
        """The list holds after a power cut."""
        self.world.order("l1", messages.REVOCATIONS, version=9, tokens=[b"token-99"], kids=[b"kid-0009"])
        self.world.power_cut()
        context = self.context()

        self.assertIn(b"token-99", context.revoked_tokens)
        self.assertIn(b"kid-0009", context.revoked_keys)
        self.assertEqual(context.versions[b"revocations"], 9)

    def test_a_lost_slot_does_not_lower_the_version(self):
        """With both slots of a configuration damaged the defaults hold, and an older order does not come back."""
        self.world.order("c1", messages.CONFIG, version=5, settings={1: 10})
        self.world.order("c2", messages.CONFIG, version=7, settings={1: 12})
        size = self.world.flash.sector_size
        for sector in (2 * slots.CONFIG, 2 * slots.CONFIG + 1):
            for offset in range(sector * size, sector * size + 32):
                self.world.flash.data[offset] = 0
        self.world.power_cut()
        self.assertEqual(self.world.driver.config.heartbeat_s, 30)

        self.world.order("c3", messages.CONFIG, version=6, settings={1: 11})
        self.assertEqual(self.world.driver.config.heartbeat_s, 30)
        self.world.order("c4", messages.CONFIG, version=8, settings={1: 13})
        self.assertEqual(self.world.driver.config.heartbeat_s, 13)

    def rot(self, kind):
        """Let the newer of the two slots of a kind rot, and boot."""
        sector = self.world.storage.slots._newest(kind)[0]
        size = self.world.flash.sector_size
        for offset in range(sector * size, sector * size + 32):
            self.world.flash.data[offset] = 0
        self.world.power_cut()
        self.world.run(100)

    def test_a_rotted_slot_brings_no_older_list_back(self):
        """With the newer slot rotted no list is in force rather than the older one; that very list is taken again."""
        new = {"version": 9, "tokens": [b"token-99"], "kids": []}
        self.world.order("l1", messages.REVOCATIONS, version=8, tokens=[b"token-88"], kids=[b"kid-0001"])
        self.world.order("l2", messages.REVOCATIONS, **new)
        self.rot(slots.REVOCATIONS)
        self.assertEqual(self.context().revoked_tokens, [])
        self.assertEqual(self.world.driver.hello()["revocations_version"], 0)

        self.world.order("l3", messages.REVOCATIONS, version=8, tokens=[b"token-88"], kids=[])
        self.assertEqual(self.world.last(messages.ORDER_RESULT)["reason"], reasons.ORDER_VERSION_OLD)
        self.world.order("l4", messages.REVOCATIONS, **new)
        for _ in range(2):
            self.assertEqual(self.context().revoked_tokens, [b"token-99"])
            self.assertEqual(self.world.driver.hello()["revocations_version"], 9)
            self.world.power_cut()

    def test_a_rotted_slot_brings_no_older_settings_back(self):
        """The same of settings: the defaults hold."""
        self.world.order("c1", messages.CONFIG, version=5, settings={1: 10})
        self.world.order("c2", messages.CONFIG, version=7, settings={1: 12})
        self.rot(slots.CONFIG)
        self.assertEqual(self.world.driver.config.heartbeat_s, 30)
        self.world.order("c3", messages.CONFIG, version=7, settings={1: 12})
        self.assertEqual(self.world.driver.config.heartbeat_s, 12)

    def test_another_object_does_not_forget_what_was_lost(self):
        """What is taken between the loss and the next boot leaves the lost version where it was."""
        self.world.order("c1", messages.CONFIG, version=6, settings={1: 10})
        self.world.order("c2", messages.CONFIG, version=7, settings={1: 12})
        self.rot(slots.CONFIG)
        self.world.order("l1", messages.REVOCATIONS, version=8, tokens=[], kids=[])
        self.world.power_cut()
        self.assertEqual(self.world.driver.config.heartbeat_s, 30)
        self.assertEqual(self.context().versions[b"config"], 6)

    def test_a_lost_object_is_told_until_it_is_back(self):
        """Flash that lost an object is an alarm, once, which ends when the object has come again."""
        self.world.order("c1", messages.CONFIG, version=7, settings={1: 12})
        self.rot(slots.CONFIG)
        self.world.skip(130)
        self.assertEqual(self.flash_alarms(), [1])
        self.world.order("c2", messages.CONFIG, version=7, settings={1: 12})
        self.world.skip(61)
        self.assertEqual(self.flash_alarms(), [1, 2])

    def flash_alarms(self):
        alarms = self.world.all(messages.ALARM)
        return [fields["state"] for fields in alarms if fields["alarm"] == reasons.ALARM_FLASH_FAILED]

    def test_settings_reach_the_sensor(self):
        """Configured currents replace the sensor's own, 0 gives them back; none hides an arc or makes one of zero."""
        for settings, want in (
            ({7: 50000, 9: 400000}, (50000, 35000, 400000)),
            ({7: 50000, 8: 60000}, (50000, 50000, 700000)),
            ({7: 100, 8: 50}, (6001, 6001, 700000)),
            ({7: 4000000, 9: 4000000}, (120000, 84000, 700000)),
            ({7: 50000, 9: 1}, (50000, 35000, 100000)),
            ({7: 1, 8: 1, 9: 1}, (6001, 6001, 12002)),
            ({1: 10}, (30000, 21000, 700000)),
        ):
            with self.subTest(settings=settings):
                version = self.world.driver.hello()["config_version"] + 1
                self.world.order("c%d" % version, messages.CONFIG, version=version, settings=settings)
                sensor = self.world.sense.meter.profile
                self.assertEqual((sensor.on_ma, sensor.off_ma, sensor.over_ma), want)

    def test_no_setting_makes_an_arc_of_noise(self):
        """With the lowest settings a transformer that carries nothing strikes no arc, so that an idle session ends."""
        profile = ac_ct_100a()
        self.world.sense.meter.profile = profile
        self.world.driver._trust._sensor = (profile.on_ma, profile.off_ma, profile.over_ma)
        self.world.order("c1", messages.CONFIG, version=1, settings={7: 1, 8: 1, 9: 1})
        self.assertEqual((profile.on_ma, profile.off_ma, profile.over_ma), (1000, 700, 2000))
        sense = Sense(Meter(profile))
        noise = array("H", [(2048 + (-4, 3, 5, -2, 0, -5, 2, 4)[i % 8]) * 16 for i in range(16)])
        happened = 0
        for _ in range(100):
            happened |= sense.feed(noise, 16, False)

        self.assertTrue(happened & WINDOW_READ)
        self.assertFalse(happened & (ARC_STRUCK | OVER_CURRENT))

    def test_a_slot_of_another_shape_is_left_alone(self):
        """An object that another firmware wrote is not taken, and nothing trips over it."""
        self.world.storage.slots.store(slots.CONFIG, b"\xa1\x01\x05")
        self.world.storage.slots.store(slots.KEY_SET, b"no key set")
        self.world.power_cut()

        self.assertEqual(self.world.driver.core.failures, 0)
        self.assertEqual(self.world.driver.config.heartbeat_s, 30)
        self.assertIsNone(self.context().key_set)


if __name__ == "__main__":
    unittest.main()
