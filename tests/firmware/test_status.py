"""What the chip says of itself: hello, heartbeat, telemetry, answers; all of it fits its message."""

import os
import sys
import unittest

sys.path.append(os.getenv("WELDGATE_VECTORS", "tests/vectors") + "/../firmware")  # tests are no package

from driver_world import World

from weldgate_firmware import gate
from weldgate_protocol import messages, reasons


class TestStatus(unittest.TestCase):
    """Fields as the messages want them."""

    def test_hello_and_heartbeat_encode_in_every_state(self):
        """What is said fits its message: idle, live, locked and latched at once, with a failed sensor."""
        world = World().settle()
        worlds = [world, World().settle().live()]
        worlds.append(World().settle())
        worlds[2].driver.lock(2, b"lock-001", 0)
        worlds[2].driver.core.latch(reasons.ALARM_BYPASS)
        worlds[2].driver.sensor_fault(reasons.ALARM_SENSOR_OPEN)
        for one in worlds:
            with self.subTest(state=one.driver.state):
                hello = {"nonce": b"n" * 16}
                hello.update(one.driver.hello())
                messages.encode(messages.HELLO, hello)
                beat = messages.decode(messages.HEARTBEAT, messages.encode(messages.HEARTBEAT, one.driver.heartbeat()))
                self.assertEqual(beat["gate"], one.driver.state)
        self.assertEqual(worlds[2].driver.heartbeat()["alarms"], [reasons.ALARM_BYPASS, reasons.ALARM_SENSOR_OPEN])
        self.assertEqual(worlds[2].driver.heartbeat()["lock_ids"], [b"lock-001"])

    def test_a_change_asks_for_a_heartbeat(self):
        """A change of state is told at once, not at the next heartbeat's time."""
        world = World().settle()
        before = world.outputs.beats
        world.show(world.token())

        self.assertTrue(world.outputs.beats > before)

    def test_telemetry_every_window(self):
        """One record a window with mean, peak, arc time and the gate's state."""
        world = World(config={2: 10}).settle()
        world.live()
        count = len(world.all(messages.TELEMETRY))
        world.driver.sensed(world.sense.strike())
        world.skip(20)
        records = world.all(messages.TELEMETRY)[count:]

        self.assertEqual(len(records), 2)
        self.assertEqual((records[1]["gate"], records[1]["peak_ma"], records[1]["window_s"]), (gate.LIVE, 150000, 10))

    def test_telemetry_slows_when_the_spool_fills(self):
        """Above 75 % of unacknowledged records a window is four times as long."""
        world = World(config={2: 1}).settle()
        while world.storage.spool.used_permille <= 750:
            world.skip(5)
        count = world.storage.spool.highest
        world.skip(8)

        self.assertEqual(world.storage.spool.highest - count, 2)

    def test_questions_are_answered(self):
        """State, configuration and diagnostics are answered once each, in a message that fits."""
        world = World(config={1: 10}).settle()
        for what, key, value in ((1, 1, gate.IDLE), (2, 1, 10), (3, 1, 0)):
            with self.subTest(what=what):
                world.driver.query(b"query-01", what)
                answer = world.driver.take_answer()
                messages.encode(messages.DIAGNOSTICS, answer)
                self.assertEqual((answer["query"], answer["what"], answer["values"][key]), (b"query-01", what, value))
                self.assertIsNone(world.driver.take_answer())

    def test_each_boot_reports_what_is_in_force(self):
        """A config-report follows every boot."""
        world = World().settle()
        world.power_cut()
        world.run(1500)  # two erases lie 600 ms apart

        self.assertEqual(len(world.all(messages.CONFIG_REPORT)), 2)


if __name__ == "__main__":
    unittest.main()
