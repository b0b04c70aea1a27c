"""The emergency scope on the chip: an act is still needed, and each start by it is told loudly."""

import os
import sys
import unittest

sys.path.append(os.getenv("WELDGATE_VECTORS", "tests/vectors") + "/../firmware")  # tests are no package

from driver_world import CONSOLE, DOWNLINK, SCANNER, World

from weldgate_firmware import gate
from weldgate_protocol import messages, reasons

EMERGENCY = 5
HOUR_S = 3600


class TestEmergency(unittest.TestCase):
    """A token of purpose 5."""

    def setUp(self):
        self.world = World().settle()

    def alarms(self):
        return [one for one in self.world.all(messages.ALARM) if one["alarm"] == reasons.ALARM_EMERGENCY]

    def test_it_needs_a_local_act_like_any_other(self):
        """S2: by console or downlink an emergency token arms and starts nothing; nobody is told of a start."""
        for via in (CONSOLE, DOWNLINK):
            self.world.show(self.world.token("t%d" % via, purpose=EMERGENCY, expires_s=4 * HOUR_S), via)
            self.world.run(500)
            self.assertEqual((self.world.driver.state, self.world.outputs.closings), (gate.ARMED, 0))
        self.assertEqual(self.alarms(), [])

    def test_its_start_is_an_alarm_of_its_own(self):
        """An alarm that names the token stands beside the session-start, whose purpose says the same."""
        self.world.show(self.world.token("t1", purpose=EMERGENCY, expires_s=4 * HOUR_S), SCANNER)
        self.world.run(1000)

        self.assertTrue(self.world.outputs.closed)
        self.assertEqual(self.world.last(messages.SESSION_START)["purpose"], EMERGENCY)
        (alarm,) = self.alarms()
        self.assertEqual((alarm["id"], alarm["latched"]), (b"t1\0\0\0\0\0\0", False))

    def test_what_it_extends_is_told_too(self):
        """An emergency token that lengthens a live session raises the alarm as well."""
        self.world.live()
        self.assertEqual(self.alarms(), [])
        self.world.show(self.world.token("t2", purpose=EMERGENCY, expires_s=4 * HOUR_S), CONSOLE)
        self.world.run(500)

        self.assertEqual(self.world.driver.core.session.extensions, 1)
        self.assertEqual([alarm["id"] for alarm in self.alarms()], [b"t2\0\0\0\0\0\0"])

    def test_an_ordinary_start_is_none(self):
        """No other purpose raises it."""
        self.world.live()
        self.world.run(500)

        self.assertEqual(self.alarms(), [])


if __name__ == "__main__":
    unittest.main()
