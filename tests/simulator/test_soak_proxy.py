"""The way to the broker that spoils packs: whole packets only, only PUBLISH, and only while it is told to."""

from collections import Counter

from weldgate_simulator.mqtt_bytes import PUBLISH, cut_wires, packet
from weldgate_simulator.soak_proxy import PackProxy

CONNECT, PUBLISH_QOS1 = 0x10, 0x32


def test_only_publishes_are_spoiled_and_only_when_told() -> None:
    """Connecting and QoS 1 pass as they are; packs are lost, doubled and change places."""
    proxy = PackProxy("127.0.0.1", 1, seed=3)
    sent = [packet(PUBLISH, bytes([number])) for number in range(200)]
    stream = packet(CONNECT, b"x") + packet(PUBLISH_QOS1, b"y") + b"".join(sent)

    assert proxy._changes(True)(stream) == stream
    proxy.spoiling = True
    buffer = bytearray(proxy._changes(True)(stream))
    came = cut_wires(buffer)

    assert came[:2] == [packet(CONNECT, b"x"), packet(PUBLISH_QOS1, b"y")]
    times = Counter(came[2:])
    order = [sent.index(one) for one in dict.fromkeys(came[2:])]
    assert any(one not in times for one in sent)
    assert max(times.values()) == 2
    assert order != sorted(order)
    assert all(count > 0 for count in proxy.counts.values())
