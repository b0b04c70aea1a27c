"""The wire that can be cut: carries bytes as they are, drops everything when cut, carries again when joined."""

import asyncio
import socket
import socketserver
import threading
from collections.abc import Iterator

import pytest

from weldgate_simulator.line import wait_for
from weldgate_simulator.proxy import Proxy


class _Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while data := self.request.recv(65536):
            self.request.sendall(data)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """A cut is no error here."""


@pytest.fixture
def wire() -> Iterator[Proxy]:
    with _Server(("127.0.0.1", 0), _Echo) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        with Proxy("127.0.0.1", server.server_address[1]) as proxy:
            yield proxy
        server.shutdown()
        thread.join()


def connect(wire: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", wire.port), 5)


def exchange(sock: socket.socket, data: bytes) -> bytes:
    sock.sendall(data)
    came = b""
    while len(came) < len(data):
        came += sock.recv(65536)
    return came


def test_bytes_pass_unchanged(wire: Proxy) -> None:
    """Both ways, more than one read, none changed."""
    data = bytes(range(256)) * 1000

    with connect(wire) as sock:
        came = exchange(sock, data)

    assert came == data
    assert wire.carried == 1


def test_cut_drops_what_is_connected(wire: Proxy) -> None:
    """The connection ends with a reset, at once."""
    with connect(wire) as sock:
        exchange(sock, b"before")
        wire.cut()

        with pytest.raises(ConnectionResetError):
            sock.recv(1)


def test_cut_turns_new_connections_away(wire: Proxy) -> None:
    """Nobody gets through, and the other end hears nothing of it."""
    wire.cut()

    with pytest.raises(OSError), connect(wire) as sock:  # noqa: PT011 - refused or reset, as the system has it
        assert exchange(sock, b"hello")

    wait_for("the proxy to count it", lambda: wire.turned_away == 1)
    assert wire.carried == 0


def test_joined_it_carries_again(wire: Proxy) -> None:
    """What was cut is as good as new."""
    wire.cut()
    wire.join()

    with connect(wire) as sock:
        assert exchange(sock, b"after") == b"after"


def test_end_of_one_side_reaches_the_other(wire: Proxy) -> None:
    """A farewell passes too, so that no connection is left behind."""
    with connect(wire) as sock:
        exchange(sock, b"x")
        sock.shutdown(socket.SHUT_WR)

        assert sock.recv(1) == b""


@pytest.mark.parametrize("steps", range(12))
def test_end_closes_what_is_just_ending(wire: Proxy, steps: int) -> None:
    """However far a connection has come with its own end when the proxy ends: no socket stays open behind it."""
    with connect(wire) as sock:
        exchange(sock, b"carried")
        writers = set(wire._writers)

        async def end() -> None:
            next(iter(writers)).transport.abort()
            for _ in range(steps):
                await asyncio.sleep(0)
            wire._ending.set()

        assert len(writers) == 2
        asyncio.run_coroutine_threadsafe(end(), wire._loop)
        wire._thread.join()

    assert all(writer.get_extra_info("socket").fileno() == -1 for writer in writers)
