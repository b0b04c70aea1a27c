"""Messages: round trip of whatever the tables allow; any payload for any type."""

from typing import Any

import cbor2
from hypothesis import given
from hypothesis import strategies as st

from weldgate_protocol import cbor, messages
from weldgate_protocol.errors import CborError, EncodeError, MessageError

TYPES = sorted(messages.MESSAGES)
JUNK = st.one_of(st.integers(-9, 1 << 33), st.binary(max_size=20), st.text(max_size=9), st.booleans(), st.none())


def values(kind: str, low: int, high: int) -> st.SearchStrategy[Any]:
    """Return what a field of this kind may hold."""
    if kind in ("uint", "int"):
        return st.integers(low, high)
    if kind == "bool":
        return st.booleans()
    if kind == "bytes":
        return st.binary(min_size=low, max_size=min(high, 100) if low < 100 else high)
    if kind == "text":
        return st.text(max_size=high).filter(lambda text: low <= len(text.encode()) <= high)
    if kind == "uints":
        return st.lists(st.integers(0, 65535), min_size=low, max_size=high)
    if kind == "ids":
        return st.lists(st.binary(min_size=8, max_size=8), min_size=low, max_size=high)
    return st.dictionaries(st.integers(0, 30), st.integers(0, 99), min_size=low, max_size=10)


@st.composite
def lawful(draw: st.DrawFn) -> tuple[int, dict[str, Any]]:
    """Draw a type and fields that its table allows."""
    type_ = draw(st.sampled_from(TYPES))
    fields = {}
    for _key, name, kind, required, low, high in messages.MESSAGES[type_][1]:
        if required or draw(st.booleans()):
            fields[name] = draw(values(kind, low, high))
    return type_, fields


@given(lawful())
def test_round_trip(message: tuple[int, dict[str, Any]]) -> None:
    """M-MSG-01 M-MSG-02: what a table allows travels and comes back, and cbor2 sees a map of small integers."""
    type_, fields = message

    payload = messages.encode(type_, fields)

    assert len(payload) <= messages.PAYLOAD_MAX
    assert messages.decode(type_, payload) == fields
    assert all(type(key) is int and 0 < key < 24 for key in cbor2.loads(payload))


@given(
    st.integers(0, 255), st.one_of(st.binary(max_size=60), st.dictionaries(st.integers(-3, 25), JUNK).map(cbor.encode))
)
def test_any_payload_is_a_message_or_an_error(type_: int, payload: bytes) -> None:
    """Any payload for any type gives fields or raises MessageError or CborError; an uplink one encodes as it came."""
    try:
        fields = messages.decode(type_, payload)
    except (MessageError, CborError) as error:
        assert 220 <= error.code <= 249  # noqa: PT017
        return
    if type_ < 0x80:
        assert messages.encode(type_, fields) == payload


@given(lawful(), st.data())
def test_one_odd_field_is_accepted_or_refused(message: tuple[int, dict[str, Any]], data: st.DataObject) -> None:
    """M-MSG-04: one field replaced by anything is refused by both ends or accepted by both."""
    type_, fields = message
    table = messages.MESSAGES[type_][1]
    key, name = data.draw(st.sampled_from([(field[0], field[1]) for field in table]))
    fields[name] = data.draw(JUNK.filter(lambda value: value is not None))
    pairs = {field[0]: fields[field[1]] for field in table if field[1] in fields}

    try:
        payload = messages.encode(type_, fields)
    except EncodeError as error:
        try:
            messages.decode(type_, cbor.encode(pairs))
        except MessageError as theirs:
            assert theirs.code == error.code  # noqa: PT017
            return
        raise AssertionError("only the encoder refuses key %d" % key) from error
    assert messages.decode(type_, payload) == fields
