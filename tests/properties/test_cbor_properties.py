"""CBOR: round trip, one encoding, any bytes; cbor2 as the oracle."""

from typing import Any

import cbor2
from hypothesis import given
from hypothesis import strategies as st

from weldgate_protocol import cbor
from weldgate_protocol.errors import CborError, EncodeError

INTS = st.one_of(st.integers(-(1 << 63), (1 << 64) - 1), st.integers(-300, 70000))
SCALARS = st.one_of(INTS, st.binary(max_size=40), st.text(max_size=20), st.booleans(), st.none())
PICKY = st.lists(
    st.sampled_from([bytes((byte,)) for byte in bytes.fromhex("001718192038404161808182a0a1a2f4f6ffc3a9")]),
    max_size=12,
).map(b"".join)


def nested(depth: int) -> st.SearchStrategy[Any]:
    """Return values with at most so many containers one in another."""
    if depth == 0:
        return SCALARS
    inner = nested(depth - 1)
    return st.one_of(SCALARS, st.lists(inner, max_size=4), st.dictionaries(INTS, inner, max_size=5))


def oracle(value: Any) -> bytes:
    """Return cbor2's encoding with map keys in RFC 8949 §4.2.1 order (cbor2's own canonical order is older)."""
    if isinstance(value, dict):
        pairs = sorted((cbor2.dumps(key), oracle(item)) for key, item in value.items())
        return bytes([0xA0 + len(pairs)]) + b"".join(key + item for key, item in pairs)
    if isinstance(value, list):
        return bytes([0x80 + len(value)]) + b"".join(oracle(item) for item in value)
    return cbor2.dumps(value)


def same(a: Any, b: Any) -> bool:
    """Tell whether both are equal in type as well: False is no 0."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(a == b)


@given(nested(4))
def test_round_trip_and_oracle(value: Any) -> None:
    """M-CBOR-03 M-CBOR-04: what is encoded is cbor2's bytes, and decodes to the same value in both."""
    data = cbor.encode(value)

    assert data == oracle(value)
    assert same(cbor.decode(data), value)
    assert same(cbor2.loads(data), value)


def read(data: bytes) -> None:
    """Decode; what decodes must encode to the same bytes and mean the same to cbor2."""
    try:
        value = cbor.decode(data)
    except CborError as error:
        assert 220 <= error.code <= 234  # noqa: PT017
        return
    assert cbor.encode(value) == data
    assert same(cbor2.loads(data), value)


@given(st.one_of(st.binary(max_size=60), PICKY))
def test_any_bytes_have_one_meaning_or_an_error(data: bytes) -> None:
    """M-CBOR-03: any bytes raise CborError, or are the one encoding of what they decode to, which cbor2 reads alike."""
    read(data)


@given(nested(3), st.data())
def test_one_changed_byte_has_one_meaning_or_an_error(value: Any, data: st.DataObject) -> None:
    """A good item with one byte changed, cut or added is again canonical or an error."""
    good = bytearray(cbor.encode(value))
    at = data.draw(st.integers(0, len(good) - 1))
    kind = data.draw(st.sampled_from(["change", "cut", "add"]))
    if kind == "change":
        good[at] ^= data.draw(st.integers(1, 255))
    elif kind == "cut":
        del good[at]
    else:
        good.insert(at, data.draw(st.integers(0, 255)))
    read(bytes(good))


@given(st.recursive(st.one_of(SCALARS, st.floats(), st.text(st.characters()), st.tuples()), st.lists, max_leaves=20))
def test_any_value_encodes_or_is_refused(value: Any) -> None:
    """M-CBOR-10: any value encodes to what decodes, or raises EncodeError."""
    try:
        data = cbor.encode(value)
    except EncodeError:
        return
    assert same(cbor.decode(data), value)


def test_deep_nesting_is_no_recursion() -> None:
    """M-CBOR-05: ten thousand opening brackets are refused at the fifth."""
    for opening in (b"\x81", b"\xa1\x00"):
        try:
            cbor.decode(opening * 10_000)
        except CborError as error:
            assert "offset %d" % (4 * len(opening)) in error.message  # noqa: PT017
        else:
            raise AssertionError("accepted")
