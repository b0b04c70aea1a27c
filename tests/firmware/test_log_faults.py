"""The log: what is left after power cuts, and flash that says no."""

import os
import sys
import unittest

sys.path.append(os.getenv("WELDGATE_VECTORS", "tests/vectors") + "/../firmware")  # tests are no package

from log_bench import ID, booted, code_of, fresh, mounted, number, prepare, spoil

from weldgate_firmware import log as log_module
from weldgate_firmware.log import (
    ACKED,
    BOOT_COUNT,
    IDS_FROM,
    LATCH,
    LOCK,
    PRUNED,
    SESSION,
    USED_ID,
)
from weldgate_protocol import reasons
from weldgate_simulator.flash import PowerCut


class TestPowerCut(unittest.TestCase):
    """A cut at any step leaves the old facts or the new ones."""

    def scene(self, log):
        """Write what a session's start and end write, with rewrites between."""
        log.put(USED_ID, number(50), ID, may_erase=True)
        log.put(SESSION, b"open", may_erase=True)
        log.put(LATCH, b"\0\x96", ID, may_erase=True)
        log.put(ACKED, number(1) * 30, may_erase=True)
        prepare(log)
        log.remove(SESSION, may_erase=True)

    def test_cut_at_every_step(self):
        """Whatever step is cut, facts confirmed before are there after the mount and after its mending."""
        for step in range(0, 4200, 37):
            flash, log = fresh(128)
            log.put(LOCK, b"\2\0\x7d", ID)
            log.put(BOOT_COUNT, number(3))
            flash.cut_after(step)
            try:
                self.scene(log)
            except PowerCut:
                pass
            flash.cut_after(-1)
            with self.subTest(step=step):
                for boot in (mounted, booted):
                    again = boot(flash)
                    self.assertTrue(again.readable(LATCH))
                    self.assertEqual(again.get(LOCK, ID), b"\2\0\x7d")
                    self.assertEqual(again.get(BOOT_COUNT), number(3))
                    if again.get(LATCH, ID) is not None:
                        self.assertEqual(again.get(USED_ID, ID), number(50))

    def test_torn_removal_leaves_the_latch(self):
        """A removal cut before it was confirmed may leave the latch, never half of it."""
        flash, log = fresh()
        log.put(LATCH, b"\0\x96", ID)
        flash.cut_after(5)
        with self.assertRaises(PowerCut):
            log.remove(LATCH, ID)
        flash.cut_after(-1)

        self.assertEqual(booted(flash).get(LATCH, ID), b"\0\x96")


class TestFailures(unittest.TestCase):
    """Flash that says no."""

    def test_failed_put_is_storage_failed(self):
        """A put that flash refuses raises STORAGE_FAILED, and no session is admitted."""
        flash, log = fresh()
        flash.fail_programs = 1

        self.assertEqual(code_of(log.put, LATCH, b"\0\x96", ID), reasons.STORAGE_FAILED)
        self.assertEqual(log.admits(), reasons.GATE_FLASH_FAILED)
        prepare(log)
        log.put(LATCH, b"\0\x96", ID)
        self.assertEqual((mounted(flash).get(LATCH, ID), log.failed), (b"\0\x96", False))

    def test_failed_put_is_repeated_where_erasing_is_allowed(self):
        """With the relay open one failure is mended by a rewrite within the same put."""
        flash, log = fresh()
        log.put(LOCK, b"\2\0\x7d", ID)
        flash.fail_programs = 1

        log.put(LATCH, b"\0\x96", ID, may_erase=True)

        self.assertEqual((mounted(flash).get(LATCH, ID), mounted(flash).get(LOCK, ID)), (b"\0\x96", b"\2\0\x7d"))

    def test_flash_that_takes_nothing_ends_in_an_error(self):
        """Service and put give up after bounded tries when nothing can be written."""
        flash, log = fresh()
        flash.fail_programs = flash.fail_erases = 1000

        self.assertEqual(code_of(log.put, LATCH, b"\0\x96", ID, may_erase=True), reasons.STORAGE_FAILED)
        self.assertFalse(log.service(True))
        self.assertTrue(log.failed)

    def test_failed_guard_follows_main_later(self):
        """When only the second copy failed, service makes it equal again."""
        flash, log = fresh()
        flash.broken = [4, 5, 6, 7]
        self.assertEqual(code_of(log.put, LATCH, b"\0\x96", ID), reasons.STORAGE_FAILED)
        flash.broken = []
        prepare(log)
        spoil(flash, 0, 4)

        self.assertEqual(booted(flash).get(LATCH, ID), b"\0\x96")

    def test_kinds_kept_twice(self):
        """Used ids, latch, lock, session and what stands for forgotten ids are kept twice, counters are not."""
        twice = [kind for kind in range(1, 14) if log_module.mirrored(kind)]
        self.assertEqual(twice, [USED_ID, LATCH, LOCK, SESSION, PRUNED, IDS_FROM])
