"""Signed orders: carried out once, answered always, and never a slot written under a session."""

import json
import os
import sys
import unittest

sys.path.append(os.getenv("WELDGATE_VECTORS", "tests/vectors") + "/../firmware")  # tests are no package

from driver_world import CONSOLE, DOWNLINK, KID, NOW_UNIX, SCANNER, SECTORS, World

from weldgate_firmware import gate, log
from weldgate_protocol import messages, reasons
from weldgate_protocol._compat import sha256
from weldgate_simulator.flash import VirtualFlash

LOCK = b"lock-001"
OPENED = b"t1\0\0\0\0\0\0"
EXTENDED = b"t2\0\0\0\0\0\0"
with open(os.getenv("WELDGATE_VECTORS", "tests/vectors") + "/answer.json") as file:
    ANSWERS = json.load(file)


class TestOrders(unittest.TestCase):
    """Orders of each kind."""

    def setUp(self):
        self.world = World().settle()

    def result(self):
        """Return what the newest order-result says."""
        fields = self.world.last(messages.ORDER_RESULT)
        return fields["order"], fields["result"], fields.get("reason")

    def test_release_frees_what_it_names(self):
        """A release takes its lock away, for good, and energises nothing."""
        self.world.driver.lock(2, LOCK, 0)
        self.world.order("r1", messages.RELEASE, lock=LOCK)

        self.assertEqual(self.result(), (b"r1\0\0\0\0\0\0", 0, None))
        self.assertEqual(self.world.driver.state, gate.IDLE)
        self.assertEqual(self.world.outputs.closings, 0)
        self.world.power_cut()
        self.assertEqual(self.world.driver.state, gate.IDLE)

    def test_release_of_another_lock_is_refused(self):
        """A release that names no lock that holds is refused under the digest of its bytes."""
        self.world.driver.lock(2, LOCK, 0)
        self.world.order("r1", messages.RELEASE, lock=b"lock-999")

        self.assertEqual(self.result(), (sha256(b"r1")[:8], 1, reasons.ORDER_UNKNOWN_LOCK))
        self.assertEqual(self.world.driver.state, gate.LOCKED)

    def test_an_order_acts_once(self):
        """The same release again does not free the same lock imposed again, across power cuts too."""
        self.world.driver.lock(2, LOCK, 0)
        self.world.order("r1", messages.RELEASE, lock=LOCK)
        self.world.driver.lock(2, LOCK, 0)
        self.world.run(100)
        self.world.power_cut()
        self.world.order("r1", messages.RELEASE, lock=LOCK)

        self.assertEqual(self.result()[2], reasons.ORDER_USED)
        self.assertEqual(self.world.driver.state, gate.LOCKED)

    def test_unsigned_is_refused(self):
        """What does not verify changes nothing and is answered."""
        self.world.driver.lock(2, LOCK, 0)
        self.world.driver.order(messages.RELEASE, b"nobody signed this")
        self.world.run(100)

        self.assertEqual(self.result(), (sha256(b"nobody signed this")[:8], 1, reasons.ORDER_SIGNATURE))
        self.assertEqual(self.world.driver.state, gate.LOCKED)

    def test_what_is_not_verified_is_answered_by_its_bytes(self):
        """M-ORD-15: whatever the reason, an order that was not verified is named as the vectors say."""
        for case in ANSWERS:
            data = bytes.fromhex(case["hex"])
            with self.subTest(case["name"]):
                self.world.driver.order(messages.RELEASE, b"first")
                self.world.driver.order(messages.RELEASE, data)
                self.world.run(100)
                self.world.driver.order(messages.RELEASE, data)
                self.world.run(100)
                answers = [(fields["order"], fields["reason"]) for fields in self.world.all(messages.ORDER_RESULT)[-3:]]
                name = bytes.fromhex(case["expect"]["answer"])
                self.assertEqual(answers[0], (name, reasons.GATE_BUSY))
                self.assertEqual(answers[2], (name, reasons.ORDER_SIGNATURE))

    def test_a_token_from_afar_is_answered(self):
        """M-ORD-15: a refusal names a token from afar by its bytes, or by its id once verified; a scanned one not."""
        self.world.driver.token(b"forged", DOWNLINK)
        self.world.driver.token(b"second", DOWNLINK)  # refused at once, as busy
        self.world.run(100)
        names = [fields["token"] for fields in self.world.all(messages.REFUSAL)]
        self.assertEqual(names, [sha256(b"second")[:8], sha256(b"forged")[:8]])

        self.world.show(b"forged", SCANNER)
        self.assertEqual(self.world.last(messages.REFUSAL).get("token"), None)
        self.world.show(self.world.token(expires_s=100), DOWNLINK)
        self.assertEqual(self.world.last(messages.REFUSAL)["token"], b"t1\0\0\0\0\0\0")

    def test_unknown_kind_is_refused(self):
        """A type that carries no order is answered as unsupported."""
        self.world.driver.order(messages.IDENTIFY, b"x")
        self.world.run(100)

        self.assertEqual(self.result()[2], reasons.ORDER_UNSUPPORTED)

    def test_a_flood_of_bad_orders_displaces_no_record(self):
        """Answers to what nobody signed fill neither the queue nor the ring: an alarm and the stop find their place."""
        self.world.live()
        for number in range(150):
            self.world.driver.order(messages.RELEASE, b"bad %d" % number)
            self.world.run(40)
        self.world.driver.case(False)
        self.world.driver.lock_now()
        self.world.run(1000)

        self.assertIn(reasons.ALARM_CASE_OPEN, [fields["alarm"] for fields in self.world.all(messages.ALARM)])
        self.assertIsNotNone(self.world.last(messages.SESSION_STOP))
        for number in range(250):
            self.world.driver.order(messages.RELEASE, b"more %d" % number)
            self.world.run(40)
        self.assertEqual(self.world.storage.spool.dropped, 0)
        self.assertIsNotNone(self.world.last(messages.SESSION_START))

    def test_the_clock_is_set_right_by_an_order_that_names_its_alarm(self):
        """M-ORD-17: after a welcome far ahead every good one is below the floor; a signed order undoes it, once."""
        world = self.world
        world.driver.time_offered(NOW_UNIX + 3650 * 86400, 0, 2)
        world.run(100)
        world.power_cut()
        world.driver.time_offered(NOW_UNIX, 0, 2)
        world.run(100)
        world.show(world.token("t1"), SCANNER)
        self.assertFalse(world.outputs.closed)
        alarm = world.last(messages.ALARM)
        self.assertEqual((alarm["alarm"], alarm["state"]), (reasons.ALARM_CLOCK, 1))
        world.order("c0", messages.CLEAR_ALARM, alarms=[b"guessed!"])
        self.assertEqual(self.result()[2], reasons.ORDER_UNKNOWN_ALARM)

        world.order("c1", messages.CLEAR_ALARM, alarms=[alarm["id"]])
        cleared = world.last(messages.ALARM)
        self.assertEqual((cleared["id"], cleared["state"]), (alarm["id"], 2))
        world.power_cut()
        self.assertTrue(abs(world.clock.trusted_s + 1577836800 - NOW_UNIX) < 5)
        world.driver.time_offered(NOW_UNIX + 60, 0, 2)
        self.assertEqual(world.clock.quality, 2)
        world.show(world.token("t2"), SCANNER)
        world.run(300)
        self.assertTrue(world.outputs.closed)
        world.order("c2", messages.CLEAR_ALARM, alarms=[alarm["id"]])
        self.assertEqual(self.result()[2], reasons.ORDER_UNKNOWN_ALARM)

    def test_one_at_a_time(self):
        """A second order while one is being verified is refused as busy."""
        self.world.driver.order(messages.RELEASE, b"a")
        self.world.driver.order(messages.RELEASE, b"b")
        self.world.run(100)
        results = [fields["reason"] for fields in self.world.all(messages.ORDER_RESULT)]

        self.assertEqual(results, [reasons.GATE_BUSY, reasons.ORDER_SIGNATURE])

    def test_config_is_kept(self):
        """A configuration takes effect, survives a power cut, and is reported."""
        self.world.order("c1", messages.CONFIG, version=5, settings={1: 10, 10: 6000})
        self.assertEqual(self.world.driver.config.heartbeat_s, 10)
        self.assertEqual(self.world.last(messages.CONFIG_REPORT)["config_version"], 5)

        self.world.power_cut()
        self.assertEqual(self.world.driver.config.bypass_ma, 6000)
        self.assertEqual(self.world.driver.hello()["config_version"], 5)

    def test_config_out_of_range_changes_nothing(self):
        """Settings that this firmware does not allow are refused whole."""
        self.world.order("c1", messages.CONFIG, version=5, settings={1: 10, 3: 5000})

        self.assertEqual(self.result()[2], reasons.CONFIG_RANGE)
        self.assertEqual(self.world.driver.config.heartbeat_s, 30)
        self.assertEqual(self.world.driver.hello()["config_version"], 0)

    def test_config_waits_for_the_relay_to_open(self):
        """In a session nothing is written to a slot: the order waits, a second one is refused."""
        self.world.live()
        erases = sum(self.world.flash.erases)
        self.world.order("c1", messages.CONFIG, version=5, settings={1: 10})
        self.world.order("c2", messages.CONFIG, version=6, settings={1: 11})
        self.assertEqual(self.world.driver.config.heartbeat_s, 30)
        self.assertEqual(sum(self.world.flash.erases), erases)
        self.assertEqual(self.result(), (b"c2\0\0\0\0\0\0", 1, reasons.ORDER_IN_SESSION))

        self.world.driver.stop()
        self.world.run(1000)
        self.assertEqual(self.world.driver.config.heartbeat_s, 10)
        self.assertEqual(self.result()[1], 0)

    def test_an_order_that_waits_is_answered_once(self):
        """The same order again while it waits makes no record; its one answer comes when the relay is open."""
        self.world.live()
        for _ in range(3):
            self.world.order("c1", messages.CONFIG, version=5, settings={1: 10})
        self.assertEqual(self.world.all(messages.ORDER_RESULT), [])
        self.world.driver.stop()
        self.world.run(1000)

        self.assertEqual([fields["result"] for fields in self.world.all(messages.ORDER_RESULT)], [0])

    def test_release_works_in_a_session(self):
        """A release needs no open relay: it takes a soft lock away while the session ends."""
        self.world.live()
        self.world.driver.sensed(self.world.sense.strike())
        self.world.driver.lock(1, LOCK, 0)
        self.world.order("r1", messages.RELEASE, lock=LOCK)
        self.assertEqual(self.world.driver.state, gate.ENDING)
        self.world.sense.out()
        self.world.run(500)

        self.assertEqual(self.world.driver.state, gate.IDLE)

    def revoke(self, name, tokens=(), kids=()):
        """Hand in a revocation list; return what the chip answered, None when it has not."""
        before = len(self.world.all(messages.ORDER_RESULT))
        self.world.order(name, messages.REVOCATIONS, version=9, tokens=list(tokens), kids=list(kids))
        answers = self.world.all(messages.ORDER_RESULT)[before:]
        return (answers[0]["result"], answers[0].get("reason")) if answers else None

    def test_revocation_ends_the_live_session_that_it_names(self):
        """M-ORD-16: by the id of its token or of one that extended it, or by their key; then the list is in force."""
        for tokens, kids in (((OPENED,), ()), ((EXTENDED,), ()), ((), (KID,)), ((b"another!", OPENED), ())):
            with self.subTest(tokens, kids=kids):
                self.setUp()
                self.world.live()
                self.world.show(self.world.token("t2"), CONSOLE)
                self.world.run(100)
                answered = self.revoke("l1", tokens, kids)

                self.assertFalse(self.world.outputs.closed)
                self.assertEqual(self.world.last(messages.SESSION_STOP)["cause"], reasons.END_REVOKED)
                self.assertEqual(answered, (0, None))
                self.assertEqual(self.world.driver.hello()["revocations_version"], 9)

    def test_revocation_ends_softly(self):
        """M-ORD-16: an arc is not torn off: the relay opens at its pause, 120 s later at the latest."""
        self.world.live()
        self.world.driver.sensed(self.world.sense.strike())
        self.assertEqual(self.revoke("l1", (OPENED,)), None)
        self.assertEqual(self.world.driver.state, gate.ENDING)
        self.assertTrue(self.world.outputs.closed)
        self.world.sense.out()
        self.world.run(1000)
        self.assertFalse(self.world.outputs.closed)
        self.assertEqual(self.result()[1], 0)

        self.setUp()
        self.world.live()
        self.world.driver.sensed(self.world.sense.strike())
        self.revoke("l1", (OPENED,))
        self.world.skip(121)
        self.assertFalse(self.world.outputs.closed)
        self.assertEqual(self.world.last(messages.SESSION_STOP)["cause"], reasons.END_REVOKED)

    def test_revocation_of_others_ends_nothing(self):
        """M-ORD-16: a list that does not name the live session waits until the relay opens by itself."""
        self.world.live()
        self.assertEqual(self.revoke("l1", (b"another!",), (b"no such!",)), None)
        self.world.run(5000)

        self.assertTrue(self.world.outputs.closed)
        self.assertEqual(self.world.driver.state, gate.LIVE)

    def test_revocation_ends_though_another_order_waits(self):
        """M-ORD-16: where the list itself can't wait, since something else does, the session ends all the same."""
        self.world.live()
        self.world.driver.sensed(self.world.sense.strike())
        self.world.order("c1", messages.CONFIG, version=5, settings={1: 10})

        self.assertEqual(self.revoke("l1", (OPENED,)), (1, reasons.ORDER_IN_SESSION))
        self.assertEqual(self.world.driver.state, gate.ENDING)

    def test_waiting_revocation_ends_what_is_extended_by_a_revoked_token(self):
        """M-ORD-16: a token that is on a waiting list keeps no session alive."""
        self.world.live()
        self.assertEqual(self.revoke("l1", (EXTENDED,)), None)
        self.assertEqual(self.world.driver.state, gate.LIVE)
        self.world.show(self.world.token("t2"), CONSOLE)
        self.world.run(500)

        self.assertFalse(self.world.outputs.closed)
        self.assertEqual(self.world.last(messages.SESSION_STOP)["cause"], reasons.END_REVOKED)

    def test_revoked_token_that_waits_for_the_act_is_refused(self):
        """M-ORD-16: a token is judged once; revoked while it waits, it starts nothing."""
        self.world.show(self.world.token(), CONSOLE)
        self.assertEqual(self.world.driver.state, gate.ARMED)
        self.assertEqual(self.revoke("l1", (OPENED,)), (0, None))
        self.assertEqual(self.world.driver.state, gate.IDLE)
        self.world.press()
        self.world.run(500)

        self.assertEqual(self.world.outputs.closings, 0)
        self.assertIn(reasons.TOKEN_REVOKED, self.world.refusals())

    def test_revoked_session_does_not_resume_after_a_cut_in_between(self):
        """M-ORD-16: the list is on flash and the stop is not: what is suspended is not resumed."""
        self.world.live()
        self.world.power_cut()
        self.world.run(100)
        self.world.driver._trust._tokens = [OPENED]
        self.world.press()
        self.world.run(500)

        self.assertFalse(self.world.outputs.closed)
        self.assertIn(reasons.TOKEN_REVOKED, self.world.refusals())

    def test_revoked_session_does_not_resume(self):
        """A revocation list that names a suspended session's token ends it."""
        self.world.live()
        self.world.power_cut()
        self.world.run(100)
        self.world.order("l1", messages.REVOCATIONS, version=9, tokens=[b"t1\0\0\0\0\0\0"], kids=[])
        self.world.press()
        self.world.run(200)

        self.assertFalse(self.world.outputs.closed)
        self.assertEqual(self.world.last(messages.SESSION_STOP)["cause"], reasons.END_REVOKED)

    def test_flash_that_fails_leaves_the_old_object(self):
        """A slot that can't be written: the order is refused, the old settings hold."""
        self.world.flash.broken = list(range(6))
        self.world.order("c1", messages.CONFIG, version=5, settings={1: 10})

        self.assertEqual(self.result()[2], reasons.STORAGE_FAILED)
        self.assertEqual(self.world.driver.config.heartbeat_s, 30)

    def test_a_full_table_of_ids_refuses_what_acts_once(self):
        """An order whose id can't be kept is not carried out, since it could come again."""
        self.world = World(VirtualFlash(SECTORS, 4096)).settle()
        self.world.driver.lock(2, LOCK, 0)
        for number in range(log.USED_IDS_MAX):
            self.world.driver.core.facts.log.put(log.USED_ID, b"\xff\xff\xff\xff", b"%08d" % number, True)
        self.world.order("r1", messages.RELEASE, lock=LOCK)

        self.assertEqual(self.result()[2], reasons.TOKEN_USED_TABLE_FULL)
        self.assertEqual(self.world.driver.state, gate.LOCKED)

    def test_a_newer_version_while_one_waits(self):
        """What waited is judged again when its time comes: a newer version has made it old."""
        self.world.live()
        self.world.order("c1", messages.CONFIG, version=5, settings={1: 10})
        self.world.driver._trust._floors[b"config"] = 9
        self.world.driver.stop()
        self.world.run(500)

        self.assertEqual(self.result()[2], reasons.ORDER_VERSION_OLD)
        self.assertEqual(self.world.driver.config.heartbeat_s, 30)

    def test_tokens_go_first(self):
        """While an order is being verified a token is served first, judged by what held before the order."""
        self.world.driver.order(messages.CONFIG, b"c1")
        self.world.driver.work()
        self.world.driver.token(self.world.token(), SCANNER)
        self.world.run(300)

        self.assertTrue(self.world.outputs.closed)
        self.assertEqual(self.result()[2], reasons.ORDER_SIGNATURE)


if __name__ == "__main__":
    unittest.main()
