"""Batches into the newest segment, one FULL commit each, and the change to the next segment when it is full.

For the writer's thread alone. A commit that failed is looked for before it is tried again, since its fsync may have
failed after all was in the file; and each commit is believed only once it went into the file that has its name.
"""

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import structlog

from weldgate_protocol.reasons import TOOL_STORE, TOOL_STORE_DAMAGED

from ..errors import StoreError
from .highs import HighTable, line_key
from .newest import OpenSegment, merged_highs, open_newest, open_segment
from .runs import sort_rows
from .schema import Connect, settle
from .segments import Opening, remove_database

__all__ = ["Appender", "Result", "Row", "Work"]

Row = tuple[int, int, int, int, int, int, bytes]
"""received_ms, kind, device, epoch, seq, type, raw: a row of ``records``; its idx is its place in the queue."""

Work = Callable[[sqlite3.Connection], Any]
Result = tuple[Any, Exception | None]

_log = structlog.get_logger("weldgate.store")

_INSERT = "INSERT INTO records (received_ms, kind, device, epoch, seq, type, raw) VALUES (?, ?, ?, ?, ?, ?, ?)"
# Rows of one statement: each statement lets go of the interpreter's lock once and takes it again, which beside a busy
# event loop costs far more than the row. Measured alone: 1.6 µs a row one by one, 1.1 by 40 (280 of 999 parameters).
_TOGETHER = 40
_INSERT_TOGETHER = _INSERT + ", (?, ?, ?, ?, ?, ?, ?)" * (_TOGETHER - 1)
_INSERT_FIRST = "INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_TURN_RETRY_S = 5.0
_LATE_LINES = 10_000  # that the change itself may copy
_TURN_S = 0.02  # of building after each commit, at most; acks wait meanwhile


class Appender:
    """The open end of a store.

    Attributes:
        committed: the last row that is durable.
        rolled: gets the connection to a segment that is full.
    """

    def __init__(self, folder: Path, open_connection: Connect, segment_rows: int) -> None:
        """Open the newest segment; make, adopt or follow one where that is what's needed.

        Args:
            folder: the store's.
            open_connection: the ``connect`` seam.
            segment_rows: how many rows a segment takes before the next one is begun.

        Raises:
            StoreError: the store is newer than this program, or damaged.
        """
        self.folder = folder
        self.rolled: Callable[[sqlite3.Connection], None] = lambda old: old.close()
        self._connect = open_connection
        self._segment_rows = segment_rows
        self._opening: Opening | None = None
        self._opened = False  # all of the next segment is there but for what moves till it takes over
        self._turn_after_s = 0.0
        self._segment: OpenSegment = open_newest(folder, open_connection)
        self._moved = HighTable(self._segment.moved())  # of the lines that the open segment has rows of
        self._size_bytes = 0  # of the open segment's file, which never shrinks
        self._befallen = ""  # what somebody did to it
        self._failed = False
        self._tried: list[Result] | None = None  # what the work of a batch came to whose commit failed
        self._works = _works(self._segment.connection)  # batches without rows, numbered to be known again
        self.committed = self._segment.last_index()

    def highs(self) -> Iterator[tuple[int, int, int]]:
        """Yield (device, epoch, highest seq stored or declared) of every line; before the first batch only."""
        return merged_highs(self._segment.connection, self._moved.copy())

    def close(self) -> None:
        """Close the database."""
        if self._opening is not None:
            self._opening.abandon()
        self._segment.connection.close()

    def append(self, rows: list[Row], work: Sequence[Work]) -> list[Result]:
        """Commit one batch in one transaction; when this raises nothing of it counts, and it is to be tried again.

        Args:
            rows: what follows the last row.
            work: done in the same transaction, each with its own fate.

        Returns:
            What each piece of work came to: its result, or its exception, with what it wrote undone.

        Raises:
            sqlite3.Error: the machine can't now.
            StoreError: somebody did something to the file.
            OSError: its log can't be written anew.
        """
        if self._befallen:
            self._look()
        if self._failed:
            self._reopen()
        self._failed = True
        results = self._transaction(rows, work)
        self._failed, self._tried = False, None
        self._works += not rows
        self.committed += len(rows)
        highs: dict[bytes, int] = {}
        for _, _, device, epoch, seq, _, _ in rows:
            key = line_key(device, epoch)
            if seq > highs.get(key, 0):
                highs[key] = seq
        for key, high in highs.items():
            self._moved.raise_to(key, high)
        return results

    def turn(self) -> None:
        """Build the next segment a slice at a time while this one fills up, and change over when both are ready."""
        rows = self.committed - self._segment.first + 1
        if rows < self._segment_rows * 7 // 8 or time.monotonic() < self._turn_after_s:
            return
        try:
            if self._opening is None:
                self._opening = Opening(self.folder, self._segment.connection, self._moved, self._connect)
                self._moved, self._opened = HighTable(), False
            elif not self._opened:
                until_s = time.monotonic() + _TURN_S
                while not self._opened and time.monotonic() < until_s:
                    self._opened = self._opening.step()
            elif len(self._moved) > _LATE_LINES:
                self._opening.catch_up(self._moved)
                self._moved, self._opened = HighTable(), False
            elif rows >= self._segment_rows:
                self._change_over(self._opening)
        except (sqlite3.Error, StoreError, OSError) as error:
            # A full disk, most often. The open segment takes rows as before, and this is tried again.
            _log.error("store_segment_not_begun", reason=str(error))
            self._forget_opening()
            self._turn_after_s = time.monotonic() + _TURN_RETRY_S

    def _change_over(self, opening: Opening) -> None:
        old = self._segment
        path = opening.finish(self.committed, self._moved)
        fresh = None
        try:
            fresh = open_segment(path, self._connect)
            old.connection.execute("UPDATE segment SET last = ?", (self.committed,))
        except BaseException:
            if fresh is not None:
                fresh.connection.close()
            remove_database(path)  # no row is in it; a start finds that out as well
            raise
        self._opening, self._segment, self._moved, self._size_bytes = None, fresh, HighTable(), 0
        _log.info("store_segment_begun", first=fresh.first)
        self.rolled(old.connection)

    def _forget_opening(self) -> None:
        if self._opening is not None:
            opening, self._opening = self._opening, None
            for device, epoch, high in opening.moved.rows():
                self._moved.raise_to(line_key(device, epoch), high)
            with contextlib.suppress(sqlite3.Error, OSError):  # it is removed at the next try as well
                opening.abandon()

    def _transaction(self, rows: list[Row], work: Sequence[Work]) -> list[Result]:
        """Write one batch in one transaction."""
        connection, rest = self._segment.connection, rows
        last = self._segment.last_index()
        if self._tried is not None and self._is_there(last, rows):
            # The commit that seemed to fail is in the file; it is believed once it is durable.
            if not settle(connection):
                raise StoreError(TOOL_STORE, f"{self._segment.path}: a reader is in the way of a commit that failed")
            self._look()
            return self._tried
        if last != self.committed:
            raise StoreError(
                TOOL_STORE_DAMAGED, f"{self._segment.path}: ends at row {last}, {self.committed} was committed"
            )
        connection.execute("BEGIN IMMEDIATE")
        try:
            sort_rows(connection, self._segment.first, last)
            if rest and last < self._segment.first:  # the first row of a segment says where it begins
                connection.execute(_INSERT_FIRST, (self._segment.first, *rest[0]))
                rest = rest[1:]
            _insert(connection, rest)
            results = [_aside(connection, task) for task in work]
            if not rows:
                connection.execute("INSERT OR REPLACE INTO meta VALUES ('work', ?)", (self._works + 1,))
            self._tried = results
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        self._look()
        return results

    def _is_there(self, last: int, rows: list[Row]) -> bool:
        """Tell whether the batch whose commit failed is in the file all the same: by its rows, or by its number."""
        if rows:
            return last == self.committed + len(rows)
        return _works(self._segment.connection) == self._works + 1

    def _look(self) -> None:
        """Make sure that what was just committed went into the file that has its name; SQLite doesn't ask.

        A removed file takes commits as before, and they are gone with the last handle. One cut short loses rows that
        were acknowledged, and a checkpoint would hide it. Either way no commit is believed until somebody has looked.
        """
        path = self._segment.path
        try:
            found = path.stat()
        except FileNotFoundError:
            self._befallen = "is gone; it was not removed by weldgate"
        else:
            if found.st_ino != self._segment.inode:
                self._befallen = "is another file than the one that was opened"
            elif found.st_size < self._size_bytes:
                self._befallen = f"was cut short, from {self._size_bytes} bytes to {found.st_size}"
            self._size_bytes = found.st_size
        if self._befallen:
            raise StoreError(TOOL_STORE_DAMAGED, f"{path}: {self._befallen}; stop, `weldgate store salvage`, start")

    def _reopen(self) -> None:
        """Open the database afresh: after an I/O error SQLite's own view of the file may be stale."""
        self._forget_opening()  # it reads through the connection that goes
        segment = self._segment
        segment.connection.close()  # before another is opened: it would share what this one believes of the log
        self._look()
        self._segment = open_segment(segment.path, self._connect)


def _insert(connection: sqlite3.Connection, rows: list[Row]) -> None:
    """Append rows."""
    whole = len(rows) - len(rows) % _TOGETHER
    for first in range(0, whole, _TOGETHER):
        connection.execute(_INSERT_TOGETHER, list(chain.from_iterable(rows[first : first + _TOGETHER])))
    connection.executemany(_INSERT, rows[whole:])


def _works(connection: sqlite3.Connection) -> int:
    found = connection.execute("SELECT value FROM meta WHERE key = 'work'").fetchone()
    return int(found[0]) if found else 0


# Primary result codes that say "the machine can't now": the whole batch is tried again. Any other error is the work's
# own.
_MACHINE = frozenset({
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOTADB,
})  # fmt: skip


def _aside(connection: sqlite3.Connection, task: Work) -> Result:
    """Run one piece of work in a savepoint, so that its failure undoes only itself."""
    connection.execute("SAVEPOINT work")
    try:
        result = task(connection)
    except Exception as error:  # handed to whoever submitted the work
        if isinstance(error, sqlite3.Error) and error.sqlite_errorcode & 0xFF in _MACHINE:
            raise
        connection.execute("ROLLBACK TO work")
        connection.execute("RELEASE work")
        return None, error
    connection.execute("RELEASE work")
    return result, None
