"""The store's one writer thread: rows in, one FULL commit for many, then ``on_commit`` (rule D2).

Rows wait until a batch is full or ``commit_ms`` old, since small commits wear flash out (40 to 85 bytes written for
one of payload, FACTS). Small work of others (pack boundaries, orders) rides in the same transaction: ``submit``.

A commit that fails (disk full, I/O error) is rolled back and tried again for as long as it takes; meanwhile nothing
is reported as committed, so acks are withheld, the backlog grows to its bound and the links stop reading. Nothing is
dropped.
"""

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
from .schema import Connect, connect, open_store

__all__ = ["Row", "Writer"]

Row = tuple[int, int, int, int, int, int, bytes]
"""received_ms, kind, device, epoch, seq, type, raw: a row of ``records``; its idx is its place in the queue."""

_T = TypeVar("_T")
_Work = tuple[Callable[[sqlite3.Connection], Any], "Future[Any]"]

_log = structlog.get_logger("weldgate.store")

_INSERT = "INSERT INTO records (received_ms, kind, device, epoch, seq, type, raw) VALUES (?, ?, ?, ?, ?, ?, ?)"
_RETRY_FIRST_S = 0.1
_RETRY_MAX_S = 5.0


class Writer:
    """The only writer of a store. ``put`` is for one thread (the event loop); ``submit`` for any.

    Attributes:
        committed: the last idx that is durable.
        accepted: the last idx handed out.
        trouble: what keeps commits from succeeding, or an empty string.
    """

    def __init__(
        self,
        path: Path,
        commit_ms: int,
        batch_rows: int,
        on_commit: Callable[[int], None],
        open_connection: Connect = connect,
        stop_retry_s: float = 10.0,
    ) -> None:
        """Open and migrate the store; ``start`` starts the thread.

        Args:
            path: the database file; made when it isn't there.
            commit_ms: how old a batch may grow, milliseconds.
            batch_rows: how large a batch may grow.
            on_commit: called on the writer's thread with the last durable idx, after each commit.
            open_connection: the ``connect`` seam.
            stop_retry_s: how long a graceful stop tries to commit on a failing disk; what is not acknowledged by then
                stays with the chips.

        Raises:
            StoreError: the file is newer than this program or no database.
        """
        self._path = path
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
        self._connection = open_store(path, open_connection)
        self.committed = self.accepted = _last_index(self._connection)

    @property
    def backlog(self) -> int:
        """How many rows are accepted and not yet durable."""
        return self.accepted - self.committed

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
        self._connection.close()

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
            if (rows or work) and not self._commit(rows, work):
                return
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
        return True

    def _transaction(self, rows: list[Row], work: list[_Work]) -> list[tuple[Any, Exception | None]]:
        """Write one batch in one transaction; nothing of it is there when this raises."""
        if self.trouble:
            self._reopen()
        connection = self._connection
        last = _last_index(connection)
        if last == self.committed + len(rows) and rows and self.trouble:
            # The commit that seemed to fail is in the file. Push it through an fsync before believing it.
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            rows = []
        elif last != self.committed:
            raise StoreError(TOOL_STORE_DAMAGED, f"{self._path}: ends at row {last}, {self.committed} was committed")
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.executemany(_INSERT, rows)
            results = [_aside(connection, task) for task, _ in work]
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return results

    def _reopen(self) -> None:
        """Open the database afresh: after an I/O error SQLite's own view of the file may be stale."""
        if not self._path.exists():
            raise StoreError(TOOL_STORE_DAMAGED, f"{self._path}: is gone; it was not removed by weldgate")
        fresh = open_store(self._path, self._connect)
        self._connection.close()
        self._connection = fresh

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


def _last_index(connection: sqlite3.Connection) -> int:
    last: int | None = connection.execute("SELECT max(idx) FROM records").fetchone()[0]
    return last or 0
