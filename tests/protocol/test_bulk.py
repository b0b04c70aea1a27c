"""Chunks cut at once: the same frames and the same counts as one by one. Host only."""

import random
import unittest

from weldgate_protocol.bulk import BulkStream
from weldgate_protocol.frame import FLAG_DURABLE, encode_body, to_wire
from weldgate_protocol.stream import FrameStream

_COUNTS = ("frames", "crc_errors", "stuffing_errors", "header_errors", "oversize", "discarded_bytes")


def _wire(chance):
    payload = chance.randbytes(chance.choice((0, 1, 40, 300, 1024)))
    body = encode_body(FLAG_DURABLE, 0x45, bytes(8), bytes(4), chance.randrange(1, 1 << 32), 0, 0, payload)
    return to_wire(body + chance.randbytes(8))


def _stream(chance):
    """Return frames with, between some, what a line may bring instead."""
    pieces = []
    for _ in range(chance.randrange(1, 30)):
        wire = _wire(chance)
        spoiled = bytearray(wire)
        spoiled[chance.randrange(len(wire))] ^= 1 << chance.randrange(8)
        no_header = to_wire(b"\xff" * 40)
        noise = chance.randbytes(chance.choice((1, 30, 200, 5000)))
        pieces.append(chance.choice((wire, wire, wire, bytes(spoiled), no_header, noise, b"~~", b"~}~", wire[:-1])))
    return b"".join(pieces)


def _taken(stream):
    found = []
    while (raw := stream.take()) is not None:
        found.append(raw)
    return found


class BulkStreamTest(unittest.TestCase):
    """Against `FrameStream`."""

    def test_any_chunks_give_what_one_by_one_gives(self):
        """Frames, their order and every counter agree after each chunk, whatever came and however it was cut."""
        for seed in range(100):
            chance = random.Random(seed)
            data, bulk, single = _stream(chance), BulkStream(), FrameStream()
            place = 0
            while place < len(data):
                size = chance.choice((3, 50, 500, 4000))
                chunk = data[place : place + size]
                place += size
                bulk.feed(chunk)
                single.feed(chunk)
                self.assertEqual(bulk.take_all(), _taken(single), (seed, place))
                for name in _COUNTS:
                    self.assertEqual(getattr(bulk, name), getattr(single, name), (seed, place, name))


if __name__ == "__main__":
    unittest.main()
