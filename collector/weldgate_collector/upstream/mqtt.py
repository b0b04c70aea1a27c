"""The ``mqtt`` upstream: numbered packs out, receipts and orders in, over one connection to a broker (DESIGN §2.12).

One thread owns the client, the socket and a reader of the store. The broker is only a pipe: clean session, QoS 0. A
PUBACK is no proof of delivery (FACTS: publishes without a subscriber, or denied by an ACL, are acknowledged and
gone), the receipt is; and numbered packs at QoS 0 carry 10,500 packs/s of 10 kB where QoS 1 carries 1,387. Reconnects
for ever, with jittered back-off.
"""

import contextlib
import random
import sqlite3
import time
from collections import deque
from concurrent.futures import Future
from functools import partial

import msgspec
import structlog

from weldgate_protocol.errors import WeldgateError
from weldgate_protocol.pack import PACK_MAX, decode_receipt

from ..orders import Order
from ..store.reader import Reader
from .base import Adapter, Surroundings, UpstreamStatus
from .cursor import ADVANCED, MISMATCH, REWOUND, Cursor
from .packing import Built, Packer, forget_boundaries, renew_store, save_boundaries, save_cursor
from .results import Results
from .session import BrokerSession
from .settings import PacksSection
from .worker import Worker

__all__ = ["ADAPTER", "MqttUpstream"]

_log = structlog.get_logger("weldgate.upstream")

_POLL_MS = 1_000  # at rest the thread wakes this often for keepalive and time-outs
_BACKOFF_FIRST_S = 0.25
_REST_S = 1.0
_CURSOR_S = 1.0  # the cursor is stored at most this often; a stale one costs a resend, nothing else
_STOP_S = 2.0  # a stop waits so long for the cursor's last place
_FULL_ROWS = 2_000  # enough rows for a pack at once, without waiting for pack_ms
_UNHEARD_S = 45.0  # however patient receipt_timeout_s is, silence is told by then


class MqttUpstream(Worker):
    """One numbered-pack upstream."""

    def __init__(self, settings: PacksSection, surroundings: Surroundings) -> None:
        """Take the neighbours; ``start`` starts the thread.

        Args:
            settings: the upstream's section of the configuration.
            surroundings: store, collector, and the key: packs, receipts, orders and results are under its HMAC.
        """
        authority = str(surroundings.path(settings.tls_ca_file)) if settings.tls_ca_file else ""
        super().__init__(settings.name, surroundings.writer.committed)
        self._settings = msgspec.structs.replace(settings, tls_ca_file=authority)
        self._topic = f"weldgate/1/{surroundings.collector}/"
        self._client_id = settings.client_id or surroundings.collector
        self._key = surroundings.key
        self._password = partial(surroundings.password, settings.password_file)  # a new one needs no restart
        self._password()
        self._writer = surroundings.writer
        self._open_reader = surroundings.open_reader
        self._on_order = surroundings.on_order
        self._results = Results(self._key)
        self._status = UpstreamStatus(False, 0, 0, "starting")
        self._receipted = 0  # last row of the pack receipted last
        self._ready = False
        self._reader: Reader | None = None
        self._storing: tuple[Future[bool], list[Built]] | None = None
        self._fresh: deque[Built] = deque()  # built and stored, to be published for the first time
        self._renewing: Future[None] | None = None
        self._waiting_since_s = 0.0
        self._unheard_since_s = 0.0  # packs leave, and no receipt came since; 0 = nothing left since the last one
        self._saved: tuple[int, bytes] = (0, b"")
        self._saved_s = 0.0
        self._rested_s = 0.0

    def report(self, order: Order) -> None:
        """Publish an order's result; from any thread."""
        self._results.add(order)
        self._wake()

    def forgotten(self) -> None:
        """Nothing: a pack is never set aside."""

    def status(self) -> UpstreamStatus:
        """Return the present state."""
        return self._status._replace(waiting_rows=max(0, self._committed - self._receipted))

    def _run(self) -> None:
        backoff_s = _BACKOFF_FIRST_S
        with self._open_reader() as reader:
            self._reader = reader
            self._begin()
            while not self._stopping.is_set():
                trouble = "disconnected"
                try:
                    self._hold()
                except (OSError, ValueError, WeldgateError, sqlite3.Error) as error:
                    trouble = str(error)
                if self._stopping.is_set():
                    break
                if self._ready:
                    backoff_s = _BACKOFF_FIRST_S
                _log.warning("upstream_disconnected", upstream=self.name, reason=trouble)
                reader.rest()
                self._tell(False, trouble)
                self._stopping.wait(random.uniform(backoff_s / 2, backoff_s))  # noqa: S311 - jitter, not a secret
                backoff_s = min(backoff_s * 2, self._settings.backoff_max_s)
            self._save_cursor(time.monotonic(), final=True)

    def _begin(self) -> None:
        """Take up the packs and the cursor as the store has them."""
        reader = self._opened()
        self._packer = Packer(reader, self.name, self._key)
        through, boot = reader.cursor(self.name)
        store_id, built = self._packer.store_id, self._packer.built
        self._cursor = Cursor(store_id, min(through, built), boot, built, self._settings.receipt_timeout_s)
        self._saved = (through, boot)
        self._storing = None
        self._fresh.clear()

    def _rest(self, reader: Reader) -> None:
        """Let go of older segments now and then, so that their disk returns."""
        now_s = time.monotonic()
        if now_s - self._rested_s >= _REST_S:
            self._rested_s = now_s
            reader.rest()

    def _opened(self) -> Reader:
        if self._reader is None:
            raise RuntimeError("upstream has no reader")
        return self._reader

    def _hold(self) -> None:
        """Hold one connection until it ends."""
        reader = self._opened()
        topics = [self._topic + "receipt", self._topic + "order"]
        with BrokerSession(self._settings, self._client_id, self._password(), topics, self._wake_out) as session:
            self._ready = False
            while not self._stopping.is_set():
                self._rest(reader)
                for topic, payload in session.turn(self._wait_ms()):
                    self._take(topic, payload)
                if session.ready and not self._ready:
                    self._ready = True
                    self._cursor.restart(time.monotonic())
                    host, through = self._settings.host, self._cursor.through
                    _log.info("upstream_connected", upstream=self.name, host=host, through=through)
                if self._ready:
                    self._work(session)

    def _wait_ms(self) -> int:
        """Return how long the thread may sleep: until a pack is due, or a while."""
        if self._ready and self._committed > self._packer.last_row and self._waiting_since_s:
            due_s = self._waiting_since_s + self._settings.pack_ms / 1000 - time.monotonic()
            return min(_POLL_MS, max(1, int(due_s * 1000) + 1))
        return _POLL_MS

    def _work(self, session: BrokerSession) -> None:
        """Send what may be sent."""
        now_s = time.monotonic()
        if self._renewing is not None:
            if not self._renewing.done():
                return
            self._renewing.result()
            self._renewing = None
            self._begin()
        cursor = self._cursor
        if cursor.timed_out(now_s):
            _log.warning("receipts_overdue", upstream=self.name, through=cursor.through, probing=cursor.probing)
        while (result := self._results.take()) is not None:
            session.publish(self._topic + "result", result)
        if self._storing is not None and self._storing[0].done():
            future, packs = self._storing
            self._storing = None
            if not future.result():
                self._begin()  # another upstream renewed the store id
                return
            self._fresh += packs
            cursor.built = packs[-1].number
        self._publish_due(session, now_s)
        self._build(now_s)
        self._save_cursor(now_s)
        unheard_s = now_s - self._unheard_since_s if self._unheard_since_s else 0.0
        if cursor.probing or unheard_s > _UNHEARD_S:
            self._tell(True, self._unheard(), True)
        elif self._results.lost:
            self._tell(True, self._unread(), True)
        else:
            self._tell(True, "")

    def _publish_due(self, session: BrokerSession, now_s: float) -> None:
        """Publish packs from ``sent`` + 1, as far as the window goes and boundaries are stored."""
        cursor = self._cursor
        while cursor.sent < cursor.built and cursor.may_send(self._settings.window_packs):
            number = cursor.sent + 1
            while self._fresh and self._fresh[0].number < number:
                self._fresh.popleft()
            if self._fresh and self._fresh[0].number == number:
                built: Built | None = self._fresh.popleft()
            else:
                built = self._packer.rebuild(number)
            if built is None and self._packer.is_deleted(number):
                self._skip(number)
                return
            if built is None or len(built.data) > PACK_MAX:
                self._renew(f"pack {number} can't be rebuilt")
                return
            session.publish(self._topic + "pack", built.data)
            cursor.published(number, now_s)
            self._unheard_since_s = self._unheard_since_s or now_s

    def _build(self, now_s: float) -> None:
        """Build packs of what was committed, and have their boundaries stored; they are published after that."""
        cursor = self._cursor
        rows = self._committed - self._packer.last_row
        if self._storing is not None or rows <= 0 or cursor.built - cursor.through >= self._settings.window_packs:
            return
        if not self._waiting_since_s:
            self._waiting_since_s = now_s
        if rows < _FULL_ROWS and now_s - self._waiting_since_s < self._settings.pack_ms / 1000:
            return
        packs: list[Built] = []
        while len(packs) < self._settings.window_packs - (cursor.built - cursor.through):
            built = self._packer.build(self._committed)
            if built is None:
                break
            packs.append(built)
        self._waiting_since_s = 0.0
        boundaries = [(pack.number, pack.first, pack.last, pack.digest) for pack in packs]
        future = self._writer.submit(
            lambda connection: save_boundaries(connection, cursor.store_id, self.name, boundaries)
        )
        self._storing = (future, packs)
        future.add_done_callback(lambda _done: self._wake())

    def _save_cursor(self, now_s: float, final: bool = False) -> None:
        cursor = self._cursor
        state = (cursor.through, cursor.boot)
        if state == self._saved or not (final or now_s - self._saved_s >= _CURSOR_S):
            return
        future = self._writer.submit(lambda connection: save_cursor(connection, cursor.store_id, self.name, *state))
        self._saved, self._saved_s = state, now_s
        if final:
            with contextlib.suppress(TimeoutError, WeldgateError, sqlite3.Error):  # a full disk holds nobody back
                future.result(_STOP_S)

    def _skip(self, number: int) -> None:
        """Go on after what retention deleted; only an optional upstream comes here, and a record told of its loss."""
        _log.error("upstream_skips_deleted_rows", upstream=self.name, pack=number)
        store_id = self._cursor.store_id
        self._renewing = self._writer.submit(
            lambda connection: forget_boundaries(connection, store_id, self.name, number)
        )
        self._renewing.add_done_callback(lambda _done: self._wake())

    def _renew(self, why: str) -> None:
        """Draw a new store id and start from the oldest row: the two stores no longer agree."""
        _log.error("store_id_renewed", upstream=self.name, reason=why)
        old = self._cursor.store_id
        self._renewing = self._writer.submit(lambda connection: renew_store(connection, old))
        self._renewing.add_done_callback(lambda _done: self._wake())

    def _take(self, topic: str, payload: bytes) -> None:
        """Take what came: an order, or a receipt."""
        if topic == self._topic + "order":
            self._on_order(self.name, payload)
            return
        try:
            receipt = decode_receipt(payload, self._key)
        except WeldgateError as error:
            _log.warning("receipt_refused", upstream=self.name, code=error.code, reason=error.message)
            return
        if receipt.upstream != self.name or self._renewing is not None:
            return
        self._unheard_since_s = 0.0
        outcome = self._cursor.receipt(receipt, self._packer.digest, time.monotonic())
        if outcome == MISMATCH:
            self._renew(f"receipt through {receipt.through} does not fit this store")
        elif outcome == REWOUND:
            _log.warning("upstream_rewound", upstream=self.name, through=receipt.through)
        elif outcome == ADVANCED:
            while self._fresh and self._fresh[0].number <= receipt.through:
                self._fresh.popleft()

    def _unheard(self) -> str:
        user = self._settings.username or self._client_id
        return (
            f"packs leave and no receipt comes: may `{user}` publish `{self._topic}pack` (a broker acknowledges and"
            " drops what its ACL denies), and does a platform answer?"
        )

    def _unread(self) -> str:
        user = self._settings.username or self._client_id
        return (
            f"the platform asks again for orders whose end was told: may `{user}` publish `{self._topic}result` (a"
            " broker acknowledges and drops what its ACL denies), and does the platform read it?"
        )

    def _tell(self, connected: bool, trouble: str, undelivered: bool = False) -> None:
        boundary = self._reader.pack(self.name, self._cursor.through) if self._reader is not None else None
        self._receipted = boundary[1] if boundary else 0
        self._status = UpstreamStatus(connected, self._cursor.through, 0, trouble, undelivered)


def _describe(settings: PacksSection) -> str:
    return f"at {settings.host}:{settings.port}"


ADAPTER = Adapter(PacksSection, _describe, MqttUpstream, needs_key=True)
