"""A collector that is ahead: what is owed and what is skipped, over cuts at each step, rot, reconnects, full queues."""

import os
import sys
import unittest

sys.path.append(os.getenv("WELDGATE_VECTORS", "tests/vectors") + "/../firmware")  # tests are no package

from driver_world import World

from weldgate_firmware import gate, log
from weldgate_firmware.spool import RECORD
from weldgate_firmware.storage import RING_FIRST
from weldgate_protocol import messages, reasons
from weldgate_protocol.errors import StorageError
from weldgate_simulator.flash import PowerCut

ABOVE = 5  # how far the collector is ahead
CUT_EVERY = 3  # flash steps, one a byte programmed


def clones(world):
    """Return the alarms of a cloned identity on record."""
    return [fields for fields in world.all(messages.ALARM) if fields["alarm"] == reasons.ALARM_IDENTITY_CLONED]


def raws(spool, first, last):
    """Return the frames of some numbers as they lie in the ring, empty where one is missing."""
    buffer = bytearray(1058)
    return [bytes(buffer[: spool.read(seq, buffer)]) for seq in range(first, last + 1)]


class TestAhead(unittest.TestCase):
    """A chip with some records, of which the collector has acknowledged the first."""

    def setUp(self):
        self.begin(World().settle())

    def begin(self, world):
        """Take a world, and note what it holds."""
        self.world = world
        self.spool = world.storage.spool
        self.spool.ack(1)
        self.highest = self.spool.highest
        self.high = self.highest + ABOVE

    def fact(self):
        """Return the fact on flash."""
        return self.world.storage.log.get(log.AHEAD)

    def cut(self):
        """Take the power away and bring it back."""
        self.world.power_cut()
        self.spool = self.world.storage.spool

    def test_fact_goes_to_flash_before_the_gap(self):
        """M-CONV-19: no number above the high-water is begun before it is kept that those below are spent and owed."""
        self.world.driver.welcomed(self.high, True)
        while self.fact() is None:
            self.assertEqual(self.spool.highest, self.highest)
            self.world.driver.work()
        self.world.run(100)

        self.assertEqual(self.fact()[:8], self.spool.epoch + self.high.to_bytes(4, "big"))
        self.assertEqual(self.fact()[8:], clones(self.world)[0]["id"])
        self.assertEqual(self.spool.highest, self.high + 2)

    def test_nothing_unacknowledged_leaves_gap_and_alarm(self):
        """M-CONV-19: with nothing owed the chip still goes on above, and says so."""
        self.spool.ack(self.highest)
        self.assertEqual(self.world.driver.welcomed(self.high, True), self.highest + 1)
        self.world.run(500)

        gap = self.world.frames()[self.highest]
        self.assertEqual(gap, (messages.GAP, {"first": self.highest + 1, "last": self.high, "cause": 6}))
        self.assertEqual(len(clones(self.world)), 1)
        self.assertEqual(self.spool.acked, self.highest)

    def test_a_lost_ring_is_a_new_epoch_and_owes_nothing(self):
        """M-CONV-19, M-SEQ-05: of a new epoch no collector has anything; the old one is declared from its ack on."""
        self.world.driver.welcomed(self.high, True)
        self.world.run(100)
        self.world.skip(70)
        epoch = self.spool.epoch
        size = self.world.flash.sector_size
        for offset in range(RING_FIRST * size, self.world.flash.sector_count * size):
            self.world.flash.data[offset] = 0xFF
        self.cut()
        self.world.settle()

        self.assertTrue(self.spool.epoch != epoch)
        gap = self.world.frames()[0][1]
        self.assertEqual((gap["epoch"], gap["first"], gap["cause"]), (epoch, 2, 3))
        self.assertEqual((self.spool.ahead, len(clones(self.world))), (0, 1))
        self.world.skip(70)
        self.assertIsNone(self.fact())

    def test_cut_at_each_step_loses_nothing(self):
        """M-CONV-19: wherever the power goes, each number is held, or declared by a gap, and the alarm is on record."""
        flash = self.world.flash.copy()
        step = 0
        done = False
        while not done:
            self.begin(World(flash=flash.copy()))
            self.world.run(300)
            self.begin(self.world)
            before = raws(self.spool, 1, self.highest)
            epoch = self.spool.epoch
            self.world.flash.cut_after(step)
            step += CUT_EVERY
            try:
                self.world.driver.welcomed(self.high, True)
                self.world.run(100)
                done = True
            except PowerCut:
                pass
            with self.subTest(step=step):
                self.after_the_cut(before, epoch)
        self.assertTrue(step > 100)

    def after_the_cut(self, before, epoch):
        """Boot, connect, and see what the collector is given."""
        self.cut()
        self.assertEqual((self.spool.epoch, raws(self.spool, 1, self.highest)), (epoch, before))
        high = self.high
        if self.spool.highest < high or self.spool.ahead:
            self.world.driver.welcomed(high, high > self.spool.highest)
        self.world.run(300)
        self.assertTrue(self.spool.acked <= 1)
        self.assertEqual(raws(self.spool, 1, self.highest), before)
        declared = []
        held = []
        seq = self.spool.next_held(1)
        while seq:
            held.append(seq)
            seq = self.spool.next_held(seq + 1) if seq < self.spool.highest else 0
        for kind, gap in self.world.frames():
            if kind == messages.GAP and "epoch" not in gap:
                declared += range(gap["first"], gap["last"] + 1)
        self.assertEqual(sorted(held + declared), list(range(1, self.spool.highest + 1)))
        self.assertTrue(self.spool.highest > high)
        self.assertTrue(len(clones(self.world)) >= 1)

    def test_torn_gap_costs_its_number(self):
        """M-SEQ-03: after a cut in the gap itself the next one is numbered behind it, and declares it too."""
        self.world.driver.welcomed(self.high, True)
        while self.fact() is None:
            self.world.driver.work()
        self.world.flash.cut_after(20)
        with self.assertRaises(PowerCut):
            self.world.run(100)
        self.cut()

        self.assertEqual((self.spool.skipped, self.spool.next_seq), ((self.highest + 1, self.high + 1), self.high + 2))
        self.assertEqual(self.spool.skip_cause, 6)

    def test_what_is_owed_is_kept_over_boots_until_an_ack_above(self):
        """M-CONV-19: a welcome acknowledges nothing meanwhile, a lower one goes back, and the fact goes afterwards."""
        self.world.driver.welcomed(self.high, True)
        self.world.run(100)
        self.cut()
        self.spool.ack(1)
        self.world.run(300)
        self.assertEqual(self.world.driver.welcomed(self.high), 2)
        self.assertEqual(self.world.driver.welcomed(self.spool.highest), 2)
        self.assertEqual((self.spool.acked, self.spool.ahead), (1, self.high))
        self.assertEqual(self.world.driver.welcomed(0), 1)
        self.spool.ack(self.high)
        self.assertEqual(self.spool.ahead, self.high)
        self.spool.ack(self.high + 1)
        self.assertEqual((self.spool.acked, self.spool.ahead), (self.high + 1, 0))
        self.world.skip(70)

        self.assertIsNone(self.fact())
        self.assertEqual(self.world.driver.welcomed(self.spool.highest), self.spool.highest + 1)

    def test_alarm_comes_again_with_its_id_after_a_boot(self):
        """M-CONV-19: while something is owed, a boot raises the alarm anew, by the same id, so that it counts once."""
        self.world.driver.welcomed(self.high, True)
        self.world.run(100)
        self.cut()
        self.world.run(300)

        self.assertEqual(len(clones(self.world)), 2)
        self.assertEqual(len({fields["id"] for fields in clones(self.world)}), 1)

    def test_owed_records_that_rotted_are_declared(self):
        """M-CONV-19: what the chip can't read any more is declared as the link comes to it, and not what is held."""
        for number in range(6):
            self.world.driver.core.alarm(reasons.ALARM_EXCEPTION, b"alarm-%02d" % number, 1, False)
        self.world.run(300)
        self.begin(self.world)
        self.world.driver.welcomed(self.high, True)
        self.world.run(100)
        self.rot(self.highest - 3)
        self.rot(self.highest - 2)
        self.rot(self.highest)
        cursor = self.spool.next_held(2)
        while cursor < self.spool.highest:
            cursor = self.spool.next_held(cursor + 1)
            self.world.run(50)

        gaps = [gap for kind, gap in self.world.frames() if kind == messages.GAP and gap["cause"] == 4]
        self.assertEqual([(gap["first"], gap["last"]) for gap in gaps[:1]], [(self.highest - 3, self.highest - 2)])
        self.assertEqual([(gap["first"], gap["last"]) for gap in gaps[1:]], [(self.highest, self.highest)])

    def rot(self, seq):
        """Let a record's payload rot."""
        (raw,) = raws(self.spool, seq, seq)
        at = bytes(self.world.flash.data).find(raw)
        self.world.flash.rot(at + 30, 0x55)

    def test_full_queue_puts_the_alarm_off(self):
        """M-CONV-19: an alarm that found no place is raised later."""
        core = self.world.driver.core
        while core.recorder.note(messages.POWER_OFF, {}, RECORD):
            pass
        self.world.driver.welcomed(self.high, True)
        self.world.run(2000)
        self.assertEqual(clones(self.world), [])
        self.spool.ack(self.spool.highest)
        self.world.skip(130)

        self.assertEqual(len(clones(self.world)), 1)
        self.world.skip(70)
        self.assertIsNone(self.fact())

    def test_full_table_of_facts_stops_nothing(self):
        """A fact that found no place leaves the alarm, the numbers and the gate as they are."""
        core = self.world.driver.core

        def full(kind, value, key=b""):
            raise StorageError(reasons.STORAGE_FULL, "told to")

        core.facts.put = full
        self.assertEqual(self.world.driver.welcomed(self.high, True), 2)
        self.world.run(100)

        self.assertEqual((len(clones(self.world)), core.failures), (1, 0))
        self.assertEqual(core.last_error, reasons.STORAGE_FULL)

    def test_live_session_goes_on(self):
        """A collector that is ahead ends no session, and takes one fact of the log's room in it, however often."""
        self.world.live()
        self.begin(self.world)
        self.world.driver.welcomed(self.high, True)
        self.world.run(500)
        fact = self.fact()
        self.world.driver.welcomed(self.high + 100, True)
        self.world.run(500)

        self.assertEqual((self.world.driver.state, self.world.outputs.closed), (gate.LIVE, True))
        self.assertEqual(self.fact(), fact)

    def test_a_start_that_is_under_way_is_found_by_its_number(self):
        """Numbers that go on between a start's fact and its record: a boot still knows the session."""
        world = self.world
        world.run(20)
        world.show(world.token())
        world.push()
        while world.storage.log.get(log.SESSION) is None:
            world.driver.work()
        world.driver.welcomed(self.high, True)
        world.run(500)
        self.assertEqual(world.driver.state, gate.LIVE)
        self.cut()
        world.run(300)

        self.assertEqual(world.driver.state, gate.SUSPENDED)


if __name__ == "__main__":
    unittest.main()
