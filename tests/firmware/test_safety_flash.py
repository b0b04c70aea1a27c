"""The safety rule D1 of DESIGN section 4, what waits for flash and what never does, on the composed driver."""

import os
import sys
import unittest

sys.path.append(os.getenv("WELDGATE_VECTORS", "tests/vectors") + "/../firmware")  # tests are no package

from driver_world import OVER, SCANNER, World

from weldgate_firmware import gate
from weldgate_firmware.storage import LOG_FIRST
from weldgate_protocol import messages, reasons

LOCK = b"lock-001"
HARD_MS = 100  # DESIGN 4, S3
HOUR_S = 3600


class TestD1(unittest.TestCase):
    """D1: closing and announcing wait for flash; opening never does."""

    def test_d1_closing_waits_for_used_id_and_session_start(self):
        """When the relay closes, used id and session-start are on flash, in this order."""
        world = World().settle()
        seen = []

        def look():
            seen.append((world.used("t1"), world.last(messages.SESSION_START) is not None))

        world.watch_closing = look
        world.live()

        self.assertEqual(seen, [(True, True)])

    def test_d1_without_flash_slices_nothing_closes(self):
        """As long as flash has not done its part the relay stays open."""
        world = World().settle()
        world.show(world.token())
        world.push()
        world.run(2000, work=False)

        self.assertEqual(world.driver.state, gate.COMMITTING)
        self.assertFalse(world.outputs.closed)

    def test_d1_flash_that_fails_refuses_with_its_own_reason(self):
        """Flash that can't be written lets no session start, says so, and works again later."""
        world = World().settle()
        world.flash.broken = list(range(LOG_FIRST, world.flash.sector_count))
        world.show(world.token(), SCANNER)
        world.run(500)
        self.assertEqual(world.outputs.closings, 0)
        self.assertEqual(world.driver.state, gate.IDLE)
        self.assertIn(reasons.GATE_FLASH_FAILED, world.outputs.shown)

        world.flash.broken = []
        world.run(20000)
        world.show(world.token("t2"), SCANNER)
        world.run(300)
        self.assertTrue(world.outputs.closed)

    def test_d1_flash_that_hangs_refuses(self):
        """A commit that is not done within 5 s is given up."""
        world = World().settle()
        world.show(world.token())
        world.push()
        world.run(5100, work=False)

        self.assertEqual(world.driver.state, gate.IDLE)
        self.assertIn(reasons.GATE_FLASH_FAILED, world.outputs.shown)

    def test_d1_lock_during_the_commit_closes_nothing(self):
        """A lock between the act and the durable records wins, whatever flash says afterwards."""
        world = World().settle()
        world.show(world.token())
        world.push()
        world.driver.work()
        world.driver.lock(2, LOCK, 0)
        world.run(1000)

        self.assertEqual(world.outputs.closings, 0)
        self.assertEqual(world.driver.state, gate.LOCKED)
        world.power_cut()
        self.assertEqual(world.driver.core.session, None)

    def test_d1_opening_waits_for_nothing(self):
        """Every hard end opens within 100 ms though no slice of work runs at all."""
        for name, act in (
            ("lock", lambda w: w.driver.lock(2, LOCK, 0)),
            ("alarm", lambda w: w.driver.core.latch(reasons.ALARM_BYPASS)),
            ("over-current", lambda w: w.driver.sensed(OVER)),
            ("power", lambda w: w.driver.power_failing()),
        ):
            with self.subTest(name=name):
                world = World().settle()
                world.live()
                world.flash.broken = list(range(world.flash.sector_count))
                begun = world.ms
                act(world)
                world.run(50, work=False)
                self.assertFalse(world.outputs.closed)
                self.assertTrue(world.opened_at - begun <= HARD_MS)

    def test_d1_nothing_erases_while_the_relay_is_closed(self):
        """In a session no sector is erased, so nothing blocks for longer than a program takes."""
        world = World().settle()
        world.live()
        before = sum(world.flash.erases)
        world.driver.sensed(world.sense.strike())
        world.skip(HOUR_S)

        self.assertTrue(world.outputs.closed)
        self.assertEqual(sum(world.flash.erases), before)
