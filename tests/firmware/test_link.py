"""The link against a real socket: a collector's conversation on loopback, in the same interpreter."""

import asyncio
import os
import sys
import unittest

sys.path.append(os.getenv("WELDGATE_VECTORS", "tests/vectors") + "/../firmware")  # tests are no package

from board_double import Board, new_identity
from collector_double import NOW_S, Server, until

from weldgate_firmware import app as apps
from weldgate_firmware import gate
from weldgate_firmware.link import BACKOFF_LAST_MS, WINDOW_FRAMES, backoff_ms
from weldgate_protocol import conversation as c
from weldgate_protocol import messages, reasons
from weldgate_protocol.frame import parse

LOCK = b"lock-001"


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

    def test_high_water_ahead_loses_nothing(self):
        """M-CONV-19: a collector that has more than this chip gave gets all it lacks, then a gap and an alarm."""

        async def scene():
            await self.online()
            await self.all_acked()
            self.server.acknowledging = False
            acked = self.spool.acked
            for number in range(3):
                self.app.driver.core.alarm(reasons.ALARM_EXCEPTION, b"alarm-%02d" % number, 1, False)
            await until(lambda: self.spool.highest == acked + 3, "records")
            held = [self.spool_raw(seq) for seq in range(acked + 1, acked + 4)]
            epoch, high = self.spool.epoch, acked + 3 + 5
            self.server.high = high
            self.server.stored = []
            self.server.repeated = []
            self.server.acknowledging = True
            await self.server.drop()
            await until(lambda: self.spool.highest > high and self.spool.acked == self.spool.highest, "acks above it")
            self.assertEqual(self.server.repeated, held)
            self.assertEqual((self.spool.epoch, self.server.declared, self.server.ahead), (epoch, [], [high]))
            first, second = [parse(raw) for raw in self.server.stored[:2]]
            gap = messages.decode(first.type, first.payload)
            self.assertEqual((first.seq, gap), (high + 1, {"first": acked + 4, "last": high, "cause": 6}))
            alarm = messages.decode(second.type, second.payload)["alarm"]
            self.assertEqual((second.seq, alarm), (high + 2, reasons.ALARM_IDENTITY_CLONED))

        self.play(scene)

    def test_what_is_owed_to_a_collector_that_was_ahead_is_sent_until_an_ack_covers_it(self):
        """M-CONV-19: a connection lost before the ack, and the next begins with the same frames."""

        async def scene():
            await self.online()
            await self.all_acked()
            self.server.acknowledging = False
            acked = self.spool.acked
            self.app.driver.core.alarm(reasons.ALARM_EXCEPTION, b"alarm-01", 1, False)
            await until(lambda: self.spool.highest == acked + 1, "a record")
            held = self.spool_raw(acked + 1)
            for _ in range(3):
                if not self.server.repeated:
                    self.server.high = self.spool.highest + 2
                self.server.repeated = []
                await self.server.drop()
                await until(lambda: self.server.repeated, "the record again")
                self.assertEqual(self.server.repeated[0], held)
                self.assertEqual(self.spool.acked, acked)
            self.server.acknowledging = True
            self.app.driver.core.alarm(reasons.ALARM_EXCEPTION, b"alarm-02", 1, False)
            await self.all_acked()

        self.play(scene)

    def spool_raw(self, seq):
        """Read a frame from the ring."""
        buffer = bytearray(1058)
        return bytes(buffer[: self.spool.read(seq, buffer)])

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


class TestBackoff(unittest.TestCase):
    def test_wait_doubles_with_jitter_up_to_a_minute(self):
        """Between half and the whole, never more than 60 s."""
        for failures in range(20):
            low, high = backoff_ms(failures, 0), backoff_ms(failures, 65535)
            self.assertTrue(low <= high <= BACKOFF_LAST_MS)
            self.assertEqual(low, high // 2)
        self.assertEqual(backoff_ms(0, 65535), 500)
        self.assertEqual(backoff_ms(30, 65535), BACKOFF_LAST_MS)
