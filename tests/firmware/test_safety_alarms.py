"""The safety rules S4 and S5 of DESIGN section 4, what is an alarm, on the composed driver and virtual flash."""

import os
import sys
import unittest

sys.path.append(os.getenv("WELDGATE_VECTORS", "tests/vectors") + "/../firmware")  # tests are no package

from driver_world import NOW_UNIX, SCANNER, World

from weldgate_firmware import gate
from weldgate_firmware.log import USED_ID
from weldgate_firmware.pending import PENDING_MAX
from weldgate_firmware.storage import LOG_FIRST, RING_FIRST
from weldgate_protocol import messages, reasons

LOCK = b"lock-001"


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
