"""Rule S4's stopwatch: blanking, duration, what a pause does."""

import unittest

from weldgate_firmware.alarms import BypassWatch
from weldgate_firmware.profile import Profile


def watch(**more):
    """Return a watch on a profile of 12 A."""
    return BypassWatch(Profile(name="bench", sensor=1, position=1, bypass_ma=12000), **more)


def feed(one, ma, ms, step=20):
    """Give readings for some time; return whether the last one was an alarm."""
    over = False
    for _ in range(ms // step):
        one.passed(step)
        over = one.reading(ma)
    return over


class TestWatch(unittest.TestCase):
    """Current with the relay open."""

    def test_alarm_after_300_ms(self):
        """Above the limit for 300 ms is an alarm, for 280 ms none."""
        one = watch()
        feed(one, 0, 1000)

        self.assertFalse(feed(one, 15001, 280))
        self.assertTrue(feed(one, 15001, 20))

    def test_blanking_counts_for_nothing(self):
        """The first 500 ms after the opening are not looked at, the time behind them is."""
        one = watch()
        one.opened()

        self.assertFalse(feed(one, 90000, 480))
        self.assertFalse(one.over)
        self.assertFalse(feed(one, 90000, 300))
        self.assertTrue(feed(one, 90000, 20))

    def test_a_long_step_over_the_blanking_counts_its_rest(self):
        """One step of 850 ms, as an erase leaves it, is 350 ms of looking."""
        one = watch()
        one.opened()
        one.passed(850)

        self.assertTrue(one.reading(90000))

    def test_a_pause_begins_anew(self):
        """A reading below the limit forgets what was before."""
        one = watch()
        feed(one, 0, 1000)
        feed(one, 90000, 280)
        feed(one, 12000, 20)

        self.assertFalse(feed(one, 90000, 280))

    def test_settled_after_a_quiet_second(self):
        """A second after the opening, with nothing flowing, the rule has had its time."""
        one = watch()
        one.opened()
        feed(one, 0, 980)
        self.assertFalse(one.settled)
        feed(one, 0, 20)
        self.assertTrue(one.settled)
        feed(one, 90000, 20)
        self.assertFalse(one.settled)

    def test_the_setting_goes_before_the_profile(self):
        """A configured limit replaces the profile's; 0 gives it back."""
        one = watch(bypass_ma=5000)
        feed(one, 0, 1000)
        self.assertTrue(feed(one, 6000, 400))
        one.opened()
        feed(one, 0, 1000)
        one.limit(0, Profile(name="bench", sensor=1, position=1, bypass_ma=12000))
        self.assertFalse(feed(one, 6000, 1000))

    def test_no_setting_switches_the_alarm_off(self):
        """A configured limit is twice the profile's at most, and 14 A in any case."""
        for profile_ma, setting_ma, most_ma in ((1000, 15000, 2000), (15000, 4000000, 14000), (9000, 18000, 14000)):
            one = BypassWatch(Profile(name="x", sensor=1, position=1, bypass_ma=profile_ma), setting_ma)
            feed(one, 0, 1000)
            self.assertFalse(feed(one, most_ma, 1000))
            self.assertTrue(feed(one, most_ma + 100, 400))


if __name__ == "__main__":
    unittest.main()
