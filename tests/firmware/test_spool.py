"""The spool: what an append promises, what is read again, and who is admitted."""

import os
import sys
import unittest

sys.path.append(os.getenv("WELDGATE_VECTORS", "tests/vectors") + "/../firmware")  # tests are no package

from spool_bench import SECTOR, code_of, fill, frame, fresh, mounted, other_random, prepare, random

from weldgate_firmware.spool import RECORD, REFUSAL, SESSION, TELEMETRY, Spool
from weldgate_protocol import reasons
from weldgate_simulator.flash import VirtualFlash


class TestAppend(unittest.TestCase):
    """What append promises."""

    def test_appended_frame_is_there_after_a_reboot(self):
        """A frame whose append returned is read back byte for byte by the next mount."""
        flash, spool = fresh()
        raw = frame(spool)
        spool.append(raw, RECORD)

        again = mounted(flash, None, other_random)

        buf = bytearray(1058)
        self.assertEqual(bytes(buf[: again.read(1, buf)]), raw)
        self.assertEqual((again.epoch, again.next_seq, again.highest, again.skipped), (spool.epoch, 2, 1, None))
        self.assertFalse(again.formatted)

    def test_blank_flash_makes_a_new_epoch(self):
        """A flash without a ring of ours begins a new epoch and says so."""
        spool = mounted(VirtualFlash(4, SECTOR))

        self.assertTrue(spool.formatted)
        self.assertEqual((spool.epoch, spool.next_seq, spool.highest, spool.oldest), (random(4), 1, 0, 1))

    def test_other_version_makes_a_new_epoch(self):
        """A ring written by another version is not read, and a new epoch begins."""
        flash, spool = fresh()
        fill(spool, 3)
        for sector in range(flash.sector_count):
            flash.data[sector * SECTOR + 3] = 0x39

        again = mounted(flash, None, other_random)

        self.assertTrue(again.formatted)
        self.assertEqual((again.epoch, again.next_seq), (other_random(4), 1))

    def test_wrong_number_is_refused(self):
        """A frame that does not bear the next number, or another epoch's, is refused and nothing is written."""
        flash, spool = fresh()
        other = bytearray(frame(spool))
        other[10:14] = b"else"
        before = bytes(flash.data)

        self.assertEqual(code_of(spool.append, frame(spool, seq=2), RECORD), reasons.STORAGE_SEQUENCE)
        self.assertEqual(code_of(spool.append, bytes(other), RECORD), reasons.STORAGE_SEQUENCE)
        self.assertEqual(bytes(flash.data), before)

    def test_frame_beyond_a_sector_is_refused(self):
        """A frame that fits no sector, or is shorter than any frame, is refused."""
        _, spool = fresh()

        self.assertEqual(code_of(spool.append, frame(spool, SECTOR), RECORD), reasons.STORAGE_TOO_LONG)
        self.assertEqual(code_of(spool.append, b"short", RECORD), reasons.STORAGE_TOO_LONG)

    def test_longest_frame_fits(self):
        """A frame of 1058 bytes is taken by a ring of 4096-byte sectors."""
        _, spool = fresh(4, 4096)
        raw = frame(spool, 1024)
        spool.append(raw, RECORD)

        buf = bytearray(1058)
        self.assertEqual(spool.read(1, buf), 1058)
        self.assertEqual(bytes(buf), raw)

    def test_append_costs_two_programs(self):
        """An append in an open sector programs the record and its commit byte, and erases nothing."""
        flash, spool = fresh()
        fill(spool, 1)
        programs, erases = flash.programs, sum(flash.erases)

        spool.append(frame(spool), RECORD)

        self.assertEqual((flash.programs - programs, sum(flash.erases) - erases), (2, 0))
        self.assertEqual(flash.lost_bits, 0)

    def test_ring_too_small_is_refused(self):
        """A ring of fewer than four sectors is refused."""
        self.assertEqual(code_of(Spool, VirtualFlash(3, SECTOR), 0, 3, random), reasons.STORAGE_TOO_LONG)


class TestReading(unittest.TestCase):
    """Back-fill: in order, from anywhere, over the ring's end."""

    def test_every_frame_is_read_in_order_and_at_random(self):
        """Each held number gives its own frame, whatever was read before."""
        _, spool = fresh()
        fill(spool, 20)
        buf = bytearray(200)

        for seq in list(range(1, 21)) + [20, 3, 4, 17, 1, 2]:
            with self.subTest(seq=seq):
                n = spool.read(seq, buf)
                self.assertEqual(bytes(buf[:n]), frame(spool, seq=seq))

    def test_reading_on_is_cheap(self):
        """The record after the one read last costs two reads of flash."""
        flash, spool = fresh()
        fill(spool, 3)
        buf = bytearray(200)
        spool.read(1, buf)
        before = flash.reads

        spool.read(2, buf)

        self.assertEqual(flash.reads - before, 2)

    def test_asking_for_the_next_is_cheap(self):
        """Walking on by `next_held` and `read` costs a few reads of flash a record, over sector ends too."""
        flash, spool = fresh()
        fill(spool, 20)
        buf = bytearray(200)
        spool.read(1, buf)
        before = flash.reads

        for seq in range(2, 21):
            self.assertEqual(spool.next_held(seq), seq)
            self.assertTrue(spool.read(seq, buf) > 0)

        self.assertTrue(flash.reads - before <= 19 * 6)

    def test_what_is_not_held_reads_as_nothing(self):
        """Number 0, numbers not yet given and a buffer too short give 0."""
        _, spool = fresh()
        fill(spool, 2)

        self.assertEqual(spool.read(0, bytearray(200)), 0)
        self.assertEqual(spool.read(3, bytearray(200)), 0)
        self.assertEqual(spool.read(1, bytearray(20)), 0)
        self.assertEqual(spool.read(2, bytearray(200)), len(frame(spool)))

    def test_acked_frames_stay_until_their_room_is_needed(self):
        """An ack erases nothing by itself: a collector that went backward is served again."""
        _, spool = fresh()
        fill(spool, 12)
        spool.ack(12)

        self.assertEqual(spool.rewind(5), 6)
        self.assertEqual(spool.acked, 5)
        self.assertTrue(spool.read(6, bytearray(200)) > 0)

    def test_acked_frames_are_overwritten_in_turn(self):
        """With acks the ring turns for ever, every sector is used alike, and the newest frames are held."""
        flash, spool = fresh(4)
        while spool.next_seq <= 100:
            spool.append(frame(spool), RECORD)
            spool.ack(spool.highest)
            prepare(spool)

        self.assertEqual(spool.highest, 100)
        self.assertTrue(spool.read(100, bytearray(200)) > 0)
        self.assertEqual(spool.read(1, bytearray(200)), 0)
        self.assertTrue(max(flash.erases) - min(flash.erases) <= 1)
        self.assertIsNone(spool.take_lost())

    def test_ack_beyond_the_highest_releases_nothing(self):
        """An ack of a number never written is an error and changes nothing; an old one changes nothing."""
        _, spool = fresh()
        fill(spool, 4)
        spool.ack(3)

        self.assertEqual(code_of(spool.ack, 5), reasons.STORAGE_SEQUENCE)
        spool.ack(1)
        self.assertEqual(spool.acked, 3)

    def test_collector_that_has_more_than_we_wrote_is_an_error(self):
        """A high-water beyond the next number is refused until numbers have gone on above it."""
        _, spool = fresh()
        fill(spool, 4)

        self.assertEqual(code_of(spool.rewind, 5), reasons.STORAGE_SEQUENCE)
        spool.go_above(5)
        self.assertEqual((spool.rewind(5), spool.acked, spool.next_seq, spool.skipped), (1, 0, 6, (5, 5)))
        self.assertEqual(spool.skip_cause, 6)

    def test_new_epoch_outlives_the_old_one(self):
        """After `renew` and one append, a mount finds the new epoch and none of the old frames."""
        flash, spool = fresh()
        fill(spool, 6)
        spool._random = other_random
        spool.renew()
        fill(spool, 1)
        self.assertEqual(mounted(flash).next_held(1), 1)
        prepare(spool)

        again = mounted(flash)

        self.assertEqual((again.epoch, again.highest, again.formatted), (other_random(4), 1, False))
        self.assertEqual(again.next_held(1), 1)


class TestAdmission(unittest.TestCase):
    """DESIGN §5: who gets a number when the ring is full."""

    def full_to(self, permille):
        """Return a ring of 40 sectors, just above a fill, with its clean sectors erased."""
        _, spool = fresh(40)
        while spool.used_permille <= permille:
            spool.append(frame(spool), RECORD, True)
        prepare(spool)
        return spool

    def test_all_are_admitted_below_85_percent(self):
        """Up to 85 % everything gets a number."""
        _, spool = fresh(40)
        while spool.used_permille < 840:
            spool.append(frame(spool), RECORD, True)
        prepare(spool)

        self.assertEqual([spool.admits(p) for p in (TELEMETRY, REFUSAL, SESSION, RECORD)], [0, 0, 0, 0])

    def test_telemetry_and_refusals_get_no_number_above_85_percent(self):
        """Above 85 % telemetry and refusals are refused, sessions and records are not."""
        spool = self.full_to(850)
        full = reasons.GATE_SPOOL_FULL
        number = spool.next_seq

        self.assertEqual([spool.admits(p) for p in (TELEMETRY, REFUSAL, SESSION, RECORD)], [full, full, 0, 0])
        self.assertEqual(code_of(spool.append, frame(spool), TELEMETRY, True), reasons.STORAGE_FULL)
        self.assertEqual(spool.next_seq, number)

    def test_no_session_starts_above_95_percent(self):
        """Above 95 % no session starts; a stop is still admitted."""
        spool = self.full_to(950)

        self.assertEqual(spool.admits(SESSION), reasons.GATE_SPOOL_FULL)
        self.assertEqual(code_of(spool.append, frame(spool), SESSION, True), reasons.STORAGE_FULL)
        spool.append(frame(spool), RECORD, True)

    def test_a_stop_is_always_admitted_with_the_relay_open(self):
        """In a full ring the oldest unacknowledged sector goes, and its numbers are declared once."""
        _, spool = fresh(4)
        spool.ack(0)
        while spool.dropped == 0:
            spool.append(frame(spool), RECORD, True)

        first, last = spool.take_lost()
        self.assertEqual((first, last - first + 1, spool.lost_cause), (1, spool.dropped, 2))
        self.assertIsNone(spool.take_lost())
        self.assertEqual(spool.oldest, last + 1)
        self.assertTrue(spool.read(spool.highest, bytearray(200)) > 0)

    def test_nothing_is_erased_while_the_relay_is_closed(self):
        """Without leave to erase, an append that finds no room says full, spends no number and erases nothing."""
        flash, spool = fresh(4)
        erases = list(flash.erases)
        while spool.admits(RECORD) == 0:
            spool.append(frame(spool), RECORD)
        code = code_of(spool.append, frame(spool, 300), RECORD)

        self.assertEqual(code, reasons.STORAGE_FULL)
        self.assertFalse(spool.service(False))
        self.assertEqual(flash.erases, erases)
        self.assertIsNone(spool.skipped)
        spool.append(frame(spool), RECORD, True)

    def test_a_sector_stays_for_the_stop(self):
        """Whatever sessions and telemetry write with the relay closed, a clean sector is left for a stop."""
        _, spool = fresh(8)
        fill(spool, 1)
        while spool.admits(SESSION) == 0:
            spool.append(frame(spool), SESSION)

        self.assertTrue(spool.clean >= 1)
        for _ in range(4):
            spool.append(frame(spool), RECORD)

    def test_a_session_finds_room_by_erasing_what_is_acked(self):
        """A session start with the relay open erases acknowledged sectors itself when service did not."""
        _, spool = fresh(4)
        fill(spool, 1)
        while spool.admits(SESSION) == 0:
            spool.append(frame(spool), SESSION)
        spool.ack(spool.highest)
        fill(spool, spool.next_seq)
        spool.ack(spool.highest)

        spool.append(frame(spool), SESSION, True)

        self.assertEqual(spool.dropped, 0)
