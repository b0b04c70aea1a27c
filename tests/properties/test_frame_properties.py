"""Frames: round trip, any bytes, any single fault."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weldgate_protocol import frame
from weldgate_protocol._compat import HmacKey
from weldgate_protocol.errors import EncodeError, FrameError

KEY = HmacKey(b"k" * 32)
STUFFY = st.lists(st.sampled_from([b"\x7e", b"\x7d", b"\x01", b"\x02", b"\x00", b"\xff"]), max_size=1024).map(b"".join)
U32 = st.integers(0, 0xFFFFFFFF)


@st.composite
def lawful(draw: st.DrawFn) -> tuple[int, int, bytes, bytes, int, int, int, bytes]:
    """Draw the arguments of a lawful header."""
    type_ = draw(st.integers(0, 255))
    direction = 0x10 if type_ >= 0x80 else 0x08 if type_ >= 0x40 else 0
    if type_ >= 0xF0:
        direction = draw(st.sampled_from([0, 0x08, 0x10]))
    flags = 0x20 | direction | draw(st.sampled_from([0, 4])) | draw(st.integers(0, 2))
    device = draw(st.integers(0, (1 << 63) - 1)).to_bytes(8, "big")
    payload = draw(st.one_of(st.binary(max_size=1024), STUFFY))
    epoch = draw(st.binary(min_size=4, max_size=4))
    seq = draw(st.integers(1, 0xFFFFFFFF))
    return flags, type_, device, epoch, seq, draw(U32), draw(st.integers(0, 999)), payload


@given(lawful())
def test_round_trip(fields: tuple[int, int, bytes, bytes, int, int, int, bytes]) -> None:
    """Whatever is lawful travels and comes back, field by field, within the wire's limit."""
    raw = frame.seal(frame.encode_body(*fields), KEY)
    wire = frame.to_wire(raw)

    assert len(wire) <= frame.WIRE_MAX
    assert frame.from_wire(wire[1:-1]) == raw
    got = frame.parse(raw)
    assert (got.flags, got.type, got.device, got.epoch, got.seq, got.time_s, got.time_ms, got.payload) == fields
    assert got.tag == raw[-8:]
    assert frame.tag_matches(raw, KEY)


@given(st.one_of(st.binary(max_size=2300), STUFFY))
def test_any_bytes_are_a_frame_or_a_frame_error(data: bytes) -> None:
    """Any bytes between delimiters, and any bytes from flash, are a frame or raise FrameError."""
    for read in (frame.from_wire, frame.parse):
        try:
            read(data)
        except FrameError as error:
            assert 200 <= error.code <= 219  # noqa: PT017


@given(lawful(), st.data())
def test_any_body_with_its_crc_is_a_frame_or_a_frame_error(
    fields: tuple[int, int, bytes, bytes, int, int, int, bytes], data: st.DataObject
) -> None:
    """A header overwritten anywhere, CRC right, is a frame or raises FrameError; what is read writes the same bytes."""
    raw = bytearray(frame.encode_body(*fields) + bytes(8))
    at = data.draw(st.integers(0, 25))
    raw[at] = data.draw(st.integers(0, 255))
    wire = frame.to_wire(bytes(raw))

    try:
        got = frame.parse(frame.from_wire(wire[1:-1]))
    except FrameError:
        return
    again = frame.encode_body(got.flags, got.type, got.device, got.epoch, got.seq, got.time_s, got.time_ms, got.payload)
    assert again + got.tag == bytes(raw)


@given(lawful(), st.data())
def test_one_flipped_bit_is_noticed(
    fields: tuple[int, int, bytes, bytes, int, int, int, bytes], data: st.DataObject
) -> None:
    """One flipped bit between the delimiters never gives another frame."""
    raw = frame.seal(frame.encode_body(*fields), KEY)
    inner = bytearray(frame.to_wire(raw)[1:-1])
    bit = data.draw(st.integers(0, 8 * len(inner) - 1))
    inner[bit // 8] ^= 1 << bit % 8

    with pytest.raises(FrameError):
        frame.from_wire(bytes(inner))


@given(lawful(), st.data())
def test_one_changed_byte_breaks_the_tag(
    fields: tuple[int, int, bytes, bytes, int, int, int, bytes], data: st.DataObject
) -> None:
    """M-FRAME-05: no byte of header, payload or tag can be changed without the tag's failing."""
    raw = bytearray(frame.seal(frame.encode_body(*fields), KEY))
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))

    assert not frame.tag_matches(bytes(raw), KEY)


@given(
    st.integers(-1, 300),
    st.integers(-1, 300),
    st.binary(max_size=9),
    st.binary(max_size=5),
    st.integers(-2, 1 << 33),
    st.integers(-2, 1 << 33),
    st.integers(-2, 1100),
    st.binary(max_size=40),
)
def test_encoder_builds_or_refuses(
    flags: int, type_: int, device: bytes, epoch: bytes, seq: int, time_s: int, time_ms: int, payload: bytes
) -> None:
    """M-FRAME-13: any arguments give a frame that reads, or raise EncodeError."""
    try:
        body = frame.encode_body(flags, type_, device, epoch, seq, time_s, time_ms, payload)
    except EncodeError:
        return
    frame.check(body + bytes(8))
