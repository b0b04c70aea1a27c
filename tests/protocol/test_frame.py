"""Frames against their vectors, and what the encoder refuses to build."""

import json
import os
import unittest

from weldgate_protocol import frame, reasons
from weldgate_protocol._compat import HmacKey
from weldgate_protocol.errors import EncodeError, FrameError

with open(os.getenv("WELDGATE_VECTORS", "tests/vectors") + "/frame.json") as file:
    CASES = json.load(file)

ACCEPTED = [case for case in CASES if "expect" in case]
REFUSED = [case for case in CASES if "error" in case]
TAGGED = [case for case in CASES if "matches" in case]
DEVICE = b"\x00\x10\x00\x00\x00\x00\x00\x01"
EPOCH = b"\x5e\x6f\x70\x81"
LAWFUL = (0x0A, 0x45, DEVICE, EPOCH, 9, 1795500000, 999, b"\xa0")


def with_field(position, value):
    """Return the lawful header's arguments, one replaced."""
    return LAWFUL[:position] + (value,) + LAWFUL[position + 1 :]


class FrameVectorTest(unittest.TestCase):
    """The bytes stay what they are."""

    def test_wire_is_read(self):
        """M-FRAME-01, M-FRAME-03, M-FRAME-05: what stands between delimiters gives header, payload and tag."""
        for case in ACCEPTED:
            with self.subTest(name=case["name"]):
                raw = frame.from_wire(bytes.fromhex(case["hex"]))
                self.assertEqual(raw.hex(), case["expect"]["raw"])

    def test_fields_are_read(self):
        """M-FRAME-02: each header field stands at its offset, big-endian."""
        for case in ACCEPTED:
            with self.subTest(name=case["name"]):
                fields = case["expect"]["fields"]
                got = frame.parse(bytes.fromhex(case["expect"]["raw"]))
                self.assertEqual(
                    (got.flags, got.type, got.seq, got.time_s, got.time_ms),
                    (fields["flags"], fields["type"], fields["seq"], fields["time_s"], fields["time_ms"]),
                )
                self.assertEqual(got.device.hex(), fields["device"])
                self.assertEqual(got.epoch.hex(), fields["epoch"])
                self.assertEqual(got.payload, bytes.fromhex(fields["payload"]))
                self.assertEqual(got.tag.hex(), fields["tag"])

    def test_frame_is_written(self):
        """M-FRAME-04, M-FRAME-06: the same fields give the same bytes: tag, CRC high byte first, then stuffing."""
        for case in ACCEPTED:
            with self.subTest(name=case["name"]):
                fields = case["expect"]["fields"]
                body = frame.encode_body(
                    fields["flags"],
                    fields["type"],
                    bytes.fromhex(fields["device"]),
                    bytes.fromhex(fields["epoch"]),
                    fields["seq"],
                    fields["time_s"],
                    fields["time_ms"],
                    bytes.fromhex(fields["payload"]),
                )
                raw = frame.seal(body, HmacKey(bytes(range(32))))
                self.assertEqual(raw.hex(), case["expect"]["raw"])
                self.assertEqual(frame.to_wire(raw).hex(), "7e" + case["hex"] + "7e")

    def test_no_delimiter_or_lone_escape_on_the_wire(self):
        """M-FRAME-03: between the delimiters stands no 7E, and no 7D without 01 or 02."""
        for case in ACCEPTED:
            with self.subTest(name=case["name"]):
                inner = frame.to_wire(bytes.fromhex(case["expect"]["raw"]))[1:-1]
                self.assertEqual(inner.count(b"\x7e"), 0)
                self.assertEqual(inner.count(b"\x7d"), inner.count(b"\x7d\x01") + inner.count(b"\x7d\x02"))

    def test_wire_is_refused(self):
        """M-FRAME-07 M-FRAME-08 M-FRAME-09 M-FRAME-10 M-FRAME-11 M-FRAME-12 M-SEQ-02: each fault has its number."""
        for case in REFUSED:
            with self.subTest(name=case["name"]):
                with self.assertRaises(FrameError) as caught:
                    frame.from_wire(bytes.fromhex(case["hex"]))
                self.assertEqual(caught.exception.code, case["error"])

    def test_tags(self):
        """M-FRAME-05: the tag is HMAC-SHA256 over header and payload; one changed bit, or another key, is no match."""
        for case in TAGGED:
            with self.subTest(name=case["name"]):
                raw = bytes.fromhex(case["hex"])
                self.assertEqual(frame.tag_matches(raw, HmacKey(bytes.fromhex(case["key"]))), case["matches"])


class FrameTest(unittest.TestCase):
    """What the encoder and the parser promise beyond the vectors."""

    def test_crc_is_checked_before_the_header(self):
        """M-FRAME-07: line noise in the version byte is a CRC error and no other version."""
        raw = frame.encode_body(*LAWFUL) + bytes(8)
        inner = frame.to_wire(raw)[1:-1]

        with self.assertRaises(FrameError) as caught:
            frame.from_wire(b"\xff" + inner[1:])

        self.assertEqual(caught.exception.code, reasons.FRAME_CRC)

    def test_changed_header_is_a_frame_or_a_frame_error(self):
        """M-FRAME-07: with any header byte changed and the CRC right, a frame is refused or means what it says."""
        good = frame.encode_body(*LAWFUL) + bytes(8)
        accepted = 0
        for at in range(26):
            for mask in (0x01, 0x08, 0x10, 0x40, 0x80, 0xFF):
                odd = good[:at] + bytes([good[at] ^ mask]) + good[at + 1 :]
                try:
                    got = frame.parse(frame.from_wire(frame.to_wire(odd)[1:-1]))
                except FrameError as error:
                    self.assertTrue(200 <= error.code <= 214)
                    continue
                accepted += 1
                self.assertEqual(
                    frame.encode_body(
                        got.flags, got.type, got.device, got.epoch, got.seq, got.time_s, got.time_ms, got.payload
                    ),
                    odd[:-8],
                )
        self.assertTrue(accepted > 50)

    def test_a_kept_frame_travels_unchanged(self):
        """M-SEQ-01: a durable frame that was kept gives the same bytes however often it travels."""
        raw = frame.seal(frame.encode_body(*with_field(7, b"\x7e\x7d\x01\x02")), HmacKey(b"k" * 32))

        for _ in range(2):
            kept = frame.from_wire(frame.to_wire(raw)[1:-1])
            self.assertEqual(kept, raw)
            got = frame.parse(kept)
            self.assertEqual((got.device, got.epoch, got.seq), (DEVICE, EPOCH, 9))

    def test_parse_checks_what_it_is_given(self):
        """A raw frame read back from flash is checked again, cut short or grown."""
        raw = frame.encode_body(*LAWFUL) + bytes(8)
        for odd, code in (
            (b"", reasons.FRAME_SHORT),
            (raw[:33], reasons.FRAME_SHORT),
            (raw[:-1], reasons.FRAME_LENGTH),
            (raw + b"\x00", reasons.FRAME_LENGTH),
            (b"\x00" * 35, reasons.FRAME_VERSION),
            (b"\xff" * 35, reasons.FRAME_VERSION),
        ):
            with self.subTest(size=len(odd), code=code):
                with self.assertRaises(FrameError) as caught:
                    frame.parse(odd)
                self.assertEqual(caught.exception.code, code)

    def test_properties_name_the_flags(self):
        """M-FRAME-02: version, direction, durable bit, key parity and time quality stand in byte 0."""
        up = frame.parse(frame.encode_body(*with_field(0, 0x0E)) + bytes(8))
        down = frame.parse(frame.encode_body(0x11, 0x81, DEVICE, EPOCH, 1, 0, 0, b"") + bytes(8))

        self.assertEqual((up.version, up.down, up.durable, up.parity, up.quality), (1, False, True, 1, 2))
        self.assertEqual((down.version, down.down, down.durable, down.parity, down.quality), (1, True, False, 0, 1))

    def test_encoder_refuses_what_has_no_place(self):
        """M-FRAME-13: a sender never builds a frame that a reader would refuse."""
        for position, value, code in (
            (0, 0x0B, reasons.FRAME_QUALITY),
            (0, 0x02, reasons.FRAME_DURABLE),
            (0, 0x1A, reasons.FRAME_DIRECTION),
            (0, 0x4A, reasons.FRAME_VERSION),
            (0, -1, reasons.FRAME_VERSION),
            (1, 256, reasons.FRAME_VERSION),
            (1, -1, reasons.FRAME_VERSION),
            (2, DEVICE[1:], reasons.FRAME_DEVICE),
            (2, b"\xff" * 8, reasons.FRAME_DEVICE),
            (3, EPOCH + b"\x00", reasons.FRAME_SEQUENCE),
            (4, 0, reasons.FRAME_SEQUENCE),
            (4, 1 << 32, reasons.FRAME_SEQUENCE),
            (5, -1, reasons.FRAME_TIME),
            (5, 1 << 32, reasons.FRAME_TIME),
            (6, 1000, reasons.FRAME_TIME),
            (6, -1, reasons.FRAME_TIME),
            (7, bytes(1025), reasons.FRAME_LENGTH),
        ):
            with self.subTest(position=position, code=code):
                with self.assertRaises(EncodeError) as caught:
                    frame.encode_body(*with_field(position, value))
                self.assertEqual(caught.exception.code, code)

    def test_repr_shows_no_payload(self):
        """A frame in a log shows its identity and neither payload nor tag."""
        got = frame.parse(frame.encode_body(*LAWFUL) + bytes(8))

        self.assertEqual(repr(got), "Frame(type=45, epoch=5e6f7081, seq=9)")

    def test_sizes_add_up(self):
        """M-FRAME-08: the largest frame is 1058 bytes raw and 2122 on the wire, delimiters included."""
        raw = frame.encode_body(*with_field(7, b"\x7e" * 1024)) + b"\x7e" * 8

        self.assertEqual(len(raw), frame.RAW_MAX)
        self.assertEqual(frame.INNER_MAX, 2 * (frame.RAW_MAX + frame.CRC_BYTES))
        self.assertEqual(frame.WIRE_MAX, frame.INNER_MAX + 2)
        self.assertEqual(frame.RAW_MAX, frame.HEADER_BYTES + frame.PAYLOAD_MAX + frame.TAG_BYTES)
        self.assertTrue(len(frame.to_wire(raw)) <= frame.WIRE_MAX)
