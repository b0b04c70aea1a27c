"""Envelopes of orders and of their results between a platform and a collector. Host only.

Both are under a full HMAC-SHA256 with the key that packs are under: the broker in between is only a pipe. An envelope
says which chip and which message; all that relaxes is in the signed object, which the collector does not judge and
the chip does.

All integers are big-endian::

    order    "WGO1" · device 8 · message type 1 · length 2 · object · HMAC 32
    result   "WGS1" · order id 8 · device 8 · message type 1 · state 1 · reason 2 · changed s 8 · HMAC 32

States: 1 waiting, 2 sent, 3 applied, 4 refused, 5 expired. An order is known by its id and chip; repeating it repeats
its result.
"""

import hmac
from struct import Struct
from typing import NamedTuple

from weldgate_protocol import reasons
from weldgate_protocol.errors import EncodeError
from weldgate_protocol.pack import PackError

__all__ = [
    "OBJECT_MAX",
    "OrderEnvelope",
    "ResultEnvelope",
    "decode_order",
    "decode_result",
    "encode_order",
    "encode_result",
]

OBJECT_MAX = 1_000  # bytes, one frame (messages.OBJECT_MAX)
MAC_BYTES = 32

_ORDER = Struct(">4s8sBH")
_RESULT = Struct(">4s8s8sBBHQ")
_ORDER_MAGIC = b"WGO1"
_RESULT_MAGIC = b"WGS1"


class OrderEnvelope(NamedTuple):
    """An order for one chip: device (8 bytes), message type, signed object."""

    device: bytes
    type: int
    object: bytes


class ResultEnvelope(NamedTuple):
    """How an order ended: its id and chip (8 bytes each), message type, state, the chip's reason, Unix seconds."""

    order: bytes
    device: bytes
    type: int
    state: int
    reason: int
    changed_s: int


def encode_order(order: OrderEnvelope, key: bytes) -> bytes:
    """Return the envelope of an order; ``key`` is shared with the collector.

    Raises:
        EncodeError: a value has no place in it (PACK_MALFORMED).
    """
    size = len(order.object)
    if len(order.device) != 8 or not 0 <= order.type <= 0xFF or not 1 <= size <= OBJECT_MAX:
        raise EncodeError(reasons.PACK_MALFORMED, f"order of type {order.type} and {size} bytes, at most {OBJECT_MAX}")
    data = _ORDER.pack(_ORDER_MAGIC, order.device, order.type, size) + order.object
    return data + hmac.digest(key, data, "sha256")


def decode_order(data: bytes, key: bytes) -> OrderEnvelope:
    """Return an authentic order's envelope.

    Raises:
        PackError: PACK_MALFORMED, or PACK_MAC where it is not under this key.
    """
    body = _open(data, key, _ORDER_MAGIC, _ORDER.size, _ORDER.size + OBJECT_MAX)
    _, device, type_, length = _ORDER.unpack_from(body)
    if length != len(body) - _ORDER.size or length == 0:
        raise PackError(reasons.PACK_MALFORMED, f"order of {length} bytes, {len(body) - _ORDER.size} came")
    return OrderEnvelope(device, type_, body[_ORDER.size :])


def encode_result(result: ResultEnvelope, key: bytes) -> bytes:
    """Return the envelope of a result; ``key`` is shared with the platform.

    Raises:
        EncodeError: a value has no place in it (PACK_MALFORMED).
    """
    fits = len(result.order) == 8 == len(result.device) and 0 <= result.reason <= 0xFFFF and 0 <= result.type <= 0xFF
    if not fits or not 1 <= result.state <= 5:
        raise EncodeError(reasons.PACK_MALFORMED, f"result of state {result.state}, reason {result.reason}")
    data = _RESULT.pack(_RESULT_MAGIC, *result)
    return data + hmac.digest(key, data, "sha256")


def decode_result(data: bytes, key: bytes) -> ResultEnvelope:
    """Return an authentic result.

    Raises:
        PackError: PACK_MALFORMED, or PACK_MAC where it is not under this key.
    """
    body = _open(data, key, _RESULT_MAGIC, _RESULT.size, _RESULT.size)
    return ResultEnvelope(*_RESULT.unpack(body)[1:])


def _open(data: bytes, key: bytes, magic: bytes, least: int, most: int) -> bytes:
    """Check size, magic and MAC, and return what the MAC covers."""
    if not least + MAC_BYTES <= len(data) <= most + MAC_BYTES or data[:4] != magic:
        raise PackError(reasons.PACK_MALFORMED, f"{len(data)} bytes that are no {magic.decode()}")
    body = data[:-MAC_BYTES]
    if not hmac.compare_digest(hmac.digest(key, body, "sha256"), data[-MAC_BYTES:]):
        raise PackError(reasons.PACK_MAC, "MAC is not under this collector's key")
    return body
