"""Packs and receipts: numbered batches on their way upstream, and the word that they have arrived. Host only.

A pack is bytes for ever: its boundaries are stored before the first publish, so that a resend is byte-identical, and
it names the digest of the one before, so that a store copied back unnoticed shows. Both directions carry a full
HMAC-SHA256 under a key that one collector and its upstream share, since a broker in between is only a pipe.

All integers are big-endian::

    pack     "WGP1" · store id 16 · name length 1 · name · n 8 · digest of pack n-1 32 · count 4 · items · HMAC 32
    item     kind 1 · received ms 8 · index 8 · length 2 · bytes
    receipt  "WGR1" · consumer boot 8 · store id 16 · name length 1 · name · through 8 · digest 32 · HMAC 32

Decides what is a well-formed, authentic pack or receipt. Leaves to others: which frames go into one, when it is
sent again (the collector's upstream), and whether it is the next one (the consumer).
"""

import hmac
from dataclasses import dataclass, field
from hashlib import sha256
from struct import Struct
from struct import error as struct_error

from weldgate_protocol import reasons
from weldgate_protocol.errors import EncodeError, RemoteError

__all__ = [
    "DIGEST_BYTES",
    "ITEM_FRAME",
    "ITEM_OVERHEAD_BYTES",
    "ITEM_RECORD",
    "NO_DIGEST",
    "PACK_MAX",
    "Item",
    "Pack",
    "PackError",
    "Receipt",
    "decode_pack",
    "decode_receipt",
    "encode_pack",
    "encode_receipt",
    "pack_digest",
    "pack_overhead_bytes",
]

PACK_MAX = 256_000  # bytes; below a broker's usual 1 MiB, large enough that the broker's cost per message is small
ITEM_BYTES_MAX = 0xFFFF
NAME_MAX = 64  # bytes of UTF-8
STORE_ID_BYTES = 16
BOOT_BYTES = 8
DIGEST_BYTES = 32
MAC_BYTES = 32
KEY_BYTES_MIN = 16
NO_DIGEST = bytes(DIGEST_BYTES)  # stands for the pack before the first

ITEM_FRAME = 1  # bytes are a raw frame
ITEM_RECORD = 2  # bytes are a collector's own record (`collector_record`)

_PACK_MAGIC = b"WGP1"
_RECEIPT_MAGIC = b"WGR1"
_ITEM = Struct(">BQQH")
_NUMBER = Struct(">Q")
_COUNT = Struct(">I")
ITEM_OVERHEAD_BYTES = _ITEM.size
_U64 = 0xFFFFFFFFFFFFFFFF


class PackError(RemoteError):
    """Bytes that are no pack or receipt, or one under another key."""


@dataclass(slots=True)  # not frozen: a pack holds thousands, and that costs four times as much to make
class Item:
    """One row of the store: a frame, or a record of the collector's own.

    Attributes:
        kind: ITEM_FRAME or ITEM_RECORD.
        received_ms: Unix milliseconds when the collector had it.
        index: the row's number in the store, with the store's id the identity of a collector record.
        data: the raw frame, or the record's CBOR.
    """

    kind: int
    received_ms: int
    index: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Pack:
    """A numbered batch of rows of one store for one upstream.

    Attributes:
        store_id: 16 bytes, drawn when the store is made, and again after a restore.
        upstream: the upstream's name, 1 to 64 bytes of UTF-8.
        number: n, from 1.
        previous: digest of pack n-1, zeros for the first.
        items: one at least, their indices without a hole.
    """

    store_id: bytes
    upstream: str
    number: int
    previous: bytes
    items: list[Item] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Receipt:
    """The consumer's word that packs through a number are committed.

    Attributes:
        boot: 8 bytes, drawn when the consumer starts; only another boot may lower `through`.
        store_id: 16 bytes, the packs'.
        upstream: the upstream's name.
        through: highest pack committed, 0 for none.
        digest: of that pack, zeros for none.
    """

    boot: bytes
    store_id: bytes
    upstream: str
    through: int
    digest: bytes


def pack_overhead_bytes(upstream: str) -> int:
    """Return the size of a pack without items, so that a caller can tell what still fits."""
    return len(_PACK_MAGIC) + STORE_ID_BYTES + 1 + len(upstream.encode()) + 8 + DIGEST_BYTES + 4 + MAC_BYTES


def pack_digest(data: bytes) -> bytes:
    """Return the digest by which the next pack and the receipt name this one: SHA-256 of all of it, MAC included."""
    return sha256(data).digest()


def encode_pack(pack: Pack, key: bytes) -> bytes:
    """Return the bytes of a pack.

    Args:
        pack: what to send.
        key: shared with the upstream, 16 bytes at least.

    Raises:
        EncodeError: a value has no place in a pack, or it would be larger than 256 000 bytes (PACK_MALFORMED).
    """
    if not 1 <= pack.number <= _U64:
        raise EncodeError(reasons.PACK_NUMBER, f"pack number {pack.number}, counted from 1")
    if not pack.items:
        raise EncodeError(reasons.PACK_MALFORMED, "pack without items, at least 1")
    parts = [
        _PACK_MAGIC,
        _sized("store id", pack.store_id, STORE_ID_BYTES),
        _encode_name(pack.upstream),
        _NUMBER.pack(pack.number),
        _sized("digest", pack.previous, DIGEST_BYTES),
        _COUNT.pack(len(pack.items)),
    ]
    index = pack.items[0].index
    for item in pack.items:
        if item.index != index:
            raise EncodeError(reasons.PACK_MALFORMED, f"item index {item.index}, {index} is next")
        if item.kind not in (ITEM_FRAME, ITEM_RECORD) or len(item.data) > ITEM_BYTES_MAX:
            raise EncodeError(reasons.PACK_MALFORMED, f"item of kind {item.kind} and {len(item.data)} bytes")
        try:
            parts.append(_ITEM.pack(item.kind, item.received_ms, index, len(item.data)))
        except struct_error as error:
            raise EncodeError(reasons.PACK_MALFORMED, "item time or index does not fit 64 bits") from error
        parts.append(item.data)
        index += 1
    data = b"".join(parts)
    if len(data) + MAC_BYTES > PACK_MAX:
        raise EncodeError(reasons.PACK_MALFORMED, f"pack of {len(data) + MAC_BYTES} bytes, at most {PACK_MAX}")
    return data + _mac(data, key)


def decode_pack(data: bytes, key: bytes) -> Pack:
    """Return an authentic pack.

    Args:
        data: what came.
        key: shared with the collector.

    Raises:
        PackError: PACK_MALFORMED, or PACK_MAC where it is not under this key; the MAC is checked first.
    """
    reader = _Reader(data, key, _PACK_MAGIC, PACK_MAX)
    store_id = reader.take(STORE_ID_BYTES)
    upstream = reader.name()
    number = reader.number()
    if number == 0:
        raise PackError(reasons.PACK_MALFORMED, "pack number 0, counted from 1")
    previous = reader.take(DIGEST_BYTES)
    (count,) = _COUNT.unpack(reader.take(_COUNT.size))
    if not 1 <= count <= len(data) // ITEM_OVERHEAD_BYTES:  # a claimed count is not believed beyond what is there
        raise PackError(reasons.PACK_MALFORMED, f"pack claims {count} items")
    return Pack(store_id, upstream, number, previous, reader.items(count))


def encode_receipt(receipt: Receipt, key: bytes) -> bytes:
    """Return the bytes of a receipt.

    Raises:
        EncodeError: a value has no place in a receipt (PACK_MALFORMED, PACK_NUMBER).
    """
    if not 0 <= receipt.through <= _U64:
        raise EncodeError(reasons.PACK_NUMBER, f"receipt through {receipt.through}")
    data = b"".join(
        (
            _RECEIPT_MAGIC,
            _sized("consumer boot", receipt.boot, BOOT_BYTES),
            _sized("store id", receipt.store_id, STORE_ID_BYTES),
            _encode_name(receipt.upstream),
            _NUMBER.pack(receipt.through),
            _sized("digest", receipt.digest, DIGEST_BYTES),
        )
    )
    return data + _mac(data, key)


def decode_receipt(data: bytes, key: bytes) -> Receipt:
    """Return an authentic receipt.

    Raises:
        PackError: PACK_MALFORMED, or PACK_MAC where it is not under this key; the MAC is checked first.
    """
    reader = _Reader(data, key, _RECEIPT_MAGIC, PACK_MAX)
    boot = reader.take(BOOT_BYTES)
    store_id = reader.take(STORE_ID_BYTES)
    upstream = reader.name()
    through = reader.number()
    digest = reader.take(DIGEST_BYTES)
    reader.end()
    return Receipt(boot, store_id, upstream, through, digest)


def _sized(what: str, value: bytes, length: int) -> bytes:
    if len(value) != length:
        raise EncodeError(reasons.PACK_MALFORMED, f"{what} of {len(value)} bytes, allowed {length}")
    return value


def _encode_name(name: str) -> bytes:
    data = name.encode("utf-8", "surrogatepass")
    try:
        data.decode()
    except UnicodeDecodeError as error:
        raise EncodeError(reasons.PACK_MALFORMED, "upstream name has no UTF-8") from error
    if not 1 <= len(data) <= NAME_MAX:
        raise EncodeError(reasons.PACK_MALFORMED, f"upstream name of {len(data)} bytes, allowed 1 to {NAME_MAX}")
    return bytes((len(data),)) + data


def _mac(data: bytes, key: bytes) -> bytes:
    if len(key) < KEY_BYTES_MIN:
        raise EncodeError(reasons.KEY_MALFORMED, f"collector key of {len(key)} bytes, at least {KEY_BYTES_MIN}")
    return hmac.digest(key, data, "sha256")


class _Reader:
    """A place in authentic bytes."""

    def __init__(self, data: bytes, key: bytes, magic: bytes, limit: int) -> None:
        """Check magic, size and MAC before anything else is read."""
        if len(data) > limit:
            raise PackError(reasons.PACK_MALFORMED, f"{len(data)} bytes, at most {limit}")
        if data[: len(magic)] != magic or len(data) < len(magic) + MAC_BYTES:
            raise PackError(reasons.PACK_MALFORMED, f"does not begin with {magic.decode()}")
        if not hmac.compare_digest(_mac(data[:-MAC_BYTES], key), data[-MAC_BYTES:]):
            raise PackError(reasons.PACK_MAC, "MAC is not under this collector's key")
        self._data = data
        self._end = len(data) - MAC_BYTES
        self._pos = len(magic)

    def take(self, size: int) -> bytes:
        """Return the next bytes."""
        start = self._pos
        if size > self._end - start:
            raise PackError(reasons.PACK_MALFORMED, f"{size} bytes wanted at offset {start}, {self._end - start} left")
        self._pos = start + size
        return self._data[start : self._pos]

    def number(self) -> int:
        """Return the next 8 bytes as an integer."""
        return int.from_bytes(self.take(8), "big")

    def name(self) -> str:
        """Return an upstream's name."""
        size = self.take(1)[0]
        if not 1 <= size <= NAME_MAX:
            raise PackError(reasons.PACK_MALFORMED, f"upstream name of {size} bytes, allowed 1 to {NAME_MAX}")
        try:
            return self.take(size).decode()
        except UnicodeDecodeError as error:
            raise PackError(reasons.PACK_MALFORMED, "upstream name is not UTF-8") from error

    def items(self, count: int) -> list[Item]:
        """Return so many items, which are all that is left."""
        data, end, place, size = self._data, self._end, self._pos, _ITEM.size
        items: list[Item] = []
        following = -1
        for _ in range(count):
            if size > end - place:
                raise PackError(reasons.PACK_MALFORMED, f"{size} bytes wanted at offset {place}, {end - place} left")
            kind, received_ms, index, length = _ITEM.unpack_from(data, place)
            place += size
            if kind not in (ITEM_FRAME, ITEM_RECORD):
                raise PackError(reasons.PACK_MALFORMED, f"item kind {kind}, allowed 1 and 2")
            if index != following and items:
                raise PackError(reasons.PACK_MALFORMED, f"item index {index} after {following - 1}")
            if length > end - place:
                raise PackError(reasons.PACK_MALFORMED, f"{length} bytes wanted at offset {place}, {end - place} left")
            following = index + 1
            items.append(Item(kind, received_ms, index, data[place : place + length]))
            place += length
        self._pos = place
        self.end()
        return items

    def end(self) -> None:
        """Refuse what is left over."""
        if self._pos != self._end:
            raise PackError(reasons.PACK_MALFORMED, f"{self._end - self._pos} bytes too many")
