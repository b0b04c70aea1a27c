"""MQTT's packets: whole out of any pieces, bounded, and refused where they claim what can't be."""

import pytest

from weldgate_collector.links import mqtt_wire as wire


def test_packets_are_whole_however_the_bytes_are_cut() -> None:
    """One byte at a time or all at once; lengths of one and of several bytes."""
    stream = b"".join(wire.encode_publish(b"a/b", bytes(size)) for size in (0, 1, 120, 121, 200, 20_000)) + wire.PINGREQ
    whole = wire.PacketStream().feed(stream)
    cut = wire.PacketStream()

    pieces = [packet for at in range(len(stream)) for packet in cut.feed(stream[at : at + 1])]

    assert pieces == whole
    assert [len(wire.read_publish(*packet).payload) for packet in whole[:-1]] == [0, 1, 120, 121, 200, 20_000]
    assert whole[-1] == (0xC0, b"")


def test_publish_at_a_higher_quality_is_read_as_well() -> None:
    """The packet's number is no part of the payload."""
    assert wire.read_publish(0x32, b"\x00\x01t\x00\x07data") == (b"t", b"data")
    assert wire.read_publish(0x30, b"\x00\x01tdata") == (b"t", b"data")


@pytest.mark.parametrize("data", [b"\x30\xff\xff\xff\xff\x01", b"\x30\xff\xff\xff\x7f"])
def test_lengths_beyond_the_bound_are_refused(data: bytes) -> None:
    """More than four bytes of length, or more than a packet may have."""
    with pytest.raises(ValueError, match=r"length|bytes"):
        wire.PacketStream().feed(data)


@pytest.mark.parametrize("body", [b"", b"\x00", b"\x00\x05abc"])
def test_publish_shorter_than_its_topic_is_refused(body: bytes) -> None:
    """Nothing is read beyond the packet."""
    with pytest.raises(ValueError, match="shorter"):
        wire.read_publish(0x30, body)


def test_connect_and_subscribe_are_as_the_standard_has_them() -> None:
    """OASIS MQTT 3.1.1: protocol level 4, a clean session, a user where there is one; QoS 0."""
    assert wire.encode_connect("c", "", "", 30).hex() == "100d00044d5154540402001e000163"
    assert wire.encode_connect("c", "u", "p", 30).hex() == "101300044d51545404c2001e000163000175000170"
    assert wire.encode_subscribe(1, "a/+").hex() == "82080001" + "0003" + b"a/+".hex() + "00"
