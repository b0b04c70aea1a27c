"""The two ends of mosquitto's bridge, for `bench`: a publisher that honours acks, and a consumer that commits FULL.

    python -m weldgate_simulator.big_bridge_ends publish --broker HOST:PORT --chips N --frames N
    python -m weldgate_simulator.big_bridge_ends consume --broker HOST:PORT --database FILE

MQTT 3.1.1 at QoS 1 over plain sockets, only as much of it as this takes, since a client library would be slower than
the broker. The publisher says `ready` when all is encoded, starts when a line comes on standard input, and ends with
one line of JSON. The consumer says `ready` when it is subscribed; it acknowledges what it has committed.
"""

import argparse
import asyncio
import json
import secrets
import sqlite3
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from weldgate_simulator.load import Sender, make_chips
from weldgate_simulator.upstream import connect

__all__ = ["Publisher", "Subscriber", "main", "packets"]

_CONNECT, _CONNACK, _PUBLISH_1, _PUBACK, _SUBSCRIBE_1, _SUBACK = 0x10, 0x20, 0x32, 0x40, 0x82, 0x90  # §2.2.1, flags in
_PREFIX = "bridge/"
_WINDOW = 256  # publishes of one chip without an ack, as the load generator of the line has frames
_PAYLOAD_BYTES = 66


def packets(data: bytearray) -> Iterator[tuple[int, bytes]]:
    """Take whole packets out of a buffer: (first byte, what follows the length)."""
    start = 0
    while len(data) - start >= 2:
        length = shift = 0
        at = start + 1
        while at < len(data):
            byte = data[at]
            length |= (byte & 0x7F) << shift
            shift += 7
            at += 1
            if byte < 0x80:
                break
        else:
            break
        if data[at - 1] >= 0x80 or len(data) - at < length:
            break
        yield data[start], bytes(data[at : at + length])
        start = at + length
    del data[:start]


def _packet(kind: int, body: bytes) -> bytes:
    length, rest = b"", len(body)
    while True:
        rest, digit = rest >> 7, rest & 0x7F
        length += bytes([digit | (0x80 if rest else 0)])
        if not rest:
            return bytes([kind]) + length + body


def _text(text: str) -> bytes:
    return len(text).to_bytes(2, "big") + text.encode()


def _hello(client: str) -> bytes:
    # §3.1: protocol MQTT, level 4, clean session, keepalive 0: none is wanted
    return _packet(_CONNECT, b"\x00\x04MQTT\x04\x02\x00\x00" + _text(client))


class Publisher(asyncio.Protocol):
    """One chip's frames, a publish each."""

    def __init__(self, device: int, raws: list[bytes]) -> None:
        """Encode everything."""
        topic = _text(f"{_PREFIX}{device}")
        self._packets = [
            _packet(_PUBLISH_1, topic + (number % 0xFFFF + 1).to_bytes(2, "big") + raw)
            for number, raw in enumerate(raws)
        ]
        self._client = f"chip-{device}"
        self._next = 0
        self._data = bytearray()
        self._transport: asyncio.Transport | None = None
        self.acknowledged = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say hello."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("a stream transport is needed")
        self._transport = transport
        transport.write(_hello(self._client))

    def data_received(self, data: bytes) -> None:
        """Count acks, publish on."""
        self._data += data
        for kind, _ in packets(self._data):
            self.acknowledged += kind == _PUBACK
        if self.acknowledged == len(self._packets):
            if not self.done.done():
                self.done.set_result(None)
        elif self._transport is not None:
            last = min(len(self._packets), self.acknowledged + _WINDOW)
            self._transport.write(b"".join(self._packets[self._next : last]))
            self._next = last

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that it is over."""
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("the broker closed the connection"))


class Subscriber(asyncio.Protocol):
    """The consumer: what came is committed FULL, one transaction for all that was read, and acknowledged after it."""

    def __init__(self, database: sqlite3.Connection) -> None:
        """Make the table."""
        self._database = database
        self._data = bytearray()
        self._pending: list[tuple[bytes, bytes]] = []
        self._transport: asyncio.Transport | None = None
        self.subscribed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        database.execute(
            "CREATE TABLE frames (device INTEGER, epoch INTEGER, seq INTEGER, raw BLOB NOT NULL,"
            " PRIMARY KEY (device, epoch, seq)) WITHOUT ROWID"
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say hello."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("a stream transport is needed")
        self._transport = transport
        transport.write(_hello("consumer"))

    def data_received(self, data: bytes) -> None:
        """Keep publishes for the next commit."""
        self._data += data
        was_empty = not self._pending
        for kind, body in packets(self._data):
            if kind & 0xF0 == _PUBLISH_1 & 0xF0:
                topic = 2 + int.from_bytes(body[:2], "big")
                self._pending.append((body[topic : topic + 2], body[topic + 2 :]))
            elif kind == _CONNACK and self._transport is not None:
                self._transport.write(_packet(_SUBSCRIBE_1, b"\x00\x01" + _text(_PREFIX + "#") + b"\x01"))
            elif kind == _SUBACK and not self.subscribed.done():
                self.subscribed.set_result(None)
        if was_empty and self._pending:
            asyncio.get_running_loop().call_soon(self._commit)

    def connection_lost(self, _exc: Exception | None) -> None:
        """Note the end."""
        self._transport = None
        if not self.ended.done():
            self.ended.set_result(None)

    def _commit(self) -> None:
        pending, self._pending = self._pending, []
        number = int.from_bytes
        rows = [
            (number(raw[2:10], "big"), number(raw[10:14], "big"), number(raw[14:18], "big"), raw) for _, raw in pending
        ]
        self._database.execute("BEGIN IMMEDIATE")
        self._database.executemany("INSERT OR IGNORE INTO frames VALUES (?, ?, ?, ?)", rows)
        self._database.execute("COMMIT")
        if self._transport is not None:
            self._transport.write(b"".join(b"\x40\x02" + packet_id for packet_id, _ in pending))


def _same(publisher: Publisher) -> Publisher:
    return publisher


async def _publish(host: str, port: int, chips: int, frames: int) -> dict[str, float]:
    root = secrets.token_bytes(32)
    senders = [Sender(chip, frames, 1, _PAYLOAD_BYTES) for chip in make_chips(chips, root)]
    publishers = [Publisher(sender.device, sender.raws) for sender in senders]
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    started_s, cpu_s = time.perf_counter(), time.process_time()
    loop = asyncio.get_running_loop()
    made = [await loop.create_connection(partial(_same, one), host, port) for one in publishers]
    await asyncio.gather(*(publisher.done for publisher in publishers))
    seconds = time.perf_counter() - started_s
    for transport, _ in made:
        transport.close()
    return {"seconds": round(seconds, 3), "cpu_s": round(time.process_time() - cpu_s, 3)}


async def _consume(host: str, port: int, path: Path) -> None:
    database = connect(str(path))
    try:
        loop = asyncio.get_running_loop()
        transport, subscriber = await loop.create_connection(lambda: Subscriber(database), host, port)
        await subscriber.subscribed
        print("ready", flush=True)
        await subscriber.ended
        transport.close()
    finally:
        database.close()


def main(arguments: list[str] | None = None) -> int:
    """Run one of the programs; the consumer ends with its connection."""
    parser = argparse.ArgumentParser(
        prog="weldgate_simulator.big_bridge_ends", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("end", choices=("publish", "consume"))
    parser.add_argument("--broker", required=True, help="HOST:PORT")
    parser.add_argument("--chips", type=int, default=100)
    parser.add_argument("--frames", type=int, default=1_000, help="by each chip")
    parser.add_argument("--database", type=Path, default=Path("bridge.sqlite3"))
    options = parser.parse_args(arguments)
    host, _, port = options.broker.rpartition(":")
    if options.end == "publish":
        print(json.dumps(asyncio.run(_publish(host, int(port), options.chips, options.frames))), flush=True)
    else:
        asyncio.run(_consume(host, int(port), options.database))
    return 0


if __name__ == "__main__":
    sys.exit(main())
