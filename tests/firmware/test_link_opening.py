"""The link while a connection opens: cancelled, dropped or left waiting in that very moment."""

import asyncio
import os
import sys
import unittest

sys.path.append(os.getenv("WELDGATE_VECTORS", "tests/vectors") + "/../firmware")  # tests are no package

from board_double import DEVICE, K_DOWN, K_UP, Board, new_identity
from collector_double import until

from weldgate_firmware import app as apps
from weldgate_firmware.clock import ticks_add
from weldgate_firmware.link import CONNECT_S, Link
from weldgate_protocol import reasons
from weldgate_protocol._compat import HmacKey
from weldgate_protocol.conversation_chip import ChipConversation


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
