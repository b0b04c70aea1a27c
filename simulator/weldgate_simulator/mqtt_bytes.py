"""MQTT 3.1.1 at QoS 0 as the bench's programs speak it: few packets, to bytes and back; no socket.

Written here and not taken from the collector, so that each tests the other.
"""

from collections.abc import Iterable

from weldgate_protocol.errors import LocalError
from weldgate_protocol.reasons import TOOL_CONNECTION

__all__ = ["CONNACK", "PUBLISH", "SUBACK", "connect", "cut_packets", "packet", "read_publish", "refuse", "subscribe"]

CONNACK, PUBLISH, SUBACK = 0x20, 0x30, 0x90  # §2.2.1
_CONNECT, _SUBSCRIBE = 0x10, 0x82


def connect(client_id: str) -> bytes:
    """Return CONNECT with a clean session and without keepalive (§3.1)."""
    return packet(_CONNECT, b"\x00\x04MQTT\x04\x02\x00\x00" + _text(client_id))


def subscribe(topic: str) -> bytes:
    """Return SUBSCRIBE to one topic at QoS 0 (§3.8)."""
    return packet(_SUBSCRIBE, b"\x00\x01" + _text(topic) + b"\x00")


def refuse(first: int, body: bytes, wanted: int) -> None:
    """Look whether a packet is the CONNACK or SUBACK that was waited for, and a good one.

    Raises:
        LocalError: TOOL_CONNECTION, it is not.
    """
    code = body[1] if wanted == CONNACK else body[-1] & 0x80
    if first != wanted or code:
        raise LocalError(TOOL_CONNECTION, f"the broker answers {first:02x} {body.hex()}, {wanted:02x} is due")


def read_publish(body: bytes) -> tuple[bytes, bytes]:
    """Return topic and payload of a PUBLISH at QoS 0 (§3.3)."""
    end = 2 + int.from_bytes(body[:2], "big")
    return body[2:end], body[end:]


def packet(first: int, body: bytes) -> bytes:
    """Return an MQTT packet (§2.2.3)."""
    length, head = len(body), bytearray((first,))
    while length > 127:
        head.append(length & 127 | 128)
        length >>= 7
    head.append(length)
    return bytes(head) + body


def cut_packets(data: bytearray) -> Iterable[tuple[int, bytes]]:
    """Cut whole packets out of what came: (first byte, body)."""
    held = bytes(data)
    place, found = 0, []
    while len(held) - place >= 2:
        length = shift = 0
        at = place + 1
        while at < len(held):
            byte = held[at]
            at += 1
            length |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        else:
            break
        if at + length > len(held):
            break
        found.append((held[place], held[at : at + length]))
        place = at + length
    del data[:place]
    return found


def _text(text: str) -> bytes:
    data = text.encode()
    return len(data).to_bytes(2, "big") + data
