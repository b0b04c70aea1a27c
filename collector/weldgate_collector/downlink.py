"""Orders and tokens on their way to chips: kept until a result or an expiry, handed over when the chip is there.

The collector only carries: whatever relaxes is signed by the issuer, and the chip verifies it. Id, chip and expiry
are read from the object's own claims, so that an envelope can't say otherwise. A repeated order is the same order (id
and chip), and its result is told again. Runs on the event loop's thread; durable changes ride with the store's
writer.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import structlog

from weldgate_protocol import cbor, messages, reasons
from weldgate_protocol.cose import parse_sign1
from weldgate_protocol.errors import CborError, CoseError, EncodeError, RemoteError
from weldgate_protocol.frame import parse

from .errors import OrderError
from .store.reader import Reader
from .store.writer import Writer

if TYPE_CHECKING:
    from weldgate_protocol.fields import Fields

__all__ = ["APPLIED", "EXPIRED", "REFUSED", "SENT", "WAITING", "Downlink", "Order", "lock_order", "signed_order"]

WAITING, SENT, APPLIED, REFUSED, EXPIRED = 1, 2, 3, 4, 5

_log = structlog.get_logger("weldgate.downlink")

_WAITING_MAX = 100_000  # orders without a result, over all chips
_CHIP_WAITING_MAX = 64
_SENT_WAIT_S = 60  # a result that did not come by then is asked for by sending again, while the chip is online
_KEPT_S = 90 * 86_400  # an ended order is remembered this long, for its repeats; signed objects expire long before
_TYPES = (
    messages.TOKEN, messages.LOCK, messages.RELEASE, messages.CONFIG, messages.KEY_SET, messages.REVOCATIONS,
    messages.CLEAR_ALARM, messages.REKEY, messages.UPDATE,
)  # fmt: skip
_EXP, _DEVICE, _ID, _LOCK_ID, _MODE = 4, 3, 7, 16, 23  # claim labels (SPEC, claims)
_LOCK_REASONS = {1: reasons.END_LOCK_SOFT, 2: reasons.END_LOCK_NOW}

Send = Callable[[bytes, int, "Fields"], bool]
Report = Callable[["Order"], None]


@dataclass(frozen=True, slots=True)
class Order:
    """One order or token for one chip.

    Attributes:
        id: 8 bytes, the object's own; of an operator's lock the lock's.
        device: 8 bytes.
        type: message type, TOKEN to UPDATE.
        object: what travels: the signed object, or the operator's lock as CBOR {1: mode, 2: id, 3: reason}.
        origin: who brought it, for the audit: ``mqtt:<upstream>``, ``operator:<user>``.
        created_s, expires_s: Unix seconds.
        state: WAITING, SENT, APPLIED, REFUSED or EXPIRED.
        reason: the chip's, when REFUSED.
        changed_s: when ``state`` was entered.
    """

    id: bytes
    device: bytes
    type: int
    object: bytes = field(repr=False)
    origin: str
    created_s: int
    expires_s: int
    state: int = WAITING
    reason: int = 0
    changed_s: int = 0


def signed_order(device: bytes, type_: int, obj: bytes, origin: str, now_s: int, wait_s: int | None = None) -> Order:
    """Return the order that carries a signed object.

    Args:
        device: 8 bytes; what the object says, if it says, must agree.
        type_: message type.
        obj: COSE_Sign1.
        origin: who brought it.
        now_s: Unix seconds.
        wait_s: how long it may wait for its chip at most; None = until the object's own expiry.

    Raises:
        OrderError: not a signed object, of another chip, without id, expired, or too large for one frame.
    """
    if type_ not in _TYPES:
        raise OrderError(reasons.TOOL_BAD_INPUT, f"message type {type_:02x} carries no order")
    try:
        claims = cbor.decode(parse_sign1(obj).payload)
    except (CoseError, CborError) as error:
        raise OrderError(error.code, f"not a signed object: {error.message}") from error
    known = claims if isinstance(claims, dict) else {}
    identity, expires_s, named = known.get(_ID), known.get(_EXP), known.get(_DEVICE, device)
    if not isinstance(identity, bytes) or len(identity) != 8:
        raise OrderError(reasons.ORDER_MISSING_CLAIM, "signed object without an id of 8 bytes")
    if named != device:
        raise OrderError(reasons.ORDER_OTHER_DEVICE, "signed object is for another chip")
    if type(expires_s) is not int or expires_s <= now_s:
        raise OrderError(reasons.ORDER_EXPIRED, f"signed object expired, or without expiry: {expires_s!r}")
    until_s = expires_s if wait_s is None else min(expires_s, now_s + wait_s)
    order = Order(identity, device, type_, obj, origin, now_s, until_s, changed_s=now_s)
    try:
        messages.encode(type_, _fields(order))
    except EncodeError as error:
        code = reasons.ORDER_TOO_LONG if error.code == reasons.MESSAGE_FIELD_RANGE else reasons.ORDER_MISSING_CLAIM
        raise OrderError(code, f"does not fit its message: {error.message}") from error
    return order


def lock_order(device: bytes, mode: int, lock: bytes, reason: int, origin: str, now_s: int, wait_s: int) -> Order:
    """Return an operator's lock: the one thing that needs no signature, since it only takes away.

    Args:
        device: 8 bytes.
        mode: 1 soft, 2 now.
        lock: its id, 8 bytes, which the signed release will name.
        reason: shown on the machine.
        origin: the operator.
        now_s: Unix seconds.
        wait_s: how long it may wait for its chip.
    """
    body = messages.encode(messages.LOCK, {"mode": mode, "id": lock, "reason": reason})
    return Order(lock, device, messages.LOCK, body, origin, now_s, now_s + wait_s, changed_s=now_s)


class Downlink:
    """What waits for chips."""

    def __init__(self, writer: Writer, reader: Reader, now_s: Callable[[], float] = time.time) -> None:
        """Load what waited when the collector stopped.

        Args:
            writer: the store's.
            reader: read from once, now.
            now_s: Unix seconds.
        """
        self._writer = writer
        self._now_s = now_s
        self._send: Send = lambda _device, _type, _fields: False
        self.report: Report = lambda _order: None  # told each result, from any thread
        self._waiting: dict[bytes, dict[bytes, Order]] = {}
        self._count = 0
        self._writer.submit(lambda connection: _forget(connection, int(now_s()) - _KEPT_S))
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
            The order as it stands now; one that was known already keeps its state, and its result is reported again.

        Raises:
            OrderError: too many are waiting.
        """
        if self._count >= _WAITING_MAX or len(self._waiting.get(order.device, ())) >= _CHIP_WAITING_MAX:
            raise OrderError(reasons.TOOL_BAD_INPUT, f"too many orders wait: {self._count}")
        future = self._writer.submit(lambda connection: _insert(connection, order))
        known = await asyncio.wrap_future(future)
        if known.state > SENT:
            self.report(known)
            return known
        known = self._keep(known)
        return self._hand_over(known)

    def connected(self, device: bytes) -> None:
        """Hand a chip that came online all that waits for it, in order of arrival."""
        for order in list(self._waiting.get(device, {}).values()):
            self._hand_over(order)

    def heard(self, device: bytes, raw: bytes) -> None:
        """Take a durable frame that may be the answer to an order: order-result, session-start, refusal."""
        waiting = self._waiting.get(device)
        if not waiting:
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
        order = waiting.get(answered) if isinstance(answered, bytes) else None
        if order is not None:
            self._finish(order, REFUSED if refused else APPLIED, int(fields.get("reason", 0)) if refused else 0)

    def heartbeat(self, device: bytes, fields: "Fields") -> None:
        """Take a heartbeat: a lock whose id it names is applied."""
        waiting = self._waiting.get(device)
        if waiting:
            for lock in fields.get("lock_ids") or ():
                order = waiting.get(lock)
                if order is not None and order.type == messages.LOCK:
                    self._finish(order, APPLIED, 0)

    def sweep(self) -> None:
        """Expire what waited too long, send again what got no result; called about once a second."""
        now_s = int(self._now_s())
        for waiting in list(self._waiting.values()):
            for order in list(waiting.values()):
                if order.expires_s <= now_s:
                    self._finish(order, EXPIRED, 0)
                elif order.state == SENT and now_s - order.changed_s >= _SENT_WAIT_S:
                    self._hand_over(order)

    def _hand_over(self, order: Order) -> Order:
        if not self._send(order.device, order.type, _fields(order)):
            return order
        _log.info("order_sent", device=_text(order.device), order=order.id.hex(), type=order.type)
        order = replace(order, state=SENT, changed_s=int(self._now_s()))
        self._waiting[order.device][order.id] = order
        self._writer.submit(lambda connection: _update(connection, order))
        return order

    def _finish(self, order: Order, state: int, reason: int) -> None:
        order = replace(order, state=state, reason=reason, changed_s=int(self._now_s()))
        waiting = self._waiting[order.device]
        del waiting[order.id]
        self._count -= 1
        if not waiting:
            del self._waiting[order.device]
        future = self._writer.submit(lambda connection: _update(connection, order))
        # A result is told only when it is durable, so that a restart tells nothing else.
        future.add_done_callback(lambda done: None if done.exception() else self.report(order))
        _log.info("order_ended", device=_text(order.device), order=order.id.hex(), state=state, reason=reason)

    def _keep(self, order: Order) -> Order:
        waiting = self._waiting.setdefault(order.device, {})
        if order.id not in waiting:
            waiting[order.id] = order
            self._count += 1
        return waiting[order.id]


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


def _forget(connection: sqlite3.Connection, before_s: int) -> None:
    """Forget orders that ended long ago."""
    connection.execute("DELETE FROM orders WHERE state > ? AND changed_s < ?", (SENT, before_s))


def _fields(order: Order) -> "Fields":
    """Return the message that carries an order."""
    if order.type == messages.TOKEN:
        return {"token": order.object}
    if order.type != messages.LOCK:
        return {"object": order.object}
    body = cbor.decode(order.object)
    if isinstance(body, dict):  # the operator's own
        return messages.decode(messages.LOCK, order.object)
    claims = cbor.decode(parse_sign1(order.object).payload)
    known = claims if isinstance(claims, dict) else {}
    mode = known.get(_MODE)
    reason = _LOCK_REASONS.get(mode if type(mode) is int else 0, reasons.END_LOCK_NOW)
    return {"mode": mode, "id": known.get(_LOCK_ID), "reason": reason, "order": order.object}


def _text(device: bytes) -> str:
    return str(int.from_bytes(device, "big"))
