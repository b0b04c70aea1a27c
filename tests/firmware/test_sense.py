"""The arc detector: synthetic currents, and all thirteen recorded runs held against the data README's own table."""

import os
import unittest
from array import array

from weldgate_firmware import sense
from weldgate_firmware.meter import SENSOR_FAILED, SENSOR_RECOVERED, Meter, dc_hall_1000a

try:
    from micropython import heap_lock, heap_unlock
except ImportError:

    def heap_lock():
        """Stand for MicroPython's lock; CPython has none, the suite run there proves the rest."""

    heap_unlock = heap_lock

TRACE = os.getenv("WELDGATE_VECTORS", "tests/vectors") + "/../data/weld-trace-gmaw.csv"
# Run (its beginning), first and last reading above 30 A, readings at or below 30 A between them, strikes: data README.
RUNS = (
    ("good_weld_block1", 54, 291, 0, 1),
    ("burnthrough", 52, 285, 0, 1),
    ("crater", 55, 276, 0, 1),
    ("excessive_convexity", 53, 314, 0, 1),
    ("excessive_penetration", 58, 339, 0, 1),
    ("good_weld_02", 55, 333, 0, 1),  # and 43, the glitch of 819 A
    ("lack", 55, 272, 0, 1),
    ("overlap", 52, 150, 0, 1),
    ("porosity_w-e", 52, 333, 0, 1),
    ("porosity_w_e", 54, 277, 0, 1),
    ("spatter", 52, 263, 3, 2),  # out at 54 to 56
    ("undercut", 52, 253, 0, 1),
    ("warping", 53, 276, 0, 1),
)
TOLERANCE_MS = 250  # two readings of arc's decay between 30 A and off_ma, and a window
TICK_MS = 10
COUNTS_PER_MA = 32 / 20000


def read_runs():
    """Return [(run, [milliamps, ...]), ...] of the trace file, by plain line splitting (no csv module on the chip)."""
    runs = []
    with open(TRACE) as lines:
        place = next(iter(lines)).strip().split(",").index("Primary Weld Current")
        for line in lines:
            cells = line.strip().split(",")
            if not runs or runs[-1][0] != cells[0]:
                runs.append((cells[0], []))
            runs[-1][1].append(int(float(cells[place]) * 1000))
    return runs


class Bench:
    """A detector fed with constant currents, and what it said with the time it said it."""

    def __init__(self):
        """Build a DC Hall detector in a session."""
        self.sense = sense.Sense(Meter(dc_hall_1000a()))
        self.now_ms = 0
        self.events = []
        self._samples = array("H", [0] * 16)

    def run(self, current_ma, ms, relay_open=False):
        """Let ``current_ma`` flow for ``ms``, tick by tick."""
        count = int(2048 + current_ma * COUNTS_PER_MA + 0.5)
        for i in range(16):
            self._samples[i] = count << 4
        end = self.now_ms + ms
        while self.now_ms + TICK_MS <= end:
            self.now_ms += TICK_MS
            self.note(self.sense.feed(self._samples, 16, relay_open))

    def note(self, happened):
        """Keep what happened, readings aside."""
        if happened & ~sense.WINDOW_READ:
            self.events.append((self.now_ms, happened & ~sense.WINDOW_READ))

    def times(self, bit):
        """Return when the event ``bit`` was seen."""
        return [at for at, happened in self.events if happened & bit]


class SenseTest(unittest.TestCase):
    """Arcs struck, paused and ended."""

    def setUp(self):
        """Give each test its own bench."""
        self.bench = Bench()

    def test_steady_current_strikes_within_180_ms(self):
        """A steady current is an arc after eight windows, 160 ms, or nine where it begins inside one."""
        for head_ms in (1000, 10):
            with self.subTest(head_ms=head_ms):
                bench = Bench()
                bench.run(0, head_ms)

                bench.run(150000, 400)

                struck = bench.times(sense.ARC_STRUCK)
                self.assertEqual(len(struck), 1)
                self.assertTrue(150 <= struck[0] - head_ms <= 180)
                self.assertTrue(bench.sense.arc_on and bench.sense.burning)

    def test_burst_of_140_ms_strikes_nothing(self):
        """The recorded glitch of 819 A lasts one reading of 111 ms: no strike, no over-current, no arc time."""
        self.bench.run(0, 500)

        self.bench.run(819000, 140)
        self.bench.run(2800, 3000)

        self.assertEqual(self.bench.events, [])
        self.assertEqual(self.bench.sense.session.strikes, 0)
        self.assertEqual(self.bench.sense.session.arc_ms, 0)

    def test_failed_strike_counts_and_stays_in_its_segment(self):
        """Arc, out for 240 ms, arc: two strikes, one segment, no pause reported."""
        self.bench.run(0, 500)
        self.bench.run(120000, 220)
        self.bench.run(3000, 240)
        self.bench.run(120000, 1000)
        self.bench.run(0, 2200)

        self.assertEqual(self.bench.sense.arc.strikes, 2)
        self.assertEqual(self.bench.sense.session.arcs, 1)
        self.assertEqual(self.bench.sense.arc.arc_ms, 1220)
        self.assertEqual(len(self.bench.times(sense.ARC_PAUSED)), 1)
        self.assertEqual(len(self.bench.times(sense.ARC_ENDED)), 1)

    def test_lost_reading_of_111_ms_is_no_new_strike(self):
        """A dropout of one averaged reading leaves the arc burning."""
        self.bench.run(150000, 1000)
        self.bench.run(0, 120)
        self.bench.run(150000, 1000)

        self.assertEqual(self.bench.sense.arc.strikes, 1)
        self.assertEqual(self.bench.sense.arc.arc_ms, 2000)

    def test_pause_is_reported_300_ms_after_the_arc(self):
        """A soft end may open the relay at ARC_PAUSED: 300 ms without current, one window of delay at most."""
        self.bench.run(150000, 1000)
        self.bench.run(0, 600)

        paused = self.bench.times(sense.ARC_PAUSED)
        self.assertEqual(len(paused), 1)
        self.assertTrue(300 <= paused[0] - 1000 <= 320)
        self.assertTrue(not self.bench.sense.arc_on)

    def test_segment_ends_2000_ms_after_the_arc(self):
        """ARC_END_MS without current closes the segment, and quiet_ms says how long ago the arc ended."""
        self.bench.run(150000, 1000)
        self.bench.run(0, 2500)

        ended = self.bench.times(sense.ARC_ENDED)
        self.assertEqual(len(ended), 1)
        self.assertTrue(2000 <= ended[0] - 1000 <= 2020)
        self.assertEqual(self.bench.sense.quiet_ms, 2000)

    def test_electrode_change_begins_a_new_segment(self):
        """Two arcs 2.5 s apart are two segments; the second one's sums hold nothing of the first."""
        self.bench.run(150000, 3000)
        self.bench.run(0, 2500)
        self.bench.run(100000, 1000)
        self.bench.run(0, 2500)

        self.assertEqual(self.bench.sense.session.arcs, 2)
        self.assertEqual(self.bench.sense.session.arc_ms, 4000)
        self.assertEqual(self.bench.sense.arc.arc_ms, 1000)
        self.assertEqual(self.bench.sense.arc.peak_ma, 100000)

    def test_hysteresis_keeps_a_falling_arc(self):
        """Between off_ma and on_ma a burning arc burns on and a dark one stays dark."""
        self.bench.run(25000, 1000)
        dark = self.bench.sense.arc_on
        self.bench.run(35000, 500)
        self.bench.run(25000, 1000)

        self.assertTrue(not dark)
        self.assertTrue(self.bench.sense.burning)
        self.assertEqual(self.bench.sense.arc.strikes, 1)

    def test_sums_are_those_of_the_current(self):
        """36 s at 100 A are 1000 mAh, mean and peak 100 A."""
        self.bench.run(0, 100)
        self.bench.run(100000, 36000)

        self.assertEqual(self.bench.sense.session.arc_ms, 36000)
        self.assertEqual(self.bench.sense.session.charge_mah, 1000)
        self.assertEqual(self.bench.sense.session.mean_ma(), 100000)
        self.assertEqual(self.bench.sense.session.peak_ma, 100000)

    def test_telemetry_sums_current_outside_arcs(self):
        """A no-load current of 15 A is no arc and is in the telemetry's mean all the same."""
        self.bench.run(15000, 2000)

        telemetry = self.bench.sense.telemetry
        self.assertEqual((telemetry.ms, telemetry.arc_ms, telemetry.strikes), (2000, 0, 0))
        self.assertEqual((telemetry.mean_ma(), telemetry.peak_ma), (15000, 15000))

    def test_finish_closes_a_segment_and_decay_strikes_none(self):
        """The relay opens mid-arc: finish() closes the segment, and 100 ms of decaying current begins no other."""
        self.bench.run(150000, 1000)

        happened = self.bench.sense.finish()
        self.bench.run(150000, 100)
        self.bench.run(0, 3000)

        self.assertEqual(happened, sense.ARC_ENDED)
        self.assertEqual(self.bench.sense.finish(), 0)
        self.assertEqual(self.bench.sense.session.arcs, 1)
        self.assertEqual(self.bench.sense.arc.arc_ms, 1000)

    def test_begin_session_starts_at_nothing(self):
        """A new session has no arc of the one before."""
        self.bench.run(150000, 1000)

        happened = self.bench.sense.begin_session()

        session = self.bench.sense.session
        self.assertEqual(happened, sense.ARC_ENDED)
        self.assertEqual((session.arc_ms, session.arcs, session.strikes, session.mean_ma()), (0, 0, 0, 0))

    def test_over_current_is_reported_once_when_it_lasts(self):
        """A current at over_ma that stays is one OVER_CURRENT within 180 ms, and another after it fell."""
        self.bench.run(300000, 1000)
        self.bench.run(750000, 500)
        self.bench.run(300000, 500)
        self.bench.run(750000, 500)

        over = self.bench.times(sense.OVER_CURRENT)
        self.assertEqual(len(over), 2)
        self.assertTrue(over[0] - 1000 <= 180)

    def test_silent_converter_closes_the_segment(self):
        """When samples stop coming in mid-arc the sensor has failed: current 0, segment closed, within 80 ms."""
        self.bench.run(150000, 1000)

        for _ in range(8):
            self.bench.now_ms += TICK_MS
            self.bench.note(self.bench.sense.feed(array("H", [0]), 0, False))

        self.assertEqual(self.bench.events[-1], (1080, SENSOR_FAILED | sense.ARC_ENDED))
        self.assertEqual(self.bench.sense.current_ma, 0)
        self.assertTrue(not self.bench.sense.arc_on)

    def test_whole_sensor_again_is_reported(self):
        """A second of good windows after the silence brings the readings back."""
        for _ in range(8):
            self.bench.sense.feed(array("H", [0]), 0, False)

        self.bench.run(50000, 2000)

        self.assertEqual(len(self.bench.times(SENSOR_RECOVERED)), 1)
        self.assertEqual(self.bench.sense.current_ma, 50000)

    def test_backlog_in_one_call_says_the_same(self):
        """The division of the samples into calls changes nothing: 47 at a time as 16 at a time."""
        plain = Bench()
        plain.run(0, 320)
        plain.run(150000, 640)
        plain.run(0, 3200)
        odd = sense.Sense(Meter(dc_hall_1000a()))
        stream = [2048 << 4] * 512 + [2288 << 4] * 1024 + [2048 << 4] * 5120
        happened = 0
        for at in range(0, len(stream), 47):
            piece = array("H", stream[at : at + 47])
            happened |= odd.feed(piece, len(piece), False)

        self.assertEqual(odd.arc.arc_ms, plain.sense.arc.arc_ms)
        self.assertEqual(odd.arc.charge_mah, plain.sense.arc.charge_mah)
        self.assertEqual(odd.quiet_ms, plain.sense.quiet_ms)
        self.assertTrue(happened & sense.ARC_STRUCK and happened & sense.ARC_ENDED)

    def test_feed_allocates_nothing(self):
        """From a sample to the verdict not one byte of heap is taken, through strike, pause and end."""
        samples = array("H", [2288 << 4] * 16)
        quiet = array("H", [2048 << 4] * 16)
        detector = sense.Sense(Meter(dc_hall_1000a()))
        happened = 0
        heap_lock()
        try:
            for _ in range(60):
                happened |= detector.feed(samples, 16, False)
            for _ in range(240):
                happened |= detector.feed(quiet, 16, True)
        finally:
            heap_unlock()

        self.assertTrue(happened & sense.ARC_STRUCK and happened & sense.ARC_ENDED)


class RecordedRunTest(unittest.TestCase):
    """Thirteen real welds."""

    def test_every_run_has_the_arc_time_of_its_table(self):
        """Each of the 13 runs: arc time as in the README's table to 0.25 s, one segment, its strikes counted."""
        runs = read_runs()
        self.assertEqual(len(runs), len(RUNS))
        for run, readings in runs:
            first, last, out, strikes = next(row[1:] for row in RUNS if run.startswith(row[0]))
            with self.subTest(run=run):
                bench = Bench()
                for k, reading in enumerate(readings):
                    bench.run(reading, (k + 1) * 100000 // 902 - bench.now_ms)
                bench.run(0, 2500)

                session = bench.sense.session
                expected_ms = (last - first + 1 - out) * 100000 // 902
                self.assertTrue(abs(session.arc_ms - expected_ms) <= TOLERANCE_MS)
                self.assertEqual((session.arcs, session.strikes), (1, strikes))
                struck = bench.times(sense.ARC_STRUCK)[0] - first * 100000 // 902
                paused = bench.times(sense.ARC_PAUSED)[0] - (last + 1) * 100000 // 902
                self.assertTrue(140 <= struck <= 180)
                self.assertTrue(280 <= paused <= 320 + TOLERANCE_MS)


if __name__ == "__main__":
    unittest.main()
