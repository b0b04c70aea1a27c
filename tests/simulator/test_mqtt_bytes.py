"""The little MQTT of the bench and the soak: packets however they come, and a broker that does not let one in."""

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weldgate_protocol.errors import LocalError
from weldgate_simulator.mqtt_bytes import PUBACK, PUBLISH, cut_packets, cut_wires, enter, packet

CONNACK_SUBACK = b"\x20\x02\x00\x00\x90\x03\x00\x01\x00"


@pytest.mark.parametrize(
    ("size", "length"),
    [
        (0, b"\x00"), (1, b"\x01"), (127, b"\x7f"), (128, b"\x80\x01"), (16_383, b"\xff\x7f"),
        (16_384, b"\x80\x80\x01"),
    ],
)  # fmt: skip
def test_packets_are_whole_however_they_come(size: int, length: bytes) -> None:
    """Byte by byte, with another one after them; a length of one, two and three bytes, as the standard has it."""
    wire = packet(0x32, b"x" * size) + packet(PUBACK, b"\x00\x07")
    buffer, found = bytearray(), []

    for byte in wire:
        buffer.append(byte)
        found += cut_packets(buffer)

    assert wire == b"\x32" + length + b"x" * size + b"\x40\x02\x00\x07"
    assert found == [(0x32, b"x" * size), (PUBACK, b"\x00\x07")]
    assert buffer == b""


@given(sizes=st.lists(st.integers(0, 20_000), max_size=6), cut=st.integers(1, 5_000))
def test_packets_come_out_whole_however_they_came_in(sizes: list[int], cut: int) -> None:
    """Any split of the stream gives the same packets, and a rest that waits."""
    sent = [packet(PUBLISH, bytes(size)) for size in sizes]
    stream, buffer, came = b"".join(sent) + b"\x30\x05abc", bytearray(), []

    for start in range(0, len(stream), cut):
        buffer += stream[start : start + cut]
        came += cut_wires(buffer)

    assert came == sent
    assert buffer == b"\x30\x05abc"


@pytest.mark.parametrize("head", [b"\x30", b"\x30\x80", b"\x30\x80\x80\x80", b"\x30\x80\x80\x80\x80\x01"])
def test_length_that_is_not_whole_waits(head: bytes) -> None:
    """Nothing is made of a packet whose length has not come, or is longer than the standard allows."""
    buffer = bytearray(head)

    assert cut_wires(buffer) == []
    assert cut_packets(buffer) == []
    assert buffer == head


def answered(data: bytes, topic: str) -> bytearray:
    """Enter where the other end says something at once and closes."""
    near, far = socket.socketpair()
    with near, far:
        near.settimeout(20)
        far.sendall(data)
        far.shutdown(socket.SHUT_WR)
        return enter(near, "somebody", topic)


def test_what_comes_behind_the_way_in_is_kept() -> None:
    """A publish in the same read as SUBACK is not lost."""
    assert answered(CONNACK_SUBACK + b"\x30\x03\x00\x01t", "t") == b"\x30\x03\x00\x01t"
    assert answered(CONNACK_SUBACK[:4], "") == b""


@pytest.mark.parametrize("data", [b"", b"\x20\x02", b"\x20\x02\x00\x05", CONNACK_SUBACK[:4] + b"\x90\x03\x00\x01\x80"])
def test_broker_that_closes_or_refuses_ends_it(data: bytes) -> None:
    """Nobody waits for ever, or asks a closed socket again and again."""
    with pytest.raises(LocalError, match="the broker"):
        answered(data, "t")
