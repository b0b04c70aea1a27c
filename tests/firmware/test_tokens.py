"""Tokens on their way in: what is refused at once, what after verification, what extends, what is an act."""

import os
import sys
import unittest

sys.path.append(os.getenv("WELDGATE_VECTORS", "tests/vectors") + "/../firmware")  # tests are no package

from driver_world import CONSOLE, DOWNLINK, HOLDER, NOW_UNIX, OTHER, SCANNER, SECTORS, World

from weldgate_firmware import gate, log
from weldgate_protocol import messages, reasons
from weldgate_simulator.flash import VirtualFlash


class TestSubmit(unittest.TestCase):
    """What is refused before it is verified."""

    def setUp(self):
        self.world = World().settle()

    def test_one_at_a_time(self):
        """A second token while one is being verified is refused as busy; the first goes on."""
        self.world.driver.token(self.world.token("t1"), CONSOLE)
        self.world.driver.token(self.world.token("t2"), CONSOLE)
        self.world.run(100)

        self.assertEqual(self.world.refusals(), [reasons.GATE_BUSY])
        self.assertEqual(self.world.driver.core.armed.id, b"t1\0\0\0\0\0\0")

    def test_shut_machines_do_not_verify(self):
        """Locked and latched machines refuse at once, each with its reason."""
        self.world.driver.lock(2, b"lock-001", 0)
        self.world.show(self.world.token(), SCANNER)
        self.assertEqual(self.world.refusals(), [reasons.GATE_LOCKED])
        self.world.driver.core.latch(reasons.ALARM_BYPASS)
        self.world.show(b"t1", SCANNER)
        self.assertEqual(self.world.refusals(), [reasons.GATE_LOCKED, reasons.GATE_LATCHED])

    def test_an_error_in_verification_is_not_asked_again(self):
        """A verification that raises what it must not opens, is told once, and the next token is heard."""

        def broken(data, context):
            raise ValueError("no")
            yield

        verify = self.world.driver._tokens._verify
        self.world.driver._tokens._verify = broken
        self.world.show(b"anything", SCANNER)
        self.assertEqual(self.world.driver.core.failures, 1)
        self.world.driver._tokens._verify = verify
        self.world.show(self.world.token(), SCANNER)
        self.world.run(200)
        self.assertTrue(self.world.outputs.closed)

    def test_repeats_are_collapsed(self):
        """A wrong code held before the scanner is one record now and a count later."""
        for _ in range(20):
            self.world.show(b"forged", SCANNER)
        self.world.skip(61)
        counts = [fields["count"] for fields in self.world.all(messages.REFUSAL)]

        self.assertEqual(counts, [1, 19])


class TestAccepted(unittest.TestCase):
    """What a verified token does."""

    def setUp(self):
        self.world = World().settle()

    def test_a_short_rest_is_refused(self):
        """A token with no more left than a soft end takes is refused and stays unused."""
        self.world.show(self.world.token(expires_s=120), SCANNER)
        self.world.run(200)

        self.assertEqual(self.world.refusals(), [reasons.GATE_LIMIT_SPENT])
        self.assertFalse(self.world.used("t1"))
        self.assertEqual(self.world.last(messages.REFUSAL)["holder"], HOLDER)

    def test_no_offline_allowance_is_refused(self):
        """A token that allows no second without a downlink can't start anything."""
        self.world.show(self.world.token(offline_s=0), SCANNER)

        self.assertEqual(self.world.refusals(), [reasons.GATE_LIMIT_SPENT])

    def test_a_full_table_refuses(self):
        """With the table of used ids full a token is refused; nothing is forgotten for it."""
        self.world = World(VirtualFlash(SECTORS, 4096)).settle()  # the chip's own size: the table fills before the log
        for number in range(log.USED_IDS_MAX):
            self.world.driver.core.facts.log.put(log.USED_ID, b"\xff\xff\xff\xff", b"%08d" % number, True)
        self.world.show(self.world.token(), SCANNER)

        self.assertEqual(self.world.refusals(), [reasons.TOKEN_USED_TABLE_FULL])
        self.assertEqual(self.world.storage.log.count(log.USED_ID), log.USED_IDS_MAX)

    def test_the_newest_token_waits(self):
        """A second token takes the place of the one that waits, with a time of its own; the first stays unused."""
        self.world.show(self.world.token("t1"))
        self.world.skip(100)
        self.world.show(self.world.token("t2", holder=OTHER))
        self.world.skip(100)
        self.world.press()
        self.world.run(200)

        self.assertEqual(self.world.driver.core.session.holder, OTHER)
        self.assertFalse(self.world.used("t1"))

    def test_a_token_that_ends_while_it_waits_starts_nothing(self):
        """Expired between arming and the act: refused, although it was good when it was shown."""
        self.world.show(self.world.token(expires_s=500))
        self.world.driver.time_offered(NOW_UNIX + 600, 0, 2)
        self.world.press()
        self.world.run(200)

        self.assertFalse(self.world.outputs.closed)
        self.assertIn(reasons.TOKEN_EXPIRED, self.world.refusals())

    def test_an_unsure_clock_learns(self):
        """An unsynced clock takes a token's issued-at as its tentative floor, and keeps it."""
        self.world.show(self.world.token(), CONSOLE)
        self.world.run(100)
        self.world.power_cut()

        self.assertEqual(self.world.clock.stamp()[0], NOW_UNIX)
        self.assertEqual(self.world.clock.quality, 0)


class TestLive(unittest.TestCase):
    """Tokens while a session is live."""

    def setUp(self):
        self.world = World().settle()
        self.world.live(limit_s=600)

    def test_same_holder_extends(self):
        """The holder's new token lengthens the session; its id is used, its limits count from now."""
        self.world.skip(300)
        self.world.show(self.world.token("t2", limit_s=600), DOWNLINK)
        self.world.run(100)
        session = self.world.driver.core.session
        self.assertEqual((session.token, session.latest, session.extensions), (b"t1\0\0\0\0\0\0", b"t2\0\0\0\0\0\0", 1))
        self.assertTrue(self.world.used("t2"))
        self.world.skip(400)
        self.assertTrue(self.world.outputs.closed)
        self.world.driver.stop()
        self.world.run(100)
        self.assertEqual(self.world.last(messages.SESSION_STOP)["extensions"], 1)

    def test_an_extension_survives_a_power_cut(self):
        """After a cut the extended limits hold, and either token may resume at the scanner."""
        self.world.show(self.world.token("t2", limit_s=7200), DOWNLINK)
        self.world.run(100)
        self.world.power_cut()
        self.world.run(100)
        self.world.show(b"t2", SCANNER)
        self.world.run(200)

        self.assertTrue(self.world.outputs.closed)
        self.assertTrue(self.world.driver.core.session.limit_s > 7000)

    def test_another_holder_is_refused(self):
        """Another welder's token is refused until the session is stopped, and stays unused."""
        self.world.show(self.world.token("t2", holder=OTHER), SCANNER)

        self.assertEqual(self.world.refusals(), [reasons.TOKEN_OTHER_HOLDER])
        self.assertFalse(self.world.used("t2"))
        self.world.driver.stop()
        self.world.run(100)
        self.world.show(b"t2", SCANNER)
        self.world.run(200)
        self.assertEqual(self.world.driver.core.session.holder, OTHER)

    def test_nothing_extends_an_ending_session(self):
        """Once the soft end has begun a new token is refused as busy and stays unused."""
        self.world.driver.sensed(self.world.sense.strike())
        self.world.driver.stop()
        self.world.show(self.world.token("t2"), SCANNER)

        self.assertEqual(self.world.driver.state, gate.ENDING)
        self.assertEqual(self.world.refusals(), [reasons.GATE_BUSY])
        self.assertFalse(self.world.used("t2"))

    def test_an_extension_waits_for_flash(self):
        """Before the used id is on flash the limits are the old ones."""
        before = self.world.driver.core.session.limit_s
        self.world.driver.token(self.world.token("t2", limit_s=7200), DOWNLINK)
        for _ in range(3):
            self.world.driver._tokens.step()

        self.assertEqual(self.world.driver.core.session.limit_s, before)

    def test_a_session_that_ends_meanwhile_is_not_extended(self):
        """A token whose used id reaches flash after the session ended is used up and extends nothing."""
        self.world.driver.token(self.world.token("t2"), DOWNLINK)
        for _ in range(3):
            self.world.driver._tokens.step()
        self.world.driver.stop()
        self.world.run(200)

        self.assertTrue(self.world.used("t2"))
        self.assertIsNone(self.world.driver.core.session)
        self.world.show(b"t2", SCANNER)
        self.assertEqual(self.world.refusals(), [reasons.TOKEN_USED])

    def test_a_token_that_comes_with_the_act_starts_nothing(self):
        """The act belongs to the token that waited; one still being verified then is another's, and refused."""
        world = World().settle()
        world.show(world.token("t1"))
        world.driver.button(False)
        world.run(300)
        world.driver.token(world.token("t2", holder=OTHER), CONSOLE)
        world.driver.button(True)
        world.run(300)

        self.assertEqual(world.refusals(), [reasons.TOKEN_OTHER_HOLDER])
        self.assertEqual(world.driver.core.session.token, b"t1\0\0\0\0\0\0")
        self.assertEqual(len(world.all(messages.SESSION_START)), 1)

    def test_failing_flash_refuses_before_arming(self):
        """While older facts can't be written no token is accepted."""
        world = World().settle()
        world.driver.core.facts.failing = True
        world.show(world.token(), CONSOLE)

        self.assertEqual(world.refusals(), [reasons.GATE_FLASH_FAILED])


class TestActs(unittest.TestCase):
    """What speaks against an act."""

    def test_a_sensor_that_fails_while_a_token_waits(self):
        """With a failed sensor an act is refused; a suspended session waits until it works again."""
        world = World().settle().live()
        world.power_cut()
        world.run(200)
        world.driver.sensor_fault(reasons.ALARM_SENSOR_OPEN)
        world.press()
        world.run(200)
        self.assertFalse(world.outputs.closed)
        self.assertIn(reasons.GATE_SENSOR_FAULT, world.refusals())
        self.assertEqual(world.driver.state, gate.SUSPENDED)

        world.driver.sensor_fault(0)
        world.press()
        world.run(200)
        self.assertTrue(world.outputs.closed)

    def test_a_stuck_button_starts_nothing(self):
        """With the button taped down not even the scanner starts; released it does."""
        world = World().settle()
        world.push()
        world.skip(61)
        world.show(world.token(), SCANNER)
        self.assertIn(reasons.GATE_BUTTON_STUCK, world.refusals())
        self.assertEqual(world.last(messages.ALARM)["alarm"], reasons.ALARM_BUTTON_STUCK)

        world.driver.button(False)
        world.run(100)
        self.assertEqual(world.last(messages.ALARM)["state"], 2)
        world.show(b"t1", SCANNER)
        world.run(200)
        self.assertTrue(world.outputs.closed)

    def test_a_spent_session_does_not_resume(self):
        """After long offline work and a power cut the allowance must be renewed by a downlink before it resumes."""
        world = World().settle()
        world.live(offline_s=1200)
        for _ in range(4):
            world.skip(500)
            world.sense.strike()
            world.skip(1)
            world.driver.heard()
            world.sense.out()
        world.power_cut()
        world.run(100)
        world.press()
        world.run(200)
        self.assertFalse(world.outputs.closed)
        self.assertIn(reasons.GATE_LIMIT_SPENT, world.refusals())

        world.driver.heard()
        world.press()
        world.run(200)
        self.assertTrue(world.outputs.closed)


if __name__ == "__main__":
    unittest.main()
