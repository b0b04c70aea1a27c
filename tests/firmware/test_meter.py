"""Samples to readings: RMS and mean, the zero that follows, the sensor that fails."""

import math
import unittest
from array import array

from weldgate_firmware import meter
from weldgate_firmware.meter import AC_RMS, DC_MEAN, Meter, SensorProfile, ac_ct_100a, dc_hall_1000a
from weldgate_protocol.errors import ConfigError
from weldgate_protocol.reasons import ALARM_SENSOR_OPEN, ALARM_SENSOR_SHORT, CONFIG_RANGE

WINDOW = 32  # samples of a window at 1600 Hz


def window(count, swing=0, power=1):
    """Return one window about ``count`` (12 bits) with a sine of amplitude ``swing`` raised to ``power``."""
    return array(
        "H",
        [(count + round(swing * math.sin(2 * math.pi * (k + 0.5) / WINDOW) ** power)) << 4 for k in range(WINDOW)],
    )


def read(one, samples, relay_open=False):
    """Put one whole window in; return what happened."""
    place = one.take(samples, 0, len(samples))
    if place != len(samples) or not one.complete:
        raise AssertionError("a window is %d samples, %d taken" % (len(samples), place))
    return one.settle(relay_open)


class ReadingTest(unittest.TestCase):
    """What a window says."""

    def test_rms_of_a_sine_is_its_amplitude_over_root_two(self):
        """100 A through the 100 A : 50 mA transformer swing 1931 counts: 1365 RMS, read to 0.5 %."""
        one = Meter(ac_ct_100a())

        read(one, window(2048, 1931))

        self.assertTrue(99500 <= one.reading_ma <= 100500)

    def test_rms_is_true_for_pulses(self):
        """A crest factor of 1.79 (a rectifier's pulses) reads by its RMS, not by its peak."""
        one = Meter(ac_ct_100a())
        samples = window(2048, 1900, 3)
        rms = math.sqrt(sum([((s >> 4) - 2048) ** 2 for s in samples]) / WINDOW)

        read(one, samples)

        expected = rms * 2344 / 32
        self.assertTrue(abs(one.reading_ma - expected) <= expected * 0.005 + 20)

    def test_rms_forgets_the_bias(self):
        """A bias that drifted by 300 counts changes no AC reading: it is subtracted window by window."""
        readings = []
        for bias in (1748, 2048, 2348):
            one = Meter(ac_ct_100a())
            read(one, window(bias, 700))
            readings.append(one.reading_ma)

        self.assertTrue(max(readings) - min(readings) <= 20)

    def test_steady_bias_reads_nothing(self):
        """A flat AC window is no current, whatever its level between the rails."""
        for count in (100, 2048, 4000):
            with self.subTest(count=count):
                one = Meter(ac_ct_100a())
                read(one, window(count))
                self.assertEqual(one.reading_ma, 0)

    def test_full_swing_stays_within_small_integers(self):
        """The largest sums there are, 62 samples from end to end, give the right reading and no overflow."""
        one = Meter(SensorProfile(mode=AC_RMS, bias=2048, gain=32, on_ma=100, samples_per_tick=31))
        samples = array("H", [0, 65535] * 31)

        read(one, samples)

        self.assertTrue(2046 <= one.reading_ma <= 2048)

    def test_bias_at_the_rim_stays_within_small_integers(self):
        """A bias far from the middle makes the squares largest: the reading is right all the same."""
        one = Meter(SensorProfile(mode=AC_RMS, bias=65, gain=32, on_ma=100, samples_per_tick=31))
        samples = array("H", [65535 if k % 31 else 0 for k in range(62)])
        mean = sum([s >> 4 for s in samples]) / 62
        rms = math.sqrt(sum([((s >> 4) - mean) ** 2 for s in samples]) / 62)

        read(one, samples)

        self.assertTrue(abs(one.reading_ma - rms) <= 2)

    def test_mean_has_no_sign(self):
        """A DC sensor put on the wrong way round reads the same current."""
        for count in (2048 + 320, 2048 - 320):
            with self.subTest(count=count):
                one = Meter(dc_hall_1000a())
                read(one, window(count))
                self.assertEqual(one.reading_ma, 200000)

    def test_mean_forgets_ripple(self):
        """Ripple of a mains multiple within the cycle leaves the DC reading alone."""
        one = Meter(dc_hall_1000a())

        read(one, window(2048 + 320, 100))

        self.assertTrue(abs(one.reading_ma - 200000) <= 600)

    def test_window_is_filled_in_any_division(self):
        """Samples one by one give the reading of the whole window."""
        samples = window(2048, 900)
        whole, single = Meter(ac_ct_100a()), Meter(ac_ct_100a())
        read(whole, samples)

        places = [single.take(samples, k, k + 1) for k in range(WINDOW)]
        complete = single.complete
        single.settle(False)

        self.assertEqual(places, list(range(1, WINDOW + 1)))
        self.assertTrue(complete)
        self.assertEqual(single.reading_ma, whole.reading_ma)

    def test_take_stops_at_the_windows_end(self):
        """What belongs to the next window is left for it."""
        one = Meter(dc_hall_1000a())
        samples = array("H", [2048 << 4] * 40)

        self.assertEqual(one.take(samples, 0, 40), 32)
        self.assertTrue(one.complete)
        one.settle(False)
        self.assertEqual(one.take(samples, 32, 40), 40)
        self.assertTrue(not one.complete)

    def test_square_root_is_the_integer_one(self):
        """The root is exact at squares and one below them, to the largest value there is."""
        for root in (0, 1, 2, 3, 255, 4095, 32759, 32767):
            with self.subTest(root=root):
                self.assertEqual(meter._root(root * root), root)
                if root:
                    self.assertEqual(meter._root(root * root - 1), root - 1)
        self.assertEqual(meter._root((1 << 30) - 1), 32767)


class ZeroTest(unittest.TestCase):
    """The learnt zero."""

    def setUp(self):
        """Take a DC sensor whose output drifted by 4 A (6 counts and a bit)."""
        self.meter = Meter(dc_hall_1000a())
        self.drifted = window(2048 + 6)

    def test_zero_follows_a_quiet_sensor_with_the_relay_open(self):
        """After 2 s of waiting the zero moves an eighth of a count a window, and the drift reads as nothing."""
        for _ in range(99):
            read(self.meter, self.drifted, relay_open=True)
        waiting = (self.meter.zero_eighths, self.meter.reading_ma)
        for _ in range(60):
            read(self.meter, self.drifted, relay_open=True)

        self.assertEqual(waiting, (0, 3750))
        self.assertEqual((self.meter.zero_eighths, self.meter.reading_ma), (48, 0))

    def test_zero_comes_back(self):
        """It follows in both directions."""
        for _ in range(200):
            read(self.meter, self.drifted, relay_open=True)
        for _ in range(200):
            read(self.meter, window(2048 - 3), relay_open=True)

        self.assertEqual(self.meter.zero_eighths, -24)

    def test_zero_stands_still_while_the_relay_is_closed(self):
        """Nothing is learnt while welding is allowed, and the wait begins anew when the relay opens."""
        for _ in range(300):
            read(self.meter, self.drifted, relay_open=False)
        for _ in range(99):
            read(self.meter, self.drifted, relay_open=True)
        read(self.meter, self.drifted, relay_open=False)
        for _ in range(99):
            read(self.meter, self.drifted, relay_open=True)

        self.assertEqual(self.meter.zero_eighths, 0)

    def test_bypass_current_is_never_learnt(self):
        """20 A past the open relay for ten minutes still read 20 A, and so they do after a zero at its limit."""
        bypass = window(2048 + 32)
        for _ in range(30000):
            read(self.meter, bypass, relay_open=True)

        self.assertEqual((self.meter.zero_eighths, self.meter.reading_ma), (0, 20000))

    def test_zero_keeps_within_its_span(self):
        """However the drift creeps, the zero ends at 6 A, so that at least off_ma - 6 A of a current are seen."""
        for count in range(2048, 2080):
            for _ in range(200):
                read(self.meter, window(count), relay_open=True)

        limit = self.meter.profile.zero_span_ma * 256 // self.meter.profile.gain
        self.assertTrue(0 < self.meter.zero_eighths <= limit)
        self.assertTrue(self.meter.reading_ma >= 13000)


class FaultTest(unittest.TestCase):
    """Sensors that are open or shorted."""

    def test_third_window_at_a_rail_is_a_fault(self):
        """Unplugged: SENSOR_OPEN, at full scale: SENSOR_SHORT, after 60 ms, told once; readings are 0."""
        for count, reason in ((0, ALARM_SENSOR_OPEN), (4095, ALARM_SENSOR_SHORT)):
            with self.subTest(reason=reason):
                one = Meter(dc_hall_1000a())
                happened = [read(one, window(count)) for _ in range(6)]

                self.assertEqual(happened, [0, 0, meter.SENSOR_FAILED, 0, 0, 0])
                self.assertEqual((one.fault, one.reading_ma), (reason, 0))

    def test_two_windows_at_a_rail_are_none(self):
        """A disturbance of 40 ms is not a broken sensor."""
        one = Meter(dc_hall_1000a())
        for _ in range(5):
            read(one, window(0))
            read(one, window(0))
            read(one, window(2048))

        self.assertEqual(one.fault, 0)

    def test_sensor_must_be_good_for_a_second(self):
        """It recovers at the 50th good window in a row; a bad one between starts the count again."""
        one = Meter(dc_hall_1000a())
        for _ in range(3):
            read(one, window(0))
        for _ in range(49):
            read(one, window(2368))
        waiting = one.reading_ma
        read(one, window(0))
        happened = [read(one, window(2368)) for _ in range(50)]

        self.assertEqual(waiting, 0)
        self.assertEqual(happened[:49], [0] * 49)
        self.assertEqual(happened[49], meter.SENSOR_RECOVERED)
        self.assertEqual((one.fault, one.reading_ma), (0, 200000))

    def test_other_fault_is_told_anew(self):
        """A sensor that goes from open to shorted says so."""
        one = Meter(dc_hall_1000a())
        for _ in range(3):
            read(one, window(0))

        happened = [read(one, window(2048)), read(one, window(4095)), read(one, window(4095)), read(one, window(4095))]

        self.assertEqual(happened, [0, 0, 0, meter.SENSOR_FAILED])
        self.assertEqual(one.fault, ALARM_SENSOR_SHORT)

    def test_silence_of_80_ms_is_a_fault(self):
        """Eight ticks without a sample mean a stopped converter; seven do not; it is told once."""
        one = Meter(dc_hall_1000a())
        seven = [one.heard(0) for _ in range(7)]
        one.heard(1)
        eight = [one.heard(0) for _ in range(12)]

        self.assertEqual(seven, [0] * 7)
        self.assertEqual(eight, [0] * 7 + [meter.SENSOR_FAILED] + [0] * 4)
        self.assertEqual(one.fault, ALARM_SENSOR_OPEN)

    def test_stopped_converter_that_comes_back_at_the_rail_is_told_once(self):
        """The same reason twice is one failure."""
        one = Meter(dc_hall_1000a())
        for _ in range(8):
            one.heard(0)

        happened = [read(one, window(0)) for _ in range(6)]

        self.assertEqual(happened, [0] * 6)
        self.assertEqual(one.fault, ALARM_SENSOR_OPEN)


class ProfileTest(unittest.TestCase):
    """Profiles refuse what would make the meter lie."""

    def test_each_value_has_its_range(self):
        """A value outside its range is CONFIG_RANGE and named."""
        good = {"mode": DC_MEAN, "bias": 2048, "gain": 20000, "on_ma": 30000}
        for name, value in (
            ("mode", 0),
            ("mode", 3),
            ("bias", 0),
            ("bias", 4095),
            ("gain", 0),
            ("gain", 32768),
            ("on_ma", 1),
            ("off_ma", 30001),
            ("source", 3),
            ("samples_per_tick", 32),
            ("samples_per_tick", 0),
            ("rail_low", 2048),
            ("rail_high", 2048),
            ("zero_span_ma", 21000),
            ("over_ma", -1),
        ):
            with self.subTest(name=name, value=value):
                values = dict(good)
                values[name] = value
                with self.assertRaises(ConfigError) as caught:
                    SensorProfile(**values)
                self.assertEqual(caught.exception.code, CONFIG_RANGE)
                self.assertIn(name, str(caught.exception))

    def test_off_threshold_is_seven_tenths_unless_given(self):
        """I_off = 0.7 · I_on (DOMAIN section 5)."""
        self.assertEqual(SensorProfile(mode=DC_MEAN, bias=2048, gain=20000, on_ma=30000).off_ma, 21000)
        self.assertEqual(SensorProfile(mode=DC_MEAN, bias=2048, gain=20000, on_ma=30000, off_ma=9000).off_ma, 9000)

    def test_zero_span_is_below_every_shipped_threshold(self):
        """The shipped profiles can't learn an arc away."""
        for profile in (dc_hall_1000a(), ac_ct_100a()):
            self.assertTrue(profile.zero_span_ma < profile.off_ma < profile.on_ma)


if __name__ == "__main__":
    unittest.main()
