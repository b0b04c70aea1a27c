"""Seals: which record bears one, what it is made of, and which numbers are in no chain."""

import json
import os
import unittest

from weldgate_protocol import frame, messages, seal
from weldgate_protocol._compat import HmacKey, hmac_sha256, sha256

with open(os.getenv("WELDGATE_VECTORS", "tests/vectors") + "/seal.json") as file:
    VECTORS = json.load(file)
KEY_UP = HmacKey(b"u" * 32)
DEVICE = b"\0\0\0\0\0\0\0\x07"


def record(type_, fields, seq=2, epoch=b"abcd"):
    """Return a raw frame."""
    body = frame.encode_body(
        frame.FLAG_DURABLE, type_, DEVICE, epoch, seq, 1700000000, 0, messages.encode(type_, fields)
    )
    return frame.seal(body, KEY_UP)


class TestSeal(unittest.TestCase):
    """What both ends know of seals."""

    def test_vectors(self):
        """M-SEAL-01, M-SEAL-03: the chain over each record, and each seal, are those of the vectors."""
        for case in VECTORS:
            key = HmacKey(bytes.fromhex(case["k_seal"]))
            chain = seal.CHAIN_START
            before = 0
            for raw, said in zip(case["records"], case["expect"]):
                raw = bytes.fromhex(raw)
                seq = int.from_bytes(raw[14:18], "big")
                with self.subTest(case=case["name"], seq=seq):
                    borne = seal.seal_of(raw)
                    self.assertEqual(bool(borne), seal.due(raw[1], seq, (seal.never_given(raw) or seq) - 1))
                    self.assertEqual(borne.hex() if borne else "", said["seal"])
                    if borne:
                        self.assertEqual(seal.make(key, chain, seal.head_of(raw)), borne)
                        chain = seal.CHAIN_START
                    chain = seal.fold(chain, raw)
                    self.assertEqual(chain.hex(), said["chain"])
                before = seq
            self.assertTrue(before > 0)

    def test_a_seal_is_hmac_over_chain_and_head(self):
        """M-SEAL-03: the first 16 bytes of HMAC under K_seal over chain, header and payload up to the seal."""
        head = b"header and payload"

        self.assertEqual(seal.make(HmacKey(b"k" * 32), b"c" * 32, head), hmac_sha256(b"k" * 32, b"c" * 32 + head)[:16])
        self.assertEqual(seal.fold(b"c" * 32, b"raw"), sha256(b"c" * 32 + b"raw"))

    def test_which_records_bear_one(self):
        """M-SEAL-02: the first of an epoch, each session-stop, and the first record of each 256 numbers."""
        for type_, seq, before, due in (
            (messages.GAP, 1, 0, True),
            (messages.TELEMETRY, 2, 1, False),
            (messages.SESSION_STOP, 3, 2, True),
            (messages.TELEMETRY, 255, 254, False),
            (messages.TELEMETRY, 256, 255, True),
            (messages.TELEMETRY, 257, 256, False),
            (messages.GAP, 258, 255, True),
            (messages.GAP, 5000, 300, True),
        ):
            with self.subTest(type=type_, seq=seq, before=before):
                self.assertEqual(seal.due(type_, seq, before), due)

    def test_what_only_looks_like_a_seal_is_none(self):
        """Bytes that happen to stand where a seal begins, in another field, are no seal; nor is what can't be read."""
        looks = record(messages.REMOVAL, {"kind": 1, 20: b"\x0f\x50" + bytes(16)})
        unknown = looks[:1] + b"\x7f" + looks[2:]
        good = record(messages.REMOVAL, {"kind": 1, "seal": b"s" * 16})

        self.assertEqual(looks[-26:-24], b"\x0f\x50")
        self.assertEqual((seal.seal_of(looks), seal.seal_of(unknown)), (b"", b""))
        self.assertEqual(seal.seal_of(good), b"s" * 16)
        self.assertEqual(seal.head_of(good) + b"s" * 16, good[:-8])

    def test_numbers_that_were_never_given(self):
        """M-SEAL-01: a gap of cause 1 or 6 right behind what it declares, in its own epoch, and no other record."""
        for fields, first in (
            ({"first": 7, "last": 9, "cause": 1}, 7),
            ({"first": 9, "last": 9, "cause": 6, "epoch": b"abcd"}, 9),
            ({"first": 7, "last": 9, "cause": 2}, 0),
            ({"first": 7, "last": 9, "cause": 4}, 0),
            ({"first": 7, "last": 8, "cause": 1}, 0),
            ({"first": 7, "cause": 1}, 0),
            ({"first": 7, "last": 9, "cause": 1, "epoch": b"efgh"}, 0),
        ):
            with self.subTest(fields=str(fields)):
                self.assertEqual(seal.never_given(record(messages.GAP, fields, 10)), first)
        self.assertEqual(seal.never_given(record(messages.POWER_OFF, {}, 10)), 0)
        spoilt = record(messages.GAP, {"first": 7, "last": 9, "cause": 1}, 10)
        self.assertEqual(seal.never_given(spoilt[:26] + b"\xff" + spoilt[27:]), 0)


if __name__ == "__main__":
    unittest.main()
