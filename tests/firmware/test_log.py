"""The log: facts survive, the grave ones twice; what can't be read counts as latched."""

import os
import sys
import unittest

sys.path.append(os.getenv("WELDGATE_VECTORS", "tests/vectors") + "/../firmware")  # tests are no package

from log_bench import ID, SECTOR, booted, code_of, fresh, mounted, number, prepare, spoil

from weldgate_firmware.log import (
    ACKED,
    BOOT_COUNT,
    LATCH,
    LOCK,
    LOG_SECTORS,
    POWERED,
    PRUNED,
    SESSION,
    TRUSTED_FLOOR,
    USED_ID,
    USED_IDS_MAX,
)
from weldgate_protocol import reasons
from weldgate_simulator.flash import VirtualFlash


class TestFacts(unittest.TestCase):
    """What put and remove promise."""

    def test_blank_log_says_nothing_and_is_readable(self):
        """On a new chip nothing is latched, and that can be relied on."""
        log = mounted(VirtualFlash(LOG_SECTORS, SECTOR))

        self.assertTrue(log.readable(LATCH))
        self.assertIsNone(log.get(LATCH, ID))
        self.assertEqual((list(log.items(LOCK)), log.count(USED_ID)), ([], 0))

    def test_fact_is_there_after_a_reboot(self):
        """Each fact that was put is found by the next mount, with its key and value."""
        flash, log = fresh()
        log.put(BOOT_COUNT, number(7))
        log.put(LOCK, b"\1\0\x7d", ID)
        log.put(USED_ID, number(99), ID)

        again = mounted(flash)

        self.assertEqual(again.get(BOOT_COUNT), number(7))
        self.assertEqual(list(again.items(LOCK)), [(ID, b"\1\0\x7d")])
        self.assertEqual((again.get(USED_ID, ID), again.get(USED_ID, b"otherkey")), (number(99), None))

    def test_later_value_replaces_the_former(self):
        """A fact put again has the later value, before and after a reboot."""
        flash, log = fresh()
        for value in range(5):
            log.put(TRUSTED_FLOOR, number(value))

        self.assertEqual(log.get(TRUSTED_FLOOR), number(4))
        self.assertEqual((mounted(flash).get(TRUSTED_FLOOR), mounted(flash).count(TRUSTED_FLOOR)), (number(4), 1))

    def test_removed_fact_stays_gone(self):
        """A removed fact is gone, before and after a reboot; removing it again changes nothing."""
        flash, log = fresh()
        log.put(LATCH, b"\0\x96", ID)
        log.put(LATCH, b"\0\x97", b"87654321")
        log.remove(LATCH, ID)
        programs = flash.programs
        log.remove(LATCH, ID)

        self.assertEqual(flash.programs, programs)
        self.assertEqual(list(mounted(flash).items(LATCH)), [(b"87654321", b"\0\x97")])

    def test_same_value_costs_nothing(self):
        """Putting what already stands writes nothing."""
        flash, log = fresh()
        log.put(LATCH, b"\0\x96", ID)
        programs = flash.programs

        log.put(LATCH, b"\0\x96", ID)

        self.assertEqual(flash.programs, programs)

    def test_too_long_is_refused(self):
        """A key of 16 bytes, a value of 254 and kinds outside 1 to 14 are refused."""
        _, log = fresh()

        for kind, value, key in ((SESSION, b"", b"k" * 16), (SESSION, b"v" * 254, b""), (0, b"", b""), (15, b"", b"")):
            with self.subTest(kind=kind):
                self.assertEqual(code_of(log.put, kind, value, key), reasons.STORAGE_TOO_LONG)

    def test_powered_seconds_round_up_and_cost_one_bit_a_minute(self):
        """Powered seconds come back as whole minutes above the base, never less, for 24 h in six entries."""
        flash, log = fresh(4096)
        log.put(POWERED, number(0))
        before = log._main.end
        for second in range(60, 86400 + 60, 60):
            log.put(POWERED, number(second - 10))

        self.assertTrue(86390 <= int.from_bytes(log.get(POWERED), "big") < 86450)
        self.assertTrue(log._main.end - before <= 6 * 42)
        again = mounted(flash)
        self.assertTrue(int.from_bytes(again.get(POWERED), "big") >= 86390)
        again.put(POWERED, number(0))
        self.assertEqual(mounted(flash).get(POWERED), number(0))
        self.assertEqual(flash.lost_bits, 0)


class TestRoom(unittest.TestCase):
    """Rewriting ahead, and saying full when that is not allowed."""

    def test_rewrite_keeps_all_that_lives(self):
        """Over many rewrites the living facts stay, and nothing is erased without leave."""
        flash, log = fresh()
        log.put(LATCH, b"\0\x96", ID)
        log.put(SESSION, b"s" * 60)
        for i in range(300):
            log.put(ACKED, number(i) + number(i))
            prepare(log)

        again = booted(flash)

        self.assertEqual((again.get(ACKED), again.get(LATCH, ID)), (number(299) * 2, b"\0\x96"))
        self.assertEqual(again.get(SESSION), b"s" * 60)
        self.assertTrue(sum(flash.erases) > 12)

    def test_full_log_refuses_while_the_relay_is_closed(self):
        """With no leave to erase, a full log refuses a put with STORAGE_FULL and keeps what it has."""
        flash, log = fresh()
        erases = sum(flash.erases)
        last = 0
        while code_of(log.put, ACKED, number(last + 1)) == 0:
            last += 1

        self.assertEqual(code_of(log.put, ACKED, number(0)), reasons.STORAGE_FULL)
        self.assertEqual(log.admits(), reasons.GATE_SPOOL_FULL)
        self.assertEqual((mounted(flash).get(ACKED), sum(flash.erases)), (number(last), erases))
        log.put(ACKED, number(0), may_erase=True)
        self.assertEqual(mounted(flash).get(ACKED), number(0))

    def test_room_for_a_session_is_asked_before_it_starts(self):
        """`admits` is 0 on the real chip's sector size after service, even with a full table of used ids."""
        _, log = fresh(4096)
        for i in range(USED_IDS_MAX):
            log.put(USED_ID, number(i), i.to_bytes(8, "big"), may_erase=True)
        prepare(log)

        self.assertEqual(log.admits(), 0)

    def test_full_table_of_used_ids_refuses(self):
        """A 257th used id is refused and none of the 256 is forgotten."""
        flash, log = fresh(4096)
        for i in range(USED_IDS_MAX):
            log.put(USED_ID, number(i), i.to_bytes(8, "big"), may_erase=True)

        self.assertEqual(code_of(log.put, USED_ID, number(1), ID, may_erase=True), reasons.STORAGE_FULL)
        again = booted(flash)
        held = [i for i in range(USED_IDS_MAX) if again.get(USED_ID, i.to_bytes(8, "big")) == number(i)]
        self.assertEqual((len(held), again.get(USED_ID, ID)), (USED_IDS_MAX, None))

    def test_prune_forgets_only_what_expired_and_says_so(self):
        """Expired ids go a few at a time, after the largest expiry among them is on flash; others stay."""
        flash, log = fresh()
        for i in range(9):
            log.put(USED_ID, number(100 + i), i.to_bytes(8, "big"))
        calls = 0
        while log.prune(105):
            calls += 1

        again = mounted(flash)
        self.assertEqual((again.count(USED_ID), again.get(PRUNED), calls), (4, number(104), 3))
        self.assertFalse(again.prune(105))


class TestTwoCopies(unittest.TestCase):
    """Latch, lock, used ids and the open session are kept twice; unreadable is latched."""

    def test_one_spoiled_copy_costs_nothing_grave(self):
        """With either copy spoiled from end to end, all that is kept twice is still there and relied on."""
        for first in (0, 4):
            flash, log = fresh()
            log.put(LATCH, b"\0\x96", ID)
            log.put(LOCK, b"\2\0\x7d", ID)
            log.put(USED_ID, number(99), ID)
            spoil(flash, first, 4)
            with self.subTest(first=first):
                for boot in (mounted, booted, booted):
                    again = boot(flash)
                    self.assertTrue(again.readable(LATCH))
                    self.assertEqual(again.get(LATCH, ID), b"\0\x96")
                    self.assertEqual(list(again.items(LOCK)), [(ID, b"\2\0\x7d")])
                    self.assertEqual((again.get(USED_ID, ID), again.count(USED_ID)), (number(99), 1))

    def test_both_spoiled_is_unreadable_until_settled(self):
        """With both copies spoiled the latch is unreadable, also after mending and reboots, until `settle`."""
        flash, log = fresh()
        log.put(LATCH, b"\0\x96", ID)
        spoil(flash, 0, 8)

        self.assertFalse(mounted(flash).readable(LATCH))
        self.assertFalse(booted(flash).readable(LOCK))
        again = booted(flash)
        self.assertFalse(again.readable(USED_ID))
        again.put(LATCH, b"\0\x9c", b"unreadab")
        again.settle()
        self.assertTrue(again.readable(LATCH))
        self.assertTrue(booted(flash).readable(LATCH))
        self.assertEqual(booted(flash).get(LATCH, b"unreadab"), b"\0\x9c")

    def test_rotten_entry_in_one_copy_is_mended(self):
        """A flipped bit in a confirmed fact of the main copy is mended from the guard."""
        flash, log = fresh()
        log.put(LATCH, b"\0\x96", ID)
        log.put(BOOT_COUNT, number(1))
        at = bytes(flash.data).find(ID)
        flash.rot(at + 2, 0x40)

        again = mounted(flash)
        self.assertFalse(again.readable(BOOT_COUNT))
        self.assertEqual(again.get(LATCH, ID), b"\0\x96")
        prepare(again)
        spoil(flash, 4, 4)
        self.assertEqual(mounted(flash).get(LATCH, ID), b"\0\x96")
        self.assertEqual(mounted(flash).get(BOOT_COUNT), number(1))

    def test_rotten_last_entry_is_not_forgotten(self):
        """A latch that was the last thing written, and rotted in main, still holds by its other copy."""
        flash, log = fresh()
        log.put(LATCH, b"\0\x96", ID)
        flash.rot(bytes(flash.data).find(ID), 0x80)

        for boot in (mounted, booted, booted):
            again = boot(flash)
            self.assertEqual(again.get(LATCH, ID), b"\0\x96")

    def test_rotten_header_does_not_bring_back_an_older_area(self):
        """When the newest area's header rots before the old one was erased, what was latched since still holds."""
        flash, log = fresh()
        while not log._main.worn():
            log.put(ACKED, number(log._main.end) * 2)
        log.service(True)
        log.put(LATCH, b"\0\x96", ID)
        flash.rot(log._main._start(log._main._area) + 13, 0x04)

        for boot in (mounted, booted, booted):
            self.assertEqual(boot(flash).get(LATCH, ID), b"\0\x96")

    def test_unreadable_copy_counts_as_damaged(self):
        """A copy that the driver can't read costs nothing grave; both unreadable is latched."""
        flash, log = fresh()
        log.put(LATCH, b"\0\x96", ID)
        flash.unreadable = [0, 1, 2, 3]
        again = mounted(flash)
        self.assertEqual((again.get(LATCH, ID), again.readable(LATCH), again.failures), (b"\0\x96", True, 1))
        self.assertTrue(again.service(True) or again.failed)
        flash.unreadable = list(range(8))
        last = mounted(flash)
        self.assertFalse(last.readable(LATCH))
        self.assertFalse(last.service(True))

    def test_read_failure_is_a_storage_error(self):
        """When the driver stops reading after the mount, asking for a fact raises STORAGE_UNREADABLE."""
        flash, log = fresh()
        log.put(LATCH, b"\0\x96", ID)
        flash.unreadable = list(range(8))

        self.assertEqual(code_of(log.get, LATCH, ID), reasons.STORAGE_UNREADABLE)
        self.assertEqual(code_of(lambda: list(log.items(LATCH))), reasons.STORAGE_UNREADABLE)
        self.assertEqual(code_of(log.put, LATCH, b"\0\x97", ID), reasons.STORAGE_FAILED)
