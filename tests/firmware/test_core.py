"""The gate's path: what settles, what the second barrier catches, what an exception leaves behind."""

import os
import sys
import unittest

sys.path.append(os.getenv("WELDGATE_VECTORS", "tests/vectors") + "/../firmware")  # tests are no package

from driver_world import SCANNER, World

from weldgate_firmware import gate, log
from weldgate_protocol import messages, reasons

LOCK = b"lock-001"


class TestBarrier(unittest.TestCase):
    """Closing asks again, whatever the table says."""

    def close(self, spoil):
        """Bring a chip to the moment before the relay closes, spoil one thing, and let the table close."""
        world = World().settle()
        world.show(world.token())
        world.push()
        world.driver.work()
        world.driver.work()
        spoil(world.driver.core)
        world.driver.work()
        return world

    def test_each_thing_alone_keeps_the_relay_open(self):
        """A lock, a latch, a sensor fault, a failing supply, a spent limit, a boot not finished: each one suffices."""
        for name, spoil in (
            ("lock", lambda core: core.holds.locks.update({LOCK: (2, 0)})),
            ("latch", lambda core: core.holds.latches.update({b"alarm-01": 150})),
            ("sensor", lambda core: setattr(core, "sensor_fault", 152)),
            ("power", lambda core: setattr(core, "power_failing", True)),
            ("limit", lambda core: setattr(core.clock, "_now_s", (1 << 30) - 1)),
            ("ready", lambda core: setattr(core, "ready", False)),
        ):
            with self.subTest(name=name):
                world = self.close(spoil)
                self.assertFalse(world.outputs.closed)
                self.assertEqual(world.outputs.closings, 0)
                self.assertFalse(world.driver.core.gate.closed)
        world = self.close(lambda core: None)
        self.assertTrue(world.outputs.closed)


class TestSettle(unittest.TestCase):
    """What is held is imposed, what is not is freed."""

    def test_a_held_lock_is_imposed_on_every_state(self):
        """Whatever state the gate is found in, a lock that is held shuts it with the next tick."""
        world = World().settle()
        core = world.driver.core
        for state in (gate.IDLE, gate.ARMED, gate.COMMITTING, gate.LIVE, gate.SUSPENDED):
            with self.subTest(state=state):
                core.holds.locks = {LOCK: (2, 0)}
                core.gate.state = state
                world.driver.tick()
                self.assertEqual(core.gate.state, gate.LOCKED)
        core.holds.locks = {}
        world.driver.tick()
        self.assertEqual(core.gate.state, gate.IDLE)

    def test_a_held_latch_is_imposed_on_every_state(self):
        """The same for a latched alarm, and its clear leads through LOCKED."""
        world = World().settle()
        core = world.driver.core
        for state in (gate.LOCKED, gate.IDLE, gate.ARMED, gate.COMMITTING, gate.LIVE, gate.ENDING, gate.SUSPENDED):
            with self.subTest(state=state):
                core.holds.latches = {b"alarm-01": 150}
                core.gate.state = state
                world.driver.tick()
                self.assertEqual(core.gate.state, gate.LATCHED)
        core.holds.latches = {}
        core.holds.locks = {LOCK: (1, 0)}
        world.driver.tick()
        self.assertEqual(core.gate.state, gate.LOCKED)

    def test_an_interrupted_session_under_a_latch_is_stopped(self):
        """A session that a power cut interrupted does not outlive an alarm found at boot."""
        world = World().settle().live()
        world.driver.core.facts.log.put(log.LATCH, b"\0\x96", b"alarm-01")
        world.power_cut()
        world.run(200)
        stop = world.last(messages.SESSION_STOP)

        self.assertEqual(world.driver.state, gate.LATCHED)
        self.assertEqual((stop["cause"], stop["synthesised"]), (reasons.END_ALARM, True))


class TestFail(unittest.TestCase):
    """An exception on the gate's path."""

    def test_inputs_that_trip_open_and_tell(self):
        """Every input catches, opens, and keeps number and type of the error; the next token is heard."""
        for name, trip in (
            ("button", lambda driver: setattr(driver, "_button", None) or driver.button(True)),
            ("lock", lambda driver: driver.lock(2, 5, 0)),
            ("order", lambda driver: driver.order(messages.RELEASE, None)),
            ("sensed", lambda driver: driver.sensed("x")),
            ("time", lambda driver: driver.time_offered("x", 0, 2)),
        ):
            with self.subTest(name=name):
                world = World().settle().live()
                trip(world.driver)
                world.run(60)
                self.assertFalse(world.outputs.closed)
                self.assertTrue(world.driver.core.failures > 0)

    def test_a_flood_of_failures_is_no_flood_of_alarms(self):
        """A hundred failures make seven alarms: the 1st, 2nd, 4th, 8th and so on."""
        world = World().settle()
        for _ in range(100):
            world.driver.sensed("x")
            world.run(20)
        alarms = [fields["alarm"] for fields in world.all(messages.ALARM)]

        self.assertEqual(alarms.count(reasons.ALARM_EXCEPTION), 7)
        self.assertEqual(world.driver.core.failures, 100)

    def test_a_failure_without_a_session_shuts_nothing_for_good(self):
        """After a failure the machine can be used again."""
        world = World().settle()
        world.driver.sensed("x")
        world.show(world.token(), SCANNER)
        world.run(200)

        self.assertTrue(world.outputs.closed)


if __name__ == "__main__":
    unittest.main()
