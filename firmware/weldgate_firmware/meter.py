"""Samples of the current sensor become one reading a mains cycle, and a word on whether the sensor is whole.

Decides how a sensor is read, what its zero is and when it has failed; leaves to ``sense`` what an arc is. Pure: no
clock, no pins, integers only, nothing allocated once it is built.

Theory of operation. Samples fill a *window* of one 50 Hz cycle. Its reading is the true RMS about the window's own
mean (current transformer, so the bias needs no calibration), or the distance of its mean from the zero (DC Hall
sensor). That zero follows the sensor while the relay is open, an eighth of a count a window and within a span that is
below the arc's threshold: drift is learnt, a bypass current is not. A window whose mean lies at a rail reads as
nothing; three in a row, or no samples at all, are a failed sensor until a second of good windows has passed.
Sums stay below 2**30, the chip's small integers: 12 bits, at most 62 samples a window.
"""

from weldgate_protocol._compat import const
from weldgate_protocol.errors import ConfigError
from weldgate_protocol.reasons import ALARM_SENSOR_OPEN, ALARM_SENSOR_SHORT, CONFIG_RANGE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from array import array

AC_RMS = const(1)  # current transformer on the mains or an AC output: true RMS
DC_MEAN = const(2)  # Hall sensor on a DC output: mean, with a zero that drifts

WINDOW_MS = const(20)  # one cycle of 50 Hz (GB/T 15945)
TICKS_A_WINDOW = const(2)  # the gate ticks every 10 ms
FAULT_WINDOWS = const(3)  # 60 ms at a rail; with the tick still inside the 100 ms of a hard end
RECOVER_WINDOWS = const(50)  # 1 s of good readings
SILENT_TICKS = const(8)  # ticks in a row without one sample: the converter has stopped
ZERO_WAIT_WINDOWS = const(100)  # 2 s with the relay open before the zero may follow (contactor, decay of the choke)

# What the meter answers with; bits of the same word as the arc's in ``sense``.
SENSOR_FAILED = const(16)  # the reason number is in ``fault``
SENSOR_RECOVERED = const(32)


class SensorProfile:
    """How one kind of sensor is wired and read, and what counts as an arc there.

    Args:
        mode: ``AC_RMS`` or ``DC_MEAN``.
        bias: reading at no current, in counts of 12 bits (0..4095).
        gain: milliamps for 32 counts, 1..32767.
        on_ma: an arc is struck at or above this.
        off_ma: it is out below this; 0 takes 7/10 of ``on_ma``.
        source: what is measured, as telemetry says it: 1 arc current, 2 scaled primary.
        samples_per_tick: samples in 10 ms, 1..31 (1600 Hz: 16, so 32 a cycle).
        rail_low: a window whose mean is at or below this has an open sensor (pulled down when unplugged).
        rail_high: at or above this it is shorted to the supply.
        zero_span_ma: how far the zero may be moved from ``bias``, below ``off_ma``; 0 for AC.
        over_ma: over-current, 0 for none.

    Raises:
        ConfigError: CONFIG_RANGE when a value lies outside its range.
    """

    def __init__(
        self,
        *,
        mode: int,
        bias: int,
        gain: int,
        on_ma: int,
        off_ma: int = 0,
        source: int = 1,
        samples_per_tick: int = 16,
        rail_low: int = 64,
        rail_high: int = 4031,
        zero_span_ma: int = 0,
        over_ma: int = 0,
    ) -> None:
        off_ma = off_ma or on_ma * 7 // 10
        for name, value, low, high in (
            ("mode", mode, AC_RMS, DC_MEAN),
            ("bias", bias, 1, 4094),
            ("gain", gain, 1, 32767),
            ("on_ma", on_ma, 2, 4000000),
            ("off_ma", off_ma, 1, on_ma),
            ("source", source, 1, 2),
            ("samples_per_tick", samples_per_tick, 1, 31),  # 62 squares of 4095 stay below 2**30, a small integer
            ("rail_low", rail_low, 0, bias - 1),
            ("rail_high", rail_high, bias + 1, 4095),
            ("zero_span_ma", zero_span_ma, 0, off_ma - 1),  # the zero must never swallow an arc or a bypass
            ("over_ma", over_ma, 0, 4000000),
        ):
            if value < low or value > high:
                raise ConfigError(CONFIG_RANGE, "sensor %s is %d, allowed %d to %d" % (name, value, low, high))
        self.mode = mode
        self.bias = bias
        self.gain = gain
        self.on_ma = on_ma
        self.off_ma = off_ma
        self.source = source
        self.samples_per_tick = samples_per_tick
        self.rail_low = rail_low
        self.rail_high = rail_high
        self.zero_span_ma = zero_span_ma
        self.over_ma = over_ma


def dc_hall_1000a() -> SensorProfile:
    """Return the profile of a ±1000 A Hall sensor around the output cable of a DC welder (1000 A = 1600 counts)."""
    return SensorProfile(mode=DC_MEAN, bias=2048, gain=20000, on_ma=30000, zero_span_ma=6000, over_ma=700000)


def ac_ct_100a() -> SensorProfile:
    """Return the profile of a 100 A : 50 mA transformer on 22 ohms at 3.3 V (1365 counts RMS), one mains conductor."""
    return SensorProfile(mode=AC_RMS, bias=2048, gain=2344, on_ma=5000, source=2, over_ma=95000)


def _root(n: int) -> int:
    """Return the integer square root of ``n`` (0..2**30 - 1), digit by digit."""
    root = 0
    bit = 1 << 28
    while bit > n:
        bit >>= 2
    while bit:
        if n >= root + bit:
            n -= root + bit
            root = (root >> 1) + bit
        else:
            root >>= 1
        bit >>= 2
    return root


class Meter:
    """One current sensor.

    Attributes:
        profile: how it is read.
        reading_ma: the last window's current.
        complete: a window has just been filled; ``settle`` it before the next ``take``.
        fault: reason number of a failed sensor, 0 for none; readings are 0 meanwhile.
        zero_eighths: the learnt zero's distance from the profile's bias, in eighths of a count.
    """

    def __init__(self, profile: SensorProfile) -> None:
        self.profile = profile
        self.reading_ma = 0
        self.complete = False
        self.fault = 0
        self.zero_eighths = 0
        self._span = profile.zero_span_ma * 256 // profile.gain  # in eighths of a count
        self._mean = profile.mode == DC_MEAN
        self._size = profile.samples_per_tick * TICKS_A_WINDOW
        self._filled = 0
        self._sum = 0
        self._squares = 0
        self._silent = 0
        self._bad = 0  # windows at a rail in a row
        self._good = 0  # windows off the rails in a row, while failed
        self._open_windows = 0

    def take(self, samples: "array[int]", start: int, stop: int) -> int:
        """Take samples until they end or the window is full.

        Args:
            samples: unsigned 16-bit readings, full scale 65535; the upper 12 bits are used.
            start: place of the first one to take.
            stop: place after the last one.

        Returns:
            The place after the last one taken; ``complete`` says whether the window is full.
        """
        bias = self.profile.bias
        total = self._sum
        squares = self._squares
        end = start + self._size - self._filled
        self.complete = end <= stop
        if end > stop:
            end = stop
        if self._mean:
            for i in range(start, end):
                total += (samples[i] >> 4) - bias
        else:
            for i in range(start, end):
                distance = (samples[i] >> 4) - bias
                total += distance
                squares += distance * distance
        self._filled += end - start
        self._sum = total
        self._squares = squares
        return end

    def heard(self, count: int) -> int:
        """Note how many samples a tick brought; 80 ms of nothing is a failed sensor (SENSOR_FAILED or 0)."""
        if count:
            self._silent = 0
        elif self._silent < SILENT_TICKS:
            self._silent += 1
            if self._silent == SILENT_TICKS:
                self.reading_ma = 0
                return self._fail(ALARM_SENSOR_OPEN)
        return 0

    def settle(self, relay_open: bool) -> int:
        """Turn the full window into a reading and begin the next.

        Args:
            relay_open: whether the relay has been told to be open: only then may the zero follow the sensor.

        Returns:
            SENSOR_FAILED, SENSOR_RECOVERED or 0.
        """
        profile = self.profile
        size = self._size
        total = self._sum
        squares = self._squares
        self._filled = self._sum = self._squares = 0
        self.complete = False
        self.reading_ma = 0
        if not relay_open:
            self._open_windows = 0
        elif self._open_windows < ZERO_WAIT_WINDOWS:
            self._open_windows += 1
        mean = total // size
        level = profile.bias + mean
        if level <= profile.rail_low or level >= profile.rail_high:
            return self._at_rail(ALARM_SENSOR_OPEN if level <= profile.rail_low else ALARM_SENSOR_SHORT)
        self._bad = 0
        happened = 0
        if self.fault:
            self._good += 1
            if self._good < RECOVER_WINDOWS:
                return 0
            self.fault = 0
            happened = SENSOR_RECOVERED
        if self._mean:
            eighths = total * 8 // size
            distance = eighths - self.zero_eighths
            self.reading_ma = (distance if distance >= 0 else -distance) * profile.gain >> 8
            self._follow_zero(eighths)
        else:
            # The sum of squares about the window's mean, by quotient and rest: total * total may pass 2**30.
            rest = total - mean * size
            squares -= mean * mean * size + 2 * mean * rest + rest * rest // size
            self.reading_ma = _root(squares // size * 64) * profile.gain >> 8
        return happened

    def _at_rail(self, reason: int) -> int:
        """Count a window at a rail; the third in a row is a failed sensor."""
        self._good = 0
        if self._bad < FAULT_WINDOWS:
            self._bad += 1
            if self._bad == FAULT_WINDOWS:
                return self._fail(reason)
        return 0

    def _fail(self, reason: int) -> int:
        self._good = 0
        if self.fault == reason:
            return 0
        self.fault = reason
        return SENSOR_FAILED

    def _follow_zero(self, eighths: int) -> None:
        """Move the zero an eighth of a count towards a quiet sensor, never further than the profile's span."""
        if self._open_windows >= ZERO_WAIT_WINDOWS and -self._span <= eighths <= self._span:
            if eighths > self.zero_eighths:
                self.zero_eighths += 1
            elif eighths < self.zero_eighths:
                self.zero_eighths -= 1
