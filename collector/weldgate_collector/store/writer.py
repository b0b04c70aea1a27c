"""The store's one writer thread: rows in, one FULL commit for many, then ``on_commit`` (rule D2).

Rows wait until a batch is full or ``commit_ms`` old, since small commits wear flash out (40 to 85 bytes written for one
of payload, FACTS). Small work of others (pack boundaries, orders) rides in the same transaction: ``submit``.

A commit that fails (disk full, I/O error) is rolled back and tried again for as long as it takes; meanwhile nothing
is reported as committed, so acks are withheld, the backlog grows to its bound and the links stop reading. Nothing is
dropped.
"""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

import structlog

from weldgate_protocol.reasons import TOOL_STORE

from ..errors import StoreError
from .appender import Appender, Row, Work
from .schema import Connect, connect
from .segments import store_folder

__all__ = ["Row", "Writer"]

_T = TypeVar("_T")
_Work = tuple[Work, "Future[Any]"]

_log = structlog.get_logger("weldgate.store")

_RETRY_FIRST_S = 0.1
_RETRY_MAX_S = 5.0
_SEGMENT_ROWS = 500_000


class Writer:
    """The only writer of a store. ``put`` is for one thread (the event loop); ``submit`` for any.

    Attributes:
        committed: the last idx that is durable.
        accepted: the last idx handed out.
        trouble: what keeps commits from succeeding, or an empty string.
        full: whether that is a full disk.
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
        self._doing: list[_Work] = []
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._full = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self.trouble = ""
        self.full = False
        self._appender = Appender(self.folder, open_connection, segment_rows)
        self.committed = self.accepted = self._appender.committed

    def hand_over(self, rolled: Callable[[sqlite3.Connection], None]) -> None:
        """Name who gets the connection to a segment that is full, on the writer's thread; before ``start`` only."""
        self._appender.rolled = rolled

    @property
    def backlog(self) -> int:
        """How many rows are accepted and not yet durable."""
        return self.accepted - self.committed

    def highs(self) -> Iterator[tuple[int, int, int]]:
        """Yield (device, epoch, highest seq stored or declared) of every line; before ``start`` only."""
        return self._appender.highs()

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
            if not self._wake.is_set():  # to ask costs a tenth of setting it again
                self._wake.set()
        if count >= self._batch_rows:
            self._full.set()
        return self.accepted

    def submit(self, work: Callable[[sqlite3.Connection], _T]) -> "Future[_T]":
        """Run ``work`` inside the next batch's transaction, on the writer's thread.

        Args:
            work: gets the connection; may run again after a failed commit, so it touches the database only.

        Returns:
            Its result, once committed; its exception, with what it wrote undone and the rest of the batch unharmed. It
            can't be cancelled: what is queued is done, whoever still waits for it.

        Raises:
            StoreError: the store is stopping.
        """
        future: Future[_T] = Future()
        # Else an asker who gives up cancels it under the writer's hands, and the writer ends by an error.
        future.set_running_or_notify_cancel()
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
        self._appender.close()

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
            with self._lock:
                self._stopping = True
            self._abandon(self._doing + self._work)
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
                self._doing = work
                if not self._commit(rows, work):
                    _log.error("store_stopped_uncommitted", rows=len(rows) + len(self._pending), reason=self.trouble)
                    self._abandon(work + self._work)
                    return
                self._doing = []
                self._appender.turn()
            if done:
                return

    def _commit(self, rows: list[Row], work: list[_Work]) -> bool:
        """Commit one batch, however often it takes; False when a stop cut the tries short."""
        delay_s = _RETRY_FIRST_S
        deadline_s: float | None = None
        while True:
            try:
                results = self._appender.append(rows, [task for task, _ in work])
                break
            except (sqlite3.Error, StoreError, OSError) as error:
                if not self.trouble:
                    _log.error("store_commit_failed", reason=str(error), rows=len(rows))
                self.trouble = str(error)
                self.full = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL
            if self._stopping:
                deadline_s = deadline_s or time.monotonic() + self._stop_retry_s
                if time.monotonic() >= deadline_s:
                    return False
            # On the writer's own thread, which has nothing else to do until the disk takes writes again.
            time.sleep(delay_s)
            delay_s = min(delay_s * 2, _RETRY_MAX_S)
        if self.trouble:
            _log.info("store_commit_recovered", rows=len(rows))
            self.trouble, self.full = "", False
        for (_, future), (result, failure) in zip(work, results, strict=True):
            if failure is not None:
                future.set_exception(failure)
            else:
                future.set_result(result)
        if rows:
            self.committed = self._appender.committed
            self._on_commit(self.committed)
        return True

    def _abandon(self, work: list[_Work]) -> None:
        """Tell whoever waits for work that it will not be done."""
        for _, future in work:
            if not future.done():
                future.set_exception(StoreError(TOOL_STORE, f"store stopped before it could commit: {self.trouble}"))
