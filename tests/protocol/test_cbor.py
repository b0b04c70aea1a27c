"""CBOR against its vectors, and what the encoder refuses."""

import json
import os
import unittest

from weldgate_protocol import cbor, reasons
from weldgate_protocol.errors import CborError, EncodeError

with open(os.getenv("WELDGATE_VECTORS", "tests/vectors") + "/cbor.json") as file:
    CASES = json.load(file)

ACCEPTED = [case for case in CASES if "expect" in case]
REFUSED = [case for case in CASES if "error" in case]


def value_of(item):
    """Return the value that the vector writes in JSON."""
    if isinstance(item, list):
        return [value_of(one) for one in item]
    if isinstance(item, dict):
        if "h" in item:
            return bytes.fromhex(item["h"])
        pairs = {}
        for key, one in item["m"]:
            pairs[key] = value_of(one)
        return pairs
    return item


class CborTest(unittest.TestCase):
    """One encoding for each value."""

    def test_values_decode(self):
        """M-CBOR-01, M-CBOR-02, M-CBOR-09: what is in the subset decodes to its value and type."""
        for case in ACCEPTED:
            with self.subTest(name=case["name"]):
                got = cbor.decode(bytes.fromhex(case["hex"]))
                self.assertEqual(got, value_of(case["expect"]))
                self.assertEqual(type(got), type(value_of(case["expect"])))

    def test_values_encode(self):
        """M-CBOR-03, M-CBOR-04: each value has one encoding, shortest form and keys in ascending order."""
        for case in ACCEPTED:
            with self.subTest(name=case["name"]):
                self.assertEqual(cbor.encode(value_of(case["expect"])).hex(), case["hex"])

    def test_bytes_are_refused(self):
        """M-CBOR-02 M-CBOR-03 M-CBOR-04 M-CBOR-05 M-CBOR-06 M-CBOR-07 M-CBOR-08 M-CBOR-09 M-CBOR-11: not this."""
        for case in REFUSED:
            with self.subTest(name=case["name"]):
                with self.assertRaises(CborError) as caught:
                    cbor.decode(bytes.fromhex(case["hex"]))
                self.assertEqual(caught.exception.code, case["error"])

    def test_any_buffer_decodes(self):
        """A memoryview into a larger buffer decodes to values of their own."""
        buffer = bytearray(b"\xff\xa1\x01\x42\x07\x08\xff")

        got = cbor.decode(memoryview(buffer)[1:6])
        buffer[4] = 0

        self.assertEqual(got, {1: b"\x07\x08"})

    def test_every_cut_is_truncated(self):
        """M-CBOR-06: cut anywhere, a message is truncated and nothing else."""
        data = cbor.encode({1: b"12345678", 2: [1, 1000, -70000], 3: {4: "焊机"}})
        for size in range(len(data)):
            with self.subTest(size=size):
                with self.assertRaises(CborError) as caught:
                    cbor.decode(data[:size])
                self.assertEqual(caught.exception.code, reasons.CBOR_TRUNCATED)

    def test_changed_bytes_have_one_meaning_or_an_error(self):
        """M-CBOR-03: with any byte of a vector changed it is refused, or encodes to the changed bytes again."""
        meanings = 0
        for case in ACCEPTED:
            good = bytes.fromhex(case["hex"])
            for at in range(min(len(good), 40)):
                for mask in (0x01, 0x20, 0x80, 0xFF):
                    odd = good[:at] + bytes([good[at] ^ mask]) + good[at + 1 :]
                    try:
                        value = cbor.decode(odd)
                    except CborError:
                        continue
                    self.assertEqual(cbor.encode(value), odd)
                    meanings += 1
        self.assertTrue(meanings > 100)

    def test_noise_has_one_meaning_or_an_error(self):
        """M-CBOR-03: two thousand strings of noise are refused, or encode to themselves again."""
        state = 1
        for size in range(2000):
            noise = bytearray()
            for _ in range(size % 40):
                state = (state * 1103515245 + 12345) & 0x7FFFFFFF
                noise.append(state >> 16 & 0xFF)
            try:
                value = cbor.decode(noise)
            except CborError:
                continue
            self.assertEqual(cbor.encode(value), bytes(noise))

    def test_claimed_counts_allocate_nothing(self):
        """M-CBOR-06: an array that claims 2^32 - 1 items in 1024 bytes is refused before its first item."""
        for head in ("9affffffff", "baffffffff", "9904ff"):
            with self.subTest(head=head):
                with self.assertRaises(CborError) as caught:
                    cbor.decode(bytes.fromhex(head) + bytes(1019))
                self.assertEqual(caught.exception.code, reasons.CBOR_TRUNCATED)

    def test_encoder_refuses(self):
        """M-CBOR-10: what has no place in the subset is our own mistake, with its number."""
        cyclic = []
        cyclic.append(cyclic)
        for value, code in (
            (1.5, reasons.CBOR_TYPE),
            ((1, 2), reasons.CBOR_TYPE),
            ({"a": 1}, reasons.CBOR_TYPE),
            ({True: 1}, reasons.CBOR_TYPE),
            ({None: 1}, reasons.CBOR_TYPE),
            ({1: object()}, reasons.CBOR_TYPE),
            (1 << 64, reasons.CBOR_RANGE),
            (-(1 << 63) - 1, reasons.CBOR_RANGE),
            ({1 << 64: 1}, reasons.CBOR_RANGE),
            ([[[[[]]]]], reasons.CBOR_DEPTH),
            ({1: {1: {1: {1: {}}}}}, reasons.CBOR_DEPTH),
            (cyclic, reasons.CBOR_DEPTH),
            ([0] * 256, reasons.CBOR_ITEMS),
            ({1: [{2: 3}] * 85}, reasons.CBOR_ITEMS),
            ("\ud800", reasons.CBOR_UTF8),
            ({1: ["a\udfff"]}, reasons.CBOR_UTF8),
        ):
            with self.subTest(code=code):
                with self.assertRaises(EncodeError) as caught:
                    cbor.encode(value)
                self.assertEqual(caught.exception.code, code)

    def test_items_are_counted(self):
        """M-CBOR-11: 256 items pass and 257 do not, keys and containers counted, unless the caller allows more."""
        for value, items in (([0] * 255, 256), ({1: [[7]] * 126}, 255), ([{1: 2}] * 86, 259), ([b""] * 400, 401)):
            with self.subTest(items=items):
                data = cbor.encode(value, items)
                self.assertEqual(cbor.decode(data, items), value)
                with self.assertRaises(CborError) as theirs:
                    cbor.decode(data, items - 1)
                with self.assertRaises(EncodeError) as ours:
                    cbor.encode(value, items - 1)
                self.assertEqual(theirs.exception.code, reasons.CBOR_ITEMS)
                self.assertEqual(ours.exception.code, reasons.CBOR_ITEMS)
        self.assertEqual(cbor.ITEMS_MAX, 256)

    def test_buffers_encode_as_bytes(self):
        """A bytearray and a memoryview encode as the byte string they hold."""
        self.assertEqual(cbor.encode(bytearray(b"ab")), b"\x42ab")
        self.assertEqual(cbor.encode(memoryview(b"xab")[1:]), b"\x42ab")
