"""What is told: the display, the heartbeat, refusals and alarms as records."""

import os
import sys
import unittest

sys.path.append(os.getenv("WELDGATE_VECTORS", "tests/vectors") + "/../firmware")  # tests are no package

from driver_world import HOLDER, KID, SCANNER, World

from weldgate_protocol import messages, reasons


class TestTelling(unittest.TestCase):
    """Display, heartbeat and records say the same number."""

    def setUp(self):
        self.world = World().settle()

    def test_a_refusal_is_shown_recorded_and_remembered(self):
        """One number on the display, in the record and in the heartbeat; who it was only from a verified token."""
        self.world.show(b"forged", SCANNER)
        self.assertIn(reasons.TOKEN_SIGNATURE, self.world.outputs.shown)
        self.assertEqual(self.world.driver.heartbeat()["last_reason"], reasons.TOKEN_SIGNATURE)
        refusal = self.world.last(messages.REFUSAL)
        self.assertEqual((refusal["reason"], refusal["via"], refusal["count"]), (reasons.TOKEN_SIGNATURE, SCANNER, 1))
        self.assertFalse("holder" in refusal)

        self.world.show(self.world.token(expires_s=100), SCANNER)
        refusal = self.world.last(messages.REFUSAL)
        self.assertEqual((refusal["holder"], refusal["kid"]), (HOLDER, KID))

    def test_an_alarm_bears_current_and_session(self):
        """An alarm in a session is recorded with the current and the session's token."""
        self.world.live()
        self.world.driver.sensed(self.world.sense.strike())
        self.world.driver.core.alarm(reasons.ALARM_OVER_CURRENT, b"alarm-01", 1, False)
        self.world.run(100)
        alarm = self.world.last(messages.ALARM)

        self.assertEqual((alarm["current_ma"], alarm["token"]), (150000, b"t1\0\0\0\0\0\0"))

    def test_arcs_are_numbered(self):
        """Arcs since boot are numbered from 1."""
        self.world.live()
        for _ in range(3):
            self.world.driver.sensed(self.world.sense.strike())
            self.world.run(500)
            self.world.sense.out()
            self.world.run(2500)

        self.assertEqual([fields["index"] for fields in self.world.all(messages.ARC)], [1, 2, 3])


if __name__ == "__main__":
    unittest.main()
