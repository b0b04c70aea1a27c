"""The chip's side of each link, for ``replay``: bytes to a collector by TCP, TLS, serial line or MQTT.

Decides nothing: a way opens an end for each recorded connection, sends what it is given and hands over what comes.
"""

import asyncio
import os
import ssl
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

from weldgate_protocol.errors import WeldgateError
from weldgate_protocol.frame import to_wire
from weldgate_protocol.reasons import TOOL_BAD_INPUT, TOOL_CONNECTION, TOOL_EXTRA_MISSING
from weldgate_protocol.stream import FrameStream

from . import mqtt_packets as packets
from .errors import RecordingError

__all__ = ["End", "Target", "Way", "open_way"]

_READ_BYTES = 65_536
_CONNECT_S = 10.0


class Target(NamedTuple):
    """Where to replay to.

    Attributes:
        url: ``tcp://HOST:PORT``, ``tls://HOST:PORT``, ``serial:PATH``, ``mqtt://HOST:PORT``.
        ca_file, cert_file, key_file: for TLS.
        baud: for a serial line.
        collector: its name, in MQTT topics.
        username, password: for MQTT.
    """

    url: str
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    baud: int = 115_200
    collector: str = ""
    username: str = ""
    password: str = ""


class End(Protocol):
    """One connection, from the chip's side."""

    async def send(self, data: bytes) -> None:
        """Send bytes; waits while too many wait already. Nothing once it is closed."""

    async def close(self) -> None:
        """Close."""


class Way(Protocol):
    """A link, from the chips' side."""

    async def open(self, device: bytes, received: Callable[[bytes], None], closed: Callable[[], None]) -> End:
        """Open an end for a chip (8 bytes, empty where the recording names none).

        Raises:
            OSError: the collector can't be reached.
        """

    async def stop(self) -> None:
        """Close what is shared."""


async def open_way(target: Target) -> Way:
    """Return the way to a target.

    Raises:
        RecordingError: the address is none, a file can't be used, a package is missing, or nobody answers there.
    """
    try:
        parts = urlsplit(target.url)
        host, port = parts.hostname or "", parts.port or 0
        if host and port and parts.scheme == "tcp":
            return _SocketWay(host, port, None)
        if host and port and parts.scheme == "tls":
            return _SocketWay(host, port, _client(target))
        if host and port and parts.scheme == "mqtt":
            way = _MqttWay(target)
            try:
                await asyncio.wait_for(way.connect(host, port), _CONNECT_S)
            except BaseException:
                await way.stop()
                raise
            return way
        if parts.scheme == "serial" and parts.path:
            return _SerialWay(parts.path, target.baud)
    except ValueError as error:
        raise RecordingError(TOOL_BAD_INPUT, f"{target.url}: {error}") from None
    except OSError as error:
        raise RecordingError(TOOL_CONNECTION, f"{target.url}: {error}") from error
    raise RecordingError(
        TOOL_BAD_INPUT, f"{target.url}: tcp://HOST:PORT, tls://…, mqtt://… and serial:PATH are allowed"
    )


def _client(target: Target) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=target.ca_file or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    if target.cert_file:
        context.load_cert_chain(target.cert_file, target.key_file or None)
    return context


class _SocketWay:
    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        self._where = (host, port)
        self._tls = tls

    async def open(self, _device: bytes, received: Callable[[bytes], None], closed: Callable[[], None]) -> End:
        opening = asyncio.open_connection(*self._where, ssl=self._tls)
        reader, writer = await asyncio.wait_for(opening, _CONNECT_S)
        return _SocketEnd(reader, writer, received, closed)

    async def stop(self) -> None:
        pass


class _SocketEnd:
    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, received: Callable[[bytes], None],
        closed: Callable[[], None],
    ) -> None:  # fmt: skip
        self._reader = reader
        self._writer = writer
        self._received = received
        self._closed = closed
        self._task = asyncio.create_task(self._read())

    async def send(self, data: bytes) -> None:
        if not self._writer.is_closing():
            self._writer.write(data)
            try:
                await self._writer.drain()
            except OSError:
                self._writer.close()

    async def close(self) -> None:
        self._writer.close()
        self._task.cancel()
        await asyncio.gather(self._writer.wait_closed(), self._task, return_exceptions=True)

    async def _read(self) -> None:
        try:
            while data := await self._reader.read(_READ_BYTES):
                self._received(data)
        except OSError:
            pass  # as good as an end
        self._closed()


class _SharedEnd:
    """A chip's end on a way that all chips share."""

    def __init__(self, way: "_SharedWay", device: bytes, received: Callable[[bytes], None]) -> None:
        self._way = way
        self._device = device
        self._received = received

    async def send(self, data: bytes) -> None:
        await self._way.send(self._device, data)

    async def close(self) -> None:
        if self._way.ends.get(self._device) == self._received:  # else a newer connection of this chip has it
            del self._way.ends[self._device]


class _SharedWay:
    def __init__(self) -> None:
        self.ends: dict[bytes, Callable[[bytes], None]] = {}

    async def open(self, device: bytes, received: Callable[[bytes], None], _closed: Callable[[], None]) -> End:
        self.ends[device] = received
        return _SharedEnd(self, device, received)

    async def send(self, _device: bytes, _data: bytes) -> None:
        raise NotImplementedError

    async def stop(self) -> None:
        raise NotImplementedError


class _SerialWay(_SharedWay):
    def __init__(self, path: str, baud: int) -> None:
        super().__init__()
        try:
            import serial  # type: ignore[import-untyped]
        except ModuleNotFoundError as error:
            raise RecordingError(TOOL_EXTRA_MISSING, "serial lines need: pip install 'weldgate[serial]'") from error
        self._port: Any = serial.Serial(path, baud, timeout=0)
        self._stream = FrameStream()
        self._writable = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._port.fileno(), self._read)

    def _read(self) -> None:
        try:
            data = os.read(self._port.fileno(), _READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(self._port.fileno())
            return
        self._stream.feed(data)
        while (raw := self._stream.take()) is not None:
            received = self.ends.get(raw[2:10])
            if received is not None:
                received(to_wire(raw))

    async def send(self, _device: bytes, data: bytes) -> None:
        loop, handle = asyncio.get_running_loop(), self._port.fileno()
        while data:
            try:
                data = data[os.write(handle, data) :]
            except BlockingIOError:
                self._writable.clear()
                loop.add_writer(handle, self._writable.set)
                await self._writable.wait()
                loop.remove_writer(handle)
            except OSError:
                return

    async def stop(self) -> None:
        asyncio.get_running_loop().remove_reader(self._port.fileno())
        self._port.close()


class _MqttWay(_SharedWay):
    def __init__(self, target: Target) -> None:
        super().__init__()
        self._target = target
        self._prefix = f"weldgate/1/{target.collector}/chip/"
        self._writer: asyncio.StreamWriter | None = None
        self._task: asyncio.Task[None] | None = None

    async def connect(self, host: str, port: int) -> None:
        """Connect and subscribe.

        Raises:
            OSError: the broker can't be reached or refuses.
            ValueError: it speaks no MQTT.
        """
        reader, writer = await asyncio.open_connection(host, port)
        self._writer = writer
        stream = packets.PacketStream()
        name = f"replay-{os.getpid()}"
        writer.write(packets.encode_connect(name, self._target.username, self._target.password, 0))
        writer.write(packets.encode_subscribe(1, self._prefix + "+/down"))
        while data := await reader.read(_READ_BYTES):
            for first, body in stream.feed(data):
                if first & 0xF0 == packets.CONNACK and (fault := packets.connack_fault(body)):
                    raise OSError(f"broker refuses: {fault}")
                if first & 0xF0 == packets.SUBACK:
                    self._task = asyncio.create_task(self._read(reader, writer, stream))
                    return
        raise OSError("broker closed the connection")

    async def _read(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, stream: packets.PacketStream
    ) -> None:
        try:
            while data := await reader.read(_READ_BYTES):
                for first, body in stream.feed(data):
                    if first & 0xF0 == packets.PUBLISH:
                        came = packets.read_publish(first, body)
                        chip = int(came.topic.split(b"/")[-2])
                        received = self.ends.get(chip.to_bytes(8, "big"))
                        if received is not None:
                            received(came.payload)
        except (OSError, ValueError, OverflowError, WeldgateError):
            writer.close()

    async def send(self, device: bytes, data: bytes) -> None:
        writer = self._writer
        if writer is None or writer.is_closing():
            return
        topic = f"{self._prefix}{int.from_bytes(device, 'big')}/up".encode()
        for inner in data.split(b"\x7e"):
            if inner:
                writer.write(packets.encode_publish(topic, b"\x7e" + inner + b"\x7e"))
        try:
            await writer.drain()
        except OSError:
            writer.close()

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._writer is not None:
            self._writer.write(packets.DISCONNECT)
            self._writer.close()
            await asyncio.gather(self._writer.wait_closed(), return_exceptions=True)
