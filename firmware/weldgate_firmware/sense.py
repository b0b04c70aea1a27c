"""Readings of the current become arcs struck, paused and ended, and what they added up to.

Decides what is an arc; leaves to ``meter`` how a sensor is read, to the gate what follows from an arc and to
``records`` how it is told. Pure: time is counted in windows of one mains cycle, integers only, and nothing is allocated
from a sample to the verdict on it.

Theory of operation. ``current_ma`` is the median of the last 15 readings (300 ms), so a step is seen after 8 windows
and a burst of 7 (140 ms) never; the longest glitch on record is one averaged reading of 111 ms. An arc is *struck* when
the median reaches ``on_ma`` and *out* when it falls below ``off_ma``; out and struck again inside one segment is a
further strike. ``ARC_GAP_MS`` without current is a pause, ``ARC_END_MS`` closes the segment. Once an arc is struck,
each single window at or above ``off_ma`` is arc time, those that led to the strike included, so that the filter's
delay changes no sum.
"""

from array import array

from weldgate_firmware.meter import SENSOR_FAILED, WINDOW_MS
from weldgate_protocol._compat import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from weldgate_firmware.meter import Meter

MEDIAN_WINDOWS = const(15)  # 300 ms, odd
MEDIAN_PLACE = const(7)
ARC_GAP_MS = const(300)  # DESIGN section 4, S3: the pause at which a soft end opens the relay
ARC_END_MS = const(2000)  # DESIGN section 4, S3: the pause that closes an arc segment
MAMS_PER_MAH = const(3600000)

# What ``feed`` answers with, as bits, since one call may see several; 16 and 32 are the meter's.
WINDOW_READ = const(1)  # current_ma is new
ARC_STRUCK = const(2)
ARC_PAUSED = const(4)  # no current for ARC_GAP_MS
ARC_ENDED = const(8)  # the segment is closed: its sums are in ``arc`` until the next strike
OVER_CURRENT = const(64)  # current_ma rose to the profile's over_ma


class Tally:
    """Time, charge, peak and mean of a stretch of current, and how often an arc was struck and begun in it."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin again at nothing."""
        self.ms = 0  # time summed up: arc time for an arc or a session, all of it for telemetry
        self.arc_ms = 0
        self.peak_ma = 0
        self.charge_mah = 0
        self.strikes = 0
        self.arcs = 0
        self._rest = 0  # charge below 1 mAh, in milliamp-milliseconds

    def add(self, reading_ma: int, peak_ma: int) -> None:
        """Add one window: ``reading_ma`` to the charge, ``peak_ma`` (filtered) to the peak."""
        self.ms += WINDOW_MS
        rest = self._rest + reading_ma * WINDOW_MS
        if rest >= MAMS_PER_MAH:
            self.charge_mah += rest // MAMS_PER_MAH
            rest %= MAMS_PER_MAH
        self._rest = rest
        if peak_ma > self.peak_ma:
            self.peak_ma = peak_ma

    def mean_ma(self) -> int:
        """Return the mean current over ``ms``, 0 when there was no time."""
        return (self.charge_mah * MAMS_PER_MAH + self._rest) // self.ms if self.ms else 0


class Sense:
    """The arc detector behind one meter.

    Attributes:
        current_ma: the median of the last 15 readings.
        burning: from ARC_STRUCK until the arc is out.
        arc_on: from ARC_STRUCK until ARC_PAUSED or ARC_ENDED.
        over: the current is at or above the profile's ``over_ma``.
        arc: sums of the segment, of the last one when none is open.
        session: sums since ``begin_session``.
        telemetry: sums since ``telemetry.reset()``, current outside arcs included.
        quiet_ms: time without current since the arc last burned; at ARC_ENDED, how long ago the arc's end was.
    """

    def __init__(self, meter: "Meter") -> None:
        self.meter = meter
        self.arc = Tally()
        self.session = Tally()
        self.telemetry = Tally()
        self.current_ma = 0
        self.burning = False
        self.arc_on = False
        self.over = False
        self.quiet_ms = 0
        self._segment = False  # a segment is open, burning or not
        self._fresh = 0  # latest readings that no arc has counted yet
        self._at = 0
        self._ring = array("i", [0] * MEDIAN_WINDOWS)
        self._sorted = array("i", [0] * MEDIAN_WINDOWS)

    def feed(self, samples: "array[int]", count: int, relay_open: bool) -> int:
        """Take the samples of one tick; call it every 10 ms, with whatever has come, none included.

        Args:
            samples: unsigned 16-bit readings, full scale 65535.
            count: how many of them are new.
            relay_open: whether the relay has been told to be open.

        Returns:
            What happened, as bits: WINDOW_READ, ARC_STRUCK and so on, and the meter's.
        """
        meter = self.meter
        happened = meter.heard(count)
        if happened & SENSOR_FAILED:
            self.current_ma = 0
            happened |= self.finish()
        at = 0
        while at < count:
            at = meter.take(samples, at, count)
            if meter.complete:
                happened |= meter.settle(relay_open) | self._judge(meter.reading_ma)
        return happened

    def begin_session(self) -> int:
        """Start the session's sums at nothing; a segment still open is closed first (ARC_ENDED or 0)."""
        happened = self.finish()
        self.session.reset()
        return happened

    def finish(self) -> int:
        """Close an open segment now: the relay has opened or power is failing. Returns ARC_ENDED or 0.

        The filter is emptied, so the current that decays after the relay opened strikes no new arc.
        """
        for i in range(MEDIAN_WINDOWS):
            self._ring[i] = self._sorted[i] = 0
        self._fresh = 0
        self.burning = self.arc_on = False
        if not self._segment:
            return 0
        self._segment = False
        return ARC_ENDED

    def _filter(self, reading: int) -> int:
        """Put a reading in the place of the oldest and return the median; the sorted copy is mended, not sorted."""
        ring = self._ring
        order = self._sorted
        at = self._at
        oldest = ring[at]
        ring[at] = reading
        self._at = at + 1 if at + 1 < MEDIAN_WINDOWS else 0
        i = 0
        while order[i] != oldest:
            i += 1
        while i + 1 < MEDIAN_WINDOWS and order[i + 1] < reading:
            order[i] = order[i + 1]
            i += 1
        while i and order[i - 1] > reading:
            order[i] = order[i - 1]
            i -= 1
        order[i] = reading
        return order[MEDIAN_PLACE]

    def _judge(self, reading: int) -> int:
        """Move between struck, out and ended by one window's reading."""
        profile = self.meter.profile
        current = self._filter(reading)
        self.current_ma = current
        self.telemetry.add(reading, current)
        happened = WINDOW_READ
        over = 0 < profile.over_ma <= current
        if over and not self.over:
            happened |= OVER_CURRENT
        self.over = over
        if self.burning:
            if reading >= profile.off_ma:
                self.quiet_ms = 0
                self._count(reading)
            else:
                self.quiet_ms += WINDOW_MS
            if current < profile.off_ma:
                self.burning = False
                self._fresh = 0
            return happened
        if self._fresh < MEDIAN_WINDOWS:
            self._fresh += 1
        if current >= profile.on_ma:
            self._strike()
            return happened | ARC_STRUCK
        if self._segment and reading < profile.off_ma:
            self.quiet_ms += WINDOW_MS
            if self.arc_on and self.quiet_ms >= ARC_GAP_MS:
                self.arc_on = False
                happened |= ARC_PAUSED
            if self.quiet_ms >= ARC_END_MS:
                self._segment = self.arc_on = False
                happened |= ARC_ENDED
        return happened

    def _strike(self) -> None:
        """Begin or go on with a segment and count the windows that led here."""
        if not self._segment:
            self._segment = True
            self.arc.reset()
            self.session.arcs += 1
            self.telemetry.arcs += 1
        self.arc.strikes += 1
        self.session.strikes += 1
        self.telemetry.strikes += 1
        self.burning = self.arc_on = True
        self.quiet_ms = 0
        at = self._at
        for _ in range(self._fresh):
            at = at - 1 if at else MEDIAN_WINDOWS - 1
            if self._ring[at] >= self.meter.profile.off_ma:
                self._count(self._ring[at])
        self._fresh = 0

    def _count(self, reading: int) -> None:
        """Add one window of arc to every sum."""
        current = self.current_ma
        self.arc.add(reading, current)
        self.session.add(reading, current)
        self.arc.arc_ms += WINDOW_MS
        self.session.arc_ms += WINDOW_MS
        self.telemetry.arc_ms += WINDOW_MS
