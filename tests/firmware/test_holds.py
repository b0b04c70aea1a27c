"""Locks and latched alarms: what they need to go, what they survive."""

import unittest

from weldgate_firmware.holds import HOLDS_MAX, MODE_NOW, MODE_SOFT, Holds
from weldgate_firmware.log import LATCH, LOCK
from weldgate_protocol.reasons import ALARM_BYPASS, ALARM_WELDED_CONTACT


class Log:
    """Facts in memory, as the log would give them back."""

    def __init__(self):
        self.facts = {}
        self.sound = True

    def readable(self, kind):
        return self.sound

    def items(self, kind):
        return [(key, value) for (k, key), value in self.facts.items() if k == kind]


class Pending:
    """A queue that is always empty: what is put is in the log."""

    def __init__(self):
        self.log = Log()

    def put(self, kind, value, key=b""):
        self.log.facts[(kind, key)] = value

    def remove(self, kind, key=b""):
        del self.log.facts[(kind, key)]


class TestHolds(unittest.TestCase):
    """What keeps the machine shut."""

    def setUp(self):
        self.facts = Pending()
        self.holds = Holds(self.facts)

    def again(self):
        """Return what a boot would read."""
        holds = Holds(self.facts)
        self.assertTrue(holds.load())
        return holds

    def test_survive_a_boot(self):
        """Locks with mode and reason, and latches with their reason, are read back."""
        self.holds.lock(b"lock-001", MODE_NOW, 311)
        self.holds.latch(b"alarm-01", ALARM_BYPASS)
        again = self.again()

        self.assertEqual(again.locks, {b"lock-001": (MODE_NOW, 311)})
        self.assertEqual(again.latches, {b"alarm-01": ALARM_BYPASS})
        self.assertTrue(again.any)

    def test_release_and_clear_take_one_each(self):
        """A release takes the lock it names, a clear the alarm it names, nothing else."""
        self.holds.lock(b"lock-001", MODE_NOW, 0)
        self.holds.lock(b"lock-002", MODE_SOFT, 0)
        self.holds.latch(b"alarm-01", ALARM_BYPASS)
        self.holds.release(b"lock-001")
        self.assertEqual(self.holds.clear(b"nothing0"), 0)
        self.assertEqual(self.holds.lock_mode, MODE_SOFT)
        self.assertEqual(self.holds.clear(b"alarm-01"), ALARM_BYPASS)
        self.assertTrue(self.again().any)
        self.holds.release(b"lock-002")

        self.assertFalse(self.again().any)
        self.assertEqual(self.facts.log.facts, {})

    def test_the_stricter_mode_stays(self):
        """The same lock again may become stricter, never milder."""
        self.holds.lock(b"lock-001", MODE_SOFT, 0)
        self.holds.lock(b"lock-001", MODE_NOW, 0)
        self.holds.lock(b"lock-001", MODE_SOFT, 0)

        self.assertEqual(self.again().lock_mode, MODE_NOW)

    def test_one_latch_a_reason(self):
        """An alarm that holds already gets no second id."""
        self.assertTrue(self.holds.latch(b"alarm-01", ALARM_BYPASS))
        self.assertFalse(self.holds.latch(b"alarm-02", ALARM_BYPASS))
        self.assertTrue(self.holds.latch(b"alarm-03", ALARM_WELDED_CONTACT))

    def test_bounded(self):
        """One lock more than can be kept is refused, so that the caller shuts the machine another way."""
        for number in range(HOLDS_MAX):
            self.assertTrue(self.holds.lock(b"lock-%03d" % number, MODE_NOW, 0))

        self.assertFalse(self.holds.lock(b"lock-999", MODE_NOW, 0))

    def test_what_cannot_be_read_is_told(self):
        """A doubt of the log, or a fact of another shape, is not sound."""
        self.facts.log.sound = False
        self.assertFalse(Holds(self.facts).load())
        self.facts.log.sound = True
        for kind, value in ((LOCK, b"\x02"), (LATCH, b"\x96")):
            self.facts.log.facts = {(kind, b"12345678"): value}
            self.assertFalse(Holds(self.facts).load())


if __name__ == "__main__":
    unittest.main()
