"""Records: numbered and tagged once, in order, with the time of what happened."""

import unittest

from weldgate_firmware.records import Recorder
from weldgate_firmware.seals import Seals
from weldgate_firmware.spool import RECORD, REFUSAL, SESSION, TELEMETRY
from weldgate_protocol import messages
from weldgate_protocol._compat import HmacKey
from weldgate_protocol.errors import StorageError
from weldgate_protocol.frame import parse, tag_matches
from weldgate_protocol.reasons import STORAGE_FAILED, STORAGE_FULL

DEVICE = b"\0\0\0\0\0\0\0\x07"
KEY = HmacKey(b"u" * 32)
REFUSED = {"reason": 5, "via": 1, "count": 1}
POWER = {"powered_s": 1}


class Clock:
    """A clock by hand."""

    def __init__(self):
        self.ms = 0

    def stamp(self, ago_ms=0):
        ms = self.ms - ago_ms
        return 1700000000 + ms // 1000, ms % 1000, 2


class Spool:
    """A spool in memory that fails as it is told."""

    def __init__(self):
        self.epoch = b"abcd"
        self.next_seq = 1
        self.highest = 0
        self.skipped = None
        self.skip_cause = 1
        self.lost = None
        self.lost_cause = 2
        self.raws = []
        self.error = 0

    def append(self, raw, priority, may_erase=False):
        if self.error:
            raise StorageError(self.error, "told to")
        self.raws.append(bytes(raw))
        self.highest = self.next_seq
        self.next_seq += 1
        self.skipped = None

    def next_held(self, seq):
        return 0

    def take_lost(self):
        lost = self.lost
        self.lost = None
        return lost


class TestRecorder(unittest.TestCase):
    """The queue before the spool."""

    def setUp(self):
        self.clock = Clock()
        self.spool = Spool()
        self.recorder = Recorder(self.spool, KEY, DEVICE, 3, self.clock, Seals(HmacKey(b"s" * 32)))

    def frames(self):
        """Return what the spool holds, parsed."""
        return [parse(raw) for raw in self.spool.raws]

    def fields(self, at):
        """Return the fields of the record at a place, without its seal."""
        frame = self.frames()[at]
        fields = messages.decode(frame.type, frame.payload)
        fields.pop("seal", None)
        return fields

    def test_frame_bears_everything(self):
        """A record is a durable frame of this chip, epoch and number, tagged with K_up, with the key's parity."""
        seq = self.recorder.write(messages.POWER_OFF, POWER, RECORD, True)
        frame = self.frames()[0]

        self.assertEqual(seq, 1)
        self.assertEqual((frame.type, frame.device, frame.epoch, frame.seq), (messages.POWER_OFF, DEVICE, b"abcd", 1))
        self.assertTrue(frame.durable)
        self.assertEqual(frame.parity, 1)
        self.assertEqual(frame.quality, 2)
        self.assertTrue(tag_matches(self.spool.raws[0], KEY))
        self.assertEqual(self.fields(0), POWER)

    def test_queued_record_keeps_its_time(self):
        """The header's time is when it happened, not when it was written."""
        self.clock.ms = 5500
        self.recorder.note(messages.REFUSAL, REFUSED, REFUSAL, ago_ms=700)
        self.clock.ms = 9000
        self.recorder.flush(True)
        frame = self.frames()[0]

        self.assertEqual((frame.time_s, frame.time_ms), (1700000004, 800))

    def test_skipped_numbers_are_declared_first(self):
        """Where the spool lost a number, the gap goes before the record."""
        self.spool.skipped = (1, 1)
        self.spool.next_seq = 2
        self.recorder.note(messages.POWER_OFF, POWER, RECORD)
        self.recorder.flush(True)
        gap, record = self.frames()

        self.assertEqual((gap.type, gap.seq, record.seq), (messages.GAP, 2, 3))
        self.assertEqual(self.fields(0), {"first": 1, "last": 1, "cause": 1})

    def test_lost_records_are_declared(self):
        """What the spool gave up is declared by a gap."""
        self.spool.lost = (3, 9)
        self.recorder.flush(True)

        self.assertEqual(self.fields(0), {"first": 3, "last": 9, "cause": 2})

    def test_done_is_called_when_it_is_durable(self):
        """What hangs on a record happens after it is on flash, not before."""
        done = []
        self.recorder.note(messages.POWER_OFF, POWER, RECORD, done=lambda: done.append(len(self.spool.raws)))
        self.spool.error = STORAGE_FAILED
        with self.assertRaises(StorageError):
            self.recorder.flush(True)
        self.assertEqual(done, [])
        self.assertTrue(self.recorder.failing)

        self.spool.error = 0
        self.recorder.flush(True)
        self.assertEqual(done, [1])
        self.assertFalse(self.recorder.failing)

    def test_a_full_spool_drops_telemetry_and_counts_it(self):
        """Telemetry that finds no place gets no number, and the next one says how many."""
        telemetry = {"window_s": 60, "mean_ma": 0, "peak_ma": 0, "arc_ms": 0, "gate": 2, "source": 1, "strikes": 0}
        self.spool.error = STORAGE_FULL
        self.recorder.note(messages.TELEMETRY, dict(telemetry), TELEMETRY)
        self.assertTrue(self.recorder.flush(True))
        self.assertEqual(self.recorder.skipped, 1)

        self.spool.error = 0
        self.recorder.note(messages.TELEMETRY, dict(telemetry), TELEMETRY)
        self.recorder.flush(True)
        self.assertEqual(messages.decode(messages.TELEMETRY, self.frames()[0].payload)["skipped"], 1)
        self.assertEqual(self.recorder.skipped, 0)

    def test_a_full_spool_keeps_records_waiting(self):
        """A stop or an alarm waits until there is room."""
        self.spool.error = STORAGE_FULL
        self.recorder.note(messages.POWER_OFF, POWER, RECORD)
        with self.assertRaises(StorageError):
            self.recorder.flush(False)

        self.assertEqual(len(self.recorder), 1)

    def test_the_queue_is_bounded_by_priority(self):
        """Refusals leave room for sessions, these for records; a stop always finds its place."""
        while self.recorder.note(messages.REFUSAL, REFUSED, REFUSAL):
            pass
        refusals = len(self.recorder)
        while self.recorder.note(messages.ARC, {}, SESSION):
            pass
        sessions = len(self.recorder)
        while self.recorder.note(messages.POWER_OFF, POWER, RECORD):
            pass
        whole = len(self.recorder)

        self.assertTrue(refusals < sessions < whole)
        self.assertTrue(self.recorder.note(messages.POWER_OFF, POWER, RECORD, must=True))
        self.assertEqual(self.recorder.skipped, 3)


if __name__ == "__main__":
    unittest.main()
