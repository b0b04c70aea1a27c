"""A wire that can be cut: a TCP proxy on a loopback port, between a chip and its collector.

Cut, it drops every connection at once with a reset and turns new ones away the same way, as a router without power
does; joined again it carries bytes as before. It can also be cut after a number of bytes, most likely in the middle of
a frame. It changes no byte.
"""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from typing import Self

from weldgate_protocol.errors import LocalError
from weldgate_protocol.reasons import TOOL_CONNECTION

__all__ = ["Proxy"]

_READ_BYTES = 65536
_START_S = 10.0
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER with no time: closing sends RST


class Proxy:
    """One wire, served by a thread of its own. Use it in ``with``.

    Attributes:
        port: where the chip connects to.
        carried: connections that reached the collector so far.
        turned_away: connections that came while it was cut.
        bytes_up, bytes_down: what it carried.
        cut_midway: whether what ``cut_after`` asked for has happened.
    """

    def __init__(self, host: str, port: int) -> None:
        """Remember the other end.

        Args:
            host, port: the collector's.
        """
        self._target = (host, port)
        self._loop: asyncio.AbstractEventLoop
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        self._ending: asyncio.Event
        self._cut = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._failed: OSError | None = None
        self.port = 0
        self.carried = self.turned_away = self.bytes_up = self.bytes_down = 0
        self.cut_midway = False
        self._cut_at_bytes = 0

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread.start()
        if not self._ready.wait(_START_S) or self._failed is not None:
            raise LocalError(TOOL_CONNECTION, f"proxy can't listen: {self._failed}")
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._ending.set)
            self._thread.join()

    def cut(self) -> None:
        """Cut the wire; every connection is gone when this returns."""
        self._do(True)

    def cut_after(self, size_bytes: int) -> None:
        """Reset whatever connection has carried so many more bytes upwards, by all together, and go on; once."""
        self._cut_at_bytes = self.bytes_up + size_bytes
        self.cut_midway = False

    def join(self) -> None:
        """Join the wire again."""
        self._do(False)

    def _do(self, cut: bool) -> None:
        async def change() -> None:
            self._cut = cut
            if cut:
                for writer in list(self._writers):
                    _reset(writer)

        asyncio.run_coroutine_threadsafe(change(), self._loop).result(_START_S)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        self._ending = asyncio.Event()
        tasks: set[asyncio.Task[None]] = set()

        def came(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._writers.add(writer)
            task = asyncio.ensure_future(self._carry(reader, writer))
            tasks.add(task)

            def over(done: asyncio.Task[None]) -> None:
                tasks.discard(done)
                writer.transport.abort()  # a task that is cancelled before it began closes nothing

            task.add_done_callback(over)

        try:
            server = await asyncio.start_server(came, "127.0.0.1", 0)
        except OSError as error:
            self._failed = error
            self._ready.set()
            return
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._ending.wait()
        server.close()
        while tasks:  # one that was just being accepted comes in between
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        # A task cancelled while it closed its ends has not seen them closed, and the loop is about to end. No
        # `wait_closed`: that task's cancellation has cancelled what it waits for.
        for writer in self._writers:
            writer.transport.abort()
        while any(writer.get_extra_info("socket").fileno() != -1 for writer in self._writers):
            await asyncio.sleep(0)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection until either side ends it."""
        far_writer: asyncio.StreamWriter | None = None
        ways: list[asyncio.Future[None]] = []
        try:
            if self._cut:
                self.turned_away += 1
                _reset(writer)
                return
            try:
                far_reader, far_writer = await asyncio.open_connection(*self._target)
            except OSError:
                _reset(writer)
                return
            self.carried += 1
            self._writers.add(far_writer)
            if self._cut:  # while it was being connected
                _reset(writer)
                _reset(far_writer)
            ways += [
                asyncio.ensure_future(self._pump(reader, far_writer, True)),
                asyncio.ensure_future(self._pump(far_reader, writer, False)),
            ]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for end in (writer, far_writer):
                if end is not None:
                    end.close()
                    with contextlib.suppress(OSError):
                        await end.wait_closed()
                    self._writers.discard(end)

    def _changes(self, _up: bool) -> Callable[[bytes], bytes]:
        """Return what becomes of the bytes on one way of one connection: they stay as they are."""
        return bytes

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, up: bool) -> None:
        change = self._changes(up)
        with contextlib.suppress(OSError):
            while data := await reader.read(_READ_BYTES):
                data = change(data)
                left = self._cut_at_bytes - self.bytes_up
                if up:
                    self.bytes_up += len(data)
                else:
                    self.bytes_down += len(data)
                midway = up and 0 < left <= len(data)
                writer.write(data[:left] if midway else data)
                await writer.drain()
                if midway:
                    self._cut_at_bytes, self.cut_midway = 0, True
                    return  # whoever waits for this closes both ends


def _reset(writer: asyncio.StreamWriter) -> None:
    """Drop a connection with a reset instead of a farewell."""
    sock = writer.get_extra_info("socket")
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
