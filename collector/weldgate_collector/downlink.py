"""Orders and tokens on their way to chips: kept until a result or an expiry, handed over when the chip is there.

A repeated order is the same order (id and chip), and the state it is in is told again, as each change of it is
(M-PACK-08). A chip answers under the order's id,
or under the name of its bytes where it could not or would not verify them (M-ORD-15). Its answer is final, but for the
few reasons that mean "later": then the order waits and is tried again, each time after twice as long. Runs on the
event loop's thread; durable changes ride with the store's writer.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from weldgate_protocol import messages, reasons
from weldgate_protocol.errors import RemoteError
from weldgate_protocol.frame import parse

from .errors import OrderError
from .orders import APPLIED, EXPIRED, REFUSED, SENT, WAITING, Order, object_name, order_fields
from .store.reader import Reader
from .store.writer import Writer

if TYPE_CHECKING:
    from weldgate_protocol.fields import Fields

__all__ = ["Downlink"]

_log = structlog.get_logger("weldgate.downlink")

_WAITING_MAX = 100_000  # orders without a result, over all chips
_CHIP_WAITING_MAX = 64
_TAKING_MAX = 1_000  # not durable yet, while the disk is full for one; repeats count too
_ANSWER_S = 60  # a result that did not come by then is asked for by sending again, while the chip is online
_TOKEN_ANSWER_S = 300  # a chip answers a token after the 120 s for the local act; sent earlier it would wait anew
_LATER_S = 5  # before an order is tried again that the chip could not take just now
_RETRY_MAX_S = 300  # both waits double each time, as far as this
# An ended order is remembered for its repeats. One a session and chip are many, so tokens go as soon as none can be
# valid any more (DESIGN §3.5: 72 h), and a repeat is refused for its own expiry.
_KEPT_S = 90 * 86_400
_TOKEN_KEPT_S = 4 * 86_400
_FORGET_EVERY_S = 60.0
_JUMP_S = 60.0  # a clock that runs ahead of the machine's own by more, from one look to the next, was set
_DOUBT_S = 600.0  # and may be set back soon: nothing expires meanwhile. A chip judges an order's expiry itself.
_FORGET_ROWS = 2_000  # in one commit: acks wait meanwhile
_LATER = (reasons.GATE_BUSY, reasons.GATE_NOT_READY, reasons.ORDER_IN_SESSION)  # M-PACK-10

Send = Callable[[bytes, int, "Fields"], bool]
Report = Callable[["Order"], None]
_Retry = tuple[float, int]  # when to send again, monotonic seconds; how often it was sent


class Downlink:
    """What waits for chips."""

    def __init__(
        self,
        writer: Writer,
        reader: Reader,
        now_s: Callable[[], float] = time.time,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Load what waited when the collector stopped.

        Args:
            writer: the store's.
            reader: read from once, now.
            now_s: Unix seconds, for expiries.
            clock_s: monotonic seconds, for repeats.
        """
        self._writer = writer
        self._now_s = now_s
        self._clock_s = clock_s
        self._retries: dict[tuple[bytes, bytes], _Retry] = {}  # by chip and id, of what was sent in this connection
        self._send: Send = lambda _device, _type, _fields: False
        self.report: Report = lambda _order: None  # told each state that is durable, from any thread
        self._waiting: dict[bytes, dict[bytes, Order]] = {}
        self._count = 0
        self._taking = 0  # on their way into the store
        self.ended = {APPLIED: 0, REFUSED: 0, EXPIRED: 0}  # how many, since the start
        self._forgot_s = float("-inf")
        self._offset_s = now_s() - clock_s()
        self._sure_from_s = float("-inf")
        for row in reader.connection.execute(f"SELECT {_COLUMNS} FROM orders WHERE state <= {SENT}"):  # noqa: S608
            self._keep(_from_row(row))

    def __len__(self) -> int:
        return self._count

    def attach(self, send: Send) -> None:
        """Learn the way to chips: (device, type, fields) → whether the chip is online and it was sent."""
        self._send = send

    async def put(self, order: Order) -> Order:
        """Take an order durably, then hand it over if its chip is there.

        Returns:
            The order as it stands now; one that was known already keeps its state and its turn. Its state is reported.

        Raises:
            OrderError: too many are waiting.
        """
        if self._count >= _WAITING_MAX or len(self._waiting.get(order.device, ())) >= _CHIP_WAITING_MAX:
            raise OrderError(reasons.TOOL_BAD_INPUT, f"too many orders wait: {self._count}")
        if self._taking >= _TAKING_MAX:
            raise OrderError(reasons.TOOL_BAD_INPUT, f"{self._taking} orders wait to be stored already")
        # Whoever asked may be gone before the commit, on a full disk for one: what is durable then is carried all the
        # same, and the writer's future is never cancelled under its hands.
        self._taking += 1
        return await asyncio.shield(asyncio.ensure_future(self._take(order)))

    async def _take(self, order: Order) -> Order:
        try:
            known = await asyncio.wrap_future(self._writer.submit(lambda connection: _insert(connection, order)))
        finally:
            self._taking -= 1
        if known.state > SENT:
            self.report(known)
            return known
        waiting = self._waiting.get(known.device, {})
        if known.id in waiting:
            self.report(waiting[known.id])
            return waiting[known.id]
        self.report(known)
        self._keep(known)
        return self._hand_over(known)

    def connected(self, device: bytes) -> None:
        """Hand a chip that came online all that waits for it, in order of arrival."""
        for order in list(self._waiting.get(device, {}).values()):
            self._retries.pop((device, order.id), None)
            self._hand_over(order)

    def heard(self, device: bytes, raw: bytes) -> None:
        """Take a durable frame that may be the answer to an order: order-result, session-start, refusal."""
        if not self._waiting.get(device):
            return
        frame = parse(raw)
        try:
            fields = messages.decode(frame.type, frame.payload)
        except RemoteError:
            return  # kept as evidence by the store; no answer to anything
        if frame.type == messages.ORDER_RESULT:
            refused, answered = fields["result"] != 0, fields["order"]
        else:
            refused, answered = frame.type == messages.REFUSAL, fields.get("token")
        order = self._answered(device, answered, refused) if isinstance(answered, bytes) else None
        if order is None:
            return
        reason = int(fields.get("reason", 0)) if refused else 0
        if reason in _LATER:
            self._put_off(order, reason)
            return
        self._finish(order, REFUSED if refused else APPLIED, reason)
        if order.type != messages.TOKEN:
            self._next(device)

    def heartbeat(self, device: bytes, fields: "Fields") -> None:
        """Take a heartbeat: a lock whose id it names is applied."""
        waiting = self._waiting.get(device)
        if waiting:
            for lock in fields.get("lock_ids") or ():
                order = waiting.get(lock)
                if order is not None and order.type == messages.LOCK:
                    self._finish(order, APPLIED, 0)

    def sweep(self) -> None:
        """Expire what waited too long, send again what is due; called about once a second."""
        now_s, clock_s = int(self._now_s()), self._clock_s()
        offset_s, self._offset_s = self._offset_s, now_s - clock_s
        if self._offset_s - offset_s > _JUMP_S:
            self._sure_from_s = clock_s + _DOUBT_S
            _log.warning("clock_jumped", seconds=round(self._offset_s - offset_s), orders=self._count)
        if clock_s - self._forgot_s >= _FORGET_EVERY_S:
            self._forgot_s = clock_s
            self._writer.submit(lambda connection: _forget(connection, now_s))
        for waiting in list(self._waiting.values()):
            for order in list(waiting.values()):
                if order.expires_s <= now_s and clock_s >= self._sure_from_s:
                    self._finish(order, EXPIRED, 0)
                elif self._retries.get((order.device, order.id), (clock_s + 1, 0))[0] <= clock_s:
                    self._hand_over(order)

    def _answered(self, device: bytes, answered: bytes, refused: bool) -> Order | None:
        """Return the order that an answer is about; a refusal may name it by its bytes."""
        waiting = self._waiting[device]
        order = waiting.get(answered)
        if order is None and refused:
            order = next((one for one in waiting.values() if object_name(one.object) == answered), None)
        return order

    def _put_off(self, order: Order, reason: int) -> None:
        """Let an order wait that the chip could not take just now."""
        tries = self._retries.get((order.device, order.id), (0.0, 1))[1]
        wait_s = min(_LATER_S << min(max(tries, 1) - 1, 8), _RETRY_MAX_S)
        self._retries[order.device, order.id] = (self._clock_s() + wait_s, tries)
        self._change(replace(order, state=WAITING, reason=reason, changed_s=int(self._now_s())))
        _log.info("order_put_off", device=_text(order.device), order=order.id.hex(), reason=reason, seconds=wait_s)

    def _next(self, device: bytes) -> None:
        """The chip is done with one order: let it have the first that it was too busy for."""
        for order in self._waiting.get(device, {}).values():
            if order.reason == reasons.GATE_BUSY and order.type != messages.TOKEN:
                self._hand_over(order)
                return

    def _hand_over(self, order: Order) -> Order:
        if not self._send(order.device, order.type, order_fields(order)):
            self._retries.pop((order.device, order.id), None)  # it is handed over when the chip comes
            return order
        _log.info("order_sent", device=_text(order.device), order=order.id.hex(), type=order.type)
        tries = self._retries.get((order.device, order.id), (0.0, 0))[1] + 1
        first_s = _TOKEN_ANSWER_S if order.type == messages.TOKEN else _ANSWER_S
        wait_s = min(first_s << min(tries - 1, 8), max(first_s, _RETRY_MAX_S))
        self._retries[order.device, order.id] = (self._clock_s() + wait_s, tries)
        return self._change(replace(order, state=SENT, reason=0, changed_s=int(self._now_s())))

    def _change(self, order: Order) -> Order:
        self._waiting[order.device][order.id] = order
        self._store(order)
        return order

    def _finish(self, order: Order, state: int, reason: int) -> None:
        order = replace(order, state=state, reason=reason, changed_s=int(self._now_s()))
        waiting = self._waiting[order.device]
        del waiting[order.id]
        self._retries.pop((order.device, order.id), None)
        self._count -= 1
        if not waiting:
            del self._waiting[order.device]
        self.ended[state] += 1
        self._store(order)
        _log.info("order_ended", device=_text(order.device), order=order.id.hex(), state=state, reason=reason)

    def _store(self, order: Order) -> None:
        """Keep a state, and tell it once it is durable, so that a restart tells nothing else."""
        future = self._writer.submit(lambda connection: _update(connection, order))
        future.add_done_callback(lambda done: None if done.exception() else self.report(order))

    def _keep(self, order: Order) -> None:
        self._waiting.setdefault(order.device, {})[order.id] = order
        self._count += 1


_COLUMNS = "id, device, type, object, origin, created_s, expires_s, state, reason, changed_s"


def _from_row(row: tuple[bytes, int, int, bytes, str, int, int, int, int, int]) -> Order:
    return Order(row[0], row[1].to_bytes(8, "big"), *row[2:])


def _insert(connection: sqlite3.Connection, order: Order) -> Order:
    """Store an order unless it is known; return what is stored."""
    device = int.from_bytes(order.device, "big")
    connection.execute(
        f"INSERT INTO orders ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",  # noqa: S608
        (
            order.id, device, order.type, order.object, order.origin, order.created_s, order.expires_s, order.state,
            order.reason, order.changed_s,
        ),
    )  # fmt: skip
    found = connection.execute(f"SELECT {_COLUMNS} FROM orders WHERE id = ? AND device = ?", (order.id, device))  # noqa: S608
    return _from_row(found.fetchone())


def _update(connection: sqlite3.Connection, order: Order) -> None:
    connection.execute(
        "UPDATE orders SET state = ?, reason = ?, changed_s = ? WHERE id = ? AND device = ?",
        (order.state, order.reason, order.changed_s, order.id, int.from_bytes(order.device, "big")),
    )


def _forget(connection: sqlite3.Connection, now_s: int) -> None:
    """Forget some of the orders that ended long ago."""
    connection.execute(
        "DELETE FROM orders WHERE (id, device) IN (SELECT id, device FROM orders WHERE state > ? AND"
        " changed_s < CASE type WHEN ? THEN ? ELSE ? END LIMIT ?)",
        (SENT, messages.TOKEN, now_s - _TOKEN_KEPT_S, now_s - _KEPT_S, _FORGET_ROWS),
    )


def _text(device: bytes) -> str:
    return str(int.from_bytes(device, "big"))
