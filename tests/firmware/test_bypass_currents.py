"""Rule S4 on sampled currents: what honest machines draw with the relay open never latches, 15 A always does.

Meter, filter and watch are the chip's; the samples are those of a converter at 1600 a second. Currents after DOMAIN
section 5: a snubber's leakage, fan and control of an inverter, a transformer's inrush, a choke that takes 250 ms.
"""

import math
import unittest
from array import array

from weldgate_firmware.alarms import BypassWatch
from weldgate_firmware.meter import AC_RMS, Meter, ac_ct_100a, dc_hall_1000a
from weldgate_firmware.profile import ENABLE, SENSOR_DC_HALL, profiles
from weldgate_firmware.sense import WINDOW_READ, Sense

TICK_MS = 10
SAMPLES = 16
ARC_MA = 90000
ALARM_MS = 1000  # DESIGN 4, S4


class Bench:
    """A sensor with a current through it, before and after its relay opened."""

    def __init__(self, profile, zero_ma=0):
        hall = profile.sensor == SENSOR_DC_HALL
        self.sensor = dc_hall_1000a() if hall else ac_ct_100a()
        self.sense = Sense(Meter(self.sensor))
        self.watch = BypassWatch(profile)
        self.zero_ma = zero_ma if hall else 0
        self.samples = array("H", [0] * SAMPLES)
        self.ms = 0
        self.open = False

    def tick(self, current_ma):
        """Let 10 ms pass at a current; return whether it has become an alarm."""
        sensor = self.sensor
        for i in range(SAMPLES):
            counts = (current_ma + self.zero_ma) * 32 / sensor.gain
            if sensor.mode == AC_RMS:
                angle = 2 * math.pi * 50 * (self.ms / 1000 + i / 1600)
                counts *= math.sqrt(2) * math.sin(angle)
            self.samples[i] = min(max(int(sensor.bias + counts), 0), 4095) << 4
        self.ms += TICK_MS
        if self.open:
            self.watch.passed(TICK_MS)
        happened = self.sense.feed(self.samples, SAMPLES, self.open)
        return self.open and bool(happened & WINDOW_READ) and self.watch.reading(self.sense.current_ma)

    def weld(self, ms=1000):
        """Weld, then let the relay open."""
        for _ in range(ms // TICK_MS):
            self.tick(ARC_MA)
        self.sense.finish()
        self.watch.opened()
        self.open = True

    def alarm_after(self, current_of, ms=4000):
        """Return after how many milliseconds a current, given by the time, has become an alarm; -1 never."""
        begun = self.ms
        while self.ms - begun < ms:
            if self.tick(current_of(self.ms - begun)):
                return self.ms - begun
        return -1


def decay(ms):
    """A choke's current that has gone to a hundredth after 250 ms."""
    return ARC_MA * math.exp(-ms * 4.6 / 250) if ms < 500 else 0


class TestHonestCurrents(unittest.TestCase):
    """What must never latch."""

    def never(self, what, current_of, zero_ma=0):
        for profile in profiles():
            with self.subTest(what=what, profile=profile.name):
                bench = Bench(profile, zero_ma)
                bench.weld()
                self.assertEqual(bench.alarm_after(lambda ms, of=current_of, p=profile: of(ms, p)), -1)

    def test_decay_of_250_ms(self):
        """The current that a choke keeps flowing after the relay opened."""
        self.never("decay", lambda ms, profile: decay(ms))

    def test_leakage_of_a_snubber(self):
        """0.47 uF at 380 V and 50 Hz is 56 mA; four of them, after the decay."""
        self.never("leakage", lambda ms, profile: decay(ms) + 224)

    def test_fan_and_control_of_an_inverter(self):
        """Half an ampere for ever, where the inverter stays powered."""
        self.never("fan", lambda ms, profile: decay(ms) + (500 if profile.position == ENABLE else 0))

    def test_inrush(self):
        """Ten times the rated current for three cycles, again and again, as others on the same mains switch on."""
        self.never("inrush", lambda ms, profile: 95000 if ms > 600 and ms % 500 < 60 else 0)

    def test_zero_that_has_drifted(self):
        """A Hall sensor 4 A off its zero."""
        self.never("drift", lambda ms, profile: 0, zero_ma=4000)


class TestBypass(unittest.TestCase):
    """What must always latch, within a second."""

    def test_15_a_always_does(self):
        """15 A, from any moment after the opening, at the profile's limit and at the highest one may set."""
        for profile in profiles():
            for begins_ms in (0, 130, 250, 490, 510, 990, 1730):
                for setting_ma in (0, 15000):
                    with self.subTest(profile=profile.name, begins_ms=begins_ms, setting_ma=setting_ma):
                        bench = Bench(profile)
                        bench.watch.limit(setting_ma, profile)
                        bench.weld()
                        found = bench.alarm_after(lambda ms, begins_ms=begins_ms: 15000 if ms >= begins_ms else 0)
                        self.assertTrue(found >= 0)
                        self.assertTrue(found - begins_ms <= ALARM_MS, found)


if __name__ == "__main__":
    unittest.main()
