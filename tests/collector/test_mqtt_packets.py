"""MQTT packets: golden bytes, any split, both protocols, and what is no packet."""

import pytest

from weldgate_collector import mqtt_packets as packets
from weldgate_collector.mqtt_packets import Packet, PacketStream


def test_golden_bytes() -> None:
    """As the standard's tables have them."""
    assert packets.encode_connect("c", "", "", 30).hex() == "100d00044d5154540402001e000163"
    assert packets.encode_connect("c", "u", "p", 30).hex() == "101300044d51545404c2001e000163000175000170"
    assert packets.encode_connect("c", "u", "p", 30, 5).hex() == "101400044d51545405c2001e00000163000175000170"
    assert packets.encode_publish(b"t", b"hi").hex() == "300500017468" + "69"
    assert packets.encode_publish(b"t", b"hi", 9).hex() == "3207000174" + "0009" + "6869"
    assert packets.encode_publish(b"t", b"hi", 9, 5).hex() == "3208000174" + "0009" + "00" + "6869"
    assert packets.encode_subscribe(1, "a/+").hex() == "82080001" + "0003" + b"a/+".hex() + "00"
    assert packets.encode_subscribe(1, "t", 5).hex() == "8207" + "0001" + "00" + "000174" + "00"
    assert packets.encode_unsubscribe(1, "t", 5).hex() == "a206" + "0001" + "00" + "000174"
    assert packets.encode_puback(258).hex() == "40020102"


@pytest.mark.parametrize("size", [0, 100, 127, 128, 16_383, 16_384, 100_000])
@pytest.mark.parametrize("step", [1, 7, 1 << 20])
def test_any_split_gives_the_same_packets(size: int, step: int) -> None:
    """Whole, byte by byte, with a tail."""
    if size > 20_000 and step == 1:
        step = 997
    stream = packets.encode_publish(b"a/b", b"x" * size, 5) + packets.encode_puback(5) + b"\xd0"
    reader = PacketStream()
    found: list[Packet] = []
    for at in range(0, len(stream), step):
        found += reader.feed(stream[at : at + step])

    assert [first & 0xF0 for first, _ in found] == [packets.PUBLISH, packets.PUBACK]
    assert packets.read_publish(*found[0]) == (b"a/b", b"x" * size, 5)
    assert reader.feed(b"\x00") == [(packets.PINGRESP, b"")]


def test_length_that_no_packet_has() -> None:
    """Five bytes of length, or more than anybody sends us."""
    with pytest.raises(ValueError, match="four bytes"):
        PacketStream().feed(b"\x30\xff\xff\xff\xff\x01")
    with pytest.raises(ValueError, match="at most"):
        PacketStream().feed(b"\x30\xff\xff\xff\x7f")


@pytest.mark.parametrize(
    ("first", "body", "protocol"),
    [
        (0x30, b"", 4), (0x30, b"\x00", 4), (0x30, b"\x00\x05abc", 4), (0x32, b"\x00\x01t\x00", 4),
        (0x30, b"\0\1t", 5), (0x32, b"\0\1t\0\1\x05abc", 5), (0x30, b"\0\1t\xff\xff\xff\xff\x01", 5),
    ],
)  # fmt: skip
def test_publish_shorter_than_it_claims_is_refused(first: int, body: bytes, protocol: int) -> None:
    """Nothing is read beyond the packet: topic, packet id and properties fit in it."""
    with pytest.raises(ValueError, match="short"):
        packets.read_publish(first, body, protocol)


def test_publish_with_packet_id_and_properties() -> None:
    """Neither is part of the payload."""
    assert packets.read_publish(0x32, b"\x00\x01t\x00\x07data") == (b"t", b"data", 7)
    assert packets.read_publish(0x30, b"\x00\x01tdata") == (b"t", b"data", 0)
    assert packets.read_publish(0x32, b"\0\1t" + b"\0\7" + b"\x02\x01\x01" + b"{}", 5) == (b"t", b"{}", 7)


def test_connack_and_puback() -> None:
    """What the broker says, in words."""
    assert packets.connack_fault(b"\0\0") == ""
    assert "not authorized" in packets.connack_fault(b"\0\5")
    assert "not authorized" in packets.connack_fault(b"\0\x87\0")
    assert packets.connack_fault(b"") != ""
    assert packets.puback_fault(b"\0\1") == (0, "")
    assert packets.puback_fault(b"\0\1\x10") == (0, "")
    assert packets.puback_fault(b"\0\1\x99") == (0x99, "payload format invalid (153)")


def test_receive_maximum_among_other_properties() -> None:
    """It is found behind properties of other widths, and 65,535 without it."""
    properties = b"\x11\0\0\0\1" + b"\x12\0\2ab" + b"\x26\0\1a\0\1b" + b"\x25\1" + b"\x21\0\x14" + b"\x22\0\1"

    assert packets.receive_maximum(b"\0\0" + bytes([len(properties)]) + properties) == 20
    assert packets.receive_maximum(b"\0\0\0") == 65_535
    assert packets.receive_maximum(b"\0\0") == 65_535
    assert packets.receive_maximum(b"\0\0\x03\x7f\0\0") == 65_535
