"""The safety rule S3 of DESIGN section 4, how a session ends, on the composed driver and virtual flash."""

import os
import sys
import unittest

sys.path.append(os.getenv("WELDGATE_VECTORS", "tests/vectors") + "/../firmware")  # tests are no package

from driver_world import NOW_UNIX, OVER, SCANNER, World

from weldgate_firmware import gate
from weldgate_firmware.meter import SENSOR_FAILED, SENSOR_RECOVERED
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
