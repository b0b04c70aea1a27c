"""The app on a board without hardware: who feeds the watchdog, what a failure does, what the ports bring."""

import asyncio
import json
import os
import sys
import unittest

sys.path.append(os.getenv("WELDGATE_VECTORS", "tests/vectors") + "/../firmware")  # tests are no package

from board_double import DEVICE, Board, new_identity, ticks_ms

from weldgate_firmware import app as apps
from weldgate_firmware import gate
from weldgate_protocol import reasons
from weldgate_protocol.errors import ConfigError, LocalError

DEADLINE_MS = 20000


async def until(true):
    """Wait until something is so."""
    start = ticks_ms()
    while not true():
        if (ticks_ms() - start) & 0x3FFFFFFF > DEADLINE_MS:
            raise AssertionError("not so in time")
        await asyncio.sleep(0.005)


class TestApp(unittest.TestCase):
    def setUp(self):
        self.board = Board(new_identity())
        storage = self.board.storage()
        self.app = apps.App(self.board, apps.load_identity(storage), storage)
        self.app.boot()

    def play(self, scene):
        """Run the app and a scene beside it; the scene's end ends the app."""

        async def both():
            running = asyncio.create_task(self.app.run())
            try:
                await scene(running)
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)

        asyncio.run(both())

    def ask(self, line):
        self.board.said = b""
        self.board.typed = line
        while self.board.typed:
            self.app.read_serial()
        return self.board.said.decode()

    def test_s1_boot_leaves_the_relay_open(self):
        """Nothing has closed it, and the gate is where nothing may."""
        self.assertFalse(self.board.closed)
        self.assertEqual(self.board.closings, 0)
        self.assertEqual(self.app.driver.state, gate.IDLE)

    def test_only_the_tick_feeds_the_watchdog(self):
        """Work, ports and boot aside, each tick feeds once."""
        before = self.board.fed
        self.app.driver.work()
        self.app.read_serial()
        self.assertEqual(self.board.fed, before)
        self.app.tick()
        self.assertEqual(self.board.fed, before + 1)

    def test_s1_failing_tick_opens_the_relay_and_ends_the_app(self):
        """A sensor that raises is not survived by going on: the module restarts."""

        async def scene(running):
            await until(lambda: self.board.fed > 3)
            self.board.closed = True  # as if a session were live
            self.board.fail_sample = True
            fed = self.board.fed
            await until(running.done)  # every part has ended with it
            self.assertEqual(self.board.fed, fed)

        self.play(scene)
        self.assertFalse(self.board.closed)

    def test_new_keys_restart_the_app_once_all_is_written(self):
        """M-KEY-05: what happened is on flash first, the order's answer among it; then the app ends and begins anew."""

        async def scene(running):
            await until(lambda: self.board.fed > 3)
            core = self.app.driver.core
            core.restart = True
            core.alarm(reasons.ALARM_EXCEPTION, b"answered", 1, False)
            await until(running.done)
            self.assertEqual((len(core.recorder), len(core.facts)), (0, 0))

        self.play(scene)
        self.assertFalse(self.board.closed)

    def test_s1_part_that_fails_opens_the_relay_and_begins_again(self):
        """An error in a part that is not the gate's opens first, is recorded, and the part goes on."""
        calls = []

        def broken():
            calls.append(1)
            if len(calls) == 1:
                self.board.closed = True
                raise ValueError("a bug")

        self.app.read_serial = broken

        async def scene(running):
            await until(lambda: len(calls) > 2)
            self.assertFalse(running.done())

        self.play(scene)
        self.assertFalse(self.board.closed)
        self.assertEqual(self.app.driver.core.failures, 1)
        self.assertIn("a bug", self.app.trouble)

    def test_s1_part_that_returns_has_failed(self):
        """A part runs for ever; one that comes to an end opens the relay, is recorded, and begins again."""
        calls = []

        async def returning():
            calls.append(1)
            if len(calls) == 1:
                self.board.closed = True

        self.app._serial_ports = returning

        async def scene(running):
            await until(lambda: len(calls) > 1)
            self.assertFalse(running.done())

        self.play(scene)
        self.assertFalse(self.board.closed)
        self.assertGreater(self.app.driver.core.failures, 0)

    def test_s3_radio_that_refuses_ends_nothing(self):
        """An error of the radio's driver is a lost link: it opens no relay, records no failure and is tried again."""
        calls = []

        def refuse(ssid, password):
            calls.append(1)
            raise OSError("Wifi Internal Error")

        self.board.network_up = refuse

        self.app._serial_ports = self.app._network  # without a collector the app runs none

        async def scene(running):
            await until(lambda: len(calls) > 1)
            self.assertFalse(running.done())

        self.play(scene)
        self.assertEqual(self.app.driver.core.failures, 0)
        self.assertIn("Wifi", self.app.trouble)

    def lose(self, error):
        """Have a part fail for good; return what the app raised. The watchdog is not fed after it."""
        fed = []

        def broken():
            self.board.closed = True
            fed.append(self.board.fed)
            raise error

        self.app.read_serial = broken
        raised = []

        async def scene(running):
            await until(running.done)
            try:
                await running
            except (Exception, asyncio.CancelledError) as came:
                raised.append(came)

        self.play(scene)
        self.assertFalse(self.board.closed)
        self.assertEqual(len(fed), 1)
        self.assertEqual(self.board.fed, fed[0])
        return raised[0]

    def test_s1_part_whose_failure_can_not_be_recorded_ends_the_app(self):
        """A part that dies of its own failure is noticed before the watchdog is fed again."""

        def fail(code, name):
            raise OSError("no record")

        self.app.driver.core.fail = fail
        self.assertIn("no record", str(self.lose(ValueError("a bug"))))

    def test_s1_part_that_finds_no_memory_to_say_why_ends_the_app(self):
        """Memory that runs out in the handler itself is no quiet end either."""

        class WordlessError(ValueError):
            def __str__(self):
                raise MemoryError

        self.assertIsInstance(self.lose(WordlessError()), MemoryError)

    def test_s1_part_that_can_not_open_the_relay_ends_the_app(self):
        """A pin that does not answer when a part has failed is tried again by the end of the app."""
        relay = self.board.relay
        stuck = [True]

        def sticking(closed):
            if self.board.closed and not closed and stuck:
                stuck.pop()
                raise OSError("stuck")
            relay(closed)

        self.board.relay = sticking
        self.assertIn("stuck", str(self.lose(ValueError("a bug"))))

    def test_s1_part_that_is_cancelled_from_within_ends_the_app(self):
        """Not every end of a part is an Exception; the app raises one all the same."""
        self.assertIsInstance(self.lose(asyncio.CancelledError()), LocalError)

    def test_cancelled_app_ends_whatever_its_parts_swallow(self):
        """A part that swallows its cancellation is cancelled again and not begun again."""
        seen = []

        async def deaf():
            seen.append("begun")
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                seen.append("deaf")
            try:
                await asyncio.sleep(3600)
            finally:
                seen.append("ended")

        self.app._serial_ports = deaf

        async def scene(running):
            await until(lambda: seen)
            running.cancel()
            await until(running.done)
            self.assertEqual(seen, ["begun", "deaf", "ended"])

        self.play(scene)

    def test_scanned_line_is_handed_to_the_gate(self):
        """What the machine's own scanner reads is judged, and refused with its reason shown."""
        self.board.scanned = b"WG1:NONSENSE\r\n"
        while self.board.scanned:
            self.app.read_serial()
        while self.app.driver.work():
            pass

        self.assertEqual(self.app.driver.core.last_reason, reasons.TOKEN_MALFORMED)

    def test_scan_of_odd_bytes_is_refused(self):
        """No byte from a scanner does anything but be refused."""
        self.board.scanned = bytes(range(128, 256)) + b"\n"
        while self.board.scanned:
            self.app.read_serial()
        while self.app.driver.work():
            pass

        self.assertEqual(self.app.driver.core.last_reason, reasons.TOKEN_MALFORMED)

    def test_endless_scan_is_counted_and_dropped(self):
        """A line longer than any token is none."""
        self.board.scanned = b"W" * 1000 + b"\n"
        while self.board.scanned:
            self.app.read_serial()

        self.assertEqual(self.app.scanner_overlong, 1)

    def test_s2_press_without_a_token_is_refused_and_heard(self):
        """A press alone closes nothing; the box beeps and says why."""
        for _ in range(30):
            self.app.driver.clock.advance()
            self.app.tick()
        start = ticks_ms()
        while (ticks_ms() - start) & 0x3FFFFFFF < 250:
            self.app.tick()
        self.board.pressed = True
        self.app.tick()

        self.assertEqual(self.app.driver.core.last_reason, reasons.GATE_NO_SESSION)
        self.assertTrue(self.board.beeping)
        self.assertEqual(self.board.closings, 0)

    def test_s5_open_case_is_told(self):
        """The switch of the box is an alarm of its own."""
        self.board.case = False
        self.app.tick()

        self.assertEqual(self.app.driver.core.last_reason, reasons.ALARM_CASE_OPEN)

    def test_failing_supply_is_told_once_and_taken_back(self):
        """Mains gone and back: the driver knows each time, the latter once they have stayed for three seconds."""
        begun = ticks_ms()
        for supply, passed_ms, failing in (
            (False, 10, True),
            (True, 20, True),
            (True, 2900, True),
            (True, 3030, False),
        ):
            self.board.ticks_ms = lambda now=begun + passed_ms: now & 0x3FFFFFFF
            self.board.supply = supply
            self.app.tick()
            self.assertEqual(self.app.driver.core.power_failing, failing)

    def test_console_answers_every_command(self):
        """Each listed word gives names and values, in plain words and as JSON."""
        for word in ("status", "version", "sensor", "spool", "link", "clock", "config", "diag", "identify"):
            with self.subTest(word):
                self.assertTrue(self.ask(word.encode() + b"\n").endswith("ok\r\n"))
                answer = json.loads(self.ask(json.dumps({"cmd": word, "id": 1}).encode() + b"\n"))
                self.assertTrue(answer["ok"])
        self.assertIn("device: %d" % int.from_bytes(DEVICE, "big"), self.ask(b"version\n"))

    def test_console_shows_no_key(self):
        """Nothing the terminal says holds a secret."""
        for word in ("status", "version", "config", "diag", "help"):
            said = self.ask(word.encode() + b"\n")
            for secret in ("uuuu", "7575757575", "dddd", "6464646464"):
                self.assertFalse(secret in said)

    def test_console_config_of_one_name(self):
        """One setting, or a word that it is none."""
        self.assertEqual(self.ask(b"config heartbeat_s\n"), "heartbeat_s: 30\r\nok\r\n")
        self.assertIn("error %d" % reasons.CONSOLE_ARGUMENT, self.ask(b"config nonsense\n"))

    def test_s2_console_token_is_no_local_act(self):
        """A token typed in is judged as any other; a missing one is an error."""
        self.assertIn("error %d" % reasons.CONSOLE_ARGUMENT, self.ask(b"token\n"))
        self.assertIn("checking", self.ask(b"WG1:ABC\n"))
        while self.app.driver.work():
            pass
        self.assertEqual(self.board.closings, 0)

    def test_identify_blinks(self):
        """Somebody who looks for the box finds it."""
        self.ask(b"identify\n")
        seen = []
        for _ in range(40):
            self.app.tick()
            seen.append(self.board.lit)
        self.assertGreater(len([1 for i in range(1, len(seen)) if seen[i] != seen[i - 1]]), 4)

    def test_no_collector_no_link(self):
        """A chip without an address has no link, and the app runs all the same."""
        self.assertIsNone(self.app.link)
        self.app.changed()

        async def scene(running):
            await until(lambda: self.board.fed > 5)

        self.play(scene)


class TestNameless(unittest.TestCase):
    def test_chip_without_identity_says_so_and_stays_open(self):
        """No identity: no app, the relay held open, the watchdog fed, the console of use."""
        board = Board()
        with self.assertRaises(ConfigError) as caught:
            apps.load_identity(board.storage())

        async def scene():
            board.closed = True
            board.typed = b"status\n"
            task = asyncio.create_task(apps.run_nameless(board, caught.exception))
            await until(lambda: board.said and board.fed > 2)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        asyncio.run(scene())
        self.assertFalse(board.closed)
        self.assertIn("provision", board.said.decode())

    def test_damaged_identity_is_none(self):
        """Bytes in the slot that are no identity are refused with their reason."""
        board = Board()
        board.storage().slots.store(apps.IDENTITY, b"\xff\xff")
        with self.assertRaises(ConfigError) as caught:
            apps.load_identity(board.storage())
        self.assertEqual(caught.exception.code, reasons.CONFIG_MALFORMED)
