"""Envelopes against their vectors."""

import json
import os
import unittest

from weldgate_protocol import cose, p256
from weldgate_protocol.errors import CoseError

with open(os.getenv("WELDGATE_VECTORS", "tests/vectors") + "/cose.json") as file:
    CASES = json.load(file)

SIGNED = [case for case in CASES if "tbs" in case.get("expect", {})]


class CoseTest(unittest.TestCase):
    """One strict shape."""

    def test_parts_are_read(self):
        """M-TOK-03: the four parts of an envelope come out as they went in."""
        for case in SIGNED:
            with self.subTest(name=case["name"]):
                got = cose.parse_sign1(bytes.fromhex(case["hex"]))
                expect = case["expect"]
                self.assertEqual(got.alg, expect["alg"])
                self.assertEqual(got.kid.hex(), expect["kid"])
                self.assertEqual(got.payload.hex(), expect["payload"])
                self.assertEqual(got.signature.hex(), expect["signature"])

    def test_signature_covers_kind(self):
        """M-TOK-05: what is signed is the Sig_structure with external_aad of the kind, so no kind passes as another."""
        for case in SIGNED:
            with self.subTest(name=case["name"]):
                sign1 = cose.parse_sign1(bytes.fromhex(case["hex"]))
                kind = case["kind"].encode()
                key = bytes.fromhex(case["expect"]["key"])
                self.assertEqual(cose.to_be_signed(sign1, kind).hex(), case["expect"]["tbs"])
                self.assertTrue(p256.run(cose.verify_steps(sign1, kind, cose.ES256, key)))
                self.assertFalse(p256.run(cose.verify_steps(sign1, kind + b"x", cose.ES256, key)))

    def test_algorithm_comes_from_the_key(self):
        """M-TOK-04: an envelope that names another algorithm than its key's is a no, whatever its signature."""
        sign1 = cose.parse_sign1(bytes.fromhex(SIGNED[0]["hex"]))
        key = bytes.fromhex(SIGNED[0]["expect"]["key"])
        self.assertFalse(p256.run(cose.verify_steps(sign1, b"token", -65000, key)))
        sign1.alg = -35
        self.assertFalse(p256.run(cose.verify_steps(sign1, b"token", cose.ES256, key)))

    def test_key_is_named_by_its_thumbprint(self):
        """M-KEYSET-05: a key id is the first 8 bytes of the RFC 9679 thumbprint."""
        for case in SIGNED:
            self.assertEqual(cose.key_id(bytes.fromhex(case["expect"]["key"])).hex(), case["expect"]["kid"])

    def test_other_valid_shapes_are_read(self):
        """An envelope whose payload or algorithm is none of ours is still an envelope; others judge those."""
        for case in CASES:
            if "expect" in case:
                with self.subTest(name=case["name"]):
                    self.assertEqual(len(cose.parse_sign1(bytes.fromhex(case["hex"])).signature), 64)

    def test_other_shapes_are_refused(self):
        """M-TOK-03: tags, other headers, other lengths and encodings that are not deterministic are refused."""
        for case in CASES:
            if "error" in case:
                with self.subTest(name=case["name"]):
                    with self.assertRaises(CoseError) as caught:
                        cose.parse_sign1(bytes.fromhex(case["hex"]))
                    self.assertEqual(caught.exception.code, case["error"])

    def test_repr_keeps_the_body_to_itself(self):
        """A parsed envelope shows its key id and sizes, never payload or signature."""
        text = repr(cose.parse_sign1(bytes.fromhex(SIGNED[0]["hex"])))
        self.assertIn(SIGNED[0]["expect"]["kid"], text)
        self.assertFalse(SIGNED[0]["expect"]["payload"] in text)
