"""A platform that knows nothing of packs: takes JSON records from a broker, commits them, then answers for them.

    python -m weldgate_simulator.json_consumer --broker HOST:PORT --database FILE --collector NAME

What one read of the socket brought is one transaction, ``synchronous=FULL``; its answers follow the commit, up to 500
ids in one message. Each record's bytes are kept (``record.raw = true``), so that they can be held against a ledger.
"""

import argparse
import select
import signal
import socket
import sqlite3
import sys
from pathlib import Path

import msgspec

from weldgate_protocol.errors import LocalError, WeldgateError
from weldgate_protocol.reasons import TOOL_CONNECTION

from .mqtt_bytes import PUBLISH, cut_packets, enter, packet, read_publish, text
from .upstream import connect as open_database

__all__ = ["ANSWER_TOPIC", "JsonConsumer", "main"]

ANSWER_TOPIC = "weldgate/1/{collector}/json-answer"
_READ_BYTES = 1 << 20
_ANSWERS = 500
_CONNECT_S = 10.0
_TABLES = (
    "CREATE TABLE IF NOT EXISTS frames (device INTEGER, epoch INTEGER, seq INTEGER, received_ms INTEGER NOT NULL,"
    " raw BLOB NOT NULL, PRIMARY KEY (device, epoch, seq)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS others (id TEXT PRIMARY KEY, raw BLOB NOT NULL) WITHOUT ROWID",
)


class _Record(msgspec.Struct):
    """What is looked at of a document."""

    id: str
    device: str
    epoch: str
    received_ms: int
    raw: str
    seq: int = 0


class _Answer(msgspec.Struct):
    id: str
    ok: bool = True


class JsonConsumer:
    """The database and its rules; knows no network."""

    def __init__(self, path: Path, collector: str) -> None:
        """Open the database.

        Args:
            path: the file.
            collector: whose records.
        """
        self._connection = open_database(str(path))
        for statement in _TABLES:
            self._connection.execute(statement)
        self._head = text(ANSWER_TOPIC.replace("{collector}", collector))
        self._decode = msgspec.json.Decoder(_Record).decode
        self._encode = msgspec.json.Encoder().encode

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

    def take(self, documents: list[bytes]) -> bytes:
        """Commit documents; return the publishes that answer for them."""
        records = [self._decode(document) for document in documents]
        frames = [
            (int(one.device), int(one.epoch, 16), one.seq, one.received_ms, bytes.fromhex(one.raw))
            for one in records
            if one.seq
        ]
        others = [(one.id, bytes.fromhex(one.raw)) for one in records if not one.seq]
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        self._connection.executemany("INSERT OR IGNORE INTO frames VALUES (?, ?, ?, ?, ?)", frames)
        self._connection.executemany("INSERT OR IGNORE INTO others VALUES (?, ?)", others)
        execute("COMMIT")
        return b"".join(
            packet(PUBLISH, self._head + self._encode([_Answer(one.id) for one in records[first : first + _ANSWERS]]))
            for first in range(0, len(records), _ANSWERS)
        )


def _serve(consumer: JsonConsumer, sock: socket.socket, collector: str, wake: socket.socket) -> None:
    """Consume until ``wake`` says something."""
    held = enter(sock, f"{collector}-json-consumer", f"weldgate/1/{collector}/json/+")
    watch = select.poll()
    watch.register(sock, select.POLLIN)
    watch.register(wake, select.POLLIN)
    while wake.fileno() not in dict(watch.poll()):
        data = sock.recv(_READ_BYTES)
        if not data:
            raise LocalError(TOOL_CONNECTION, "the broker closed the connection")
        held += data
        documents = [read_publish(body)[1] for first, body in cut_packets(held) if first & 0xF0 == PUBLISH]
        if documents:
            sock.sendall(consumer.take(documents))


def main(arguments: list[str] | None = None) -> int:
    """Run the program.

    Returns:
        The exit code: 0 after SIGTERM or SIGINT, 1 when the broker or the database can't be used.
    """
    about = (__doc__ or "").split("\n")[0]
    parser = argparse.ArgumentParser(prog="weldgate_simulator.json_consumer", description=about)
    parser.add_argument("--broker", required=True, help="HOST:PORT")
    parser.add_argument("--database", required=True, type=Path)
    parser.add_argument("--collector", required=True, help="the collector's name")
    options = parser.parse_args(arguments)
    host, _, port = options.broker.rpartition(":")
    asked, wake = socket.socketpair()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked.close())
    try:
        consumer = JsonConsumer(options.database, options.collector)
        try:
            with socket.create_connection((host, int(port)), _CONNECT_S) as sock:
                sock.settimeout(None)
                _serve(consumer, sock, options.collector, wake)
        finally:
            consumer.close()
    except (WeldgateError, OSError, sqlite3.Error) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    finally:
        asked.close()
        wake.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
