"""A scripted chip and a hub with a real store, for the collector's tests."""

import asyncio
import secrets
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from weldgate_collector.chips import Chip, Chips, add_chips
from weldgate_collector.downlink import Downlink
from weldgate_collector.hub import Hub, Limits
from weldgate_collector.ingest import Lines
from weldgate_collector.links.base import Connection
from weldgate_collector.links.memory import MemoryLink
from weldgate_collector.metrics import Metrics
from weldgate_collector.store import Connect, Reader, Record, Writer, connect
from weldgate_protocol import messages
from weldgate_protocol._compat import HmacKey
from weldgate_protocol.conversation_chip import ChipConversation
from weldgate_protocol.frame import FLAG_DURABLE, FLAG_PARITY, encode_body, seal, to_wire
from weldgate_protocol.keys import derive
from weldgate_protocol.stream import FrameStream

ROOT = bytes(range(32))
STAMP = (1_790_000_000, 5, 2)


def known(number: int) -> Chip:
    """Return a chip with its keys, generation 1."""
    device = number.to_bytes(8, "big")
    return Chip(str(number), 1, derive(ROOT, b"up", device, 1).hex(), derive(ROOT, b"down", device, 1).hex())


class Talker:
    """A chip's side of a memory link, driven line by line by a test."""

    def __init__(self, number: int, epoch: bytes = b"\xa0\0\0\1", keys: Chip | None = None) -> None:
        self.device = number.to_bytes(8, "big")
        self.epoch = epoch
        keys = keys or known(number)
        self.up = HmacKey(bytes.fromhex(keys.up))
        self.conversation = ChipConversation(self.device, self.up, bytes.fromhex(keys.down), keys.generation)
        self.events: list[int] = []
        self.got: list[tuple[int, dict[Any, Any]]] = []
        self.is_closed = False
        self._stream = FrameStream()
        self._changed = asyncio.Event()
        self.connection: Connection

    def received(self, data: bytes) -> None:
        """Follow the conversation."""
        self._stream.feed(data)
        while (raw := self._stream.take()) is not None:
            self.events.append(self.conversation.receive(raw, 0))
            self.got.append((raw[1], dict(self.conversation.fields)))
        self._changed.set()

    def closed(self) -> None:
        """Note the end."""
        self.is_closed = True
        self.conversation.end()
        self._changed.set()

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait until something is so."""
        async with asyncio.timeout(20):
            while not true():
                self._changed.clear()
                await self._changed.wait()

    async def connect(self, link: MemoryLink, oldest: int = 1, highest: int = 0, source: str = "memory") -> None:
        """Connect and say hello, then wait for an answer."""
        self._stream = FrameStream()
        self.is_closed = False
        seen = len(self.events)
        self.connection = link.connect(self, source)
        hello: dict[str | int, Any] = {
            "oldest": oldest, "highest": max(highest, oldest - 1), "boot": 1, "firmware": "t", "profile": "t",
            "key_set_version": 1, "config_version": 1, "revocations_version": 1,
        }  # fmt: skip
        self.connection.send(self.conversation.start(secrets.token_bytes(16), hello, self.epoch, STAMP, 0))
        await self.until(lambda: len(self.events) > seen or self.is_closed)

    def heartbeat(self, **changes: Any) -> None:
        """Say the word that proves the chip is there."""
        fields: dict[str | int, Any] = {
            "gate": 2, "alarms": [], "highest": 0, "acked": 0, "spool_permille": 0, "current_ma": 0, "uptime_s": 1,
        }  # fmt: skip
        self.connection.send(self.conversation.volatile(messages.HEARTBEAT, {**fields, **changes}, STAMP))

    async def come_online(self, link: MemoryLink, oldest: int = 1, highest: int = 0) -> None:
        """Connect, say hello, prove it."""
        await self.connect(link, oldest, highest)
        self.heartbeat()

    def frame(self, seq: int, mean_ma: int = 1, type_: int = messages.TELEMETRY, **fields: Any) -> bytes:
        """Return a durable frame, as spooled."""
        telemetry = {
            "window_s": 60, "mean_ma": mean_ma, "peak_ma": 2, "arc_ms": 0, "gate": 2, "source": 1, "strikes": 0,
        }  # fmt: skip
        payload = messages.encode(type_, fields or telemetry)
        return seal(
            encode_body(FLAG_DURABLE | FLAG_PARITY | 2, type_, self.device, self.epoch, seq, *STAMP[:2], payload),
            self.up,
        )

    def send(self, *raws: bytes) -> None:
        """Send durable frames."""
        for raw in raws:
            self.conversation.sent(int.from_bytes(raw[14:18], "big"))
        self.connection.send(b"".join(to_wire(raw) for raw in raws))

    async def acked(self, through: int) -> None:
        """Wait for an ack."""
        await self.until(lambda: self.conversation.acked >= through)


class House:
    """A hub with its neighbours, on a memory link."""

    def __init__(self, folder: Path, limits: Limits, clock_s: Callable[[], float], seam: Connect) -> None:
        self.path = folder
        chips_file = folder / "chips.jsonl"
        if not chips_file.exists():
            add_chips(chips_file, [known(number) for number in range(1, 6)])
        self._loop = asyncio.get_running_loop()
        self.writer = Writer(self.path, 1, 1000, self._committed, seam)
        with Reader(self.path) as reader:
            lines = Lines(reader.highs())
            self.downlink = Downlink(self.writer, reader, clock_s=clock_s)
        self.metrics = Metrics()
        self.chips = Chips(chips_file)
        self.hub = Hub(
            self.chips, self.writer, lines, self.downlink, self.metrics, limits, lambda: Reader(self.path), clock_s
        )
        self.link = MemoryLink()

    def _committed(self, index: int) -> None:
        self._loop.call_soon_threadsafe(self.hub.committed, index)

    def records(self, **asked: Any) -> list[Record]:
        """Return what the store holds."""
        with Reader(self.path) as reader:
            return list(reader.records(**asked))


@pytest.fixture
def house(tmp_path: Path) -> Callable[..., Any]:
    """Return a context that builds a house, lets it run, and stops it gracefully."""

    @asynccontextmanager
    async def running(
        limits: Limits | None = None, clock_s: Callable[[], float] = lambda: 0.0, seam: Connect = connect
    ) -> AsyncIterator[House]:
        built = House(tmp_path, limits or Limits(), clock_s, seam)
        built.writer.start()
        await built.link.start(built.hub.accept)
        try:
            yield built
        finally:
            await built.link.stop()
            await built.hub.stop()
            await asyncio.to_thread(built.writer.stop)

    return running


@pytest.fixture
def talker() -> type[Talker]:
    """Return the scripted chip's class."""
    return Talker


@pytest.fixture
def eventually() -> Callable[[Callable[[], bool]], Any]:
    """Return a wait for what happens on another thread, with an end."""

    async def wait(true: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not true():
                await asyncio.sleep(0.001)

    return wait


class FullDisk:
    """A disk that is full while `full` says so: `seam` opens databases whose COMMIT fails then, as SQLite's does."""

    def __init__(self) -> None:
        self.full = False

    def seam(self, path: Path) -> sqlite3.Connection:
        """Open a database on this disk."""
        disk = self

        class Failing(sqlite3.Connection):
            def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
                if sql == "COMMIT" and disk.full:
                    error = sqlite3.OperationalError("database or disk is full")
                    error.sqlite_errorcode = sqlite3.SQLITE_FULL
                    raise error
                return super().execute(sql, *args)

        return connect(path, Failing)


@pytest.fixture
def full_disk() -> FullDisk:
    """Return a disk that has room until a test says otherwise."""
    return FullDisk()
