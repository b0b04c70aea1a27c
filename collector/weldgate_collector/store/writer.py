"""The store's one writer thread: rows in, one FULL commit for many, then ``on_commit`` (rule D2).

Appends to the newest segment and, when it is full, begins the next one (``_turn``); sealing and removing old ones is
the keeper's. Rows wait until a batch is full or ``commit_ms`` old, since small commits wear flash out (40 to 85 bytes
written for one of payload, FACTS). Small work of others (pack boundaries, orders) rides in the same transaction:
``submit``.

A commit that fails (disk full, I/O error) is rolled back and tried again for as long as it takes; meanwhile nothing
is reported as committed, so acks are withheld, the backlog grows to its bound and the links stop reading. Nothing is
dropped.
"""

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

import structlog

from weldgate_protocol.reasons import TOOL_STORE, TOOL_STORE_DAMAGED

from ..errors import StoreError
from .newest import OpenSegment, merged_highs, open_newest, open_segment
from .schema import Connect, connect, open_store
from .segments import Highs, Opening, remove_database, store_folder

__all__ = ["Row", "Writer"]

Row = tuple[int, int, int, int, int, int, bytes]
"""received_ms, kind, device, epoch, seq, type, raw: a row of ``records``; its idx is its place in the queue."""

_T = TypeVar("_T")
_Work = tuple[Callable[[sqlite3.Connection], Any], "Future[Any]"]

_log = structlog.get_logger("weldgate.store")

_INSERT = "INSERT INTO records (received_ms, kind, device, epoch, seq, type, raw) VALUES (?, ?, ?, ?, ?, ?, ?)"
_RETRY_FIRST_S = 0.1
_INSERT_FIRST = "INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_RETRY_MAX_S = 5.0
_TURN_RETRY_S = 5.0
_SEGMENT_ROWS = 500_000


class Writer:
    """The only writer of a store. ``put`` is for one thread (the event loop); ``submit`` for any.

    Attributes:
        committed: the last idx that is durable.
        accepted: the last idx handed out.
        trouble: what keeps commits from succeeding, or an empty string.
    """

    def __init__(
        self,
        place: Path,
        commit_ms: int,
        batch_rows: int,
        on_commit: Callable[[int], None],
        open_connection: Connect = connect,
        stop_retry_s: float = 10.0,
        segment_rows: int = _SEGMENT_ROWS,
    ) -> None:
        """Open and migrate the store; ``start`` starts the thread.

        Args:
            place: the data folder; a store is made when none is there.
            commit_ms: how old a batch may grow, milliseconds.
            batch_rows: how large a batch may grow.
            on_commit: called on the writer's thread with the last durable idx, after each commit.
            open_connection: the ``connect`` seam.
            stop_retry_s: how long a graceful stop tries to commit on a failing disk; what is not acknowledged by then
                stays with the chips.
            segment_rows: how many rows a segment takes before the next one is begun.

        Raises:
            StoreError: the store is newer than this program, or damaged.
        """
        self.folder = store_folder(place)
        self._commit_s = commit_ms / 1000
        self._batch_rows = batch_rows
        self._on_commit = on_commit
        self._connect = open_connection
        self._stop_retry_s = stop_retry_s
        self._pending: list[Row] = []
        self._work: list[_Work] = []
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._full = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self.trouble = ""
        self.rolled: Callable[[sqlite3.Connection], None] = sqlite3.Connection.close  # told on the writer's thread
        self._segment_rows = segment_rows
        self._opening: Opening | None = None
        self._opened = False  # all of the next segment is there but for what moves till it takes over
        self._turn_after_s = 0.0
        self._segment: OpenSegment = open_newest(self.folder, open_connection)
        self._moved: Highs = self._segment.moved()
        self.committed = self.accepted = self._segment.last_index()

    @property
    def backlog(self) -> int:
        """How many rows are accepted and not yet durable."""
        return self.accepted - self.committed

    def highs(self) -> list[tuple[int, int, int]]:
        """Return (device, epoch, highest seq stored or declared) of every line; before ``start`` only."""
        return list(merged_highs(self._segment.connection, self._moved))

    def start(self) -> None:
        """Start the writer's thread."""
        self._thread.start()

    def put(self, rows: list[Row]) -> int:
        """Queue rows for the next batch.

        Returns:
            The idx of the last of them; they are durable when ``on_commit`` has named it or a later one.

        Raises:
            StoreError: the store is stopping.
        """
        with self._lock:
            if self._stopping:
                raise StoreError(TOOL_STORE, "store is stopping, no more rows are taken")
            self._pending += rows
            self.accepted += len(rows)
            count = len(self._pending)
        self._wake.set()
        if count >= self._batch_rows:
            self._full.set()
        return self.accepted

    def submit(self, work: Callable[[sqlite3.Connection], _T]) -> "Future[_T]":
        """Run ``work`` inside the next batch's transaction, on the writer's thread.

        Args:
            work: gets the connection; may run again after a failed commit, so it touches the database only.

        Returns:
            Its result, once committed; its exception, with what it wrote undone and the rest of the batch unharmed.

        Raises:
            StoreError: the store is stopping.
        """
        future: Future[_T] = Future()
        with self._lock:
            if self._stopping:
                raise StoreError(TOOL_STORE, "store is stopping, no more work is taken")
            self._work.append((work, future))
        self._wake.set()
        return future

    def stop(self) -> None:
        """Commit what is queued, end the thread, close the database."""
        with self._lock:
            self._stopping = True
        self._wake.set()
        self._full.set()
        if self._thread.ident is not None:
            self._thread.join()
        if self._opening is not None:
            self._opening.abandon()
        self._segment.connection.close()

    @property
    def alive(self) -> bool:
        """Whether the thread runs; a collector whose writer ended by an error of ours has to be restarted."""
        return self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._loop()
        except BaseException as error:
            self.trouble = f"writer ended: {error!r}"
            _log.critical("store_writer_ended", reason=repr(error))
            raise

    def _loop(self) -> None:
        while True:
            self._wake.wait()
            if not self._stopping:
                self._full.wait(self._commit_s)
            with self._lock:
                rows, self._pending = self._pending[: self._batch_rows], self._pending[self._batch_rows :]
                work, self._work = self._work, []
                if len(self._pending) < self._batch_rows:
                    self._full.clear()
                if not self._pending:
                    self._wake.clear()
                done = self._stopping and not self._pending
            if rows or work:
                if not self._commit(rows, work):
                    return
                self._turn()
            if done:
                return

    def _commit(self, rows: list[Row], work: list[_Work]) -> bool:
        """Commit one batch, however often it takes; False when a stop cut the tries short."""
        delay_s = _RETRY_FIRST_S
        deadline_s: float | None = None
        while True:
            try:
                results = self._transaction(rows, work)
                break
            except (sqlite3.Error, StoreError) as error:
                if not self.trouble:
                    _log.error("store_commit_failed", reason=str(error), rows=len(rows))
                self.trouble = str(error)
            if self._stopping:
                deadline_s = deadline_s or time.monotonic() + self._stop_retry_s
                if time.monotonic() >= deadline_s:
                    self._abandon(len(rows), work)
                    return False
            time.sleep(
                delay_s
            )  # on the writer's own thread; it has nothing else to do until the disk takes writes again
            delay_s = min(delay_s * 2, _RETRY_MAX_S)
        if self.trouble:
            _log.info("store_commit_recovered", rows=len(rows))
            self.trouble = ""
        for (_, future), (result, failure) in zip(work, results, strict=True):
            if failure is not None:
                future.set_exception(failure)
            else:
                future.set_result(result)
        if rows:
            self.committed += len(rows)
            self._on_commit(self.committed)
            moved = self._moved
            for _, _, device, epoch, seq, _, _ in rows:
                if seq > moved.get((device, epoch), 0):
                    moved[device, epoch] = seq
        return True

    def _turn(self) -> None:
        """Build the next segment a slice at a time while this one fills up, and change over when both are ready."""
        rows = self.committed - self._segment.first + 1
        if rows < self._segment_rows * 7 // 8 or time.monotonic() < self._turn_after_s:
            return
        try:
            if self._opening is None:
                self._opening = Opening(self.folder, self._segment.connection, self._moved, self._connect)
                self._moved, self._opened = {}, False
            elif not self._opened:
                self._opened = self._opening.step()
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
        self._opening, self._segment, self._moved = None, fresh, {}
        _log.info("store_segment_begun", first=fresh.first)
        self.rolled(old.connection)

    def _forget_opening(self) -> None:
        if self._opening is not None:
            opening, self._opening = self._opening, None
            for line, high in opening.moved.items():
                self._moved[line] = max(high, self._moved.get(line, 0))
            with contextlib.suppress(sqlite3.Error, OSError):  # it is removed at the next try as well
                opening.abandon()

    def _transaction(self, rows: list[Row], work: list[_Work]) -> list[tuple[Any, Exception | None]]:
        """Write one batch in one transaction; nothing of it is there when this raises."""
        if self.trouble:
            self._reopen()
        connection, rest = self._segment.connection, rows
        last = self._segment.last_index()
        if last == self.committed + len(rows) and rows and self.trouble:
            # The commit that seemed to fail is in the file. Push it through an fsync before believing it.
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            rest = []
        elif last != self.committed:
            raise StoreError(
                TOOL_STORE_DAMAGED, f"{self._segment.path}: ends at row {last}, {self.committed} was committed"
            )
        connection.execute("BEGIN IMMEDIATE")
        try:
            if rest and last < self._segment.first:  # the first row of a segment says where it begins
                connection.execute(_INSERT_FIRST, (self._segment.first, *rest[0]))
                rest = rest[1:]
            connection.executemany(_INSERT, rest)
            results = [_aside(connection, task) for task, _ in work]
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return results

    def _reopen(self) -> None:
        """Open the database afresh: after an I/O error SQLite's own view of the file may be stale."""
        self._forget_opening()  # it reads through the connection that goes
        segment = self._segment
        if not segment.path.exists():
            raise StoreError(TOOL_STORE_DAMAGED, f"{segment.path}: is gone; it was not removed by weldgate")
        fresh = open_store(segment.path, self._connect)
        segment.connection.close()
        self._segment = segment._replace(connection=fresh)

    def _abandon(self, rows: int, work: list[_Work]) -> None:
        _log.error("store_stopped_uncommitted", rows=rows + len(self._pending), reason=self.trouble)
        for _, future in work:
            future.set_exception(StoreError(TOOL_STORE, f"store stopped before it could commit: {self.trouble}"))


# Primary result codes that say "the machine can't now": the whole batch is tried again. Any other error is the work's
# own.
_MACHINE = frozenset({
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOTADB,
})  # fmt: skip


def _aside(connection: sqlite3.Connection, task: Callable[[sqlite3.Connection], Any]) -> tuple[Any, Exception | None]:
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
