"""What the board senses: arcs on record, faults raised and cleared, the case and its switch."""

import os
import sys
import unittest

sys.path.append(os.getenv("WELDGATE_VECTORS", "tests/vectors") + "/../firmware")  # tests are no package

from driver_world import World

from weldgate_firmware import gate
from weldgate_protocol import messages, reasons


class TestSenses(unittest.TestCase):
    """Alarms and arcs (rules S3 and S4 themselves: test_safety_ends, test_safety_alarms)."""

    def setUp(self):
        self.world = World().settle()

    def test_an_arc_becomes_a_record(self):
        """A closed arc is recorded with its session, duration and current, stamped with its own end."""
        world = self.world.live()
        world.driver.sensed(world.sense.strike())
        world.run(1000)
        world.sense.out()
        world.run(2500)
        arc = world.last(messages.ARC)

        self.assertEqual(arc["token"], b"t1\0\0\0\0\0\0")
        self.assertTrue(980 <= arc["duration_ms"] <= 1020)
        self.assertEqual((arc["index"], arc["mean_ma"]), (1, 150000))

    def test_an_arc_cut_short_is_recorded_before_the_stop(self):
        """When the relay opens in an arc its record goes before the session's stop, and the stop holds its sum."""
        world = self.world.live()
        world.driver.sensed(world.sense.strike())
        world.run(1000)
        world.driver.lock(2, b"lock-001", 0)
        world.run(200)
        kinds = [kind for kind, _ in world.frames()]

        self.assertEqual(kinds[-2:], [messages.ARC, messages.SESSION_STOP])
        self.assertEqual(world.last(messages.SESSION_STOP)["arc_ms"], world.last(messages.ARC)["duration_ms"])

    def test_sums_survive_a_suspension(self):
        """The stop's sums hold what was welded before a power failure that was seen coming."""
        world = self.world.live()
        world.driver.sensed(world.sense.strike())
        world.run(1000)
        world.driver.power_failing()
        world.power_cut()
        world.run(200)
        world.press()
        world.run(200)
        world.driver.sensed(world.sense.strike())
        world.run(1000)
        world.driver.lock(2, b"lock-001", 0)
        world.run(200)
        stop = world.last(messages.SESSION_STOP)

        self.assertTrue(1900 <= stop["arc_ms"] <= 2100)
        self.assertEqual(stop["arcs"], 2)

    def test_another_fault_clears_the_first(self):
        """A sensor that fails in another way clears the first alarm and raises the second."""
        self.world.driver.sensor_fault(reasons.ALARM_SENSOR_OPEN)
        self.world.driver.sensor_fault(reasons.ALARM_SENSOR_SHORT)
        self.world.driver.sensor_fault(reasons.ALARM_SENSOR_SHORT)
        self.world.run(200)
        told = [(fields["alarm"], fields["state"]) for fields in self.world.all(messages.ALARM)[-3:]]

        self.assertEqual(
            told,
            [
                (reasons.ALARM_SENSOR_OPEN, 1),
                (reasons.ALARM_SENSOR_OPEN, 2),
                (reasons.ALARM_SENSOR_SHORT, 1),
            ],
        )
        self.assertEqual(self.world.driver.heartbeat()["alarms"], [reasons.ALARM_SENSOR_SHORT])

    def test_the_case_is_told_once_each_way(self):
        """An open case is one alarm; a minute after its closing it is cleared."""
        for closed in (True, False, False, True, True):
            self.world.driver.case(closed)
        self.world.run(200)
        self.assertEqual(self.alarms_of_the_case(), [1])
        self.world.skip(60)
        self.world.driver.case(True)
        self.world.run(200)

        self.assertEqual(self.alarms_of_the_case(), [1, 2])

    def test_a_loose_case_switch_displaces_no_record(self):
        """A switch that bounces for as long as it likes is one alarm: the records nobody has yet stay."""
        self.world.live()
        self.world.driver.lock_now()
        for turn in range(1000):
            self.world.driver.case(turn % 2 == 0)
            self.world.run(10)

        self.assertEqual(self.alarms_of_the_case(), [1])
        self.assertIsNotNone(self.world.last(messages.SESSION_START))
        self.assertEqual(self.world.storage.spool.dropped, 0)

    def test_a_flickering_supply_displaces_no_record(self):
        """Dips of 10 ms are one power-off a minute; each opens the relay, and the session waits for its act."""
        world = self.world.live()
        for turn in range(1500):
            world.driver.power_failing()
            self.assertFalse(world.outputs.closed)
            world.run(10)
            world.driver.power_back()
            if turn % 500 == 0:
                world.press()  # between dips nobody starts anything
            world.run(10)

        self.assertEqual(world.driver.state, gate.SUSPENDED)
        self.assertEqual(len(world.all(messages.POWER_OFF)), 1)
        self.assertEqual(len(world.all(messages.SESSION_SUSPEND)), 1)
        self.assertEqual(world.storage.spool.dropped, 0)
        self.assertIsNotNone(world.last(messages.SESSION_START))
        self.assertEqual(world.outputs.closings, 1)

    def test_a_minute_later_a_power_off_is_told_again(self):
        """Two losses more than a minute apart are two records."""
        for _ in range(2):
            self.world.driver.power_failing()
            self.world.driver.power_back()
            self.world.skip(61)

        self.assertEqual(len(self.world.all(messages.POWER_OFF)), 2)

    def test_a_power_off_displaces_no_record(self):
        """In a full ring the last gasp finds no room rather than take that of a record nobody has yet."""
        spool = self.world.storage.spool
        while spool.used_permille <= 960:
            self.world.driver.core.alarm(reasons.ALARM_CASE_OPEN, b"alarm-id", 1, False)
            self.world.run(10)
        for _ in range(300):
            self.world.driver.power_failing()
            self.world.driver.power_back()
            self.world.skip(61)

        self.assertEqual(spool.dropped, 0)
        self.assertEqual(self.world.all(messages.POWER_OFF), [])

    def alarms_of_the_case(self):
        return [
            fields["state"] for fields in self.world.all(messages.ALARM) if fields["alarm"] == reasons.ALARM_CASE_OPEN
        ]

    def test_current_is_not_judged_by_a_failed_sensor(self):
        """A failed sensor latches no bypass."""
        self.world.driver.sensor_fault(reasons.ALARM_SENSOR_SHORT)
        self.world.sense.current_ma = 900000
        self.world.run(2000)

        self.assertEqual(self.world.driver.state, gate.IDLE)


if __name__ == "__main__":
    unittest.main()
