"""The safety rules of DESIGN section 4, one class a rule, on the composed driver and virtual flash."""

import os
import sys
import unittest

sys.path.append(os.getenv("WELDGATE_VECTORS", "tests/vectors") + "/../firmware")  # tests are no package

from driver_world import CONSOLE, DOWNLINK, NOW_UNIX, OTHER, OVER, SCANNER, World

from weldgate_firmware import gate
from weldgate_firmware.log import USED_ID
from weldgate_firmware.meter import SENSOR_FAILED, SENSOR_RECOVERED
from weldgate_firmware.pending import PENDING_MAX
from weldgate_firmware.storage import LOG_FIRST, RING_FIRST
from weldgate_protocol import messages, reasons

try:
    from micropython import heap_lock, heap_unlock
except ImportError:

    def heap_lock():
        """Stand for MicroPython's lock; CPython has none, the suite run there proves the rest."""

    heap_unlock = heap_lock

LOCK = b"lock-001"
HARD_MS = 100  # DESIGN 4, S3
HOUR_S = 3600


class Pin:
    """Outputs whose relay lets a locked heap go: what allocates before the pin moves fails with MemoryError."""

    def __init__(self, outputs):
        self.outputs = outputs
        self.locked = False
        self.first = None

    def unlock(self):
        if self.locked:
            self.locked = False
            heap_unlock()

    def relay(self, closed):
        if self.locked:
            self.first = closed
        self.unlock()
        self.outputs.relay(closed)

    def show(self, state, reason):
        self.outputs.show(state, reason)

    def changed(self):
        self.outputs.changed()


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


class TestS3Hard(unittest.TestCase):
    """S3: hard ends open the relay at once, in the middle of an arc."""

    def setUp(self):
        self.world = World().settle()
        self.world.live()
        self.world.driver.sensed(self.world.sense.strike())
        self.world.run(1000)
        self.assertTrue(self.world.outputs.closed)

    def stop(self):
        self.world.run(200)
        return self.world.last(messages.SESSION_STOP)

    def test_s3_lock_now_opens_inside_the_call(self):
        """A lock now opens the relay before `lock` returns, though flash is busy; it holds until its release."""
        self.world.driver.lock(2, LOCK, 0)

        self.assertFalse(self.world.outputs.closed)
        self.assertEqual(self.world.driver.state, gate.LOCKED)
        self.assertEqual(self.stop()["cause"], reasons.END_LOCK_NOW)
        self.assertEqual(self.world.driver.heartbeat()["lock"], 2)

    def test_s3_lock_now_allocates_nothing_before_the_pin(self):
        """Between the entry and the pin nothing is allocated: the heap is locked until the pin moves."""
        pin = Pin(self.world.outputs)
        self.world.driver.core.outputs = pin
        lock = self.world.driver.lock
        pin.locked = True
        heap_lock()
        try:
            lock(2, LOCK, 0)
        finally:
            pin.unlock()

        self.assertEqual(pin.first, False)
        self.assertEqual(self.world.driver.core.failures, 0)
        self.assertFalse(self.world.outputs.closed)

    def test_s3_lock_now_with_failing_flash_opens(self):
        """Flash that fails delays nothing: the relay opens, and the lock is kept once flash works again."""
        self.world.flash.fail_programs = 1
        self.world.driver.lock(2, LOCK, 0)
        self.assertFalse(self.world.outputs.closed)

        self.world.run(8000)
        self.world.power_cut()
        self.assertEqual(self.world.driver.state, gate.LOCKED)

    def test_s3_sensor_fault_opens(self):
        """A failed sensor ends the session hard and lets none start until it works again."""
        self.world.sense.meter.fault = reasons.ALARM_SENSOR_OPEN
        self.world.driver.sensed(SENSOR_FAILED)
        self.assertFalse(self.world.outputs.closed)
        self.assertEqual(self.stop()["cause"], reasons.END_SENSOR_FAULT)

        self.world.show(self.world.token("t2"), SCANNER)
        self.assertIn(reasons.GATE_SENSOR_FAULT, self.world.refusals())
        self.world.sense.meter.fault = 0
        self.world.driver.sensed(SENSOR_RECOVERED)
        self.world.show(b"t2", SCANNER)
        self.world.run(200)
        self.assertTrue(self.world.outputs.closed)

    def test_s3_over_current_opens(self):
        """Over-current ends the session hard and is an alarm."""
        self.world.driver.sensed(OVER)

        self.assertFalse(self.world.outputs.closed)
        self.assertEqual(self.stop()["cause"], reasons.END_OVER_CURRENT)
        self.assertEqual(self.world.last(messages.ALARM)["alarm"], reasons.ALARM_OVER_CURRENT)

    def test_s3_latched_alarm_opens(self):
        """An alarm that latches ends the session hard."""
        self.world.driver.core.latch(reasons.ALARM_BYPASS)

        self.assertFalse(self.world.outputs.closed)
        self.assertEqual(self.world.driver.state, gate.LATCHED)
        self.assertEqual(self.stop()["cause"], reasons.END_ALARM)


class TestS3Limits(unittest.TestCase):
    """S3: expiry, session limit and offline allowance: warned, then soft, then hard."""

    def play(self, cause, **token):
        """Weld without a pause until the hard end; return when the warnings, the soft and the hard end came."""
        world = World().settle()
        world.driver.time_offered(NOW_UNIX, 0, 2)
        world.live(**token)
        world.driver.sensed(world.sense.strike())
        closed_at = world.ms
        world.outputs.shown = []
        warned = []
        ending = 0
        while world.outputs.closed and world.ms - closed_at < 1000000:
            world.skip(1)
            if cause in world.outputs.shown:
                warned.append((world.ms - closed_at) // 1000)
                world.outputs.shown = []
            if world.driver.state == gate.ENDING and not ending:
                ending = world.ms
        world.run(100)
        self.assertEqual(world.last(messages.SESSION_STOP)["cause"], cause)
        return warned, world.opened_at - ending, world.opened_at - closed_at

    def test_s3_session_limit(self):
        """The session limit ends hard in powered seconds, softly from 120 s before, warned 5 and 1 min before that."""
        warned, soft_ms, whole_ms = self.play(reasons.END_SESSION_LIMIT, limit_s=600)

        self.assertEqual(len(warned), 4)  # 5 min, 1 min, the soft end, the hard one
        self.assertTrue(118000 <= soft_ms <= 121000)
        self.assertTrue(598000 <= whole_ms <= 601000)
        self.assertTrue(abs(warned[0] - 180) <= 2)
        self.assertTrue(abs(warned[1] - 420) <= 2)

    def test_s3_expiry(self):
        """The token's expiry does the same by the wall clock."""
        warned, soft_ms, _ = self.play(reasons.END_EXPIRED, expires_s=600)

        self.assertEqual(len(warned), 4)
        self.assertTrue(118000 <= soft_ms <= 121000)

    def test_s3_offline_allowance(self):
        """The offline allowance does the same, counted in powered ticks without an authenticated downlink."""
        warned, soft_ms, whole_ms = self.play(reasons.END_OFFLINE_ALLOWANCE, offline_s=600)

        self.assertEqual(len(warned), 4)
        self.assertTrue(118000 <= soft_ms <= 121000)
        self.assertTrue(598000 <= whole_ms <= 601000)

    def test_s3_a_downlink_makes_the_allowance_whole(self):
        """With a downlink heard now and then the offline allowance never ends a session; link loss alone ends none."""
        world = World().settle()
        world.live(offline_s=300)
        world.driver.sensed(world.sense.strike())
        world.driver.link_down()
        for _ in range(10):
            world.skip(100)
            world.driver.heard()

        self.assertEqual(world.driver.state, gate.LIVE)

    def test_s3_expiry_on_an_unsure_clock_counts_powered_seconds(self):
        """On quality floor the expiry also runs on powered seconds, whatever the wall clock shows."""
        world = World().settle()
        world.live(expires_s=600)
        world.driver.sensed(world.sense.strike())
        world.skip(300)
        world.clock._now_s -= 100000  # a clock that fell back

        world.skip(310)

        self.assertFalse(world.outputs.closed)
        self.assertEqual(world.last(messages.SESSION_STOP)["cause"], reasons.END_EXPIRED)

    def test_s3_no_welcome_stretches_a_session(self):
        """A collector that sets the clock back as far as it may, again and again, gains nothing (M-TOK-22)."""
        world = World().settle()
        world.driver.time_offered(NOW_UNIX, 0, 2)
        world.live(expires_s=600)
        world.driver.sensed(world.sense.strike())
        closed_at = world.ms
        while world.outputs.closed and world.ms - closed_at < 1200000:
            world.skip(1)
            world.driver.time_offered(world.clock.trusted_s + 1577836800, 0, 2)

        self.assertTrue(597000 <= world.ms - closed_at <= 601000)
        world.run(100)
        self.assertEqual(world.last(messages.SESSION_STOP)["cause"], reasons.END_EXPIRED)

    def test_s3_no_welcome_brings_an_expired_token_back(self):
        """An unused token that has expired stays so, however often and by whom the chip is told an earlier time."""
        world = World().settle()
        world.driver.time_offered(NOW_UNIX, 0, 2)
        world.token("t1", expires_s=600)
        world.skip(661)
        world.driver.time_offered(NOW_UNIX, 0, 2)
        world.driver.time_offered(NOW_UNIX + 590, 0, 2)

        world.show(b"t1", SCANNER)
        world.run(300)

        self.assertEqual(world.outputs.closings, 0)
        self.assertEqual(world.refusals(), [reasons.TOKEN_EXPIRED])

    def test_s3_power_cuts_make_no_session_longer(self):
        """Powered seconds survive every cut, rounded up: no series of cuts stretches the limit."""
        world = World().settle()
        world.live(limit_s=600)
        cuts = 0
        while world.driver.core.session is not None and cuts < 30:
            world.skip(50)
            world.power_cut()
            cuts += 1
            world.run(100)
            if world.driver.state == gate.SUSPENDED:
                world.press()
                world.run(200)

        self.assertEqual(world.driver.core.session, None)
        self.assertTrue(cuts <= 11)
        world.run(200)
        self.assertEqual(world.last(messages.SESSION_STOP)["cause"], reasons.END_SESSION_LIMIT)


class TestS3Soft(unittest.TestCase):
    """S3: soft ends wait for the first pause of 300 ms, an ordinary lock at most 120 s."""

    def setUp(self):
        self.world = World().settle()
        self.world.live()

    def weld(self):
        self.world.driver.sensed(self.world.sense.strike())
        self.world.run(1000)

    def test_s3_soft_lock_waits_for_the_pause(self):
        """An ordinary lock leaves the arc alone and opens at the first pause of 300 ms; then the machine is locked."""
        self.weld()
        self.world.driver.lock(1, LOCK, 0)
        self.world.run(60000)
        self.assertTrue(self.world.outputs.closed)
        self.assertEqual(self.world.driver.state, gate.ENDING)

        self.world.sense.out()
        self.world.run(280)
        self.assertTrue(self.world.outputs.closed)
        self.world.run(60)
        self.assertFalse(self.world.outputs.closed)
        self.assertEqual(self.world.driver.state, gate.LOCKED)
        self.world.run(100)
        self.assertEqual(self.world.last(messages.SESSION_STOP)["cause"], reasons.END_LOCK_SOFT)

    def test_s3_soft_lock_is_hard_after_120_s(self):
        """An ordinary lock ends hard 120 s later though the arc never pauses."""
        self.weld()
        self.world.driver.lock(1, LOCK, 0)
        begun = self.world.ms
        self.world.run(121000)

        self.assertFalse(self.world.outputs.closed)
        self.assertTrue(119000 <= self.world.opened_at - begun <= 120100)

    def test_s3_soft_lock_without_an_arc_is_at_once(self):
        """With no arc an ordinary lock opens at once."""
        self.world.run(1000)
        self.world.driver.lock(1, LOCK, 0)

        self.assertFalse(self.world.outputs.closed)
        self.assertEqual(self.world.driver.state, gate.LOCKED)

    def test_s3_link_loss_ends_nothing(self):
        """Losing the link in the middle of an arc changes nothing."""
        self.weld()
        self.world.driver.link_up()
        self.world.driver.link_down()
        self.world.run(5000)

        self.assertEqual(self.world.driver.state, gate.LIVE)

    def test_s3_electrode_changes_end_nothing(self):
        """Pauses of half a minute between arcs end nothing and make an arc record each."""
        for _ in range(3):
            self.weld()
            self.world.sense.out()
            self.world.run(30000)

        self.assertEqual(self.world.driver.state, gate.LIVE)
        self.assertEqual(len(self.world.all(messages.ARC)), 3)

    def test_s3_a_quarter_of_an_hour_without_an_arc_ends(self):
        """15 min without an arc end the session, warned 1 min before."""
        self.world.skip(835)
        self.assertFalse(reasons.END_IDLE in self.world.outputs.shown)
        self.world.skip(10)
        self.assertIn(reasons.END_IDLE, self.world.outputs.shown)
        self.assertTrue(self.world.outputs.closed)
        self.world.skip(60)

        self.assertFalse(self.world.outputs.closed)
        self.assertEqual(self.world.last(messages.SESSION_STOP)["cause"], reasons.END_IDLE)

    def test_s3_welders_own_stop(self):
        """The button held for 2 s ends at once without an arc, and at the first pause during one."""
        self.world.driver.button(True)
        self.world.run(1900)
        self.assertTrue(self.world.outputs.closed)
        self.world.run(200)
        self.assertFalse(self.world.outputs.closed)
        self.assertEqual(self.world.last(messages.SESSION_STOP)["cause"], reasons.END_WELDER)

        world = World().settle()
        world.live()
        world.driver.sensed(world.sense.strike())
        world.driver.button(True)
        world.run(2100)
        world.driver.button(False)
        self.assertEqual(world.driver.state, gate.ENDING)
        world.sense.out()
        world.run(400)
        self.assertFalse(world.outputs.closed)

    def test_s3_stop_input(self):
        """A stop input of its own does the same without a button."""
        self.world.driver.stop()

        self.assertFalse(self.world.outputs.closed)


class TestS4(unittest.TestCase):
    """S4: current with the relay open is an alarm within 1 s, latched until a signed clear names it."""

    def test_s4_bypass_is_an_alarm_within_a_second(self):
        """Current through an open relay latches within 1 s and lets nothing start."""
        world = World().settle()
        world.sense.current_ma = 50000
        begun = world.ms
        while world.driver.state != gate.LATCHED and world.ms - begun < 3000:
            world.run(10)

        self.assertTrue(world.ms - begun <= 1000)
        world.run(100)
        alarm = world.last(messages.ALARM)
        self.assertEqual((alarm["alarm"], alarm["latched"], alarm["state"]), (reasons.ALARM_BYPASS, True, 1))
        self.assertEqual(world.driver.heartbeat()["alarms"], [reasons.ALARM_BYPASS])
        world.show(world.token(), SCANNER)
        self.assertIn(reasons.GATE_LATCHED, world.refusals())

    def test_s4_welded_contact_after_opening(self):
        """Current that does not stop when the relay opens is an alarm within 1 s of the opening, not before 500 ms."""
        world = World().settle()
        world.live()
        world.driver.contact(True)
        world.driver.lock(2, LOCK, 0)
        world.sense.current_ma = 100000
        begun = world.ms
        while world.driver.state != gate.LATCHED and world.ms - begun < 3000:
            world.run(10)

        self.assertTrue(500 < world.ms - begun <= 1000)
        world.run(100)
        self.assertEqual(world.last(messages.ALARM)["alarm"], reasons.ALARM_WELDED_CONTACT)

    def test_s4_decay_within_the_blanking_is_none(self):
        """Current that dies within 500 ms of the opening, and a spike of 200 ms later, are no alarm."""
        world = World().settle()
        world.live()
        world.driver.lock(2, LOCK, 0)
        world.sense.current_ma = 100000
        world.run(480)
        world.sense.current_ma = 0
        world.run(1000)
        world.sense.current_ma = 100000
        world.run(200)
        world.sense.current_ma = 0
        world.run(1000)

        self.assertEqual(world.driver.state, gate.LOCKED)

    def latched(self):
        world = World().settle()
        world.sense.current_ma = 50000
        world.run(1500)
        world.sense.current_ma = 0
        world.run(500)
        self.assertEqual(world.driver.state, gate.LATCHED)
        return world

    def test_s4_latched_through_power_cycles(self):
        """The latch survives any number of power cuts, with its id."""
        world = self.latched()
        ids = world.driver.heartbeat()["alarm_ids"]
        for _ in range(3):
            world.power_cut()
            world.run(100)

        self.assertEqual(world.driver.state, gate.LATCHED)
        self.assertEqual(world.driver.heartbeat()["alarm_ids"], ids)

    def test_s4_latched_though_everything_waits_for_flash(self):
        """A latch and a lock that come while flash fails and its queue is full reach flash once it works again."""
        world = World().settle()
        world.flash.broken = list(range(world.flash.sector_count))
        for number in range(PENDING_MAX):
            world.driver.core.facts.put(USED_ID, b"\0\0\0\1", b"id-%05d" % number)
        world.sense.current_ma = 50000
        world.run(1000)
        world.driver.lock(1, LOCK, 0)
        world.sense.current_ma = 0
        world.run(2000)
        self.assertEqual(world.driver.state, gate.LATCHED)
        self.assertEqual(world.driver.core.failures, 0)

        world.flash.broken = []
        world.run(15000)
        world.power_cut()
        world.run(100)

        self.assertEqual(world.driver.state, gate.LATCHED)
        self.assertEqual(world.driver.heartbeat()["alarms"], [reasons.ALARM_BYPASS])
        self.assertEqual(world.driver.heartbeat()["lock_ids"], [LOCK])

    def test_s4_only_a_clear_that_names_it_clears(self):
        """A clear of another id changes nothing; the one that names the alarm frees the machine and is recorded."""
        world = self.latched()
        world.order("c1", messages.CLEAR_ALARM, alarms=[b"anything"])
        self.assertEqual(world.driver.state, gate.LATCHED)

        world.order("c2", messages.CLEAR_ALARM, alarms=world.driver.heartbeat()["alarm_ids"])

        self.assertEqual(world.driver.state, gate.IDLE)
        self.assertEqual(world.last(messages.ALARM)["state"], 2)
        world.power_cut()
        self.assertEqual(world.driver.state, gate.IDLE)

    def test_s4_current_that_still_flows_latches_again(self):
        """A clear while the current still flows is followed by a new alarm with another id."""
        world = self.latched()
        old = world.driver.heartbeat()["alarm_ids"]
        world.sense.current_ma = 50000
        world.run(1000)
        world.order("c1", messages.CLEAR_ALARM, alarms=old)
        world.run(1000)

        self.assertEqual(world.driver.state, gate.LATCHED)
        self.assertTrue(world.driver.heartbeat()["alarm_ids"] != old)

    def test_s4_locked_and_latched_hold_together(self):
        """A lock and a latched alarm each need their own signed order, in either order."""
        for first in ("lock", "alarm"):
            with self.subTest(first=first):
                world = self.latched()
                world.driver.lock(2, LOCK, 0)
                alarms = world.driver.heartbeat()["alarm_ids"]
                if first == "lock":
                    world.order("r1", messages.RELEASE, lock=LOCK)
                    self.assertEqual(world.driver.state, gate.LATCHED)
                    world.order("c1", messages.CLEAR_ALARM, alarms=alarms)
                else:
                    world.order("c1", messages.CLEAR_ALARM, alarms=alarms)
                    self.assertEqual(world.driver.state, gate.LOCKED)
                    world.order("r1", messages.RELEASE, lock=LOCK)
                self.assertEqual(world.driver.state, gate.IDLE)

    def test_s4_unreadable_means_latched(self):
        """When neither copy of what held can be read, the chip boots latched and stays so until it is cleared."""
        world = self.latched()
        world.driver.lock(2, LOCK, 0)
        world.run(100)
        size = world.flash.sector_size
        for sector in range(LOG_FIRST, RING_FIRST):
            first_entry = sector * size + 24
            if world.flash.data[first_entry] != 0xFF:
                world.flash.rot(first_entry, 0x55)
        world.power_cut()
        self.assertEqual(world.driver.state, gate.LATCHED)
        self.assertIn(reasons.ALARM_LATCH_UNREADABLE, world.driver.heartbeat()["alarms"])

        world.power_cut()
        world.run(100)
        self.assertEqual(world.driver.state, gate.LATCHED)
        world.order("c1", messages.CLEAR_ALARM, alarms=world.driver.heartbeat()["alarm_ids"])
        self.assertFalse(reasons.ALARM_LATCH_UNREADABLE in world.driver.heartbeat()["alarms"])
        self.assertEqual(world.driver.state, gate.LOCKED)
        world.power_cut()
        self.assertEqual(world.driver.state, gate.LOCKED)

    def test_s4_lost_ids_let_no_used_token_back(self):
        """After both copies of the log were lost, no token issued up to the clearing order starts (M-TOK-23)."""
        world = World().settle().live()
        world.press(2500)
        world.run(200)
        self.assertTrue(world.used("t1"))
        world.token("t2", issued_s=NOW_UNIX + 3600)
        world.token("t3", issued_s=NOW_UNIX + 3601)
        world.skip(3700)
        for byte in range(LOG_FIRST * world.flash.sector_size, RING_FIRST * world.flash.sector_size):
            world.flash.data[byte] = 0
        world.power_cut()
        world.run(100)
        self.assertFalse(world.used("t1"))
        self.assertEqual(world.driver.state, gate.LATCHED)
        alarms = world.driver.heartbeat()["alarm_ids"]
        world.order("c1", messages.CLEAR_ALARM, alarms=alarms, issued_s=NOW_UNIX + 3600)
        self.assertEqual(world.driver.state, gate.IDLE)
        world.power_cut()

        for name in (b"t1", b"t2"):
            world.show(name, SCANNER)
            world.run(200)
        self.assertEqual(world.outputs.closings, 0)
        self.assertEqual(set(world.refusals()), {reasons.TOKEN_EXPIRED})
        world.show(b"t3", SCANNER)
        world.run(200)
        self.assertTrue(world.outputs.closed)


class TestS5(unittest.TestCase):
    """S5, the chip's part: what it can sense itself is told, so that silence means something."""

    def test_s5_sensor_open_and_short_are_reported(self):
        """A failed sensor is an alarm raised and, when it works again, cleared under the same id."""
        for fault in (reasons.ALARM_SENSOR_OPEN, reasons.ALARM_SENSOR_SHORT):
            with self.subTest(fault=fault):
                world = World().settle()
                world.driver.sensor_fault(fault)
                world.driver.sensor_fault(0)
                world.run(200)
                raised, cleared = world.all(messages.ALARM)[-2:]
                self.assertEqual((raised["alarm"], raised["state"], cleared["state"]), (fault, 1, 2))
                self.assertEqual(raised["id"], cleared["id"])

    def test_s5_last_gasp_tells_power_from_removal(self):
        """The loss of power is recorded with the session it hit."""
        world = World().settle().live()
        world.driver.power_failing()

        self.assertEqual(world.last(messages.POWER_OFF)["token"], b"t1\0\0\0\0\0\0")

    def test_s5_a_new_epoch_is_told(self):
        """M-SEQ-05: a spool that lost its memory opens its epoch with a gap and an alarm."""
        world = World().settle()

        self.assertEqual(world.frames()[0][0], messages.GAP)
        self.assertEqual(world.frames()[0][1]["cause"], 3)
        self.assertEqual(world.frames()[1][1]["alarm"], reasons.ALARM_SPOOL_FORMATTED)


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


if __name__ == "__main__":
    unittest.main()
