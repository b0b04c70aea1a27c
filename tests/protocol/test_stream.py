"""Streams against their vectors: whole, byte by byte, in odd pieces; and the memory they hold."""

import json
import os
import unittest

from weldgate_protocol import reasons
from weldgate_protocol.errors import EncodeError
from weldgate_protocol.frame import INNER_MAX, WIRE_MAX
from weldgate_protocol.stream import FrameStream

with open(os.getenv("WELDGATE_VECTORS", "tests/vectors") + "/stream.json") as file:
    CASES = json.load(file)

COUNTERS = ("crc_errors", "stuffing_errors", "header_errors", "oversize")
ONE = bytes.fromhex(CASES[0]["expect"]["frames"][0])


def read(data, size):
    """Feed the data in pieces of a size and drain after each; return frames and stream."""
    stream = FrameStream()
    frames = []
    for start in range(0, len(data), size):
        stream.feed(data[start : start + size])
        raw = stream.take()
        while raw is not None:
            frames.append(raw)
            raw = stream.take()
    return frames, stream


class StreamTest(unittest.TestCase):
    """Frames out of any bytes."""

    def test_vectors_in_any_pieces(self):
        """M-STREAM-01, M-STREAM-02: every frame after the next delimiter is found, however the bytes are cut."""
        for case in CASES:
            data = bytes.fromhex(case["hex"])
            for size in (1, 2, 7, 64, 1000, len(data) + 1):
                with self.subTest(name=case["name"], size=size):
                    frames, stream = read(data, size)
                    self.assertEqual([raw.hex() for raw in frames], case["expect"]["frames"])
                    self.assertEqual(stream.frames, len(frames))
                    for counter in COUNTERS:
                        self.assertEqual(getattr(stream, counter), case["expect"]["counts"].get(counter, 0))

    def test_discarded_bytes_are_counted(self):
        """All bytes between delimiters that were no frame are counted, whether long or short."""
        for data, expected in ((b"~ab~c~", 3), (b"~" + bytes(3000) + b"~", 3000), (b"~\x7d~", 1)):
            for size in (1, 11, 4000):
                with self.subTest(data=len(data), size=size):
                    self.assertEqual(read(data, size)[1].discarded_bytes, expected)

    def test_noise_is_survived(self):
        """M-STREAM-02, M-STREAM-03: after ten thousand bytes of noise full of delimiters the next frame is found."""
        stream = FrameStream()
        state = 7
        for _ in range(100):
            noise = bytearray()
            for _ in range(100):
                state = (state * 1103515245 + 12345) & 0x7FFFFFFF
                noise.append((0x7E, 0x7D, 0x01, 0x02, state >> 20 & 0xFF)[(state >> 16) % 5])
            stream.feed(noise)
            while stream.take() is not None:
                pass
        stream.feed(b"\x7e")
        while stream.take() is not None:
            pass

        stream.feed(bytes.fromhex(CASES[0]["hex"]))

        self.assertEqual(stream.take(), ONE)
        self.assertTrue(stream.stuffing_errors > 100)

    def test_memory_is_bounded(self):
        """M-STREAM-03: an endless frame is dropped when it exceeds 2120 bytes, and no more than that is held."""
        stream = FrameStream()

        for _ in range(100):
            stream.feed(b"\x55" * 500)
            self.assertIsNone(stream.take())
            self.assertTrue(len(stream._tail) + len(stream._data) <= INNER_MAX)

        self.assertEqual(stream.oversize, 1)

    def test_undrained_bytes_are_refused(self):
        """Feeding on without taking is our own mistake and is told, before memory grows."""
        stream = FrameStream()
        stream.feed(bytes(WIRE_MAX + 1))

        with self.assertRaises(EncodeError) as caught:
            stream.feed(b"\x00")

        self.assertEqual(caught.exception.code, reasons.STREAM_NOT_DRAINED)

    def test_feed_before_take_keeps_order(self):
        """Small pieces may be fed one after another and taken later."""
        stream = FrameStream()
        data = bytes.fromhex(CASES[0]["hex"])
        for start in range(0, len(data), 10):
            stream.feed(data[start : start + 10])

        frames = [stream.take(), stream.take(), stream.take(), stream.take()]

        self.assertEqual([raw.hex() for raw in frames[:3]], CASES[0]["expect"]["frames"])
        self.assertIsNone(frames[3])

    def test_any_buffer_is_taken(self):
        """A reused bytearray may be overwritten after it was fed."""
        stream = FrameStream()
        buffer = bytearray(bytes.fromhex(CASES[0]["hex"]))
        stream.feed(memoryview(buffer)[:30])
        for i in range(30):
            buffer[i] = 0
        stream.feed(memoryview(buffer)[30:])

        self.assertEqual(stream.take(), ONE)
