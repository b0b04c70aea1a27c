"""Tokens against their vectors, and what the verifier hands on."""

import os
import sys
import unittest

sys.path.insert(0, os.getenv("WELDGATE_VECTORS", "tests/vectors"))
import circumstances

from weldgate_protocol import p256, reasons, token
from weldgate_protocol.errors import Refused

SETUP, CASES = circumstances.load("token.json")
BY_NAME = {case["name"]: case for case in CASES}


def verify(case):
    """Judge a case's token in its circumstances."""
    return token.verify(circumstances.data_of(case), circumstances.context(SETUP, case["context"]))


class TokenTest(unittest.TestCase):
    """One routine, claims or a numbered reason."""

    def test_tokens_are_accepted(self):
        """M-TOK-01, M-TOK-07 to M-TOK-19: what keeps every rule to its last second and byte is accepted."""
        for case in CASES:
            if "expect" in case:
                with self.subTest(name=case["name"]):
                    self.assertEqual(verify(case).clock_s, case["expect"]["clock_s"])

    def test_tokens_are_refused(self):
        """M-TOK-01 to M-TOK-19: what breaks one rule is refused with that rule's reason."""
        for case in CASES:
            if "error" in case:
                with self.subTest(name=case["name"]):
                    with self.assertRaises(Refused) as caught:
                        verify(case)
                    self.assertEqual(caught.exception.code, case["error"])

    def test_claims_are_handed_on(self):
        """All claims of a token reach the caller, absent ones by their defaults."""
        full = verify(BY_NAME["all claims"])
        now = SETUP["now_s"]
        self.assertEqual(full.holder.hex(), "a1a2a3a4a5a6a7a8")
        self.assertEqual(full.device.hex(), SETUP["device"])
        self.assertEqual(full.id.hex(), "0102030405060708")
        self.assertEqual(full.permit.hex(), "4142434445464748")
        self.assertEqual((full.issued_s, full.not_before_s, full.expires_s), (now, now, now + 43200))
        self.assertEqual((full.permit_from_s, full.permit_to_s), (now, now + 28800))
        self.assertEqual((full.purpose, full.domain, full.limit_s, full.offline_s), (1, 3, 28800, 3600))
        plain = verify(BY_NAME["plain"])
        self.assertEqual((plain.purpose, plain.domain, plain.not_before_s), (1, 0, now))
        self.assertIsNone(plain.permit)
        self.assertIsNone(plain.permit_from_s)

    def test_used_is_asked_only_of_signed_tokens(self):
        """M-TOK-07: nothing of an unsigned token reaches the table of used ids."""
        asked = []
        for name in ("forged: never called used", "plain"):
            case = BY_NAME[name]
            context = circumstances.context(SETUP, case["context"])
            context.used = lambda id_: asked.append(id_) or False
            try:
                token.verify(circumstances.data_of(case), context)
            except Refused as e:
                self.assertEqual(e.code, reasons.TOKEN_SIGNATURE)
        self.assertEqual(asked, [bytes.fromhex("0102030405060708")])

    def test_text_round_trip(self):
        """M-TOK-02: the text of a token gives its bytes back, and 200 bytes fit into 304 characters."""
        data = circumstances.data_of(BY_NAME["200 bytes"])
        text = token.to_text(data)
        self.assertEqual(len(text), 304)
        self.assertEqual(token.to_bytes(text), data)

    def test_check_is_resumable(self):
        """M-TOK-20: the verifier gives control back many times before it answers."""
        case = BY_NAME["plain"]
        context = circumstances.context(SETUP, case["context"])
        p256.run(p256.table_steps(p256.GENERATOR))
        pauses = 0
        for _ in token.verify_steps(circumstances.data_of(case), context):
            pauses += 1
        self.assertTrue(pauses >= 20)

    def test_memoryview_and_bytearray_are_taken(self):
        """A token is judged alike from any kind of bytes."""
        case = BY_NAME["plain"]
        context = circumstances.context(SETUP, case["context"])
        data = circumstances.data_of(case)
        for other in (bytearray(data), memoryview(data), bytearray(token.to_text(data).encode())):
            self.assertEqual(token.verify(other, context).id.hex(), "0102030405060708")

    def test_repr_shows_ids_only(self):
        """Claims show token and key id, never holder or device."""
        text = repr(verify(BY_NAME["plain"]))
        self.assertIn("0102030405060708", text)
        self.assertFalse("a1a2a3a4" in text)
