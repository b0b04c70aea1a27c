"""Packs, receipts and collector records: their vectors, both ways, and every bound."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from weldgate_protocol import reasons
from weldgate_protocol.collector_record import RECORD_GAP, RECORD_PRESENCE, Record, decode_record, encode_record
from weldgate_protocol.errors import EncodeError, RemoteError
from weldgate_protocol.pack import (
    ITEM_FRAME,
    ITEM_OVERHEAD_BYTES,
    ITEM_RECORD,
    NO_DIGEST,
    PACK_MAX,
    Item,
    Pack,
    Receipt,
    decode_pack,
    decode_receipt,
    encode_pack,
    encode_receipt,
    pack_digest,
    pack_overhead_bytes,
)

VECTORS = json.loads((Path(os.getenv("WELDGATE_VECTORS") or "tests/vectors") / "pack.json").read_text(encoding="utf-8"))
KEY = bytes(range(100, 132))
STORE = bytes(range(16))
DEVICE = bytes(8)


def cases(kind: str) -> Any:
    """Return the cases of a kind as parameters."""
    return [pytest.param(case, id=case["name"]) for case in VECTORS[kind]]


def data_of(case: dict[str, Any]) -> bytes:
    """Return the bytes of a case, filled up with zeros where it says so."""
    data = bytes.fromhex(case["hex"])
    return data + bytes(case.get("zeros", len(data)) - len(data))


def one(**other: Any) -> Pack:
    """Return a pack with one item, some of it another way."""
    fields: dict[str, Any] = {
        "store_id": STORE,
        "upstream": "site",
        "number": 1,
        "previous": NO_DIGEST,
        "items": [Item(ITEM_FRAME, 1, 1, b"frame")],
    }
    return Pack(**{**fields, **other})


@pytest.mark.parametrize("case", cases("pack"))
def test_pack_vectors(case: dict[str, Any]) -> None:
    """M-PACK-01, M-PACK-02, M-PACK-03: good packs come back byte for byte, bad ones are refused with their number."""
    data = data_of(case)
    if "error" in case:
        with pytest.raises(RemoteError) as caught:
            decode_pack(data, KEY)
        assert caught.value.code == case["error"]
        return

    pack = decode_pack(data, KEY)

    assert encode_pack(pack, KEY) == data
    found = {"n": pack.number, "first": pack.items[0].index, "count": len(pack.items)}
    found["digest"] = pack_digest(data).hex()
    assert {name: found[name] for name in case["expect"]} == case["expect"]


@pytest.mark.parametrize("case", cases("receipt"))
def test_receipt_vectors(case: dict[str, Any]) -> None:
    """M-PACK-05: good receipts come back byte for byte, bad ones are refused with their number."""
    data = data_of(case)
    if "error" in case:
        with pytest.raises(RemoteError) as caught:
            decode_receipt(data, KEY)
        assert caught.value.code == case["error"]
        return

    receipt = decode_receipt(data, KEY)

    assert encode_receipt(receipt, KEY) == data
    assert receipt.through == case["expect"]["through"]


@pytest.mark.parametrize("case", cases("record"))
def test_record_vectors(case: dict[str, Any]) -> None:
    """M-PACK-07: collector records are read by their table; what is no record is refused with its number."""
    data = data_of(case)
    if "error" in case:
        with pytest.raises(RemoteError) as caught:
            decode_record(data)
        assert caught.value.code == case["error"]
        return

    record = decode_record(data)

    if record.kind <= 4:
        assert encode_record(record) == data


def test_digest_covers_the_mac() -> None:
    """M-PACK-04: a pack's digest is SHA-256 over all of it, so that the next pack names exactly these bytes."""
    data = encode_pack(one(), KEY)
    assert pack_digest(data) == hashlib.sha256(data).digest()
    assert pack_digest(data) != pack_digest(encode_pack(one(), bytes(32)))


def test_boundary_of_a_pack_can_be_counted() -> None:
    """M-PACK-03: overhead and item sizes add up exactly, to the last byte that fits and not one more."""
    room = PACK_MAX - pack_overhead_bytes("site")
    full = [Item(ITEM_RECORD, 1, i, bytes(60_000)) for i in range(1, 5)]
    left = room - sum(ITEM_OVERHEAD_BYTES + len(item.data) for item in full)
    full.append(Item(ITEM_RECORD, 1, 5, bytes(left - ITEM_OVERHEAD_BYTES)))

    assert len(encode_pack(one(items=full), KEY)) == PACK_MAX
    full[-1] = Item(ITEM_RECORD, 1, 5, bytes(left - ITEM_OVERHEAD_BYTES + 1))
    with pytest.raises(EncodeError, match="at most 256000"):
        encode_pack(one(items=full), KEY)


@pytest.mark.parametrize(
    ("other", "code"),
    [
        ({"number": 0}, reasons.PACK_NUMBER),
        ({"number": 1 << 64}, reasons.PACK_NUMBER),
        ({"store_id": b"short"}, reasons.PACK_MALFORMED),
        ({"previous": b"short"}, reasons.PACK_MALFORMED),
        ({"upstream": ""}, reasons.PACK_MALFORMED),
        ({"upstream": "n" * 65}, reasons.PACK_MALFORMED),
        ({"upstream": "\ud800"}, reasons.PACK_MALFORMED),
        ({"items": []}, reasons.PACK_MALFORMED),
        ({"items": [Item(3, 1, 1, b"")]}, reasons.PACK_MALFORMED),
        ({"items": [Item(1, -1, 1, b"")]}, reasons.PACK_MALFORMED),
        ({"items": [Item(1, 1, 1 << 64, b"")]}, reasons.PACK_MALFORMED),
        ({"items": [Item(1, 1, 1, bytes(65536))]}, reasons.PACK_MALFORMED),
        ({"items": [Item(1, 1, 1, b""), Item(1, 1, 3, b"")]}, reasons.PACK_MALFORMED),
    ],
)
def test_unlawful_packs_are_not_encoded(other: dict[str, Any], code: int) -> None:
    """M-PACK-02: what could not be read is never written."""
    with pytest.raises(EncodeError) as caught:
        encode_pack(one(**other), KEY)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "receipt",
    [
        Receipt(b"short", STORE, "site", 1, NO_DIGEST),
        Receipt(bytes(8), b"short", "site", 1, NO_DIGEST),
        Receipt(bytes(8), STORE, "", 1, NO_DIGEST),
        Receipt(bytes(8), STORE, "site", -1, NO_DIGEST),
        Receipt(bytes(8), STORE, "site", 1, b"short"),
    ],
)
def test_unlawful_receipts_are_not_encoded(receipt: Receipt) -> None:
    """M-PACK-05: what could not be read is never written."""
    with pytest.raises(EncodeError):
        encode_receipt(receipt, KEY)


def test_short_keys_are_refused() -> None:
    """M-PACK-01: a key of less than 16 bytes authenticates nothing."""
    with pytest.raises(EncodeError) as caught:
        encode_pack(one(), KEY[:15])
    assert caught.value.code == reasons.KEY_MALFORMED


@pytest.mark.parametrize(
    "record",
    [
        Record(RECORD_GAP, DEVICE, b"epoc", 2, 1),
        Record(RECORD_GAP, DEVICE, b"short", 1, 2),
        Record(RECORD_GAP, b"", b"epoc", 1, 2),
        Record(RECORD_PRESENCE, DEVICE, b"epoc", frame=bytes(2000)),
        Record(RECORD_PRESENCE, DEVICE, b"epoc", reason=1 << 16),
        Record(RECORD_PRESENCE, DEVICE, b"epoc", text="x" * 501),
        Record(0, DEVICE, b"epoc"),
    ],
)
def test_unlawful_records_are_not_encoded(record: Record) -> None:
    """M-PACK-07: what could not be read is never written."""
    with pytest.raises(EncodeError):
        encode_record(record)


def test_payloads_stay_out_of_representations() -> None:
    """Frames may carry what is no business of a log: representations leave bytes out."""
    assert "frame" not in repr(one())
    assert "secret" not in repr(Record(RECORD_GAP, DEVICE, b"epoc", 1, 2, b"secret"))
