"""The engine of upstreams that carry single records: thread, cursor, back-off, what is set aside.

One thread reads rows, hands them to a carrier within a window, and moves the cursor over what the carrier reports as
durable at the far end. The cursor is stored after that, so a kill costs repeats and never a record. A record that the
carrier or the far end refuses is tried again a few times while others go on, then set aside: stored with its bytes,
logged and counted. Whatever a carrier raises ends its connection, never this thread.
"""

import concurrent.futures
import contextlib
import math
import random
import select
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import NamedTuple

import structlog

from weldgate_protocol.errors import WeldgateError

from ..orders import Order
from .base import Surroundings, UpstreamStatus
from .carrier import Carrier, UndeliveredError
from .document import Row
from .flight import Flight
from .row_source import ASIDE_MAX, RowSource, move_cursor, put_aside
from .worker import Worker

__all__ = ["Pace", "RecordUpstream"]

_log = structlog.get_logger("weldgate.upstream")

_POLL_S = 1.0
_BACKOFF_FIRST_S = 0.25
_CURSOR_S = 1.0  # the cursor is stored at most this often; a stale one costs repeats, nothing else
_STOP_S = 2.0  # a stop waits so long for the cursor's last place
_READ_ROWS = 500
_REST_S = 1.0
_WAKE_BYTES = 4_096


class Pace(NamedTuple):
    """Rows on their way at most, tries before one is set aside, longest wait between connections."""

    window: int
    tries: int
    backoff_max_s: float


class RecordUpstream(Worker):
    """One upstream of single records."""

    def __init__(
        self, name: str, carrier: Carrier, pace: Pace, surroundings: Surroundings, wants: Callable[[Row], bool]
    ) -> None:
        """Take the neighbours; ``start`` starts the thread.

        Args:
            name: the upstream's, in the store and the log.
            carrier: the way out.
            pace: its limits.
            surroundings: store and collector.
            wants: whether a row is to go out at all.
        """
        super().__init__(name, surroundings.writer.committed)
        self._carrier = carrier
        self._pace = pace
        self._writer = surroundings.writer
        self._open_reader = surroundings.open_reader
        self._wants = wants
        self._flight = Flight(0, pace.tries)
        self._store_id = b""
        self._source: RowSource | None = None
        self._leaving: list[tuple[Future[bool], int]] = []
        self._aside = 0
        self._connected = False
        self._undelivered = False
        self._trouble = "starting"
        self._blocked = ""  # nothing more can be set aside
        self._saved = 0
        self._saved_s = 0.0
        self._saving: Future[bool] | None = None
        self._rested_s = 0.0

    def report(self, order: Order) -> None:
        """Nothing: orders don't come this way."""

    def forgotten(self) -> None:
        """Count what is set aside from nothing again; from any thread."""
        self._aside = 0
        self._blocked = ""

    def status(self) -> UpstreamStatus:
        """Return the present state."""
        through = self._flight.through
        return UpstreamStatus(
            self._connected, through, max(0, self._committed - through), self._trouble or self._blocked,
            self._undelivered, self._aside,
        )  # fmt: skip

    def _run(self) -> None:
        backoff_s = _BACKOFF_FIRST_S
        while not self._stopping.is_set():
            before = self._flight.through
            try:
                with self._open_reader() as reader:
                    self._begin(RowSource(reader, self.name))
                    self._hold()
            except UndeliveredError as error:
                self._undelivered, self._trouble = True, str(error)
            except (OSError, ValueError, WeldgateError, sqlite3.Error) as error:
                self._trouble = str(error) or repr(error)
            except Exception as error:  # a carrier may be anybody's, and its mistake must not end the collector
                _log.exception("upstream_failed", upstream=self.name)
                self._trouble = f"carrier failed: {error!r}"
            self._connected, self._source = False, None
            if self._flight.is_stuck and not self._undelivered:
                self._undelivered = True
                self._trouble += "; each time it ends with records on their way: may this user publish there?"
            if self._stopping.is_set():
                break
            _log.warning("upstream_disconnected", upstream=self.name, reason=self._trouble)
            if self._flight.through > before:
                backoff_s = _BACKOFF_FIRST_S
            self._stopping.wait(random.uniform(backoff_s / 2, backoff_s))  # noqa: S311 - jitter, not a secret
            backoff_s = min(backoff_s * 2, self._pace.backoff_max_s)
        with contextlib.suppress(WeldgateError):  # the store stops already
            self._save_cursor(final=True)

    def _begin(self, source: RowSource) -> None:
        """Take up the cursor as the store has it, where this is another store than before."""
        self._source = source
        if source.store_id != self._store_id:
            self._store_id = source.store_id
            self._flight = Flight(source.through(), self._pace.tries)
            self._leaving.clear()
            self._saved = self._flight.through
            self._carrier.begin(source.store_id)
        self._aside = source.aside()

    def _hold(self) -> None:
        """Hold one connection until it ends."""
        carrier, flight = self._carrier, self._flight
        carrier.open()
        reason = "stopped"
        try:
            self._connected = True
            if not self._undelivered:
                self._trouble = ""
            _log.info("upstream_connected", upstream=self.name, through=flight.through)
            while not self._stopping.is_set():
                if not self._move(time.monotonic()):
                    return
                self._wait()
        except BaseException as error:
            reason = str(error) or repr(error)
            raise
        finally:
            carrier.close()
            self._let_go(flight.ended(time.monotonic(), reason))

    def _move(self, now_s: float) -> bool:
        """Take what came and send what may be sent; False when the store is another one by now."""
        flight, carrier = self._flight, self._carrier
        self._rest(now_s)
        settled = carrier.turn()
        if settled.done:
            flight.done(settled.done)
            self._undelivered, self._trouble = False, ""
        if settled.refused:
            self._let_go(flight.refused(settled.refused, now_s))
        self._note_aside(now_s)
        self._offer(flight.due(now_s, carrier.room(), flight.next <= self._committed), now_s)
        self._read(now_s)
        return self._save_cursor()

    def _rest(self, now_s: float) -> None:
        """Let go of older segments now and then, so that their disk returns."""
        if self._source is not None and now_s - self._rested_s >= _REST_S:
            self._rested_s = now_s
            self._source.rest()

    def _read(self, now_s: float) -> None:
        flight = self._flight
        count = min(flight.may_read(self._pace.window), self._carrier.room(), _READ_ROWS)
        if count <= 0 or flight.next > self._committed or self._source is None:
            return
        first, committed = flight.next, min(self._committed, self._source.last())
        if first > committed:
            return
        rows = self._source.rows(first, committed, count)
        last = rows[-1].idx if len(rows) == count else committed
        if rows and rows[0].idx > first:
            _log.error("upstream_skips_deleted_rows", upstream=self.name, first=first, last=rows[0].idx - 1)
        self._offer(flight.read([row for row in rows if self._wants(row)], last), now_s)

    def _offer(self, rows: list[Row], now_s: float) -> None:
        if rows:
            refused = self._carrier.offer(rows, self._flight.next <= self._committed)
            self._let_go(self._flight.refused(refused, now_s))

    def _let_go(self, rows: list[tuple[Row, int, str]]) -> None:
        """Have records set aside durably; they count as settled once they are."""
        for row, tries, reason in rows:
            _log.error("record_refused", upstream=self.name, index=row.idx, tries=tries, reason=reason)
            work = partial(
                put_aside, store_id=self._store_id, upstream=self.name, row=row, tries=tries, reason=reason,
                now_ms=time.time_ns() // 1_000_000,
            )  # fmt: skip
            future = self._writer.submit(work)
            future.add_done_callback(lambda _done: self._wake())
            self._leaving.append((future, row.idx))

    def _note_aside(self, now_s: float) -> None:
        waiting: list[tuple[Future[bool], int]] = []
        for future, index in self._leaving:
            if not future.done():
                waiting.append((future, index))
            elif future.exception() is None and future.result():
                self._aside += 1
                self._blocked = ""
                self._flight.set_aside(index)
            else:
                if self._aside >= ASIDE_MAX:
                    self._blocked = f"{self._aside} records are refused: nothing more is set aside, mend the cause"
                self._flight.keep(index, now_s)
        self._leaving = waiting

    def _save_cursor(self, final: bool = False) -> bool:
        """Store the cursor now and then; False when the store has another id by now."""
        if final and self._saving is not None:
            concurrent.futures.wait([self._saving], _STOP_S)
        if self._saving is not None and self._saving.done():
            saving, self._saving = self._saving, None
            if saving.exception() is not None:
                self._saved = 0
            elif not saving.result():
                self._store_id = b""
                return False
        through, now_s = self._flight.through, time.monotonic()
        if through == self._saved or self._saving is not None or not (final or now_s - self._saved_s >= _CURSOR_S):
            return True
        store_id = self._store_id
        self._saving = self._writer.submit(lambda connection: move_cursor(connection, store_id, self.name, through))
        self._saved, self._saved_s = through, now_s
        if final:
            with contextlib.suppress(TimeoutError, WeldgateError, sqlite3.Error):  # a full disk holds nobody back
                self._saving.result(_STOP_S)
        return True

    def _wait(self) -> None:
        """Wait for the far end, the store, or the time of something."""
        carrier, flight = self._carrier, self._flight
        wait_s = min(_POLL_S, carrier.wait_s())
        room = carrier.room()
        if room > 0:
            if flight.next <= self._committed and flight.may_read(self._pace.window) > 0:
                wait_s = 0.0
            due_s = flight.first_due_s()
            if due_s is not None and not (flight.limit and flight.away):
                wait_s = min(wait_s, max(0.0, due_s - time.monotonic()))
        poll = select.poll()  # select() ends at descriptor 1,023; chips may have those
        poll.register(self._wake_out, select.POLLIN)
        if carrier.fileno() >= 0:
            poll.register(carrier.fileno(), select.POLLIN | (select.POLLOUT if carrier.wants_write() else 0))
        ready = dict(poll.poll(math.ceil(wait_s * 1000)))
        if self._wake_out.fileno() in ready:
            with contextlib.suppress(BlockingIOError):
                self._wake_out.recv(_WAKE_BYTES)
