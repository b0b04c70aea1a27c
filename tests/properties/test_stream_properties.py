"""Streams: any cut gives the same frames; any garbage is survived and bounded."""

from hypothesis import given, settings
from hypothesis import strategies as st

from weldgate_protocol import frame
from weldgate_protocol.stream import FrameStream

PAYLOADS = st.lists(st.binary(max_size=60), min_size=1, max_size=6)
NOISE = st.one_of(st.binary(max_size=300), st.lists(st.sampled_from([b"~", b"}", b"\x00"]), max_size=99).map(b"".join))


def raw_of(payload: bytes) -> bytes:
    """Return a raw frame."""
    return frame.encode_body(0x0A, 0x45, bytes(8), b"abcd", 1, 0, 0, payload) + b"\x7e\x7d\x01\x02\x00\x7e\x7d\xff"


def drain(stream: FrameStream) -> list[bytes]:
    """Take all there is; check what stays behind."""
    frames = []
    while (raw := stream.take()) is not None:
        frames.append(raw)
    assert len(stream._data) == 0
    assert len(stream._tail) <= frame.INNER_MAX
    return frames


@given(PAYLOADS, st.data())
def test_any_cut_gives_the_same_frames(payloads: list[bytes], data: st.DataObject) -> None:
    """M-STREAM-01: however the bytes are cut, the same frames come out in order."""
    raws = [raw_of(payload) for payload in payloads]
    wire = b"".join(frame.to_wire(raw) for raw in raws)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=12)))
    stream = FrameStream()
    got = []

    for start, stop in zip([0, *cuts], [*cuts, len(wire)], strict=True):
        stream.feed(wire[start:stop])
        got += drain(stream)

    assert got == raws
    assert stream.discarded_bytes == 0


@given(NOISE, PAYLOADS, NOISE, st.integers(1, 50))
def test_noise_costs_no_later_frame(before: bytes, payloads: list[bytes], between: bytes, size: int) -> None:
    """M-STREAM-02: after noise every frame that has its own delimiters is found."""
    raws = [raw_of(payload) for payload in payloads]
    wire = before + b"".join(frame.to_wire(raw) + between + b"\x7e" for raw in raws)
    stream = FrameStream()
    got = []

    for start in range(0, len(wire), size):
        stream.feed(wire[start : start + size])
        got += drain(stream)

    assert got == raws


@given(st.lists(st.one_of(NOISE, st.binary(max_size=2500)), max_size=20))
@settings(deadline=None)
def test_any_bytes_are_survived(pieces: list[bytes]) -> None:
    """M-STREAM-03: any bytes raise nothing, what is held is bounded, each byte is accounted for."""
    stream = FrameStream()
    taken = 0

    for piece in pieces:
        stream.feed(piece)
        taken += sum(len(frame.to_wire(raw)) - 2 for raw in drain(stream))

    held = len(stream._tail)
    delimiters = sum(piece.count(b"\x7e") for piece in pieces)
    assert taken + held + stream.discarded_bytes + delimiters == sum(len(piece) for piece in pieces)
