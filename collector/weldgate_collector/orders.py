"""Orders and tokens as the collector carries them: what they say of themselves, and the message each travels in.

Whatever relaxes is signed by the issuer and judged by the chip. Id, chip and expiry are read from the object's own
claims, so that an envelope can't say otherwise. Pure: no socket, no store, no clock.
"""

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from weldgate_protocol import cbor, messages, reasons
from weldgate_protocol.claims import TIME_MAX_S
from weldgate_protocol.cose import parse_sign1
from weldgate_protocol.errors import CborError, CoseError, EncodeError

from .errors import OrderError

if TYPE_CHECKING:
    from weldgate_protocol.fields import Fields

__all__ = [
    "APPLIED",
    "EXPIRED",
    "REFUSED",
    "RESULTS",
    "SENT",
    "WAITING",
    "Order",
    "lock_order",
    "object_name",
    "order_fields",
    "refused_order",
    "signed_order",
]

WAITING, SENT, APPLIED, REFUSED, EXPIRED = 1, 2, 3, 4, 5
RESULTS = {APPLIED: "applied", REFUSED: "refused", EXPIRED: "expired"}

_TYPES = (
    messages.TOKEN, messages.LOCK, messages.RELEASE, messages.CONFIG, messages.KEY_SET, messages.REVOCATIONS,
    messages.CLEAR_ALARM, messages.REKEY, messages.UPDATE, messages.PLANNED_REMOVAL,
)  # fmt: skip
_EXP, _DEVICE, _ID, _LOCK_ID, _MODE = 4, 3, 7, 16, 23  # claim labels (SPEC, claims)
_LOCK_REASONS = {1: reasons.END_LOCK_SOFT, 2: reasons.END_LOCK_NOW}


@dataclass(frozen=True, slots=True)
class Order:
    """One order or token for one chip.

    Attributes:
        id: 8 bytes, the object's own; of an operator's lock the lock's.
        device: 8 bytes.
        type: message type, TOKEN to PLANNED_REMOVAL.
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
        raise OrderError(reasons.ORDER_EXPIRED, "signed object expired, or without expiry")
    if expires_s > TIME_MAX_S:
        # No chip takes it, and the store's numbers end at 2^63.
        raise OrderError(reasons.ORDER_CLAIM_RANGE, f"signed object expires at {expires_s}, at most {TIME_MAX_S}")
    until_s = expires_s if wait_s is None else min(expires_s, now_s + wait_s)
    order = Order(identity, device, type_, obj, origin, now_s, until_s, changed_s=now_s)
    try:
        messages.encode(type_, order_fields(order))
    except EncodeError as error:
        long = error.code in (reasons.MESSAGE_FIELD_RANGE, reasons.FRAME_LENGTH)
        code = reasons.ORDER_TOO_LONG if long else reasons.ORDER_MISSING_CLAIM
        raise OrderError(code, f"does not fit its message: {error.message}") from error
    return order


def refused_order(device: bytes, type_: int, obj: bytes, origin: str, now_s: int, reason: int) -> Order:
    """Return the answer to an object that is not carried: under its own id where that can be read, else its name."""
    try:
        claims = cbor.decode(parse_sign1(obj).payload)
    except (CoseError, CborError):
        claims = None
    identity = claims.get(_ID) if isinstance(claims, dict) else None
    if not isinstance(identity, bytes) or len(identity) != 8:
        identity = object_name(obj)
    return Order(identity, device, type_, obj, origin, now_s, now_s, REFUSED, reason, now_s)


def object_name(obj: bytes) -> bytes:
    """Return what stands for the id of an object that was not verified (M-ORD-15): SHA-256, its first 8 bytes."""
    return hashlib.sha256(obj).digest()[:8]


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


def order_fields(order: Order) -> "Fields":
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
