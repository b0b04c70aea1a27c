"""The way to the broker that spoils packs: whole packets only, only PUBLISH, and only while it is told to."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weldgate_simulator.soak_proxy import PackProxy, packets

CONNECT, PUBLISH, PUBLISH_QOS1 = b"\x10", b"\x30", b"\x32"


def packet(first: bytes, body: bytes) -> bytes:
    """Return an MQTT packet: type, remaining length, body."""
    length, size = bytearray(), len(body)
    while True:
        size, digit = size >> 7, size & 0x7F
        length.append(digit | 0x80 if size else digit)
        if not size:
            return first + bytes(length) + body


@given(sizes=st.lists(st.integers(0, 20_000), max_size=6), cut=st.integers(1, 5_000))
def test_packets_come_out_whole_however_they_came_in(sizes: list[int], cut: int) -> None:
    """Any split of the stream gives the same packets, and a rest that waits."""
    sent = [packet(PUBLISH, bytes(size)) for size in sizes]
    stream, buffer, came = b"".join(sent) + b"\x30\x05abc", bytearray(), []

    for start in range(0, len(stream), cut):
        buffer += stream[start : start + cut]
        came += list(packets(buffer))

    assert came == sent
    assert buffer == b"\x30\x05abc"


def test_only_publishes_are_spoiled_and_only_when_told() -> None:
    """Connecting and QoS 1 pass as they are; packs are lost, doubled and change places."""
    proxy = PackProxy("127.0.0.1", 1, seed=3)
    sent = [packet(PUBLISH, bytes([number])) for number in range(200)]
    stream = packet(CONNECT, b"x") + packet(PUBLISH_QOS1, b"y") + b"".join(sent)

    assert proxy._changes(True)(stream) == stream
    proxy.spoiling = True
    buffer = bytearray(proxy._changes(True)(stream))
    came = list(packets(buffer))

    assert came[:2] == [packet(CONNECT, b"x"), packet(PUBLISH_QOS1, b"y")]
    times = Counter(came[2:])
    order = [sent.index(one) for one in dict.fromkeys(came[2:])]
    assert any(one not in times for one in sent)
    assert max(times.values()) == 2
    assert order != sorted(order)
    assert all(count > 0 for count in proxy.counts.values())


@pytest.mark.parametrize("head", [b"\x30", b"\x30\x80", b"\x30\x80\x80\x80"])
def test_length_that_is_not_whole_waits(head: bytes) -> None:
    """Nothing is made of a packet whose length has not come."""
    buffer = bytearray(head)

    assert list(packets(buffer)) == []
    assert buffer == head
