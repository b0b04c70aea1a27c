"""The world of the tests of a hostile collector: it has K_up, K_down and every frame ever seen, and speaks for a chip.

The chip is the real app on the simulator's board, over a real socket.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import Awaitable, Callable
from typing import Any

from weldgate_firmware.app import App
from weldgate_firmware.meter import dc_hall_1000a
from weldgate_issuer import Issuer, token_text
from weldgate_protocol import conversation as c
from weldgate_protocol import conversation_collector as ends
from weldgate_protocol import frame, messages
from weldgate_protocol.keys import ChipKeys, HmacKey
from weldgate_protocol.stream import FrameStream
from weldgate_simulator.board import Board
from weldgate_simulator.chip import Chip
from weldgate_simulator.clock import HostClock
from weldgate_simulator.provision import GENERATION, identity_of, new_flash, provision

DEVICE = (7).to_bytes(8, "big")
HOLDER = b"holder01"
NOW_S = int(time.time())
ISSUER = Issuer.generate(NOW_S)


class Collector:
    """The hostile one: it speaks for a chip's collector, and holds no more than one is given."""

    def __init__(self) -> None:
        secrets = ISSUER.chip_secrets(DEVICE, GENERATION)
        self.keys = ChipKeys(GENERATION, secrets.up, secrets.down)
        self.up = HmacKey(secrets.up)
        self.stored: list[bytes] = []
        self.challenges: list[dict[Any, Any]] = []
        self.diagnostics = 0
        self.online = asyncio.Event()
        self._end: Any = None
        self._writer: asyncio.StreamWriter | None = None
        self._server: asyncio.Server | None = None

    async def start(self) -> int:
        """Listen and return the port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Close everything."""
        assert self._server is not None
        if self._writer is not None:
            self._writer.close()
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._end = ends.CollectorConversation(
            lambda _device: self.keys,
            lambda _device, _epoch: len(self.stored),
            lambda: (int(time.time()), 0, 2),
            os.urandom,
            lambda _device: (c.STATUS_ACCEPTED, 0, 0),
        )
        stream = FrameStream()
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(4096):
                stream.feed(data)
                while (raw := stream.take()) is not None:
                    for event in self._end.receive(raw):
                        self._take(event, writer)
        writer.close()

    def _take(self, event: Any, writer: asyncio.StreamWriter) -> None:
        kind = event[0]
        if kind == ends.SEND:
            writer.write(event[1])
        elif kind in (ends.DURABLE, ends.BRIDGE):
            self.stored.append(event[2])
            writer.write(self._end.acknowledge(frame.parse(event[2]).epoch, event[1]))
        elif kind == ends.CAME_ONLINE:
            self.online.set()
        elif kind == ends.VOLATILE:
            self.diagnostics += event[1].type == messages.DIAGNOSTICS
            if event[1].type == messages.CHALLENGE:
                self.challenges.append(event[2])

    def send(self, type_: int, fields: dict[str, Any]) -> None:
        """Send any downlink message, rightly tagged."""
        assert self._writer is not None
        self._writer.write(self._end.downlink(type_, fields))

    def of(self, type_: int) -> list[dict[Any, Any]]:
        """Return the fields of what it was sent, by type."""
        frames = [frame.parse(raw) for raw in self.stored if raw[1] == type_]
        return [messages.decode(type_, one.payload) for one in frames]

    async def answered(self, type_: int, count: int) -> list[dict[Any, Any]]:
        """Wait until so many records of a type are here."""
        await until(lambda: len(self.of(type_)) >= count)
        return self.of(type_)


class Scene:
    """A chip in the hands of that collector."""

    def __init__(self, collector: Collector, chip: Chip, board: Board) -> None:
        self.collector = collector
        self.chip = chip
        self.board = board

    @property
    def app(self) -> App:
        """The running firmware."""
        assert self.chip.app is not None
        return self.chip.app

    async def quiet(self) -> None:
        """Wait until the chip has written and sent all that it has to say."""
        core = self.app.driver.core
        await until(lambda: not len(core.recorder) and self.app.driver.spool.acked == self.app.driver.spool.highest > 0)

    async def start(self, **claims: Any) -> None:
        """Let the welder himself start a session at the machine."""
        claims = {"life_s": 3600, "limit_s": 3600, "offline_s": 600, **claims}
        text = token_text(ISSUER.issue_token(device=DEVICE, holder=HOLDER, issued_s=NOW_S, **claims))
        await self.scan(text)
        await until(lambda: self.board.relay_closed)

    async def scan(self, text: str) -> None:
        """Show a code to the machine's own scanner."""
        self.board.scanner.put(text.encode() + b"\r")
        await asyncio.sleep(0)


async def until(true: Callable[[], bool]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(30):
        while not true():
            await asyncio.sleep(0)


def play(scene: Callable[[Scene], Awaitable[None]]) -> Collector:
    """Run a provisioned chip that believes this collector to be its own, and a scene beside them."""
    collector = Collector()

    async def whole() -> None:
        port = await collector.start()
        flash = new_flash()
        provision(flash, identity_of(ISSUER, DEVICE, "127.0.0.1", port), ISSUER.issue_key_set(issued_s=NOW_S))
        board = Board(HostClock(), dc_hall_1000a(), flash)
        chip = Chip(board)
        running = asyncio.create_task(chip.run())
        try:
            await collector.online.wait()
            found = Scene(collector, chip, board)
            await found.quiet()
            await scene(found)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await collector.stop()

    asyncio.run(whole())
    return collector
