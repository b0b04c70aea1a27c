"""The link against a real socket: a collector's conversation on loopback, in the same interpreter."""

import asyncio
import os
import sys
import unittest

sys.path.append(os.getenv("WELDGATE_VECTORS", "tests/vectors") + "/../firmware")  # tests are no package

from board_double import DEVICE, K_DOWN, K_UP, Board, new_identity, ticks_ms

from weldgate_firmware import app as apps
from weldgate_firmware import gate
from weldgate_firmware.clock import ticks_add
from weldgate_firmware.link import BACKOFF_LAST_MS, CONNECT_S, WINDOW_FRAMES, Link, backoff_ms
from weldgate_protocol import conversation as c
from weldgate_protocol import conversation_collector as collector
from weldgate_protocol import messages, reasons
from weldgate_protocol._compat import HmacKey
from weldgate_protocol.conversation_chip import ChipConversation
from weldgate_protocol.frame import parse
from weldgate_protocol.keys import ChipKeys
from weldgate_protocol.stream import FrameStream

DEADLINE_MS = 30000
NOW_S = 1795500000
LOCK = b"lock-001"


async def until(true, what=""):
    """Wait until something is so."""
    start = ticks_ms()
    while not true():
        if (ticks_ms() - start) & 0x3FFFFFFF > DEADLINE_MS:
            raise AssertionError("not in time: " + what)
        await asyncio.sleep(0.005)


class Server:
    """A collector that keeps what it is sent; how it behaves is set from outside."""

    def __init__(self):
        self.high = 0
        self.verdict = (c.STATUS_ACCEPTED, 0, 0)
        self.stored = []
        self.declared = []
        self.volatile = []
        self.hellos = []
        self.connections = 0
        self.acknowledging = True
        self.mute = False
        self.noise = b""
        self.end = None
        self.writer = None
        self.server = None
        self.port = 0

    async def start(self):
        port = 20000 + (os.urandom(2)[0] << 7 | os.urandom(1)[0] & 127)
        for _ in range(50):
            try:
                self.server = await asyncio.start_server(self.serve, "127.0.0.1", port)
                self.port = port
                return
            except OSError:
                port += 7
        raise AssertionError("no free port")

    async def stop(self):
        await self.drop()
        self.server.close()
        await self.server.wait_closed()

    async def drop(self):
        """Close the connection there is; MicroPython's socket closes only in `wait_closed`."""
        writer = self.writer
        self.writer = None
        if writer is not None:
            writer.close()
            try:
                await writer.wait_closed()
            except OSError:
                pass  # the chip was faster

    async def serve(self, reader, writer):
        self.connections += 1
        self.writer = writer
        self.end = collector.CollectorConversation(
            lambda device: ChipKeys(0, K_UP, K_DOWN) if device == DEVICE else None,
            lambda device, epoch: self.high,
            lambda: (NOW_S, 0, 2),
            lambda size: os.urandom(size),
            lambda device: self.verdict,
        )
        stream = FrameStream()
        try:
            while True:
                data = await reader.read(300)
                if not data:
                    return
                if self.mute:
                    continue
                stream.feed(data)
                raw = stream.take()
                while raw is not None:
                    for event in self.end.receive(raw):
                        self.take(event, writer)
                    raw = stream.take()
                await writer.drain()
        except OSError:
            pass  # the chip went away
        finally:
            writer.close()
            if writer is self.writer:
                await self.drop()

    def take(self, event, writer):
        kind = event[0]
        if kind == collector.SEND:
            writer.write(self.noise + event[1])
        elif kind in (collector.DURABLE, collector.BRIDGE):
            self.stored.append(event[2])
            self.high = event[1]
            if self.acknowledging:
                writer.write(self.end.acknowledge(parse(event[2]).epoch, event[1]))
        elif kind == collector.REPEAT:
            writer.write(self.end.acknowledge(parse(event[2]).epoch, self.high))
        elif kind == collector.DECLARE:
            self.declared.append((event[2], event[3]))
            self.high = event[3]
        elif kind == collector.VOLATILE:
            self.volatile.append((event[1].type, event[2]))
        elif kind == collector.CAME_ONLINE:
            self.hellos.append(event[3])
        elif kind == collector.CLOSE:
            writer.close()

    def send(self, type_, fields):
        """Send a downlink message to the chip."""
        self.writer.write(self.end.downlink(type_, fields))


class TestLink(unittest.TestCase):
    def play(self, scene):
        """Run a chip and a collector; the scene sees both."""

        async def whole():
            self.server = Server()
            await self.server.start()
            self.board = Board(new_identity("127.0.0.1", self.server.port))
            storage = self.board.storage()
            self.app = apps.App(self.board, apps.load_identity(storage), storage)
            self.app.boot()
            self.spool = self.app.driver.spool
            running = asyncio.create_task(self.app.run())
            try:
                await scene()
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
                await self.server.stop()

        asyncio.run(whole())

    async def online(self):
        await until(lambda: self.server.hellos and self.app.link.online, "online")

    async def all_acked(self):
        await until(lambda: not len(self.app.driver.core.recorder) and self.spool.highest, "records")
        await until(lambda: self.spool.acked == self.spool.highest, "acks")

    def test_chip_comes_online_and_everything_is_acknowledged(self):
        """Hello, welcome, heartbeat, durable frames, acks; the clock is set by the welcome."""

        async def scene():
            await self.online()
            await self.all_acked()
            self.assertEqual(self.server.volatile[0][0], messages.HEARTBEAT)
            self.assertEqual([parse(raw).seq for raw in self.server.stored], list(range(1, self.spool.highest + 1)))
            self.assertTrue(abs(self.app.driver.stamp()[0] - NOW_S) < 60)
            self.assertTrue(self.app.driver.online)

        self.play(scene)

    def test_frames_come_byte_for_byte_again_after_a_cut(self):
        """What was not acknowledged is sent again, the same bytes; what was is not."""

        async def scene():
            self.server.acknowledging = False
            await self.online()
            await until(lambda: len(self.server.stored) >= 3, "frames")
            first = list(self.server.stored)
            self.server.high = 1
            self.server.stored = []
            self.server.acknowledging = True
            await self.server.drop()
            await until(lambda: len(self.server.stored) >= len(first) - 1, "frames again")
            await self.all_acked()
            self.assertEqual(self.server.stored[: len(first) - 1], first[1:])
            self.assertFalse(self.board.closed)

        self.play(scene)

    def test_high_water_gone_backward_is_refilled(self):
        """A collector that was restored is given what flash still holds."""

        async def scene():
            await self.online()
            await self.all_acked()
            held = len(self.server.stored)
            self.server.high = 0
            self.server.stored = []
            await self.server.drop()
            await until(lambda: len(self.server.stored) >= held, "refill")
            self.assertEqual(self.server.declared, [])

        self.play(scene)

    def test_high_water_ahead_opens_a_new_epoch(self):
        """A collector that has more than this chip wrote: numbers are never used twice."""

        async def scene():
            await self.online()
            await self.all_acked()
            epoch = self.spool.epoch
            self.server.high = self.spool.highest + 5
            await self.server.drop()
            await until(lambda: self.spool.epoch != epoch, "a new epoch")
            self.server.high = 0
            await self.online()
            await until(lambda: self.spool.highest and self.spool.acked == self.spool.highest, "acks in it")

        self.play(scene)

    def test_lock_from_the_wire_holds(self):
        """A lock reaches the gate, and a reconnect does not forget it."""

        async def scene():
            await self.online()
            self.server.send(messages.LOCK, {"mode": 2, "id": LOCK, "reason": 125})
            await until(lambda: self.app.driver.state == gate.LOCKED, "locked")
            await self.server.drop()
            await until(lambda: self.server.connections > 1 and self.app.link.online, "back")
            self.assertEqual(self.app.driver.state, gate.LOCKED)

        self.play(scene)

    def test_token_order_query_and_identify_are_handed_over(self):
        """Each reaches the driver and is answered in its way."""

        async def scene():
            await self.online()
            self.server.send(messages.TOKEN, {"token": b"no token"})
            await until(lambda: self.app.driver.core.last_reason == reasons.TOKEN_MALFORMED, "the token's refusal")
            self.server.send(messages.RELEASE, {"object": b"no order"})
            await until(lambda: [1 for raw in self.server.stored if raw[1] == messages.ORDER_RESULT], "order-result")
            self.server.send(messages.QUERY, {"query": b"query-01", "what": 1})
            await until(lambda: [1 for kind, _ in self.server.volatile if kind == messages.DIAGNOSTICS], "diagnostics")
            self.server.send(messages.IDENTIFY, {"seconds": 1})
            await until(lambda: self.app.indicator.identifying, "blinking")

        self.play(scene)

    def test_noise_between_frames_changes_nothing(self):
        """Garbage on the line is passed over."""

        async def scene():
            self.server.noise = b"\x7e\x00noise\x7d\x09\xff\x7e"
            await self.online()
            await self.all_acked()
            self.assertEqual(self.server.connections, 1)

        self.play(scene)

    def test_silent_collector_is_left(self):
        """A link that is open and says nothing is dead after a while, and tried again."""

        async def scene():
            await self.online()
            self.app.driver.config.link_silence_s = 1
            self.server.mute = True
            await until(lambda: self.server.connections > 1, "another connection")
            self.server.mute = False
            await until(lambda: self.app.link.online, "online again")

        self.play(scene)

    def test_turned_away_chip_waits_and_comes_back(self):
        """Pending is no loss: the wait is kept, and the records are still there."""

        async def scene():
            self.server.verdict = (c.STATUS_PENDING, reasons.WIRE_PENDING, 1)
            await until(lambda: self.app.link.error == reasons.WIRE_PENDING, "pending")
            self.server.verdict = (c.STATUS_ACCEPTED, 0, 0)
            await self.online()
            await self.all_acked()

        self.play(scene)

    def test_nobody_there_is_tried_again(self):
        """A collector that is down costs failures, never the app."""

        async def scene():
            await self.online()
            server, port = self.server.server, self.server.port
            await self.server.drop()
            server.close()
            await server.wait_closed()
            await until(lambda: self.app.link.failures > 0, "a failure")
            self.assertFalse(self.app.driver.online)
            self.server.server = await asyncio.start_server(self.server.serve, "127.0.0.1", port)
            await until(lambda: self.app.link.online, "back")
            self.assertEqual(self.app.driver.core.failures, 0)

        self.play(scene)

    def test_change_is_told_at_once(self):
        """A heartbeat goes out when something changes, not when it is due."""

        async def scene():
            await self.online()
            await self.all_acked()
            seen = len(self.server.volatile)
            self.app.changed()
            await until(lambda: len(self.server.volatile) > seen, "a heartbeat")

        self.play(scene)

    def test_window_of_unacknowledged_frames_is_bounded(self):
        """Without acks a chip stops sending."""

        async def scene():
            self.server.acknowledging = False
            await self.online()
            for _ in range(3 * WINDOW_FRAMES):
                self.app.driver.core.recorder.note(messages.POWER_OFF, {}, 3)
                while self.app.driver.work():
                    pass
            await until(lambda: len(self.server.stored) >= WINDOW_FRAMES, "a full window")
            seen = len(self.server.volatile)
            self.app.changed()
            await until(lambda: len(self.server.volatile) > seen, "a heartbeat behind it")
            self.assertTrue(len(self.server.stored) <= WINDOW_FRAMES + 3)

        self.play(scene)

    def test_s3_failure_to_obey_a_frame_is_no_lost_connection(self):
        """What goes wrong with what came opens the relay and is recorded, whatever becomes of the socket."""

        def fail(seconds):
            self.board.closed = True
            raise OSError("a bug, and not the socket's")

        async def scene():
            await self.online()
            self.app.driver.identify = fail
            self.server.send(messages.IDENTIFY, {"seconds": 1})
            await until(lambda: self.app.driver.core.failures, "a failure")
            self.assertFalse(self.board.closed)
            self.assertIn("not the socket's", self.app.trouble)
            await until(lambda: self.server.connections > 1 and self.app.link.online, "back")

        self.play(scene)


class Opening:
    """A connection that opens as a test wants it to, and on which nothing ever comes."""

    def __init__(self, opened):
        self.asked = 0
        self.closed = 0
        self._opened = opened

    async def connect(self, host, port):
        """Stand for `asyncio.open_connection`."""
        self.asked += 1
        await self._opened()
        return self, self

    async def read(self, size):
        await asyncio.sleep(3600)

    def write(self, data):
        pass

    async def drain(self):
        await asyncio.sleep(0)

    def close(self):
        pass

    async def wait_closed(self):
        self.closed += 1


async def never():
    """Be a collector that does not answer."""
    await asyncio.sleep(3600)


class TestOpening(unittest.TestCase):
    def chip(self, opening):
        """Make an app whose link gets its connections from the opening."""
        self.board = self.app = None  # the one before makes room
        self.board = Board(new_identity("127.0.0.1", 7460))
        storage = self.board.storage()
        self.app = apps.App(self.board, apps.load_identity(storage), storage)
        self.app.boot()
        chip = ChipConversation(DEVICE, HmacKey(K_UP), K_DOWN, 0)
        self.app.link = Link(chip, self.app.driver, self.board.random, "127.0.0.1", 7460, opening.connect)
        return self.app

    def cancelled(self, steps):
        """Run an app that is cancelled so many steps before its connection opens; return how often it tried."""

        async def whole():
            async def opened():
                running.cancel()
                for _ in range(steps):
                    await asyncio.sleep(0)

            opening = Opening(opened)
            running = asyncio.create_task(self.chip(opening).run())
            await until(running.done, "the end")
            return opening.asked

        return asyncio.run(whole())

    def test_app_ends_whenever_in_a_connect_it_is_cancelled(self):
        """The connection opens just before, with or just after the cancellation: the app ends each time."""
        for steps in range(6):
            with self.subTest(steps):
                self.assertEqual(self.cancelled(steps), 1)
                self.assertEqual(self.app.driver.core.failures, 0)

    def test_link_told_to_stop_as_it_is_dropped_ends(self):
        """A connection dropped for its silence does not pass the app's end for that drop."""

        async def whole():
            opening = Opening(never)
            link = self.chip(opening).link
            running = asyncio.create_task(link.run())
            await until(lambda: opening.asked, "a try")
            link.tick(ticks_add(self.app.driver.clock.ticks_ms(), 1000 * CONNECT_S + 1000))
            link.stop()
            running.cancel()
            await until(running.done, "the end")

        asyncio.run(whole())

    def test_s3_collector_that_does_not_answer_costs_a_try_and_opens_nothing(self):
        """A connect that takes too long is given up by the gate's tick; it is no failure of the chip."""

        async def whole():
            opening = Opening(never)
            app = self.chip(opening)
            running = asyncio.create_task(app.run())
            await until(lambda: opening.asked, "a try")
            start = app.driver.clock.ticks_ms()
            app.link.tick(ticks_add(start, 1000 * CONNECT_S - 1000))
            await until(lambda: self.board.fed > 3, "some ticks")
            self.assertEqual(app.link.failures, 0)
            app.link.tick(ticks_add(start, 1000 * CONNECT_S + 1000))
            await until(lambda: app.link.failures, "a failed try")
            self.assertEqual(app.link.error, reasons.WIRE_HELLO_TIMEOUT)
            self.assertEqual(app.driver.core.failures, 0)
            await until(lambda: opening.asked > 1, "the next try")
            running.cancel()
            await until(running.done, "the end")

        asyncio.run(whole())


class TestBackoff(unittest.TestCase):
    def test_wait_doubles_with_jitter_up_to_a_minute(self):
        """Between half and the whole, never more than 60 s."""
        for failures in range(20):
            low, high = backoff_ms(failures, 0), backoff_ms(failures, 65535)
            self.assertTrue(low <= high <= BACKOFF_LAST_MS)
            self.assertEqual(low, high // 2)
        self.assertEqual(backoff_ms(0, 65535), 500)
        self.assertEqual(backoff_ms(30, 65535), BACKOFF_LAST_MS)
