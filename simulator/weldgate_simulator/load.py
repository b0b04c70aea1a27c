"""A load generator: valid frames of many chips, signed before the clock starts, honouring acks, with a ledger of them.

It is the protocol's own chip side (``ChipConversation``) without a chip around it: each sender says hello, proves
itself by a heartbeat, sends from the collector's high-water on, keeps at most ``window`` frames unacknowledged, and
reconnects when it loses the connection. The ledger says what was acknowledged: that is what may never be lost.

``python -m weldgate_simulator.load --collector HOST:PORT --chips-file FILE --frames N`` prints frames/s as JSON; with
``--tls-ca FILE`` it connects by TLS 1.3, and with ``--tls-cert`` and ``--tls-key`` it shows a certificate of its own.
"""

import argparse
import asyncio
import json
import random
import secrets
import ssl
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from weldgate_collector import Chip, read_chips
from weldgate_protocol import messages
from weldgate_protocol.conversation_chip import ACKED, WELCOMED, WELCOMED_AHEAD, ChipConversation
from weldgate_protocol.errors import WeldgateError
from weldgate_protocol.frame import FLAG_DURABLE, FLAG_PARITY, QUALITY_SYNCED, encode_body, seal, to_wire
from weldgate_protocol.keys import HmacKey, derive
from weldgate_protocol.stream import FrameStream

__all__ = [
    "HEARTBEAT", "HELLO", "Load", "Sender", "main", "make_chips", "percentile", "stamp", "telemetry", "ticks",
    "tls_client",
]  # fmt: skip

_RETRY_MIN_S, _RETRY_MAX_S = 0.02, 0.3
HELLO: dict[str | int, Any] = {
    "oldest": 1, "boot": 1, "firmware": "load", "profile": "load", "key_set_version": 1, "config_version": 1,
    "revocations_version": 1,
}  # fmt: skip
HEARTBEAT: dict[str | int, Any] = {
    "gate": 2, "alarms": [], "highest": 0, "acked": 0, "spool_permille": 0, "current_ma": 0, "uptime_s": 1,
}  # fmt: skip


def make_chips(count: int, root: bytes, first: int = 1) -> list[Chip]:
    """Return chips with keys of generation 1 derived from a root, as the issuer would give them to a collector.

    Args:
        count: how many.
        root: 32 bytes.
        first: number of the first; the others follow.
    """
    chips = []
    for number in range(first, first + count):
        device = number.to_bytes(8, "big")
        chips.append(Chip(str(number), 1, derive(root, b"up", device, 1).hex(), derive(root, b"down", device, 1).hex()))
    return chips


class Sender(asyncio.Protocol):
    """One chip's connection after connection, until all its frames are acknowledged.

    Attributes:
        device: its number.
        raws: its frames, seq 1 first, as they must be found in the store.
        acknowledged: the highest seq that an ack or a welcome has named.
    """

    def __init__(self, chip: Chip, frames: int, window: int, payload_bytes: int, flip: bool = False) -> None:
        """Sign all frames beforehand.

        Args:
            chip: with its keys.
            frames: how many.
            window: how many may be unacknowledged.
            payload_bytes: what a telemetry payload is filled up to, by a key that the message table does not know.
            flip: whether before the middle frame goes the same one with a bit of its tag flipped.
        """
        self.device = int(chip.device)
        self.acknowledged = 0
        self.done: asyncio.Future[None] | None = None
        self.connections = 0
        self._window = window
        self._up = HmacKey(bytes.fromhex(chip.up))
        device = self.device.to_bytes(8, "big")
        self._epoch = secrets.token_bytes(4)
        self._conversation = ChipConversation(device, self._up, bytes.fromhex(chip.down), chip.generation)
        self._stream = FrameStream()
        self._next = 1
        self._transport: asyncio.Transport | None = None
        self._closed: asyncio.Event = asyncio.Event()
        flags = FLAG_DURABLE | QUALITY_SYNCED | (FLAG_PARITY if chip.generation & 1 else 0)
        now_s = int(time.time())
        self.raws: list[bytes] = []
        for seq in range(1, frames + 1):
            payload = telemetry(payload_bytes, mean_ma=seq % 300_000)
            body = encode_body(flags, messages.TELEMETRY, device, self._epoch, seq, now_s, seq % 1000, payload)
            self.raws.append(seal(body, self._up))
        self._wires = [to_wire(raw) for raw in self.raws]
        if flip:
            raw = self.raws[frames // 2]
            self._wires[frames // 2] = to_wire(raw[:-1] + bytes([raw[-1] ^ 1])) + to_wire(raw)

    @property
    def total(self) -> int:
        """How many frames it has."""
        return len(self.raws)

    async def run(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> None:
        """Connect by TCP or TLS and send until everything is acknowledged."""
        loop = asyncio.get_running_loop()
        await self.run_by(lambda: loop.create_connection(lambda: self, host, port, ssl=tls))

    async def run_by(self, dial: Callable[[], Awaitable[object]]) -> None:
        """Send until everything is acknowledged; lost connections are made again.

        Args:
            dial: connects this protocol to a transport; an OSError means not now.
        """
        loop = asyncio.get_running_loop()
        self.done = loop.create_future()
        while not self.done.done():
            self._closed = asyncio.Event()
            try:
                await dial()
                await self._closed.wait()
            except OSError:
                pass  # the collector is away for now
            if not self.done.done():
                await asyncio.sleep(random.uniform(_RETRY_MIN_S, _RETRY_MAX_S))  # noqa: S311 - jitter
        if self._transport is not None:
            self._transport.close()
            await self._closed.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say hello."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("a stream transport is needed")
        self._transport = transport
        self.connections += 1
        self._stream = FrameStream()
        hello = {**HELLO, "highest": self.total}
        transport.write(self._conversation.start(secrets.token_bytes(16), hello, self._epoch, stamp(), ticks()))

    def data_received(self, data: bytes) -> None:
        """Follow the conversation."""
        self._stream.feed(data)
        while (raw := self._stream.take()) is not None:
            event = self._conversation.receive(raw, ticks())
            if event in (WELCOMED, WELCOMED_AHEAD):
                self._note(self._conversation.high_water)
                self._next = self._conversation.high_water + 1
                self._write(self._conversation.volatile(messages.HEARTBEAT, HEARTBEAT, stamp()))
                self._send()
            elif event == ACKED:
                self._note(self._conversation.acked)
                self._send()
            elif self._conversation.closed and self._transport is not None:
                self._transport.close()

    def connection_lost(self, _exc: Exception | None) -> None:
        """Note the end; ``run`` connects again."""
        self._transport = None
        self._conversation.end()
        self._closed.set()

    def _note(self, through: int) -> None:
        self.acknowledged = max(self.acknowledged, through)
        if self.acknowledged >= self.total and self.done is not None and not self.done.done():
            self.done.set_result(None)
            if self._transport is not None:
                self._transport.close()

    def _allowed(self) -> int:
        """Return the highest number that may be sent by now."""
        return self.total

    def _send(self) -> None:
        last = min(self._allowed(), self._conversation.acked + self._window)
        if self._next <= last:
            self._conversation.sent(last)
            self._write(b"".join(self._wires[self._next - 1 : last]))
            self._next = last + 1

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)


class Load:
    """Many senders at once."""

    def __init__(
        self, chips: Sequence[Chip], frames: int, window: int = 256, payload_bytes: int = 66, flip: bool = False
    ) -> None:
        """Sign everything.

        Args:
            chips: who sends.
            frames: by each.
            window: unacknowledged frames of each.
            payload_bytes: of each frame; 66 make a frame of 100 bytes.
            flip: whether the first one sends one frame with a wrong tag as well.
        """
        self.senders = [
            Sender(chip, frames, window, payload_bytes, flip and not place) for place, chip in enumerate(chips)
        ]

    @property
    def total(self) -> int:
        """How many frames there are."""
        return sum(sender.total for sender in self.senders)

    @property
    def acknowledged(self) -> int:
        """How many were acknowledged up to now."""
        return sum(sender.acknowledged for sender in self.senders)

    async def run(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> float:
        """Send everything and return the seconds until the last ack."""
        started_s = time.perf_counter()
        await asyncio.gather(*(sender.run(host, port, tls) for sender in self.senders))
        return time.perf_counter() - started_s


def main(arguments: list[str] | None = None) -> int:
    """Run the program; prints one JSON object.

    Returns:
        The exit code: 0, or 1 when the file of chips or a TLS file can't be used.
    """
    parser = argparse.ArgumentParser(prog="weldgate_simulator.load", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--collector", required=True, help="HOST:PORT")
    parser.add_argument("--chips-file", required=True, type=Path, help="the collector's own file of chips")
    parser.add_argument("--frames", type=int, default=1_000, help="by each chip")
    parser.add_argument("--window", type=int, default=256, help="unacknowledged frames of each chip")
    parser.add_argument("--flip", action="store_true", help="send one frame with a wrong tag as well")
    parser.add_argument("--wait", action="store_true", help="sign, print a line, and start when a line comes on stdin")
    parser.add_argument("--tls-ca", type=Path, help="connect by TLS; the authority of the collector's certificate, PEM")
    parser.add_argument("--tls-cert", type=Path, help="own certificate, for a collector that asks for one")
    parser.add_argument("--tls-key", type=Path, help="its key")
    options = parser.parse_args(arguments)
    host, _, port = options.collector.rpartition(":")
    try:
        load = Load(list(read_chips(options.chips_file)), options.frames, options.window, flip=options.flip)
        tls = tls_client(options.tls_ca, options.tls_cert, options.tls_key) if options.tls_ca else None
    except (WeldgateError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if options.wait:
        print("ready", flush=True)
        sys.stdin.readline()
    started_s = time.process_time()
    seconds = asyncio.run(load.run(host, int(port), tls))
    result = {
        "frames": load.total, "acknowledged": load.acknowledged, "seconds": round(seconds, 3),
        "frames_per_s": round(load.total / seconds), "cpu_s": round(time.process_time() - started_s, 3),
        "connections": sum(sender.connections for sender in load.senders),
    }  # fmt: skip
    print(json.dumps(result), flush=True)
    return 0


def tls_client(authority: Path, certificate: Path | None = None, key: Path | None = None) -> ssl.SSLContext:
    """Return how a chip connects by TLS: 1.3, the collector's certificate checked against an authority.

    Args:
        authority: PEM.
        certificate, key: the chip's own, PEM, where the collector asks for one.

    Raises:
        OSError: a file can't be used.
    """
    context = ssl.create_default_context(cafile=str(authority))
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    if certificate is not None:
        context.load_cert_chain(certificate, key)
    return context


def telemetry(
    payload_bytes: int = 0,
    filling: Callable[[int], bytes] = bytes,
    *,
    mean_ma: int,
    peak_ma: int = 300_000,
    arc_ms: int = 0,
    strikes: int = 0,
) -> bytes:
    """Return the payload of a minute's telemetry, filled up by a key that the message table does not know.

    Args:
        payload_bytes: its size; as short as it comes where that is more.
        filling: makes so many bytes.
        mean_ma, peak_ma, arc_ms, strikes: of the minute.
    """
    fields: dict[str | int, Any] = {
        "window_s": 60, "mean_ma": mean_ma, "peak_ma": peak_ma, "arc_ms": arc_ms, "gate": 2, "source": 1,
        "strikes": strikes,
    }  # fmt: skip
    payload = messages.encode(messages.TELEMETRY, fields)
    spare = payload_bytes - len(payload) - 4  # key and length
    return messages.encode(messages.TELEMETRY, {**fields, 100: filling(spare)}) if spare > 1 else payload


def percentile(ordered: Sequence[float], percent: int) -> float:
    """Return what so many of a hundred do not pass, of figures that ascend; 100 is the highest."""
    return ordered[(len(ordered) - 1) * percent // 100]


def stamp() -> tuple[int, int, int]:
    """Return the time as frames carry it: Unix seconds, milliseconds, quality."""
    return int(time.time()), 0, QUALITY_SYNCED


def ticks() -> int:
    """Return milliseconds as a chip counts them."""
    return int(time.monotonic() * 1000) & 0x3FFFFFFF


if __name__ == "__main__":
    sys.exit(main())
