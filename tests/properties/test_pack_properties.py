"""Packs, receipts and collector records as properties: round trips, and no bytes that break a reader."""

import hmac

from hypothesis import given, settings
from hypothesis import strategies as st

from weldgate_protocol.collector_record import Record, decode_record, encode_record
from weldgate_protocol.errors import RemoteError
from weldgate_protocol.pack import (
    Item,
    Pack,
    PackError,
    Receipt,
    decode_pack,
    decode_receipt,
    encode_pack,
    encode_receipt,
    pack_overhead_bytes,
)

KEY = b"k" * 32
U64 = st.integers(0, (1 << 64) - 1)
NAMES = st.text(min_size=1, max_size=16).filter(lambda name: name.isprintable())
ITEMS = st.tuples(st.sampled_from((1, 2)), U64, st.binary(max_size=80))
PACKS = st.builds(
    lambda store, name, n, previous, first, items: Pack(
        store, name, n, previous, [Item(kind, ms, first + i, data) for i, (kind, ms, data) in enumerate(items)]
    ),
    st.binary(min_size=16, max_size=16),
    NAMES,
    st.integers(1, (1 << 64) - 1),
    st.binary(min_size=32, max_size=32),
    st.integers(0, 1 << 60),
    st.lists(ITEMS, min_size=1, max_size=8),
)
RECEIPTS = st.builds(
    Receipt,
    st.binary(min_size=8, max_size=8),
    st.binary(min_size=16, max_size=16),
    NAMES,
    U64,
    st.binary(min_size=32, max_size=32),
)
SEQ = st.integers(1, 0xFFFFFFFF)
RECORDS = st.builds(
    lambda kind, device, epoch, ends, frame, online, reason, text: Record(
        kind, device, epoch, min(ends), max(ends), frame, online, reason, text
    ),
    st.integers(1, 255),
    st.binary(min_size=8, max_size=8),
    st.binary(min_size=4, max_size=4),
    st.tuples(SEQ, SEQ),
    st.binary(max_size=1058),
    st.none() | st.booleans(),
    st.integers(0, 0xFFFF),
    st.text(st.characters(exclude_categories=("Cs",)), max_size=100),
)


@given(PACKS)
def test_packs_come_back(pack: Pack) -> None:
    """M-PACK-02, M-PACK-03: whatever is encoded comes back, and its size is what a caller can count beforehand."""
    data = encode_pack(pack, KEY)
    assert decode_pack(data, KEY) == pack
    assert len(data) == pack_overhead_bytes(pack.upstream) + sum(19 + len(item.data) for item in pack.items)


@given(RECEIPTS)
def test_receipts_come_back(receipt: Receipt) -> None:
    """M-PACK-05: whatever is encoded comes back."""
    assert decode_receipt(encode_receipt(receipt, KEY), KEY) == receipt


@given(RECORDS)
def test_records_come_back(record: Record) -> None:
    """M-PACK-07: whatever is encoded comes back."""
    assert decode_record(encode_record(record)) == record


@given(PACKS, st.integers(0), st.integers(0, 7))
def test_one_bit_makes_a_pack_worthless(pack: Pack, position: int, bit: int) -> None:
    """M-PACK-01: a pack with any one bit changed is refused."""
    data = bytearray(encode_pack(pack, KEY))
    data[position % len(data)] ^= 1 << bit
    try:
        decode_pack(bytes(data), KEY)
    except PackError:
        return
    raise AssertionError("a changed pack was taken")


@settings(max_examples=300)
@given(st.sampled_from((b"WGP1", b"WGR1", b"")), st.binary(max_size=300), st.booleans())
def test_random_bytes_are_refused_by_a_declared_error(magic: bytes, body: bytes, authentic: bool) -> None:
    """Whatever comes, even under the right key, a reader returns a value or raises its declared error."""
    data = magic + body
    if authentic:
        data += hmac.digest(KEY, data, "sha256")
    for decode in (decode_pack, decode_receipt):
        try:
            decode(data, KEY)
        except PackError:
            continue
    try:
        decode_record(body)
    except RemoteError:
        return
