"""What every link promises (``links/base.py``): one case class, one subclass a link, the stand-in included."""

import asyncio
import ssl
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from weldgate_collector.links.base import SEND_MAX, Connection
from weldgate_collector.links.memory import MemoryEnd, MemoryLink
from weldgate_collector.links.tcp import TcpLink
from weldgate_collector.links.tls import Certificates
from weldgate_simulator.certificates import Authority


class Server:
    """The collector's side of one connection, which remembers."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.data = bytearray()
        self.ends = 0
        self.changed = asyncio.Event()

    def received(self, data: bytes) -> None:
        """Remember the bytes."""
        self.data += data
        self.changed.set()

    def closed(self) -> None:
        """Count the end."""
        self.ends += 1
        self.changed.set()


async def until(where: Any, true: Callable[[], bool]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(20):
        while not true():
            where.changed.clear()
            await where.changed.wait()


class LinkCases:
    """The promises."""

    link: Any

    async def begin(self) -> None:
        """Start the link."""
        raise NotImplementedError

    async def dial(self) -> tuple[Any, Any]:
        """Connect as a chip: (end that remembers, end that sends and closes)."""
        raise NotImplementedError

    def run_scene(self, scene: Callable[[], Any]) -> None:
        """Run a scene with the link started, and stop it after."""

        async def whole() -> None:
            self.servers: list[Server] = []
            self.arrived = asyncio.Event()
            await self.begin()
            try:
                await scene()
            finally:
                await self.link.stop()

        asyncio.run(whole())

    def accept(self, connection: Connection) -> Server:
        """Take a connection."""
        self.servers.append(Server(connection))
        self.arrived.set()
        return self.servers[-1]

    async def pair(self) -> tuple[Server, Any, Any]:
        """Return both ends of a new connection."""
        self.arrived.clear()
        end, chip = await self.dial()
        await asyncio.wait_for(self.arrived.wait(), 20)
        return self.servers[-1], end, chip

    def test_bytes_pass_in_order_both_ways(self) -> None:
        """What goes in comes out, whole and in order."""

        async def scene() -> None:
            server, end, chip = await self.pair()
            for number in range(100):
                chip.send(bytes([number]) * 50)
                server.connection.send(bytes([number]) * 30)
            await until(server, lambda: len(server.data) == 5000)
            await until(end, lambda: len(end.data) == 3000)
            assert bytes(server.data) == b"".join(bytes([number]) * 50 for number in range(100))
            assert bytes(end.data) == b"".join(bytes([number]) * 30 for number in range(100))

        self.run_scene(scene)

    def test_paused_connection_hands_nothing_over_and_loses_nothing(self) -> None:
        """After ``resume`` everything that waited comes."""

        async def scene() -> None:
            server, end, chip = await self.pair()
            server.connection.pause()
            chip.send(b"x" * 1000)
            server.connection.send(b"a word that goes the other way")
            await until(end, lambda: len(end.data) == 30)
            held = len(server.data)
            server.connection.resume()
            await until(server, lambda: len(server.data) == 1000)
            assert held == 0

        self.run_scene(scene)

    def test_close_is_told_once_on_both_sides(self) -> None:
        """Whoever closes, ``closed`` comes once, and what was sent before still arrives."""

        async def scene() -> None:
            server, end, chip = await self.pair()
            server.connection.send(b"last word")
            server.connection.close()
            server.connection.close()
            await until(end, lambda: end.is_closed)
            await until(server, lambda: server.ends > 0)
            assert bytes(end.data) == b"last word"
            other, _, chip = await self.pair()
            chip.close()
            await until(other, lambda: other.ends > 0)
            other.connection.send(b"into the void")
            other.connection.pause()
            other.connection.resume()
            assert (server.ends, other.ends) == (1, 1)

        self.run_scene(scene)

    def test_slow_reader_is_closed(self) -> None:
        """A peer that doesn't read can't fill our memory."""

        async def scene() -> None:
            server, _, chip = await self.pair()
            chip.pause()
            for _ in range(400):
                if server.ends:
                    break
                server.connection.send(b"x" * SEND_MAX)
                await asyncio.sleep(0)
            await until(server, lambda: server.ends > 0)
            chip.close()

        self.run_scene(scene)

    def test_stop_closes_everything(self) -> None:
        """After ``stop`` nobody is connected and nobody gets in."""

        async def scene() -> None:
            server, end, _ = await self.pair()
            await self.link.stop()
            await until(server, lambda: server.ends > 0)
            await until(end, lambda: end.is_closed)
            try:
                await self.dial()
            except OSError:
                return
            raise AssertionError("a stopped link let somebody in")

        self.run_scene(scene)

    def test_source_is_known(self) -> None:
        """Throttling needs to know where a connection comes from."""

        async def scene() -> None:
            server, _, _ = await self.pair()
            assert server.connection.source

        self.run_scene(scene)


class TestMemoryLink(LinkCases):
    """The stand-in keeps the same promises."""

    async def begin(self) -> None:
        self.link = MemoryLink()
        await self.link.start(self.accept)

    async def dial(self) -> tuple[Any, Any]:
        end = MemoryEnd()
        return end, self.link.connect(end)


class _TcpEnd(asyncio.Protocol):
    """A chip's end of a real socket."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.is_closed = False
        self.changed = asyncio.Event()
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.data += data
        self.changed.set()

    def connection_lost(self, _exc: Exception | None) -> None:
        self.is_closed = True
        self.changed.set()

    def send(self, data: bytes) -> None:
        """Send."""
        self.transport.write(data)

    def pause(self) -> None:
        """Stop reading."""
        self.transport.pause_reading()

    def close(self) -> None:
        """Close."""
        self.transport.close()


class TestTcpLink(LinkCases):
    """The real one."""

    async def begin(self) -> None:
        self.link = TcpLink("127.0.0.1", 0, 10)
        await self.link.start(self.accept)

    async def dial(self) -> tuple[Any, Any]:
        _, end = await asyncio.get_running_loop().create_connection(_TcpEnd, "127.0.0.1", self.link.port)
        return end, end

    def test_connections_beyond_the_limit_are_refused_and_counted(self) -> None:
        """One more than allowed is closed at once; the others are unharmed."""

        async def scene() -> None:
            for _ in range(10):
                await self.pair()
            end, _ = await self.dial()
            await until(end, lambda: end.is_closed)
            assert self.link.refused == 1
            self.servers[0].connection.send(b"still here")

        self.run_scene(scene)


class TestTlsLink(TestTcpLink):
    """The same over TLS 1.3."""

    async def begin(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            authority = Authority(Path(folder))
            self.client = ssl.create_default_context(cafile=str(authority.file))
            certificates = Certificates(*authority.issue("collector"))
        self.link = TcpLink("127.0.0.1", 0, 10, certificates)
        await self.link.start(self.accept)

    async def dial(self) -> tuple[Any, Any]:
        loop = asyncio.get_running_loop()
        _, end = await loop.create_connection(_TcpEnd, "127.0.0.1", self.link.port, ssl=self.client)
        return end, end

    def test_connections_beyond_the_limit_are_refused_and_counted(self) -> None:
        """One more than allowed is closed before its handshake."""

        async def scene() -> None:
            for _ in range(10):
                await self.pair()
            try:
                await self.dial()
            except OSError:
                assert self.link.refused == 1
                return
            raise AssertionError("one too many got in")

        self.run_scene(scene)
