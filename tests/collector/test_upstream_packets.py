"""MQTT packets: golden bytes, any split, both protocols, and what is no packet."""

import pytest

from weldgate_collector.upstream import packets
from weldgate_collector.upstream.packets import Packet, Packets


def test_golden_bytes() -> None:
    """As the standard's tables have them."""
    assert packets.connect("c", "", "", 30, 4).hex() == "100d00044d5154540402001e000163"
    assert packets.connect("c", "u", "p", 30, 5).hex() == "101400044d51545405c2001e00000163000175000170"
    assert packets.publish(b"t", b"hi", 0, 4).hex() == "300500017468" + "69"
    assert packets.publish(b"t", b"hi", 9, 4).hex() == "3207000174" + "0009" + "6869"
    assert packets.publish(b"t", b"hi", 9, 5).hex() == "3208000174" + "0009" + "00" + "6869"
    assert packets.subscribe(1, "t", 4).hex() == "8206" + "0001" + "000174" + "00"
    assert packets.unsubscribe(1, "t", 5).hex() == "a206" + "0001" + "00" + "000174"
    assert packets.simple("ping").hex() == "c000"
    assert packets.simple("disconnect").hex() == "e000"


@pytest.mark.parametrize("size", [0, 100, 127, 128, 16_383, 16_384, 100_000])
@pytest.mark.parametrize("step", [1, 7, 1 << 20])
def test_any_split_gives_the_same_packets(size: int, step: int) -> None:
    """Whole, byte by byte, with a tail."""
    if size > 20_000 and step == 1:
        step = 997
    stream = packets.publish(b"a/b", b"x" * size, 5, 4) + b"\x40\x02\x00\x05" + b"\xd0"
    reader = Packets()
    found: list[Packet] = []
    for at in range(0, len(stream), step):
        found += reader.feed(stream[at : at + step])

    assert [packet.type for packet in found] == [packets.PUBLISH, packets.PUBACK]
    assert packets.decode_publish(found[0], 4) == ("a/b", b"x" * size, 5)
    assert reader.feed(b"\x00") == [Packet(packets.PINGRESP, 0, b"")]


def test_length_that_no_packet_has() -> None:
    """Five bytes of length, or more than anybody sends us."""
    with pytest.raises(ValueError, match="four bytes"):
        Packets().feed(b"\x30\xff\xff\xff\xff\x01")
    with pytest.raises(ValueError, match="at most"):
        Packets().feed(b"\x30\xff\xff\xff\x7f")


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


def test_publish_with_properties() -> None:
    """MQTT 5 puts properties between packet id and payload."""
    body = b"\0\1t" + b"\0\7" + b"\x02\x01\x01" + b"{}"

    assert packets.decode_publish(Packet(packets.PUBLISH, 2, body), 5) == ("t", b"{}", 7)
    with pytest.raises(ValueError, match="cut short"):
        packets.decode_publish(Packet(packets.PUBLISH, 0, b"\0\1t"), 5)
