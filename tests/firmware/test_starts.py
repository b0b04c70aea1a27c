"""The commit: what is on flash when the relay closes, and what is left when it does not."""

import os
import sys
import unittest

sys.path.append(os.getenv("WELDGATE_VECTORS", "tests/vectors") + "/../firmware")  # tests are no package

from driver_world import NOW_UNIX, SCANNER, World

from weldgate_firmware import gate, log
from weldgate_protocol import messages, reasons


class TestStart(unittest.TestCase):
    """Used id, session, session-start, relay: in this order, one step a slice."""

    def setUp(self):
        self.world = World().settle()
        self.world.show(self.world.token())
        self.world.push()

    def test_the_order_on_flash(self):
        """Each slice makes one thing durable: used id, open session, session-start and then the relay."""
        world = self.world
        seen = []
        for _ in range(3):
            world.driver.work()
            seen.append(
                (
                    world.used("t1"),
                    world.storage.log.get(log.SESSION) is not None,
                    world.last(messages.SESSION_START) is not None,
                    world.outputs.closed,
                )
            )

        self.assertEqual(seen, [(True, False, False, False), (True, True, False, False), (True, True, True, True)])

    def test_flash_that_blocked_lets_others_speak_before_the_relay_closes(self):
        """S3: after a step that took 400 ms come two empty slices, in which a lock of that time is heard."""
        for lock in (False, True):
            with self.subTest(lock):
                self.setUp()
                world = self.world
                for _ in range(2):
                    world.driver.work()
                world.flash._charge = lambda ms: self.world.charge(ms if ms != 3 else 400)
                seen = []
                for _ in range(3):
                    world.driver.work()
                    seen.append((world.last(messages.SESSION_START) is not None, world.outputs.closed))
                    if lock:
                        world.driver.lock(2, b"lock-001", reasons.END_LOCK_NOW)

                closed = not lock
                self.assertEqual(seen, [(True, False), (True, False), (True, closed)])
                self.assertEqual(world.outputs.closings, int(closed))

    def test_a_cut_between_the_steps_starts_nothing(self):
        """Power lost after any step but the last leaves no session behind; the token is used up from the first."""
        for steps in (1, 2):
            with self.subTest(steps=steps):
                self.setUp()
                for _ in range(steps):
                    self.world.driver.work()
                self.world.power_cut()
                self.world.run(200)
                self.assertEqual(self.world.driver.state, gate.IDLE)
                self.assertIsNone(self.world.storage.log.get(log.SESSION))
                self.assertEqual(self.world.all(messages.SESSION_SUSPEND), [])
                self.world.show(b"t1", SCANNER)
                self.assertEqual(self.world.refusals(), [reasons.TOKEN_USED])

    def test_a_full_spool_refuses_with_its_own_reason(self):
        """No room for a session-start: refused as full, not as failed."""
        world = self.world
        world.storage.spool.append = None
        original = world.driver.core.recorder.write

        def full(*_arguments):
            from weldgate_protocol.errors import StorageError

            raise StorageError(reasons.STORAGE_FULL, "full")

        world.driver.core.recorder.write = full
        world.work()
        world.driver.core.recorder.write = original

        self.assertEqual(world.driver.core.last_reason, reasons.GATE_SPOOL_FULL)
        self.assertEqual(world.driver.state, gate.IDLE)

    def test_older_records_go_first(self):
        """Nothing starts before what happened earlier is on flash."""
        world = self.world
        world.driver.core.recorder.note(messages.POWER_OFF, {}, 3)
        world.run(300)
        kinds = [kind for kind, _ in world.frames()]

        self.assertTrue(kinds.index(messages.POWER_OFF) < kinds.index(messages.SESSION_START))

    def test_a_limit_that_ends_during_the_commit_wins(self):
        """A session that is over before its records are durable closes nothing, and its stop is on record."""
        world = self.world
        world.driver.work()
        world.driver.work()
        world.driver.core.clock._now_s += 10 * 3600
        world.driver.work()
        world.run(200)

        self.assertEqual(world.outputs.closings, 0)
        self.assertEqual(len(world.all(messages.SESSION_STOP)), 1)
        self.assertEqual(world.driver.state, gate.IDLE)


class TestEnd(unittest.TestCase):
    """When a token's leave ends."""

    def test_the_permit_may_end_first(self):
        """A permit that ends before the token ends the session then."""
        world = World().settle()
        world.driver.time_offered(NOW_UNIX, 0, 2)
        world.live(permit=b"permit-1", permit_to_s=NOW_UNIX + 1000)
        world.driver.sensed(world.sense.strike())
        world.skip(1000)

        self.assertFalse(world.outputs.closed)
        self.assertEqual(world.last(messages.SESSION_STOP)["cause"], reasons.END_EXPIRED)
        self.assertEqual(world.last(messages.SESSION_START)["permit"], b"permit-1")


class TestResume(unittest.TestCase):
    """Running again: the fact, session-resume, relay."""

    def setUp(self):
        self.world = World().settle().live()
        self.world.power_cut()
        self.world.run(200)
        self.world.push()

    def test_a_cut_between_the_steps_suspends_again(self):
        """Power lost between the fact and the record: the session is suspended again and can be resumed."""
        self.world.driver.work()
        self.world.power_cut()
        self.world.run(200)
        self.assertEqual(self.world.driver.state, gate.SUSPENDED)
        self.world.press()
        self.world.run(200)

        self.assertTrue(self.world.outputs.closed)
        kinds = [kind for kind, fields in self.world.frames() if "token" in fields]
        self.assertEqual(kinds[-1], messages.SESSION_RESUME)

    def test_a_lock_between_the_steps_stops_the_session(self):
        """A lock during the resumption ends the session for good, as a synthesised stop."""
        self.world.driver.work()
        self.world.driver.lock(2, b"lock-001", 0)
        self.world.run(200)
        stop = self.world.last(messages.SESSION_STOP)

        self.assertEqual(self.world.outputs.closings, 0)
        self.assertEqual((stop["cause"], stop["synthesised"]), (reasons.END_LOCK_NOW, True))
        self.world.power_cut()
        self.assertIsNone(self.world.driver.core.session)

    def test_failing_flash_leaves_it_suspended(self):
        """Flash that fails during the resumption: refused, still suspended, resumed when flash works again."""
        self.world.flash.broken = list(range(self.world.flash.sector_count))
        self.world.run(500)
        self.assertEqual(self.world.driver.state, gate.SUSPENDED)
        self.assertIn(reasons.GATE_FLASH_FAILED, self.world.outputs.shown)
        self.world.flash.broken = []
        self.world.run(20000)
        self.world.press()
        self.world.run(300)

        self.assertTrue(self.world.outputs.closed)


if __name__ == "__main__":
    unittest.main()
