"""Segments as files: their names, the next one's making, the last one's sealing.

A store is ``data_dir/segments/``, one SQLite file after another, each named by the idx of its first row. The newest is
open: the writer appends to it, without any index. When it is full the next one takes over, which opens with what the
collector must know to start from it alone: the high-water of every line, the cursors, the packs that are not receipted,
the orders. The one before is then *sealed*: indexed by (device, epoch, seq), its log folded in, never written again.

The next segment is built beside the open one, a slice at a time (``Opening``), since half a million high-waters take a
second to write and acks can't wait for that.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from threading import Thread
from typing import NamedTuple

from .highs import HighTable, line_key
from .order_copy import OrderCopy
from .schema import READABLE, Connect, connect, open_store

__all__ = [
    "LEGACY_NAME",
    "RESTORING",
    "Highs",
    "Opening",
    "Segment",
    "is_store",
    "list_segments",
    "remove_database",
    "seal",
    "segment_folder",
    "segment_path",
    "store_folder",
    "sync_folder",
]

LEGACY_NAME = "store.sqlite3"  # the whole store, before there were segments
RESTORING = "segments.restoring"  # a restore puts it together here
_FOLDER = "segments"
_DIGITS = 19  # 2^63 - 1
_NEXT = "next.building"
_SLICE_ROWS = 10_000  # high-waters copied between two commits: about 10 ms
_BUSY_MS = 200  # readers let go of a segment when they see that it is no longer the newest

Highs = dict[tuple[int, int], int]
"""(device, epoch) → highest seq."""


class Segment(NamedTuple):
    """One file of the store: its first row's idx, and where it is."""

    first: int
    path: Path


def store_folder(place: Path) -> Path:
    """Return the folder that holds ``segments``, for whatever names a store: it, ``segments``, or a file in either."""
    folder = place.parent if place.is_file() or place.suffix == ".sqlite3" else place
    return folder.parent if folder.name == _FOLDER else folder


def segment_folder(folder: Path) -> Path:
    """Return the folder of a store's segments."""
    return folder / _FOLDER


def segment_path(folder: Path, first: int) -> Path:
    """Return the file of the segment that begins with row ``first``."""
    return folder / _FOLDER / f"{first:0{_DIGITS}d}.sqlite3"


def list_segments(folder: Path) -> list[Segment]:
    """Return a store's segments, oldest first."""
    where = folder / _FOLDER
    try:
        with os.scandir(where) as entries:
            names = [entry.name for entry in entries]
    except FileNotFoundError:
        return []
    found = []
    for name in names:
        stem, _, suffix = name.partition(".")
        if suffix == "sqlite3" and len(stem) == _DIGITS and stem.isdecimal():
            found.append(Segment(int(stem), where / name))
    return sorted(found)


def is_store(folder: Path) -> bool:
    """Tell whether a folder holds a store, of segments or of one file."""
    return bool(list_segments(folder)) or (folder / LEGACY_NAME).is_file()


def sync_folder(folder: Path) -> None:
    """Make names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove_database(path: Path) -> None:
    """Remove a database file with its journals, the file last."""
    for suffix in ("-journal", "-wal", "-shm", ""):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


class Opening:
    """The next segment, while it is being built under another name."""

    def __init__(self, folder: Path, source: sqlite3.Connection, moved: HighTable, open_connection: Connect) -> None:
        """Begin a file; what an earlier try left is removed.

        Args:
            folder: the store's.
            source: the open segment's connection; only read.
            moved: high-waters of the lines that the open segment has rows of; later ones come with ``finish``.
            open_connection: the ``connect`` seam.
        """
        self._folder = folder
        self._source = source
        self._path = segment_folder(folder) / _NEXT
        self.moved = moved
        remove_database(self._path)
        self._connection = open_store(self._path, open_connection)
        # Nobody knows this file before it has its name; `finish` makes all of it durable at once.
        self._connection.execute("PRAGMA synchronous=OFF")
        self._connection.execute("PRAGMA journal_mode=MEMORY")
        self._orders = OrderCopy(source, self._connection)
        self._ordered = False
        self._flush: Thread | None = None
        self._after = (-1, -1)
        self._rest: Iterator[tuple[int, int, int]] | None = None

    def step(self) -> bool:
        """Copy one slice; return True when all is there."""
        with _transaction(self._connection):
            done = self._slice()
        if done:  # most of what `finish` would wait for is written beforehand, on another thread
            self._join()
            self._flush = Thread(target=_sync_quietly, args=(self._path,), name="store-flush", daemon=True)
            self._flush.start()
        return done

    def catch_up(self, moved: HighTable) -> None:
        """Take high-waters that moved since; ``step`` copies them."""
        for device, epoch, high in moved.rows():
            self.moved.raise_to(line_key(device, epoch), high)
        self._rest = moved.rows()

    def _slice(self) -> bool:
        if not self._ordered:
            self._ordered = self._orders.step()
            return False
        if self._rest is None:
            rows = self._source.execute(
                "SELECT device, epoch, high FROM highs WHERE (device, epoch) > (?, ?) ORDER BY device, epoch LIMIT ?",
                (*self._after, _SLICE_ROWS),
            ).fetchall()
            self._connection.executemany("INSERT INTO highs VALUES (?, ?, ?)", rows)
            if len(rows) == _SLICE_ROWS:
                self._after = rows[-1][:2]
            else:
                self._rest = self.moved.rows()
            return False
        part = list(islice(self._rest, _SLICE_ROWS))
        self._connection.executemany(_RAISE, part)
        return len(part) < _SLICE_ROWS

    def finish(self, last: int, late: HighTable) -> Path:
        """Copy what else the next segment opens with, and give it its name.

        Args:
            last: the open segment's last row.
            late: high-waters that moved since the building began.

        Returns:
            Its path; it is durable, and empty of rows.
        """
        connection, source = self._connection, self._source
        self._join()
        connection.execute("PRAGMA synchronous=FULL")
        with _transaction(connection):
            self._finish(connection, source, last, late)
            self._orders.finish()
        self._orders.forget()
        connection.close()
        path = segment_path(self._folder, last + 1)
        self._path.rename(path)
        sync_folder(path.parent)
        return path

    @staticmethod
    def _finish(connection: sqlite3.Connection, source: sqlite3.Connection, last: int, late: HighTable) -> None:
        connection.executemany(_RAISE, late.rows())
        connection.execute("UPDATE segment SET first = ?", (last + 1,))
        for table in ("meta", "cursors", "aside", "marks", "segments"):
            connection.execute(f"DELETE FROM {table}")  # noqa: S608 - names are ours
            _copy(connection, source, table, "1")
        # Of packs, the last receipted one (its digest is the next one's) and those after it; older boundaries stay
        # where they were stored, for a consumer that goes back.
        _copy(
            connection,
            source,
            "packs",
            "n >= coalesce((SELECT through FROM cursors WHERE cursors.upstream = packs.upstream), 0)",
        )
        first: int = source.execute("SELECT first FROM segment").fetchone()[0]
        connection.execute("INSERT OR REPLACE INTO segments VALUES (?, ?, NULL, NULL)", (first, last))

    def abandon(self) -> None:
        """Remove what was built."""
        self._join()
        self._orders.forget()
        self._connection.close()
        remove_database(self._path)

    def _join(self) -> None:
        if self._flush is not None:
            self._flush.join()
            self._flush = None


def _sync_quietly(path: Path) -> None:
    """Start a file's way to the disk; whoever relies on it syncs it again."""
    with suppress(OSError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


# A late frame has a lower number than its line's high-water, so the higher one stands.
_RAISE = "INSERT INTO highs VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET high = max(high, excluded.high)"


def seal(path: Path, open_connection: Connect = connect, patient: bool = True) -> tuple[int, int, int] | None:
    """Index a segment that another one follows and fold its log into it.

    Args:
        path: the segment's file.
        open_connection: the ``connect`` seam.
        patient: False = index it even while a reader keeps it in WAL mode, at twice the bytes written.

    Returns:
        (last idx, oldest and newest received_ms), or None while a reader still has it open.
    """
    # A segment that is sealed keeps the schema that it was sealed with.
    connection = open_store(path, open_connection, may_migrate=False, oldest=READABLE)
    try:
        connection.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
        connection.execute("PRAGMA temp_store=MEMORY")
        folded = _fold(connection)
        if not folded and patient:
            return None
        sealed, *bounds = connection.execute("SELECT sealed, last, oldest_ms, newest_ms FROM segment").fetchone()
        if not sealed:
            first, *bounds = connection.execute(
                "SELECT (SELECT first FROM segment), max(idx), min(received_ms), max(received_ms) FROM records"
            ).fetchone()
            bounds = bounds if bounds[0] is not None else [first - 1, 0, 0]
            connection.execute("BEGIN IMMEDIATE")
            try:
                connection.execute("DROP TABLE IF EXISTS runs")  # its pages are the index's now
                connection.execute("CREATE INDEX IF NOT EXISTS by_line ON records (device, epoch, seq, kind, type)")
                connection.execute("UPDATE segment SET last = ?, oldest_ms = ?, newest_ms = ?, sealed = 1", bounds)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        if not folded:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return (bounds[0], bounds[1], bounds[2])
    finally:
        connection.close()


def _fold(connection: sqlite3.Connection) -> bool:
    """Leave WAL mode, so that the file is whole by itself; False while another connection is in the way."""
    try:
        return str(connection.execute("PRAGMA journal_mode=DELETE").fetchone()[0]) == "delete"
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise
        return False


def _copy(target: sqlite3.Connection, source: sqlite3.Connection, table: str, where: str) -> None:
    rows = source.execute(f"SELECT * FROM {table} WHERE {where}").fetchall()  # noqa: S608 - names are ours
    if rows:
        marks = ", ".join("?" * len(rows[0]))
        target.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)  # noqa: S608
