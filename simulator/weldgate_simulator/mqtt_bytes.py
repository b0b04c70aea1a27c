"""MQTT 3.1.1 as the bench's and the soak's programs speak it: few packets, to bytes and back, and the way in.

Written here and not taken from the collector, so that each tests the other.
"""

import socket
from collections.abc import Iterator

from weldgate_protocol.errors import LocalError
from weldgate_protocol.reasons import TOOL_CONNECTION

__all__ = [
    "CONNACK", "PUBACK", "PUBLISH", "SUBACK", "connect", "cut_packets", "cut_wires", "enter", "packet", "read_publish",
    "subscribe", "text",
]  # fmt: skip

CONNACK, PUBLISH, PUBACK, SUBACK = 0x20, 0x30, 0x40, 0x90  # §2.2.1
_CONNECT, _SUBSCRIBE = 0x10, 0x82
_LENGTH_BYTES = 4  # §2.2.3, at most
_READ_BYTES = 65_536


def connect(client_id: str) -> bytes:
    """Return CONNECT with a clean session and without keepalive (§3.1)."""
    return packet(_CONNECT, b"\x00\x04MQTT\x04\x02\x00\x00" + text(client_id))


def subscribe(topic: str, qos: int = 0) -> bytes:
    """Return SUBSCRIBE to one topic (§3.8)."""
    return packet(_SUBSCRIBE, b"\x00\x01" + text(topic) + bytes([qos]))


def enter(sock: socket.socket, client_id: str, topic: str = "") -> bytearray:
    """Connect over a socket that waits, subscribe to a topic at QoS 0 if one is named; return what came behind that.

    Raises:
        LocalError: TOOL_CONNECTION, the broker does not let us in, or closes.
    """
    held = bytearray()
    steps = [(connect(client_id), CONNACK)] + ([(subscribe(topic), SUBACK)] if topic else [])
    for words, wanted in steps:
        sock.sendall(words)
        while (span := next(_spans(held), None)) is None:
            data = sock.recv(_READ_BYTES)
            if not data:
                raise LocalError(TOOL_CONNECTION, "the broker closed the connection")
            held += data
        _refuse(held[0], bytes(held[span[1] : span[2]]), wanted)
        del held[: span[2]]
    return held


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


def text(words: str) -> bytes:
    """Return a string as packets carry it (§1.5.3)."""
    data = words.encode()
    return len(data).to_bytes(2, "big") + data


def cut_packets(data: bytearray) -> list[tuple[int, bytes]]:
    """Cut whole packets out of what came: (first byte, body)."""
    held, end, found = bytes(data), 0, []
    for start, at, end in _spans(held):
        found.append((held[start], held[at:end]))
    del data[:end]
    return found


def cut_wires(data: bytearray) -> list[bytes]:
    """Cut whole packets out of what came, each as it came."""
    held, end, found = bytes(data), 0, []
    for start, _, end in _spans(held):
        found.append(held[start:end])
    del data[:end]
    return found


def _spans(held: bytes | bytearray) -> Iterator[tuple[int, int, int]]:
    """Yield (first byte, body's first byte, end) of each whole packet; a length that is none is never whole."""
    start = 0
    while True:
        length = shift = 0
        for at in range(start + 1, min(start + 1 + _LENGTH_BYTES, len(held))):
            byte = held[at]
            length |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        else:
            return
        end = at + 1 + length
        if end > len(held):
            return
        yield start, at + 1, end
        start = end


def _refuse(first: int, body: bytes, wanted: int) -> None:
    """Look whether a packet is the CONNACK or SUBACK that was waited for, and a good one."""
    if first != wanted or (body[1] if wanted == CONNACK else body[-1] & 0x80):
        raise LocalError(TOOL_CONNECTION, f"the broker answers {first:02x} {body.hex()}, {wanted:02x} is due")
