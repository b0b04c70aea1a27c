"""The spool: what is left after cuts, failures and rot."""

import os
import sys
import unittest

sys.path.append(os.getenv("WELDGATE_VECTORS", "tests/vectors") + "/../firmware")  # tests are no package

from spool_bench import GAP, SECTOR, code_of, fill, frame, fresh, mounted, other_random, prepare, refusing

from weldgate_firmware import spool as spool_module
from weldgate_firmware.ring_format import RingSectors
from weldgate_firmware.spool import RECORD, SESSION
from weldgate_protocol import reasons
from weldgate_simulator.flash import PowerCut, VirtualFlash


class TestPowerCut(unittest.TestCase):
    """A cut loses at most the record being written, and its number is never used for other bytes."""

    def test_torn_record_is_skipped_and_must_be_declared(self):
        """M-SEQ-03: after a torn append its number is skipped, and only a gap record may come next."""
        flash, spool = fresh()
        fill(spool, 3)
        flash.cut_after(20)
        with self.assertRaises(PowerCut):
            spool.append(frame(spool), RECORD)

        again = mounted(flash)
        prepare(again)

        self.assertEqual((again.highest, again.skipped, again.next_seq), (3, (4, 4), 5))
        self.assertEqual(code_of(again.append, frame(again), RECORD), reasons.STORAGE_SEQUENCE)
        again.append(frame(again, type_=GAP), RECORD)
        self.assertIsNone(again.skipped)
        self.assertFalse(again.hole_after(3))
        self.assertEqual(again.next_held(4), 5)

    def test_skip_survives_more_cuts(self):
        """While the gap is not written, each mount skips the same number, and a torn gap one more."""
        flash, spool = fresh()
        fill(spool, 3)
        flash.cut_after(20)
        with self.assertRaises(PowerCut):
            spool.append(frame(spool), RECORD)
        again = mounted(flash)
        self.assertEqual(mounted(flash).skipped, (4, 4))
        prepare(again)
        flash.cut_after(60)
        with self.assertRaises(PowerCut):
            again.append(frame(again, type_=GAP), RECORD)

        last = mounted(flash)

        self.assertEqual((last.skipped, last.next_seq), ((4, 5), 6))

    def test_cut_at_every_step_of_an_append_and_an_erase(self):
        """Whatever step is cut, all that was committed is there and numbers go on behind it."""
        for step in range(0, 220, 3):
            flash, spool = fresh(4)
            fill(spool, 3)
            spool.ack(3)
            flash.cut_after(step)
            done = spool.highest
            try:
                for _ in range(2):
                    spool.append(frame(spool), RECORD, True)
                    done = spool.highest
                    spool.service(True)
            except PowerCut:
                pass
            flash.cut_after(-1)
            with self.subTest(step=step):
                again = mounted(flash, (spool.epoch, 3))
                self.assertTrue(done <= again.highest <= done + 1)
                for seq in range(max(again.oldest, 1), done + 1):
                    self.assertTrue(again.read(seq, bytearray(200)) > 0)
                self.assertTrue(again.next_seq > done)

    def test_log_that_knows_more_keeps_numbers_from_being_reused(self):
        """When the newest sectors are gone but the log knows them acknowledged, numbers go on behind that."""
        _, spool = fresh()
        fill(spool, 3)

        again = mounted(VirtualFlash(8, SECTOR, bytearray(spool._ring.sectors.io.flash.data)), (spool.epoch, 40))

        self.assertEqual((again.highest, again.next_seq, again.acked, again.skipped), (40, 41, 40, None))

    def test_ack_of_another_epoch_counts_for_nothing(self):
        """What the log remembers of another epoch is not taken."""
        flash, spool = fresh()
        fill(spool, 3)

        self.assertEqual(mounted(flash, (b"else", 3)).acked, 0)


class TestFailures(unittest.TestCase):
    """Flash that says no."""

    def test_failed_program_goes_to_the_next_sector(self):
        """A record whose program failed is written to the next sector with the same number and bytes."""
        flash, spool = fresh()
        fill(spool, 2)
        flash.fail_programs = 1
        raw = frame(spool)

        spool.append(raw, RECORD)

        buf = bytearray(200)
        self.assertEqual(bytes(buf[: spool.read(3, buf)]), raw)
        self.assertEqual((spool.failures, spool.failed, spool.highest), (1, False, 3))
        self.assertEqual((mounted(flash).highest, mounted(flash).skipped), (3, None))

    def test_flash_that_takes_nothing_is_storage_failed(self):
        """When no sector takes the record, append says so, admits refuses, and the number is spent."""
        flash, spool = fresh()
        fill(spool, 2)
        flash.fail_programs = 100

        self.assertEqual(code_of(spool.append, frame(spool), RECORD), reasons.STORAGE_FAILED)
        self.assertEqual(spool.admits(SESSION), reasons.GATE_FLASH_FAILED)
        self.assertEqual((spool.skipped, spool.next_seq), ((3, 3), 4))
        self.assertEqual(code_of(spool.append, frame(spool, type_=GAP), SESSION), reasons.STORAGE_FAILED)

    def test_record_is_tried_in_three_sectors(self):
        """Where sectors open but take no record, three are tried, and then the number is spent."""
        flash, spool = fresh()
        fill(spool, 2)
        flash.program = refusing(flash.program, 62)

        self.assertEqual(code_of(spool.append, frame(spool), RECORD), reasons.STORAGE_FAILED)
        self.assertEqual((spool.failures, spool.skipped), (3, (3, 3)))

    def test_nothing_to_erase_is_storage_full(self):
        """When the only other sectors can't be read, a stop that finds no room is told so and nothing is lost."""
        flash, spool = fresh(4)
        while spool.clean:
            spool.append(frame(spool), RECORD)
        flash.unreadable = [sector for sector in range(4) if sector != spool._ring.head]
        again = mounted(flash, None)
        while again._ring.head_takes(94):
            again.append(frame(again), RECORD)

        self.assertEqual(code_of(again.append, frame(again), RECORD, True), reasons.STORAGE_FULL)
        self.assertIsNone(again.take_lost())

    def test_flash_that_works_again_is_noticed(self):
        """Service with the relay open proves that flash works again; the gap is taken then."""
        flash, spool = fresh()
        fill(spool, 2)
        flash.fail_programs = 100
        code_of(spool.append, frame(spool), RECORD)
        flash.fail_programs = 0

        prepare(spool)

        self.assertEqual(spool.admits(SESSION), 0)
        spool.append(frame(spool, type_=GAP), RECORD)
        self.assertEqual((spool.highest, mounted(flash).highest), (4, 4))

    def test_broken_sector_is_left_alone(self):
        """A sector that takes no erase is retired, and the ring turns without it."""
        flash, spool = fresh(6)
        flash.broken = [3]
        while spool.next_seq <= 80:
            spool.append(frame(spool, type_=GAP), RECORD, True)
            spool.ack(spool.highest)
            prepare(spool)

        self.assertEqual((spool.highest, spool.failed), (80, False))
        self.assertTrue(spool.failures > 0)
        self.assertEqual(mounted(flash).highest, 80)

    def test_failing_erase_is_tried_again(self):
        """An erase that fails once is repeated."""
        flash = VirtualFlash(4, SECTOR)
        flash.fail_erases = 1
        spool = mounted(flash)

        self.assertTrue(spool.service(True))
        self.assertEqual((spool.clean, spool.failures), (1, 1))


class TestRot(unittest.TestCase):
    """Bits that flip by themselves cost no more than the record they are in."""

    def test_one_rotten_record_costs_itself_alone(self):
        """A flipped bit anywhere in a record, its length included, leaves all the others readable."""
        for at in (0, 1, 2, 3, 5, 8 + 12, 8 + 40):
            flash, spool = fresh()
            fill(spool, 8)
            sectors = RingSectors(flash, 0, 8)
            sectors.seek(0, 32, 2, spool.epoch)
            flash.rot(sectors.at + at, 0x10)
            with self.subTest(at=at):
                again = mounted(flash)
                buf = bytearray(200)
                held = [seq for seq in range(1, 9) if again.read(seq, buf)]
                self.assertEqual(held, [1, 3, 4, 5, 6, 7, 8])
                self.assertEqual((again.highest, again.skipped), (8, None))

    def test_hole_is_found_and_the_collector_can_go_on(self):
        """Behind an unreadable record the hole is told, declared once, and `oldest` lets the collector go on."""
        flash, spool = fresh()
        fill(spool, 8)
        sectors = RingSectors(flash, 0, 8)
        sectors.seek(0, 32, 2, spool.epoch)
        flash.rot(sectors.at + 20, 1)
        again = mounted(flash)
        self.assertEqual(again.oldest, 1)

        self.assertEqual(again.rewind(1), 3)

        self.assertTrue(again.hole_after(1))
        self.assertFalse(again.hole_after(2))
        self.assertEqual((again.take_lost(), again.lost_cause), ((2, 2), 4))
        self.assertEqual(again.rewind(1), 3)
        self.assertIsNone(again.take_lost())
        self.assertEqual(again.oldest, 3)

    def test_rotten_sector_header_costs_nothing(self):
        """A sector whose header rotted is known by its first record; the newest one too."""
        for sector in (0, 1, 2):
            flash, spool = fresh()
            fill(spool, 10)
            flash.rot(sector * SECTOR + 21, 0x08)
            with self.subTest(sector=sector):
                again = mounted(flash, None, other_random)
                buf = bytearray(200)
                self.assertEqual((again.epoch, again.highest, again.next_seq), (spool.epoch, 10, 11))
                self.assertEqual([seq for seq in range(1, 11) if not again.read(seq, buf)], [])
                prepare(again)
                fill(again, 20)
                self.assertEqual(mounted(flash).highest, 20)

    def test_limits_are_those_of_the_design(self):
        """DESIGN §5: 75, 85 and 95 percent."""
        limits = (spool_module.SLOW_PERMILLE, spool_module.QUIET_PERMILLE, spool_module.START_PERMILLE)
        self.assertEqual(limits, (750, 850, 950))
