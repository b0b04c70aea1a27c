"""A collector on loopback for the link's suites, in the same interpreter: its conversation, and a memory.

How it behaves is set from outside. Runs on both interpreters.
"""

import asyncio
import os

from board_double import DEVICE, K_DOWN, K_UP, ticks_ms

from weldgate_protocol import conversation as c
from weldgate_protocol import conversation_collector as collector
from weldgate_protocol.frame import parse
from weldgate_protocol.keys import ChipKeys
from weldgate_protocol.stream import FrameStream

DEADLINE_MS = 30000
NOW_S = 1795500000


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
        self.repeated = []
        self.declared = []
        self.ahead = []
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
            self.repeated.append(event[2])
            writer.write(self.end.acknowledge(parse(event[2]).epoch, self.high))
        elif kind == collector.AHEAD:
            self.ahead.append(event[3])
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
