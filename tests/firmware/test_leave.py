"""Planned removal: signed leave makes honest work look honest, is bounded in time, and starts nothing."""

import os
import sys
import unittest

sys.path.append(os.getenv("WELDGATE_VECTORS", "tests/vectors") + "/../firmware")  # tests are no package

from driver_world import NOW_UNIX, SCANNER, World

from weldgate_firmware import clock as clocks
from weldgate_firmware import gate
from weldgate_protocol import messages, reasons

LEAVE = b"leave-01"
HOUR_S = 3600
GRANTED, CASE, SENSOR, SUPPLY, OVER = 1, 2, 3, 4, 5


class TestLeave(unittest.TestCase):
    """One machine that is taken apart."""

    def setUp(self):
        self.world = World().settle()
        self.world.driver.time_offered(NOW_UNIX, 0, 2)

    def grant(self, leave_s=HOUR_S, name="leave-01"):
        self.world.order(name, messages.PLANNED_REMOVAL, leave_s=leave_s)

    def kinds(self):
        """Return the kinds of the removal records, oldest first."""
        return [fields["kind"] for fields in self.world.all(messages.REMOVAL)]

    def alarms(self, reason):
        """Return the states of the alarms of a reason."""
        return [fields["state"] for fields in self.world.all(messages.ALARM) if fields["alarm"] == reason]

    def test_leave_locks_and_is_on_record(self):
        """M-REMOVE-01: the order is answered, a removal record names it, and the machine is locked by its id."""
        self.grant()

        self.assertEqual(self.world.last(messages.ORDER_RESULT)["result"], 0)
        self.assertEqual(self.world.all(messages.REMOVAL), [{"kind": GRANTED, "order": LEAVE}])
        self.assertEqual(self.world.driver.state, gate.LOCKED)
        self.assertEqual(self.world.driver.heartbeat()["lock_ids"], [LEAVE])

    def test_nobody_welds_in_its_shadow(self):
        """M-REMOVE-01: a good token starts nothing while leave holds, and is told why."""
        self.grant()
        self.world.show(self.world.token(), SCANNER)

        self.assertEqual(self.world.refusals(), [reasons.GATE_REMOVAL])
        self.assertEqual(self.world.outputs.closings, 0)

    def test_case_sensor_and_supply_make_records_and_no_alarm(self):
        """M-REMOVE-02: what would be alarms are removal records that name the order, one of each kind."""
        self.grant()
        driver = self.world.driver
        for _ in range(3):
            driver.case(False)
            self.world.run(100)
        driver.sensor_fault(reasons.ALARM_SENSOR_OPEN)
        self.world.run(100)
        driver.sensor_fault(0)
        driver.sensor_fault(reasons.ALARM_SENSOR_SHORT)
        driver.power_failing()
        self.world.run(100)

        self.assertEqual(self.kinds(), [GRANTED, CASE, SENSOR, SUPPLY])
        self.assertEqual({fields["order"] for fields in self.world.all(messages.REMOVAL)}, {LEAVE})
        self.assertEqual(len(self.world.all(messages.POWER_OFF)), 1)
        for reason in (reasons.ALARM_CASE_OPEN, reasons.ALARM_SENSOR_OPEN, reasons.ALARM_SENSOR_SHORT):
            self.assertEqual(self.alarms(reason), [])
        self.assertEqual(driver.heartbeat()["alarms"], [])

    def test_without_leave_they_are_alarms(self):
        """S5: the same things without leave are alarms, and no removal."""
        self.world.driver.case(False)
        self.world.driver.sensor_fault(reasons.ALARM_SENSOR_OPEN)
        self.world.run(100)

        self.assertEqual(self.alarms(reasons.ALARM_CASE_OPEN), [1])
        self.assertEqual(self.alarms(reasons.ALARM_SENSOR_OPEN), [1])
        self.assertEqual(self.kinds(), [])

    def test_a_bypass_is_an_alarm_all_the_same(self):
        """M-REMOVE-02: leave covers no current past the open relay."""
        self.grant()
        self.world.sense.current_ma = 40000
        self.world.run(2000)

        self.assertEqual(self.alarms(reasons.ALARM_BYPASS), [1])
        self.assertEqual(self.world.driver.state, gate.LATCHED)

    def test_leave_ends_with_its_time(self):
        """M-REMOVE-03: what is still open or unplugged then becomes an alarm; the lock stays."""
        self.grant(120)
        self.world.driver.sensor_fault(reasons.ALARM_SENSOR_OPEN)
        self.world.skip(100)
        self.assertEqual(self.kinds(), [GRANTED, SENSOR])
        self.world.skip(100)
        self.world.driver.case(False)
        self.world.run(200)

        self.assertEqual(self.kinds(), [GRANTED, SENSOR, OVER])
        self.assertEqual(self.alarms(reasons.ALARM_SENSOR_OPEN), [1])
        self.assertEqual(self.alarms(reasons.ALARM_CASE_OPEN), [1])
        self.assertEqual(self.world.driver.state, gate.LOCKED)

    def test_leave_survives_power_cuts_and_its_end_too(self):
        """M-REMOVE-03: the box is unplugged and opened elsewhere; leave holds, and does not begin anew."""
        self.grant(600)
        self.world.skip(300)
        self.world.power_cut()
        self.world.driver.case(False)
        self.world.run(2000)
        self.assertEqual(self.kinds(), [GRANTED, CASE])
        self.assertEqual(self.world.driver.state, gate.LOCKED)

        self.world.driver.time_offered(NOW_UNIX + 700, 0, 2)
        self.world.run(2000)
        self.world.power_cut()
        self.world.driver.case(False)
        self.world.run(2000)

        self.assertEqual(self.kinds(), [GRANTED, CASE, OVER])
        self.assertEqual(self.alarms(reasons.ALARM_CASE_OPEN)[:1], [1])

    def test_a_clock_set_back_does_not_lengthen_it(self):
        """M-REMOVE-03: what is left is never more than what was granted, whatever a wrong welcome had set."""
        self.world.driver._trust.in_force[b"key-set"] = 0
        self.world.clock.ceiling_s = clocks.from_unix(NOW_UNIX)
        self.world.driver.time_offered(NOW_UNIX + 10 * 365 * 86400, 0, 2)  # not trusted: past the key set's end
        self.grant(HOUR_S)
        self.world.driver.time_offered(NOW_UNIX + 100, 0, 2)
        self.world.skip(HOUR_S + 5)

        self.assertEqual(self.kinds(), [GRANTED, OVER])

    def test_the_release_of_its_lock_ends_it(self):
        """M-REMOVE-01: the signed release of the lock puts the machine back to work and ends it; no other does."""
        self.world.driver.lock(2, b"lock-001", 0)
        self.grant()
        self.world.order("r1", messages.RELEASE, lock=b"lock-001")
        self.assertEqual(self.kinds(), [GRANTED])
        self.world.order("r2", messages.RELEASE, lock=LEAVE)
        self.world.driver.case(False)
        self.world.run(100)

        self.assertEqual(self.kinds(), [GRANTED, OVER])
        self.assertEqual(self.alarms(reasons.ALARM_CASE_OPEN), [1])
        self.assertEqual(self.world.driver.state, gate.IDLE)

    def test_leave_waits_for_the_session_to_end(self):
        """M-REMOVE-01: under a closed relay nothing changes; when it opens, leave begins and nothing starts again."""
        self.world.live()
        self.grant()
        self.assertTrue(self.world.outputs.closed)
        self.assertEqual(self.kinds(), [])
        self.world.driver.stop()
        self.world.run(1000)

        self.assertEqual(self.kinds(), [GRANTED])
        self.assertEqual(self.world.driver.state, gate.LOCKED)

    def test_the_same_order_acts_once(self):
        """M-ORD-10: shown again after its release, the order gives no second leave."""
        self.grant()
        self.world.order("r2", messages.RELEASE, lock=LEAVE)
        self.grant()

        self.assertEqual(self.world.last(messages.ORDER_RESULT)["reason"], reasons.ORDER_USED)
        self.assertEqual(self.world.driver.state, gate.IDLE)

    def test_no_lock_no_leave(self):
        """A chip that can keep no further lock gives no leave."""
        for number in range(8):
            self.world.driver.lock(1, b"lock-00%d" % number, 0)
        self.world.run(1000)
        self.grant()

        self.assertEqual(self.world.last(messages.ORDER_RESULT)["reason"], reasons.STORAGE_FULL)
        self.assertEqual(self.kinds(), [])


if __name__ == "__main__":
    unittest.main()
