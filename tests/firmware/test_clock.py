"""The clock: ticks that wrap, two floors, and what a welcome or a token may do to the time."""

import unittest

from weldgate_firmware import clock
from weldgate_firmware.clock import EPOCH_2020_S, FLOOR, HELD, SYNCED, TICKS_MASK, Clock, ticks_add, ticks_diff

DAY_S = 86400
NOW_S = 200000000  # seconds from 2020, in 2026


class Ticks:
    """Milliseconds that start shortly before the wrap."""

    def __init__(self, start=TICKS_MASK - 2500):
        self.now = start

    def ticks_ms(self):
        return self.now

    def sleep(self, clock, ms):
        """Let `ms` pass in steps that the clock takes in."""
        while ms > 0:
            step = min(ms, 100000000)
            self.now = ticks_add(self.now, step)
            clock.advance()
            ms -= step


class TestTicks(unittest.TestCase):
    """Differences of ticks that wrap at 2^30."""

    def test_difference_over_the_wrap(self):
        """A difference is right on both sides of the wrap, in both directions."""
        for later, earlier, want in (
            (5, 3, 2),
            (3, 5, -2),
            (1, TICKS_MASK, 2),
            (TICKS_MASK, 1, -2),
            (0, 0, 0),
            ((1 << 29) - 1, 0, (1 << 29) - 1),
            (1 << 29, 0, -(1 << 29)),
        ):
            with self.subTest(later=later, earlier=earlier):
                self.assertEqual(ticks_diff(later, earlier), want)

    def test_add_wraps(self):
        """Adding wraps at 2^30 and undoes itself."""
        self.assertEqual(ticks_add(TICKS_MASK, 1), 0)
        self.assertEqual(ticks_add(0, -1), TICKS_MASK)

    def test_uptime_survives_the_wrap(self):
        """Twenty days of running time are counted although ticks wrapped on the way."""
        ticks = Ticks()
        one = Clock(ticks)

        ticks.sleep(one, 20 * DAY_S * 1000 + 999)

        self.assertEqual(one.uptime_s, 20 * DAY_S)
        self.assertEqual(one.now_ms, 999)

    def test_ticks_that_step_back_pass_no_time(self):
        """Time never runs backwards, whatever the source says."""
        ticks = Ticks(5000)
        one = Clock(ticks)
        ticks.now = 4000

        self.assertEqual(one.advance(), 0)
        self.assertEqual(one.uptime_s, 0)


class TestFloors(unittest.TestCase):
    """Trusted and tentative floors, and the quality."""

    def setUp(self):
        self.ticks = Ticks()
        self.clock = Clock(self.ticks)

    def test_boot_starts_at_the_higher_floor_unsure(self):
        """After boot the clock is the higher floor, of quality floor."""
        self.clock.load(NOW_S, NOW_S + 500)

        self.assertEqual(self.clock.now_s, NOW_S + 500)
        self.assertEqual(self.clock.quality, FLOOR)

    def test_a_tentative_floor_below_the_trusted_one_counts_for_nothing(self):
        """The clock never starts below the trusted floor."""
        self.clock.load(NOW_S, 5)

        self.assertEqual(self.clock.now_s, NOW_S)

    def test_welcome_syncs(self):
        """An authenticated time is taken, with milliseconds, and runs on."""
        self.clock.load(NOW_S, NOW_S)

        self.assertTrue(self.clock.offer(EPOCH_2020_S + NOW_S + DAY_S, 250, SYNCED))
        self.ticks.sleep(self.clock, 1000)

        self.assertEqual(self.clock.now_s, NOW_S + DAY_S + 1)
        self.assertEqual(self.clock.now_ms, 250)
        self.assertEqual(self.clock.quality, SYNCED)

    def test_synced_becomes_held(self):
        """A day after the last welcome the time is held, no longer synced."""
        self.clock.offer(EPOCH_2020_S + NOW_S, 0, SYNCED)
        self.ticks.sleep(self.clock, (DAY_S + 1) * 1000)

        self.assertEqual(self.clock.quality, HELD)

    def test_unsure_collector_is_not_taken(self):
        """A welcome of quality floor moves nothing."""
        self.clock.load(NOW_S, NOW_S)

        self.assertFalse(self.clock.offer(EPOCH_2020_S + NOW_S + 5, 0, FLOOR))
        self.assertEqual(self.clock.now_s, NOW_S)
        self.assertEqual(self.clock.quality, FLOOR)

    def test_welcome_lowers_what_a_token_raised(self):
        """A welcome may lower the clock to the true time, above the trusted floor."""
        self.clock.load(NOW_S, NOW_S + 300 * DAY_S)

        self.assertTrue(self.clock.offer(EPOCH_2020_S + NOW_S + 10, 0, SYNCED))
        self.assertEqual(self.clock.now_s, NOW_S + 10)
        self.assertEqual(self.clock.tentative_s, NOW_S + 10)

    def test_welcome_never_lowers_below_trusted(self):
        """A time below the trusted floor lowers the clock to the floor and is not believed."""
        self.clock.load(NOW_S, NOW_S + 500)

        self.assertFalse(self.clock.offer(EPOCH_2020_S + NOW_S - 1, 0, SYNCED))
        self.assertEqual(self.clock.now_s, NOW_S)
        self.assertEqual(self.clock.quality, FLOOR)

    def test_a_fast_crystal_can_be_set_back(self):
        """A second welcome some seconds behind our own time is taken, thanks to the margin under the floor."""
        self.clock.offer(EPOCH_2020_S + NOW_S, 0, SYNCED)
        self.ticks.sleep(self.clock, 1200000)
        self.assertTrue(self.clock.keep())

        self.assertTrue(self.clock.offer(EPOCH_2020_S + NOW_S + 1190, 0, SYNCED))
        self.assertEqual(self.clock.now_s, NOW_S + 1190)

    def test_running_time_raises_the_trusted_floor_every_ten_minutes(self):
        """A synced clock keeps its time as the trusted floor, 60 s below, every 10 min."""
        self.clock.offer(EPOCH_2020_S + NOW_S, 0, SYNCED)
        self.assertTrue(self.clock.keep())
        self.ticks.sleep(self.clock, 599000)
        self.assertFalse(self.clock.keep())

        self.ticks.sleep(self.clock, 1000)

        self.assertTrue(self.clock.keep())
        self.assertEqual(self.clock.trusted_s, NOW_S + 600 - clock.MARGIN_S)
        self.assertFalse(self.clock.keep())

    def test_a_welcome_brings_no_yesterday_back(self):
        """A synced clock is never set back by more than the margin, the running time counting at once (M-TOK-22)."""
        self.clock.offer(EPOCH_2020_S + NOW_S, 0, SYNCED)
        self.ticks.sleep(self.clock, 500000)

        self.assertFalse(self.clock.offer(EPOCH_2020_S + NOW_S, 0, SYNCED))
        self.assertEqual(self.clock.now_s, NOW_S + 500 - clock.MARGIN_S)
        for _ in range(100):
            self.ticks.sleep(self.clock, 10000)
            self.clock.offer(EPOCH_2020_S + NOW_S + 440, 0, SYNCED)

        self.assertEqual(self.clock.now_s, NOW_S + 1500 - clock.MARGIN_S)

    def test_welcomes_hold_up_no_powered_second(self):
        """A welcome that begins the second anew, again and again, takes no powered second nor adds any (M-TOK-22)."""
        for ms, passed_ms in ((0, 900), (999, 100)):
            before_s = self.clock.uptime_s
            for number in range(100):
                self.ticks.sleep(self.clock, passed_ms)
                self.clock.offer(EPOCH_2020_S + NOW_S + 1000 + number, ms, SYNCED)

            self.assertEqual(self.clock.uptime_s - before_s, passed_ms // 10)

    def test_a_month_on_a_fast_crystal_can_still_be_set_right(self):
        """After 30 days without a welcome on a crystal 200 ppm too fast, the true time is taken."""
        self.clock.offer(EPOCH_2020_S + NOW_S, 0, SYNCED)
        for _ in range(30):
            self.ticks.sleep(self.clock, DAY_S * 1000 + 17280)

        self.assertTrue(self.clock.offer(EPOCH_2020_S + NOW_S + 30 * DAY_S, 0, SYNCED))

    def test_unsynced_running_time_raises_trusted_by_powered_seconds_only(self):
        """A clock that stands on a token's word raises the trusted floor by the time it was powered, no more."""
        self.clock.load(NOW_S, NOW_S)
        self.clock.learn(NOW_S + 100 * DAY_S)
        self.ticks.sleep(self.clock, 600000)

        self.assertTrue(self.clock.keep())
        self.assertEqual(self.clock.trusted_s, NOW_S + 600)


class TestLearn(unittest.TestCase):
    """What a verified token does to the clock; how far it may is judged with the token."""

    def setUp(self):
        self.clock = Clock(Ticks())
        self.clock.load(NOW_S, NOW_S)

    def test_unsynced_clock_learns(self):
        """An unsynced clock moves to what a token proves to be past, as the tentative floor only."""
        self.assertTrue(self.clock.learn(NOW_S + 500))

        self.assertEqual(self.clock.now_s, NOW_S + 500)
        self.assertEqual(self.clock.tentative_s, NOW_S + 500)
        self.assertEqual(self.clock.trusted_s, NOW_S)
        self.assertEqual(self.clock.quality, FLOOR)

    def test_never_back(self):
        """A token issued before our time leaves the clock alone."""
        self.assertFalse(self.clock.learn(NOW_S - 5000))
        self.assertEqual(self.clock.now_s, NOW_S)

    def test_synced_clock_learns_nothing(self):
        """A clock that was told the time does not move by tokens."""
        self.clock.offer(EPOCH_2020_S + NOW_S, 0, SYNCED)

        self.assertFalse(self.clock.learn(NOW_S + 500))
        self.assertEqual(self.clock.now_s, NOW_S)

    def test_stamp_goes_back_over_the_second(self):
        """A record's time may lie before now, in Unix seconds and milliseconds."""
        self.clock.offer(EPOCH_2020_S + NOW_S, 250, SYNCED)

        self.assertEqual(self.clock.stamp(), (EPOCH_2020_S + NOW_S, 250, SYNCED))
        self.assertEqual(self.clock.stamp(300), (EPOCH_2020_S + NOW_S - 1, 950, SYNCED))


if __name__ == "__main__":
    unittest.main()
