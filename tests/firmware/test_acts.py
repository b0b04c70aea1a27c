"""The button: which press is an act, which hold is a stop, which button is taped down."""

import unittest

from weldgate_firmware.acts import HOLD_MS, RELEASED_MS, SEEN_MS, STUCK_MS, Button

TICK_MS = 10


def released(button, ms):
    """Sample a released button for so long."""
    for _ in range(ms // TICK_MS):
        button.sample(False, TICK_MS)


def fresh():
    """Return a button that has been released for long."""
    button = Button()
    released(button, 1000)
    return button


class TestEdge(unittest.TestCase):
    """A press counts only after 200 ms of release, seen."""

    def test_press_after_release_counts_once(self):
        """Released for 200 ms and pressed is an act, the same level again is none."""
        button = Button()
        released(button, RELEASED_MS + TICK_MS)

        self.assertTrue(button.sample(True, TICK_MS))
        self.assertFalse(button.sample(True, TICK_MS))

    def test_short_release_does_not_count(self):
        """One tick less than 200 ms is bounce."""
        button = fresh()
        button.sample(True, TICK_MS)
        released(button, RELEASED_MS)

        self.assertFalse(button.sample(True, TICK_MS))

    def test_pressed_at_boot_does_not_count(self):
        """A button that was never seen released is no act, however long it is held."""
        button = Button()
        button.sample(True, 5000)

        self.assertFalse(button.sample(True, 5000))

    def test_a_bounce_after_a_blocked_tick_does_not_count(self):
        """A held button that shows released in one sample, after flash blocked for 400 ms, was not released so long."""
        button = fresh()
        button.sample(True, TICK_MS)
        button.sample(True, TICK_MS)
        button.sample(False, 400)

        self.assertFalse(button.sample(True, TICK_MS))

    def test_a_long_gap_between_two_samples_proves_little(self):
        """Two samples 400 ms apart prove 50 ms of a release; the rest nobody saw."""
        button = fresh()
        button.sample(True, TICK_MS)
        button.sample(False, TICK_MS)
        button.sample(False, 400)

        self.assertFalse(button.sample(True, TICK_MS))

        button.sample(False, TICK_MS)
        for _ in range(RELEASED_MS // SEEN_MS):
            button.sample(False, 400)

        self.assertTrue(button.sample(True, TICK_MS))


class TestHold(unittest.TestCase):
    """Held for 2 s while live is the welder's own stop."""

    def setUp(self):
        self.button = fresh()
        self.button.sample(True, TICK_MS)
        self.button.sample(True, TICK_MS)

    def test_held_for_two_seconds_is_told_once(self):
        """The hold is told when it reaches 2 s, and not again until the next."""
        self.assertFalse(self.button.held(HOLD_MS - 10, True))
        self.assertTrue(self.button.held(10, True))
        self.assertFalse(self.button.held(5000, True))

    def test_only_time_while_live_counts(self):
        """What was held before the session was live does not count."""
        self.button.held(1900, False)

        self.assertFalse(self.button.held(1900, True))
        self.assertTrue(self.button.held(100, True))

    def test_release_begins_anew(self):
        """Two short holds make no stop."""
        self.button.held(1500, True)
        self.button.sample(False, TICK_MS)
        self.button.held(10, True)
        self.button.sample(True, TICK_MS)
        self.button.sample(True, TICK_MS)

        self.assertFalse(self.button.held(1500, True))

    def test_time_before_the_press_was_seen_does_not_count(self):
        """A tick that blocked before the press is no hold."""
        button = fresh()
        button.sample(True, 400)

        self.assertFalse(button.held(HOLD_MS, True))


class TestStuck(unittest.TestCase):
    """A button held for a minute is stuck."""

    def test_stuck_after_a_minute_until_released(self):
        """Held for a minute is stuck; released it is not."""
        button = fresh()
        button.sample(True, TICK_MS)
        button.sample(True, STUCK_MS - 1)
        self.assertFalse(button.stuck)
        button.sample(True, 1)
        self.assertTrue(button.stuck)
        button.sample(False, TICK_MS)
        self.assertFalse(button.stuck)

    def test_a_level_never_told_is_not_stuck(self):
        """A board without a button, that tells no level, has none that is stuck."""
        self.assertFalse(Button().stuck)


if __name__ == "__main__":
    unittest.main()
