"""The button: which press is an act, which hold is a stop, which button is taped down."""

import unittest

from weldgate_firmware.acts import HOLD_MS, RELEASED_MS, STUCK_MS, Button


def fresh():
    """Return a button that has been released for long."""
    button = Button()
    button.level(False)
    button.passed(1000)
    return button


class TestEdge(unittest.TestCase):
    """A press counts only after 200 ms of release."""

    def test_press_after_release_counts_once(self):
        """Released for 200 ms and pressed is an act, the same level again is none."""
        button = Button()
        button.level(False)
        button.passed(RELEASED_MS)

        self.assertTrue(button.level(True))
        self.assertFalse(button.level(True))

    def test_short_release_does_not_count(self):
        """A millisecond less than 200 is bounce."""
        button = fresh()
        button.level(True)
        button.level(False)
        button.passed(RELEASED_MS - 1)

        self.assertFalse(button.level(True))

    def test_pressed_at_boot_does_not_count(self):
        """A button that was never seen released is no act, however long it is held."""
        button = Button()
        button.passed(5000)

        self.assertFalse(button.level(True))


class TestHold(unittest.TestCase):
    """Held for 2 s while live is the welder's own stop."""

    def test_held_for_two_seconds_is_told_once(self):
        """The hold is told when it reaches 2 s, and not again until the next."""
        button = fresh()
        button.level(True)

        self.assertFalse(button.held(HOLD_MS - 10, True))
        self.assertTrue(button.held(10, True))
        self.assertFalse(button.held(5000, True))

    def test_only_time_while_live_counts(self):
        """What was held before the session was live does not count."""
        button = fresh()
        button.level(True)
        button.held(1900, False)

        self.assertFalse(button.held(1900, True))
        self.assertTrue(button.held(100, True))

    def test_release_begins_anew(self):
        """Two short holds make no stop."""
        button = fresh()
        button.level(True)
        button.held(1500, True)
        button.level(False)
        button.held(10, True)
        button.level(True)

        self.assertFalse(button.held(1500, True))


class TestStuck(unittest.TestCase):
    """A button held for a minute is stuck."""

    def test_stuck_after_a_minute_until_released(self):
        """Held for a minute is stuck; released it is not."""
        button = fresh()
        button.level(True)
        button.passed(STUCK_MS - 1)
        self.assertFalse(button.stuck)
        button.passed(1)
        self.assertTrue(button.stuck)
        button.level(False)
        self.assertFalse(button.stuck)

    def test_a_level_never_told_is_not_stuck(self):
        """A board without a button, that tells no level, has none that is stuck."""
        button = Button()
        button.passed(STUCK_MS)
        self.assertFalse(button.stuck)


if __name__ == "__main__":
    unittest.main()
