"""A sensor for the bench: an arc detector whose findings are set by hand. Runs on both interpreters."""

from weldgate_firmware.sense import ARC_ENDED, ARC_PAUSED, ARC_STRUCK, WINDOW_READ, Tally

ARC_MA = 150000
WINDOW_MS = 20


class Sensor:
    """What the driver reads and sets of a sensor's profile."""

    def __init__(self):
        self.source = 1
        self.on_ma = 30000
        self.off_ma = 21000
        self.over_ma = 700000
        self.zero_span_ma = 6000


class Meter:
    """What the driver reads of a meter."""

    fault = 0

    def __init__(self):
        self.profile = Sensor()


class HandSense:
    """An arc detector whose findings are set by hand; sums as the real one."""

    def __init__(self):
        self.meter = Meter()
        self.arc = Tally()
        self.session = Tally()
        self.telemetry = Tally()
        self.current_ma = 0
        self.burning = False
        self.arc_on = False
        self.quiet_ms = 0
        self._segment = False

    def begin_session(self):
        happened = self.finish()
        self.session.reset()
        return happened

    def finish(self):
        self.burning = self.arc_on = False
        self.current_ma = 0  # the relay has opened; a test that means a welded contact sets it again
        happened = ARC_ENDED if self._segment else 0
        self._segment = False
        return happened

    def strike(self):
        """An arc burns from now on."""
        if not self._segment:
            self._segment = True
            self.arc.reset()
            self.session.arcs += 1
        self.burning = self.arc_on = True
        self.quiet_ms = 0
        self.current_ma = ARC_MA
        return ARC_STRUCK

    def out(self):
        """The arc is out; its pause begins."""
        self.burning = False
        self.current_ma = 0

    def window(self):
        """One window of 20 ms has passed."""
        happened = WINDOW_READ
        self.telemetry.add(self.current_ma, self.current_ma)
        if self.burning:
            for tally in (self.arc, self.session):
                tally.add(self.current_ma, self.current_ma)
                tally.arc_ms += WINDOW_MS
        elif self._segment:
            self.quiet_ms += WINDOW_MS
            if self.quiet_ms >= 300 and self.arc_on:
                self.arc_on = False
                happened |= ARC_PAUSED
            if self.quiet_ms >= 2000:
                self._segment = False
                happened |= ARC_ENDED
        return happened
