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
from functools import partial
from pathlib import Path

from weldgate_simulator.load import Sender, make_chips
from weldgate_simulator.mqtt_bytes import (
    CONNACK,
    PUBACK,
    PUBLISH,
    SUBACK,
    connect,
    cut_packets,
    packet,
    subscribe,
    text,
)
from weldgate_simulator.upstream import connect as open_database

__all__ = ["Publisher", "Subscriber", "main"]

_PUBLISH_1 = PUBLISH | 2  # §2.2.2: QoS 1
_PREFIX = "bridge/"
_WINDOW = 256  # publishes of one chip without an ack, as the load generator of the line has frames
_PAYLOAD_BYTES = 66


class Publisher(asyncio.Protocol):
    """One chip's frames, a publish each."""

    def __init__(self, device: int, raws: list[bytes]) -> None:
        """Encode everything."""
        topic = text(f"{_PREFIX}{device}")
        self._packets = [
            packet(_PUBLISH_1, topic + (number % 0xFFFF + 1).to_bytes(2, "big") + raw)
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
        transport.write(connect(self._client))

    def data_received(self, data: bytes) -> None:
        """Count acks, publish on."""
        self._data += data
        for kind, _ in cut_packets(self._data):
            self.acknowledged += kind == PUBACK
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
        transport.write(connect("consumer"))

    def data_received(self, data: bytes) -> None:
        """Keep publishes for the next commit."""
        self._data += data
        was_empty = not self._pending
        for kind, body in cut_packets(self._data):
            if kind & 0xF0 == PUBLISH:
                topic = 2 + int.from_bytes(body[:2], "big")
                self._pending.append((body[topic : topic + 2], body[topic + 2 :]))
            elif kind == CONNACK and self._transport is not None:
                self._transport.write(subscribe(_PREFIX + "#", 1))
            elif kind == SUBACK and not self.subscribed.done():
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
            self._transport.write(b"".join(packet(PUBACK, packet_id) for packet_id, _ in pending))


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
    database = open_database(str(path))
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
