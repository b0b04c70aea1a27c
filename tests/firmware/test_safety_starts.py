"""The safety rules S1 and S2 of DESIGN section 4, when a session lives, on the composed driver and virtual flash."""

import os
import sys
import unittest

sys.path.append(os.getenv("WELDGATE_VECTORS", "tests/vectors") + "/../firmware")  # tests are no package

from driver_world import CONSOLE, DOWNLINK, OTHER, SCANNER, World

from weldgate_firmware import gate
from weldgate_protocol import messages, reasons

LOCK = b"lock-001"


class TestS1(unittest.TestCase):
    """S1: the relay is open unless a session is live; nothing resumes by itself."""

    def test_s1_boot_leaves_the_relay_open(self):
        """A chip that boots keeps the relay open and waits."""
        world = World().settle()

        self.assertFalse(world.outputs.closed)
        self.assertEqual(world.driver.state, gate.IDLE)
        self.assertEqual(world.outputs.closings, 0)

    def test_s1_before_boot_nothing_starts(self):
        """Until boot has read what holds, the gate is locked and refuses with its own reason."""
        world = World()
        world.driver.core.ready = False
        world.driver.core.gate.state = gate.LOCKED

        world.driver.token(world.token(), SCANNER)

        self.assertEqual(world.driver.core.last_reason, reasons.GATE_NOT_READY)
        self.assertFalse(world.outputs.closed)

    def test_s1_power_cut_never_resumes_by_itself(self):
        """After a power cut in a live session the relay stays open for as long as nobody acts."""
        world = World().settle().live()
        self.assertTrue(world.outputs.closed)

        world.power_cut()
        world.skip(600)

        self.assertEqual(world.driver.state, gate.SUSPENDED)
        self.assertEqual(world.outputs.closings, 0)

    def test_s1_power_failing_opens_and_writes(self):
        """When the supply goes the relay opens first; suspension and last gasp are durable before the call returns."""
        world = World().settle().live()

        world.driver.power_failing()

        self.assertFalse(world.outputs.closed)
        self.assertEqual(world.driver.state, gate.SUSPENDED)
        self.assertTrue(world.last(messages.SESSION_SUSPEND) is not None)
        self.assertTrue(world.last(messages.POWER_OFF) is not None)
        world.power_cut()
        self.assertEqual(len(world.all(messages.SESSION_SUSPEND)), 1)

    def test_s1_nothing_starts_while_the_supply_goes(self):
        """Between the last gasp and the supply's return no act closes the relay."""
        world = World().settle().live()
        world.driver.power_failing()

        world.press()
        self.assertFalse(world.outputs.closed)
        world.driver.power_back()
        world.run(2000)
        world.press()
        self.assertFalse(world.outputs.closed)
        world.run(3000)
        self.assertFalse(world.outputs.closed)
        world.press()
        world.run(100)
        self.assertTrue(world.outputs.closed)

    def test_s1_exception_opens_and_is_told(self):
        """An exception on the gate's path opens the relay, ends the session, and is recorded as an alarm."""
        world = World().settle().live()

        world.driver.core.clock.advance = None  # the tick will trip over it
        world.driver.tick()

        self.assertFalse(world.outputs.closed)
        self.assertEqual(world.driver.state, gate.IDLE)
        self.assertEqual(world.driver.core.last_exception, "TypeError")
        world.work(20)
        self.assertEqual(world.last(messages.SESSION_STOP)["cause"], reasons.END_FAULT)
        self.assertEqual(world.last(messages.ALARM)["alarm"], reasons.ALARM_EXCEPTION)

    def test_s1_a_pin_that_raises_reaches_the_caller(self):
        """If opening itself fails the error is not swallowed: the caller stops feeding the watchdog."""
        world = World().settle().live()

        def broken(closed):
            raise OSError(5)

        world.outputs.relay = broken
        with self.assertRaises(OSError):
            world.driver.tick()

    def test_s1_every_tick_drives_the_pin(self):
        """A pin that has flipped by itself is driven open again by the next tick."""
        world = World().settle()
        world.outputs.closed = True

        world.driver.tick()

        self.assertFalse(world.outputs.closed)

    def test_s1_watchdog_reset_is_told_and_suspends(self):
        """After a watchdog reset the relay is open, the session suspended, and an alarm says so."""
        world = World().settle().live()

        world.power_cut(3)
        world.run(200)

        self.assertEqual(world.driver.state, gate.SUSPENDED)
        self.assertEqual(world.last(messages.ALARM)["alarm"], reasons.ALARM_WATCHDOG_RESET)


class TestS2(unittest.TestCase):
    """S2: a session starts only by a verified token and an act that the chip itself senses."""

    def setUp(self):
        self.world = World().settle()

    def test_s2_token_by_own_scanner_is_the_act(self):
        """A token shown to the chip's own scanner starts the session."""
        self.world.show(self.world.token(), SCANNER)
        self.world.run(200)

        self.assertTrue(self.world.outputs.closed)
        start = self.world.last(messages.SESSION_START)
        self.assertEqual((start["via"], start["act"]), (1, 1))

    def test_s2_console_and_downlink_only_arm(self):
        """A token by console or downlink waits; without an act it expires and the refusal is recorded."""
        for via in (CONSOLE, DOWNLINK):
            with self.subTest(via=via):
                world = World().settle()
                world.show(world.token(), via)
                self.assertEqual(world.driver.state, gate.ARMED)
                world.skip(122)
                self.assertEqual(world.driver.state, gate.IDLE)
                self.assertEqual(world.outputs.closings, 0)
                self.assertEqual(world.refusals(), [reasons.GATE_NO_LOCAL_ACT])
                self.assertFalse(world.used("t1"))

    def test_s2_button_edge_starts(self):
        """Released for 200 ms, then pressed, starts what is armed."""
        self.world.live()

        self.assertTrue(self.world.outputs.closed)
        self.assertEqual(self.world.last(messages.SESSION_START)["act"], 2)

    def test_s2_held_button_never_counts(self):
        """A button that was pressed before the token came, and stays so, is no act; nor is one held since boot."""
        self.world.driver.button(False)
        self.world.run(500)
        self.world.driver.button(True)
        self.world.show(self.world.token())
        self.world.run(5000)
        self.assertEqual(self.world.driver.state, gate.ARMED)

        world = World()
        world.driver.button(True)
        world.run(1000)
        world.show(world.token())
        world.run(1000)
        self.assertEqual(world.driver.state, gate.ARMED)
        self.assertEqual(world.outputs.closings, 0)

    def test_s2_bouncing_button_never_counts(self):
        """Released for less than 200 ms and pressed again is no edge."""
        self.world.driver.button(False)
        self.world.run(500)
        self.world.driver.button(True)
        self.world.show(self.world.token())
        for _ in range(10):
            self.world.driver.button(False)
            self.world.run(190)
            self.world.driver.button(True)
            self.world.run(50)

        self.assertEqual(self.world.driver.state, gate.ARMED)

    def test_s2_press_after_120_s_is_too_late(self):
        """An edge later than 120 s after the token starts nothing."""
        self.world.show(self.world.token())
        self.world.skip(121)
        self.world.press()
        self.world.run(200)

        self.assertEqual(self.world.outputs.closings, 0)

    def test_s2_token_that_fails_verification_arms_nothing(self):
        """A refused token leaves the gate where it was, and its reason is recorded and shown."""
        self.world.show(b"forged", SCANNER)
        self.world.press()

        self.assertEqual(self.world.driver.state, gate.IDLE)
        self.assertEqual(self.world.outputs.closings, 0)
        self.assertEqual(self.world.refusals(), [reasons.TOKEN_SIGNATURE, reasons.GATE_NO_SESSION])
        self.assertIn(reasons.TOKEN_SIGNATURE, self.world.outputs.shown)

    def test_s2_press_without_a_token_is_refused(self):
        """A press with no token waiting closes nothing; it is recorded and shown as what it is."""
        self.world.press()

        self.assertEqual(self.world.outputs.closings, 0)
        self.assertEqual(self.world.refusals(), [reasons.GATE_NO_SESSION])

    def test_s2_used_token_never_starts_again(self):
        """A token is used up by its session, across power cuts too."""
        self.world.live()
        self.world.driver.lock(2, LOCK, 0)
        self.world.run(100)
        self.world.order("rel", messages.RELEASE, lock=LOCK)
        self.world.power_cut()
        self.world.run(100)
        self.world.show(b"t1", SCANNER)
        self.world.run(200)

        self.assertEqual(self.world.driver.state, gate.IDLE)
        self.assertEqual(self.world.refusals(), [reasons.TOKEN_USED])

    def test_s2_button_without_token_does_nothing(self):
        """A press with nothing armed closes nothing."""
        self.world.press()
        self.world.run(500)

        self.assertEqual(self.world.driver.state, gate.IDLE)
        self.assertEqual(self.world.outputs.closings, 0)

    def test_s2_own_token_resumes_only_at_the_scanner(self):
        """A suspended session's own token resumes it at the scanner; by console or downlink it is a used token."""
        world = self.world.live()
        world.power_cut()
        world.run(100)
        world.show(b"t1", CONSOLE)
        self.assertEqual(world.driver.state, gate.SUSPENDED)
        self.assertEqual(world.refusals(), [reasons.TOKEN_USED])

        world.show(b"t1", SCANNER)
        world.run(200)

        self.assertTrue(world.outputs.closed)
        self.assertEqual(world.last(messages.SESSION_RESUME)["act"], 1)

    def test_s2_resume_needs_an_act(self):
        """A suspended session resumes by a button edge, after its session-resume is durable."""
        world = self.world.live()
        world.power_cut()
        world.run(100)
        seen = []
        world.watch_closing = lambda: seen.append(world.last(messages.SESSION_RESUME) is not None)
        world.press()
        world.run(200)

        self.assertTrue(world.outputs.closed)
        self.assertEqual(seen, [True])

    def test_s2_another_token_ends_a_suspended_session(self):
        """Another accepted token synthesises the stop of the interrupted session, which never comes back."""
        world = self.world.live()
        world.power_cut()
        world.run(100)
        world.show(world.token("t2", holder=OTHER))
        world.run(100)
        stop = world.last(messages.SESSION_STOP)
        self.assertEqual((stop["token"], stop["cause"], stop["synthesised"]), (b"t1\0\0\0\0\0\0", 131, True))

        world.press()
        world.run(200)
        self.assertEqual(world.driver.core.session.token, b"t2\0\0\0\0\0\0")

    def test_s2_current_before_start_is_refused(self):
        """Current that flows already, though not long enough for an alarm, lets no session start."""
        self.world.show(self.world.token())
        self.world.driver.button(False)
        self.world.run(300)
        self.world.sense.current_ma = 50000
        self.world.run(40)
        self.world.driver.button(True)
        self.world.run(40)

        self.assertEqual(self.world.outputs.closings, 0)
        self.assertIn(reasons.GATE_CURRENT_BEFORE_START, self.world.outputs.shown)
