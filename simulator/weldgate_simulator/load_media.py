"""What the bench's load goes over: a TCP connection for each chip, or one MQTT connection for all of them.

Pumped by one thread without any library in between: a socket call for what is sent, one for what came. MQTT is 3.1.1
at QoS 0, written here and not taken from the collector's link, so that each tests the other.
"""

import resource
import select
import socket
from collections.abc import Callable, Iterable
from typing import Protocol

from weldgate_protocol.errors import LocalError
from weldgate_protocol.reasons import TOOL_CONNECTION

from .load_chip import plain
from .mqtt_bytes import PUBLISH, cut_packets, enter, packet, read_publish, text

__all__ = ["Medium", "MqttMedium", "TcpMedium", "raise_limit"]

_READ_BYTES = 262_144
_EVENTS = 4_096
_CONNECT_S = 30.0


class Medium(Protocol):
    """Bytes to chips' collector and back, by the chip's place in the list."""

    def wrap(self, device: str) -> Callable[[bytes], bytes]:
        """Return what makes of a chip's frame on the wire what this medium carries."""

    def open(self, place: int) -> None:
        """Connect a chip, which says hello at once.

        Raises:
            OSError: the other end can't be reached.
        """

    def send(self, place: int, data: "bytes | memoryview") -> None:
        """Send; what the socket does not take now goes as soon as it does."""

    def poll(self, wait_s: float) -> Iterable[tuple[int, bytes]]:
        """Wait, send what was left over, and return what came.

        Raises:
            LocalError: TOOL_CONNECTION, a connection ended.
        """

    def close(self) -> None:
        """Close every socket."""


class _Pipe:
    """A socket with what it has not taken yet."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.rest = bytearray()

    def send(self, data: "bytes | memoryview") -> bool:
        """Return whether something is left over."""
        if not self.rest:
            try:
                sent = self.sock.send(data)
            except BlockingIOError:
                sent = 0
            if sent == len(data):
                return False
            data = data[sent:]
        self.rest += data
        return True

    def flush(self) -> bool:
        """Send what was left over; return whether something still is."""
        try:
            sent = self.sock.send(self.rest)
        except BlockingIOError:
            return True
        del self.rest[:sent]
        return bool(self.rest)

    def recv(self) -> bytes:
        try:
            data = self.sock.recv(_READ_BYTES)
        except BlockingIOError:
            return b""
        if not data:
            raise LocalError(TOOL_CONNECTION, "the other end closed a connection of the load")
        return data


class TcpMedium:
    """A connection for each chip, from as many addresses of 127.0.0.x as wanted."""

    def __init__(self, host: str, port: int, sources: int = 0) -> None:
        """Remember where to connect.

        Args:
            host, port: the collector's.
            sources: how many local addresses chips come from; 0 for the machine's own choice.
        """
        self._where = (host, port)
        self._sources = sources
        self._poll = select.epoll()
        self._pipes: list[_Pipe] = []
        self._places: dict[int, int] = {}

    def wrap(self, device: str) -> Callable[[bytes], bytes]:
        """Carry frames as they are."""
        return plain(device)

    def open(self, place: int) -> None:
        """Connect the next chip; ``place`` counts up from 0."""
        local = (f"127.0.0.{2 + place % self._sources}", 0) if self._sources else None
        sock = socket.create_connection(self._where, _CONNECT_S, local)
        self._pipes.append(_Pipe(sock))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setblocking(False)
        self._places[sock.fileno()] = place
        self._poll.register(sock, select.EPOLLIN)

    def send(self, place: int, data: "bytes | memoryview") -> None:
        """Send on one chip's connection."""
        pipe = self._pipes[place]
        if pipe.send(data):
            self._poll.modify(pipe.sock, select.EPOLLIN | select.EPOLLOUT)

    def poll(self, wait_s: float) -> Iterable[tuple[int, bytes]]:
        """Return (chip's place, bytes) of what came."""
        for descriptor, events in self._poll.poll(wait_s, _EVENTS):
            place = self._places[descriptor]
            pipe = self._pipes[place]
            if events & select.EPOLLOUT and not pipe.flush():
                self._poll.modify(pipe.sock, select.EPOLLIN)
            if events & ~select.EPOLLOUT and (data := pipe.recv()):
                yield place, data

    def close(self) -> None:
        """Close every connection."""
        self._poll.close()
        for pipe in self._pipes:
            pipe.sock.close()


class MqttMedium:
    """One connection to a broker; each frame is a publish of its own, as a module with AT commands makes it."""

    def __init__(self, host: str, port: int, devices: Iterable[str], collector: str) -> None:
        """Connect and subscribe.

        Args:
            host, port: the broker's.
            devices: the chips' numbers, in their places.
            collector: its name, in the topics.

        Raises:
            OSError: it can't be reached.
            LocalError: TOOL_CONNECTION, it does not let us in.
        """
        self._prefix = f"weldgate/1/{collector}/chip/"
        self._places = {device.encode(): place for place, device in enumerate(devices)}
        sock = socket.create_connection((host, port), _CONNECT_S)
        self._pipe = _Pipe(sock)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._data = enter(sock, "bench-modules", f"{self._prefix}+/down")
            sock.setblocking(False)
        except BaseException:
            sock.close()
            raise

    def wrap(self, device: str) -> Callable[[bytes], bytes]:
        """Make a publish on the chip's topic of each frame."""
        head = text(f"{self._prefix}{device}/up")
        return lambda wire: packet(PUBLISH, head + wire)

    def open(self, place: int) -> None:
        """Nothing: all chips are behind the one connection."""

    def send(self, _place: int, data: "bytes | memoryview") -> None:
        """Send publishes."""
        self._pipe.send(data)

    def poll(self, wait_s: float) -> Iterable[tuple[int, bytes]]:
        """Return (chip's place, bytes) of what was published for chips."""
        waits = select.POLLIN | (select.POLLOUT if self._pipe.rest else 0)
        watch = select.poll()
        watch.register(self._pipe.sock, waits)
        for _, events in watch.poll(wait_s * 1000):
            if events & select.POLLOUT:
                self._pipe.flush()
            if events & ~select.POLLOUT and (data := self._pipe.recv()):
                self._data += data
        for first, body in cut_packets(self._data):
            if first & 0xF0 == PUBLISH:
                topic, payload = read_publish(body)
                yield self._places[topic.split(b"/")[-2]], payload

    def close(self) -> None:
        """Close the connection."""
        self._pipe.sock.close()


def raise_limit() -> int:
    """Let this process have as many files open as it may; return how many."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
