"""A counting consumer, where the platform itself would be too much: commits numbered packs, and answers for them.

``python -m weldgate_simulator.upstream --broker HOST:PORT --database FILE --key-file FILE --collector NAME``

Rule D3: each identity (chip, epoch, seq) is counted once, and a receipt follows the FULL commit of what it names.
Pack n is applied only if n = through + 1 and it follows the digest held; ``through`` advances in the transaction that
holds the rows. A pack that came again or too early is answered with where this consumer stands. The boot id is drawn
at each start: only another boot may lower ``through``.
"""

import argparse
import queue
import secrets
import signal
import sqlite3
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from weldgate_collector import read_key
from weldgate_protocol.errors import WeldgateError
from weldgate_protocol.pack import (
    ITEM_FRAME,
    NO_DIGEST,
    Item,
    Pack,
    PackError,
    Receipt,
    decode_pack,
    encode_receipt,
    pack_digest,
)

__all__ = ["Consumer", "Journal", "connect", "main"]

Publish = Callable[[bytes], None]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS stores (
    store_id BLOB, upstream TEXT, through INTEGER NOT NULL, digest BLOB NOT NULL, PRIMARY KEY (store_id, upstream)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS frames (
    device INTEGER, epoch INTEGER, seq INTEGER, received_ms INTEGER NOT NULL, raw BLOB NOT NULL,
    PRIMARY KEY (device, epoch, seq)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS conflicts (device INTEGER, epoch INTEGER, seq INTEGER, raw BLOB,
    PRIMARY KEY (device, epoch, seq, raw)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS own_records (
    store_id BLOB, idx INTEGER, received_ms INTEGER NOT NULL, raw BLOB NOT NULL, PRIMARY KEY (store_id, idx)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counts (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""

_BATCH_PACKS = 64  # packs in one transaction at most
_QUEUE_PACKS = 1_024  # packs in memory at most; what does not fit is dropped, and the collector sends it again
_BACKOFF_MAX_S = 5


def connect(path: str, factory: type[sqlite3.Connection] = sqlite3.Connection) -> sqlite3.Connection:
    """Open the consumer's database: WAL, ``synchronous=FULL``, transactions by hand."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=factory)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA cache_size=-65536")
    return connection


class Journal:
    """The consumer's database and its rules; knows no network.

    Attributes:
        boot: 8 bytes, new for each instance.
        refused: packs that were not authentic.
    """

    def __init__(self, path: Path, key: bytes, open_connection: Callable[[str], sqlite3.Connection] = connect) -> None:
        self.boot = secrets.token_bytes(8)
        self.refused = 0
        self._key = key
        self._connection = open_connection(str(path))
        for statement in _SCHEMA.split(";\n"):
            if statement.strip():
                self._connection.execute(statement)
        rows = self._connection.execute("SELECT store_id, upstream, through, digest FROM stores")
        self._stores: dict[tuple[bytes, str], tuple[int, bytes]] = {(row[0], row[1]): (row[2], row[3]) for row in rows}

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

    def receipts(self) -> list[bytes]:
        """Return a receipt for every store that is known, as they are told on each connection."""
        return [self._receipt(*store) for store in self._stores]

    def take(self, packs: list[bytes], publish: Publish) -> None:
        """Apply what is next in line, in one transaction, and answer after its commit.

        Args:
            packs: as they came, in any order, authentic or not.
            publish: gets each receipt.
        """
        stores = dict(self._stores)
        answered: dict[tuple[bytes, str], None] = {}
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            for data in packs:
                try:
                    pack = decode_pack(data, self._key)
                except PackError:
                    self.refused += 1
                    continue
                store = (pack.store_id, pack.upstream)
                through, digest = stores.get(store, (0, NO_DIGEST))
                answered[store] = None
                if pack.number == through + 1 and pack.previous == digest:
                    digest = pack_digest(data)
                    self._apply(pack)
                    stores[store] = (pack.number, digest)
                    self._connection.execute(
                        "INSERT OR REPLACE INTO stores VALUES (?, ?, ?, ?)", (*store, pack.number, digest)
                    )
            self._connection.execute("COMMIT")
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._stores = stores
        for store in answered:
            publish(self._receipt(*store))

    def counts(self) -> dict[str, int]:
        """Return how many frames, conflicts and collector's own records are held, and how many rows came doubled."""
        found = {
            name: int(self._connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0])  # noqa: S608
            for name in ("frames", "conflicts", "own_records")
        }
        doubled = self._connection.execute("SELECT value FROM counts WHERE name = 'doubled'").fetchone()
        return {**found, "doubled": doubled[0] if doubled else 0, "refused": self.refused}

    def _receipt(self, store_id: bytes, upstream: str) -> bytes:
        through, digest = self._stores.get((store_id, upstream), (0, NO_DIGEST))
        return encode_receipt(Receipt(self.boot, store_id, upstream, through, digest), self._key)

    def _apply(self, pack: Pack) -> None:
        frames = [_frame_row(item) for item in pack.items if item.kind == ITEM_FRAME]
        own = [
            (pack.store_id, item.index, item.received_ms, item.data) for item in pack.items if item.kind != ITEM_FRAME
        ]
        execute = self._connection.executemany
        stored = execute("INSERT OR IGNORE INTO frames VALUES (?, ?, ?, ?, ?)", frames).rowcount
        doubled = self._doubled(frames, len(frames) - max(stored, 0)) if stored != len(frames) else 0
        doubled += len(own) - max(execute("INSERT OR IGNORE INTO own_records VALUES (?, ?, ?, ?)", own).rowcount, 0)
        if doubled:
            self._connection.execute(
                "INSERT INTO counts VALUES ('doubled', ?)"
                " ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
                (doubled,),
            )

    def _doubled(self, frames: list[tuple[int, int, int, int, bytes]], doubled: int) -> int:
        """Keep frames whose bytes differ from the ones held, and return how many of ``doubled`` are not of these."""
        for device, epoch, seq, _, raw in frames:
            held = self._connection.execute(
                "SELECT raw FROM frames WHERE device = ? AND epoch = ? AND seq = ?", (device, epoch, seq)
            ).fetchone()[0]
            if held != raw:
                doubled -= 1
                self._connection.execute(
                    "INSERT OR IGNORE INTO conflicts VALUES (?, ?, ?, ?)", (device, epoch, seq, raw)
                )
        return doubled


def _frame_row(item: Item) -> tuple[int, int, int, int, bytes]:
    raw = item.data
    number = int.from_bytes
    return number(raw[2:10], "big"), number(raw[10:14], "big"), number(raw[14:18], "big"), item.received_ms, raw


class Consumer:
    """The journal on a broker. ``run`` until ``stop``."""

    def __init__(self, journal: Journal, host: str, port: int, collector: str) -> None:
        """Take the neighbours.

        Args:
            journal: the database and its rules.
            host, port: the broker.
            collector: whose topics.
        """
        self._journal = journal
        self._topic = f"weldgate/1/{collector}/"
        self._host, self._port = host, port
        self._came: queue.Queue[bytes | None] = queue.Queue(_QUEUE_PACKS)
        self._stopping = threading.Event()
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            f"{collector}-consumer",
            clean_session=True,
            protocol=MQTTProtocolVersion.MQTTv311,
        )
        client.reconnect_delay_set(1, _BACKOFF_MAX_S)
        client.on_connect = self._connected
        client.on_subscribe = self._subscribed
        client.on_message = self._message
        self._client = client
        self.ready = threading.Event()

    def run(self) -> None:
        """Consume until ``stop``; the broker's absence is waited out."""
        self._client.connect_async(self._host, self._port, keepalive=10)
        self._client.loop_start()
        try:
            while not self._stopping.is_set():
                packs = self._drain()
                if packs:
                    self._journal.take(packs, self._publish)
        finally:
            self._client.disconnect()
            self._client.loop_stop()
            # So that its wake-up sockets close with it, not when garbage is collected.
            self._client.on_connect = self._client.on_subscribe = self._client.on_message = None

    def stop(self) -> None:
        """Make ``run`` return; safe from a signal handler."""
        self._stopping.set()
        try:
            self._came.put_nowait(None)
        except queue.Full:
            return  # then it is awake anyway

    def _drain(self) -> list[bytes]:
        """Wait for a pack, and take those behind it too."""
        packs = [self._came.get()]
        while len(packs) < _BATCH_PACKS:
            try:
                packs.append(self._came.get_nowait())
            except queue.Empty:
                break
        return [pack for pack in packs if pack is not None]

    def _publish(self, receipt: bytes) -> None:
        self._client.publish(self._topic + "receipt", receipt, qos=0)

    def _connected(self, client: paho.Client, _data: Any, _flags: Any, code: Any, _properties: Any) -> None:
        if not code.is_failure:
            client.subscribe(self._topic + "pack", 0)

    def _subscribed(self, _client: paho.Client, _data: Any, _mid: int, _codes: Any, _properties: Any) -> None:
        for receipt in self._journal.receipts():
            self._publish(receipt)
        self.ready.set()

    def _message(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        try:
            self._came.put_nowait(bytes(message.payload))
        except queue.Full:
            return  # dropped; the collector sends it again


def main(arguments: list[str] | None = None) -> int:
    """Run the program.

    Returns:
        The exit code: 0 after SIGTERM or SIGINT, 1 when key or database can't be used.
    """
    parser = argparse.ArgumentParser(prog="weldgate_simulator.upstream", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--broker", required=True, help="HOST:PORT")
    parser.add_argument("--database", required=True, type=Path)
    parser.add_argument("--key-file", required=True, type=Path, help="the collector's, mode 0600")
    parser.add_argument("--collector", required=True, help="the collector's name")
    options = parser.parse_args(arguments)
    host, _, port = options.broker.rpartition(":")
    try:
        journal = Journal(options.database, read_key(options.key_file))
    except (WeldgateError, sqlite3.Error) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    consumer = Consumer(journal, host, int(port), options.collector)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: consumer.stop())
    try:
        consumer.run()
    finally:
        journal.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
