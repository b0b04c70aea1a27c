"""The driver with nothing stood in for but the board: signed objects of the vectors through the real verification."""

import os
import sys
import unittest
from struct import pack

sys.path.append(os.getenv("WELDGATE_VECTORS", "tests/vectors") + "/../firmware")  # tests are no package
sys.path.append(os.getenv("WELDGATE_VECTORS", "tests/vectors"))

import circumstances
from driver_world import CONSOLE, SCANNER, World

from weldgate_firmware import gate, slots
from weldgate_firmware.log import VERSIONS
from weldgate_protocol import ec_comb, messages, order, reasons, token

SETUP, TOKENS = circumstances.load("token.json")
ORDERS = circumstances.load("order.json")[1]
LOCK = bytes.fromhex("2122232425262728")
ALARM = bytes.fromhex("3132333435363738")


class Identity:
    """The chip that the vectors are made for."""

    device = bytes.fromhex(SETUP["device"])
    area = SETUP["area"]
    roots = [bytes.fromhex(root) for root in SETUP["roots"]]
    k_up = b"u" * 32
    k_seal = b"s" * 32
    generation = 0


def signed(cases, name):
    """Return the bytes of a vector."""
    for case in cases:
        if case["name"] == name:
            return circumstances.data_of(case)
    raise KeyError(name)


class TestSigned(unittest.TestCase):
    """Key set, token, release, clear and revocation as the issuer signs them."""

    def setUp(self):
        self.world = World(identity=Identity, verify=token.verify_steps, judge=order.verify_steps).settle()
        self.world.driver.time_offered(SETUP["now_s"], 0, 2)

    def order(self, type_, name):
        """Hand a signed order in and return what its result says."""
        data = bytes.fromhex(SETUP["key_set"]) if type_ == messages.KEY_SET else signed(ORDERS, name)
        self.world.driver.order(type_, data)
        self.world.work(2000)
        self.world.run(100)
        fields = self.world.last(messages.ORDER_RESULT)
        return fields["result"], fields.get("reason")

    def scan(self, data, via=SCANNER):
        """Show a token and let it be verified."""
        self.world.driver.token(data, via)
        self.world.work(2000)
        self.world.run(200)

    def test_from_key_set_to_session(self):
        """Without a key set nothing is accepted; with it the signed token starts a session, once."""
        plain = signed(TOKENS, "plain")
        self.scan(plain)
        self.assertEqual(self.world.refusals(), [reasons.TOKEN_NO_KEY_SET])
        self.assertEqual(self.order(messages.KEY_SET, ""), (0, None))
        self.scan(plain)
        self.assertTrue(self.world.outputs.closed)
        self.assertEqual(self.world.last(messages.SESSION_START)["token"], bytes.fromhex("0102030405060708"))

        self.world.driver.lock(2, LOCK, 0)
        self.world.run(200)
        self.assertEqual(self.order(messages.RELEASE, "release: plain"), (0, None))
        self.scan(plain)
        self.assertEqual(self.world.driver.state, gate.IDLE)
        self.assertIn(reasons.TOKEN_USED, self.world.refusals())

    def test_text_and_bytes_are_one_token(self):
        """The QR's text is the same token as its bytes."""
        self.order(messages.KEY_SET, "")
        self.scan(signed(TOKENS, "plain, as text"), CONSOLE)

        self.assertEqual(self.world.driver.state, gate.ARMED)

    def test_key_set_survives_and_does_not_go_back(self):
        """The key set is read back after a power cut, and its version is in force then."""
        self.order(messages.KEY_SET, "")
        version = self.world.driver.hello()["key_set_version"]
        self.world.power_cut()
        self.world.driver.time_offered(SETUP["now_s"], 0, 2)
        self.assertEqual(self.world.driver.hello()["key_set_version"], version)
        self.assertEqual(self.order(messages.KEY_SET, "")[1], reasons.KEY_SET_VERSION)
        self.scan(signed(TOKENS, "plain"))
        self.assertTrue(self.world.outputs.closed)
        self.assertTrue(self.world.driver.heartbeat()["key_set_days"] > 0)

    def test_a_welcome_beyond_the_key_set_is_undone_by_a_good_one(self):
        """M-TOK-22: a collector ten years ahead stops the machine, and no longer than until its clock is right."""
        self.order(messages.KEY_SET, "")
        self.world.driver.time_offered(SETUP["now_s"] + 3650 * 86400, 0, 2)
        self.scan(signed(TOKENS, "plain"))
        self.assertEqual(self.world.refusals(), [reasons.TOKEN_KEY_SET_EXPIRED])
        self.world.power_cut()

        self.world.driver.time_offered(SETUP["now_s"], 0, 2)
        self.world.run(61000)
        self.scan(signed(TOKENS, "plain"))
        self.assertTrue(self.world.outputs.closed)

    def test_a_key_set_that_rotted_is_taken_again(self):
        """Without its slot no key set is in force, and the very one that was lost is accepted once more."""
        self.order(messages.KEY_SET, "")
        size = self.world.flash.sector_size
        for offset in range(2 * slots.KEY_SET * size, (2 * slots.KEY_SET + 2) * size):
            self.world.flash.data[offset] = 0
        self.world.power_cut()
        self.world.driver.time_offered(SETUP["now_s"], 0, 2)
        self.assertIsNone(self.world.driver._trust.key_set)
        self.assertEqual(self.order(messages.KEY_SET, ""), (0, None))
        self.scan(signed(TOKENS, "plain"))
        self.assertTrue(self.world.outputs.closed)

    def test_an_older_key_set_does_not_come_back(self):
        """A slot that holds an older set than was in force, since the newer one rotted, puts none in force."""
        self.order(messages.KEY_SET, "")
        version = self.world.driver.hello()["key_set_version"]
        self.world.storage.log.put(VERSIONS, pack(">III", 0, version + 1, 0))
        self.world.power_cut()
        self.world.driver.time_offered(SETUP["now_s"], 0, 2)
        self.assertIsNone(self.world.driver._trust.key_set)
        self.assertEqual(self.order(messages.KEY_SET, "")[1], reasons.KEY_SET_VERSION)

    def alarms(self, reason):
        """Return the states of the alarm records of a reason, oldest first."""
        return [fields["state"] for fields in self.world.all(messages.ALARM) if fields["alarm"] == reason]

    def test_an_ending_key_set_is_told(self):
        """Thirty days before the key set's end an alarm is raised, once; it ends with the days that come back."""
        self.order(messages.KEY_SET, "")
        expires_s = self.world.driver._trust.key_set.expires_s
        self.world.driver.time_offered(expires_s - 32 * 86400, 0, 2)
        self.world.skip(61)
        self.assertEqual(self.alarms(reasons.ALARM_KEY_SET_ENDING), [])

        self.world.driver.time_offered(expires_s - 30 * 86400, 0, 2)
        self.world.skip(130)
        self.assertEqual(self.alarms(reasons.ALARM_KEY_SET_ENDING), [1])
        self.world.driver._trust.key_set.expires_s += 365 * 86400
        self.world.skip(61)
        self.assertEqual(self.alarms(reasons.ALARM_KEY_SET_ENDING), [1, 2])

    def test_a_filling_spool_is_told(self):
        """Above 85 % of unacknowledged records an alarm is raised, and ended once the collector has taken them."""
        spool = self.world.storage.spool
        while spool.used_permille <= 850:
            self.world.driver.core.alarm(reasons.ALARM_CASE_OPEN, b"alarm-id", 1, False)
            self.world.run(10)
        self.world.skip(61)
        self.assertEqual(self.alarms(reasons.ALARM_SPOOL_FULL), [1])
        spool.ack(spool.highest)
        self.world.skip(61)
        self.assertEqual(self.alarms(reasons.ALARM_SPOOL_FULL), [1, 2])

    def test_tables_are_ready_before_a_token_comes(self):
        """A new key set is worked ahead for, in slices, so that the first welder does not wait; so is one at boot."""
        self.order(messages.KEY_SET, "")
        for _ in range(2):
            steps = 0
            while self.world.driver._trust.prepare():
                steps += 1
                self.assertTrue(steps < 10000)
            key_set = self.world.driver._trust.key_set
            starting = next(key.public for key in key_set.keys if key.scopes & 1)
            self.assertEqual(ec_comb.tables[0].public, starting)
            self.assertIsNone(self.world.driver._trust._preparing)
            self.world.power_cut()

    def test_clear_alarm(self):
        """A signed clear that names the latched alarm frees the machine."""
        self.order(messages.KEY_SET, "")
        self.assertEqual(self.order(messages.CLEAR_ALARM, "clear-alarm: plain")[1], reasons.ORDER_UNKNOWN_ALARM)
        self.world.driver.core.holds.latch(ALARM, reasons.ALARM_BYPASS)
        self.world.run(100)
        self.assertEqual(self.world.driver.state, gate.LATCHED)

        self.assertEqual(self.order(messages.CLEAR_ALARM, "clear-alarm: plain"), (0, None))
        self.assertEqual(self.world.driver.state, gate.IDLE)

    def test_revoked_token(self):
        """A revocation list that names the token keeps it from starting, across a power cut too."""
        self.order(messages.KEY_SET, "")
        self.assertEqual(self.order(messages.REVOCATIONS, "revocations: plain"), (0, None))
        self.world.power_cut()
        self.scan(signed(TOKENS, "plain"))

        self.assertFalse(self.world.outputs.closed)
        self.assertIn(self.world.refusals()[-1], (reasons.TOKEN_REVOKED, reasons.TOKEN_KEY_REVOKED))

    def test_a_revocation_list_does_not_go_back(self):
        """Of two lists signed in the same second the one that came first holds."""
        self.order(messages.KEY_SET, "")
        self.assertEqual(self.order(messages.REVOCATIONS, "revocations: 90 tokens"), (0, None))
        self.assertEqual(self.order(messages.REVOCATIONS, "revocations: plain")[1], reasons.ORDER_VERSION_OLD)

    def test_an_order_is_no_token(self):
        """A signed order shown to the scanner, and a token sent as an order, are refused."""
        self.order(messages.KEY_SET, "")
        self.scan(signed(ORDERS, "release: plain"))
        self.world.driver.order(messages.RELEASE, signed(TOKENS, "plain"))
        self.world.work(2000)
        self.world.run(100)

        self.assertEqual(self.world.refusals(), [reasons.TOKEN_SIGNATURE])
        self.assertEqual(self.world.last(messages.ORDER_RESULT)["reason"], reasons.ORDER_SIGNATURE)

    def test_any_bytes_are_refused_with_a_reason(self):
        """Whatever comes as token or order is refused with a number; nothing is caught as an exception."""
        self.order(messages.KEY_SET, "")
        plain = signed(TOKENS, "plain")
        for data in (b"", b"\xff" * 300, plain[:-1], plain[:40], "WG1:", "hello", b"\x84" * 150):
            self.scan(data)
            self.world.driver.order(messages.CONFIG, bytes(data if isinstance(data, bytes) else data.encode()))
            self.world.work(200)
        self.world.run(200)

        self.assertEqual(self.world.driver.core.failures, 0)
        self.assertEqual(self.world.outputs.closings, 0)


def trip(*_arguments):
    """Raise what nobody expects."""
    raise RuntimeError("tripped")


class TestGuards(unittest.TestCase):
    """Every input catches what nobody expects: the relay is open and the failure is kept."""

    def test_each_input(self):
        """Whatever a part raises, the input returns, the relay is open, number and type are kept."""
        for name, spoil, call in (
            ("tick", lambda d: setattr(d._limits, "passed", trip), lambda d: d.tick()),
            ("work", lambda d: setattr(d._chores, "write", trip), lambda d: d.work()),
            ("token", lambda d: setattr(d._tokens, "submit", trip), lambda d: d.token(b"t", SCANNER)),
            ("button", lambda d: setattr(d._button, "sample", trip), lambda d: d.button(True) or d.tick()),
            ("stop", lambda d: setattr(d._limits, "soft_end", trip), lambda d: d.stop()),
            ("lock_now", lambda d: setattr(d.core, "run", trip), lambda d: d.core.outputs.relay(False)),
            ("order", lambda d: setattr(d._orders, "submit", trip), lambda d: d.order(messages.RELEASE, b"x")),
            ("time", lambda d: setattr(d._limits, "time_offered", trip), lambda d: d.time_offered(0, 0, 2)),
            ("sensed", lambda d: setattr(d._senses, "sensed", trip), lambda d: d.sensed(1)),
            ("fault", lambda d: setattr(d._senses, "sensor", trip), lambda d: d.sensor_fault(152)),
            ("case", lambda d: setattr(d._senses, "reported", trip), lambda d: d.case(False)),
            ("power", lambda d: setattr(d._chores, "write_all", trip), lambda d: d.power_failing()),
        ):
            with self.subTest(name=name):
                world = World().settle().live()
                spoil(world.driver)
                call(world.driver)
                self.assertFalse(world.outputs.closed)
                self.assertTrue(name == "lock_now" or world.driver.core.last_exception == "RuntimeError")

    def test_a_boot_that_trips_stays_locked(self):
        """Stores that can't be mounted leave the gate LOCKED and not ready."""
        world = World().settle()
        world.driver.core.ready = False
        world.driver.core.gate.state = gate.LOCKED
        world.storage.mount = trip
        world.driver.boot(1)
        world.run(100)

        self.assertEqual(world.driver.state, gate.LOCKED)
        self.assertEqual(world.driver.core.last_exception, "RuntimeError")

    def test_identify_reaches_the_board(self):
        """A chip that is looked for shows itself."""
        world = World().settle()
        asked = []
        world.outputs.identify = asked.append
        world.driver.identify(5)

        self.assertEqual(asked, [5])


if __name__ == "__main__":
    unittest.main()
