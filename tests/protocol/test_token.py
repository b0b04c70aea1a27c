"""Tokens against their vectors, and what the verifier hands on."""

import os
import sys
import unittest

sys.path.insert(0, os.getenv("WELDGATE_VECTORS", "tests/vectors"))
import circumstances

from weldgate_protocol import reasons, token
from weldgate_protocol.errors import Refused

SETUP, CASES = circumstances.load("token.json")
BY_NAME = {case["name"]: case for case in CASES}


def verify(case):
    """Judge a case's token in its circumstances."""
    return token.verify(circumstances.data_of(case), circumstances.context(SETUP, case["context"]))


class TokenTest(unittest.TestCase):
    """One routine, claims or a numbered reason."""

    def test_tokens_are_accepted(self):
        """What keeps every rule to its last second and byte is accepted."""
        for case in CASES:
            if "expect" in case:
                with self.subTest(name=case["name"]):
                    self.assertEqual(verify(case).clock_s, case["expect"]["clock_s"])

    def refuse(self, *codes):
        """Expect each case with one of these reasons to be refused with it; each reason must have a case."""
        for code in codes:
            named = [case for case in CASES if case.get("error") == code]
            self.assertTrue(len(named) > 0)
            for case in named:
                with self.subTest(name=case["name"]):
                    with self.assertRaises(Refused) as caught:
                        verify(case)
                    self.assertEqual(caught.exception.code, code)

    def test_longer_tokens_are_refused_unread(self):
        """M-TOK-01: 201 bytes or 305 characters are too long."""
        self.refuse(reasons.TOKEN_TOO_LONG)

    def test_other_forms_are_refused(self):
        """M-TOK-02, M-TOK-03, M-TOK-08: other text, other envelopes and claims that are no deterministic map."""
        self.refuse(reasons.TOKEN_MALFORMED)

    def test_algorithm_comes_from_the_key(self):
        """M-TOK-04, M-SUITE-01: another algorithm than the key's, or a key of an unknown suite, is refused."""
        self.refuse(reasons.TOKEN_ALGORITHM)

    def test_key_must_be_trusted(self):
        """M-TOK-04: no key set, a key that is not in it, and a revoked key are refused."""
        self.refuse(reasons.TOKEN_NO_KEY_SET, reasons.TOKEN_UNKNOWN_KEY, reasons.TOKEN_KEY_REVOKED)

    def test_signature_is_judged_before_claims(self):
        """M-TOK-05, M-TOK-06, M-TOK-07: a bad signature is the reason, whatever else is wrong or used."""
        self.refuse(reasons.TOKEN_SIGNATURE)

    def test_unknown_claims_are_refused(self):
        """M-TOK-08: a label outside the table and outside 24 to 63 needs newer firmware."""
        self.refuse(reasons.TOKEN_UNKNOWN_CLAIM)

    def test_missing_claims_are_refused(self):
        """M-TOK-09: each required claim must be there."""
        self.refuse(reasons.TOKEN_MISSING_CLAIM)

    def test_claims_out_of_range_are_refused(self):
        """M-TOK-10: types, lengths, ranges and contradictions."""
        self.refuse(reasons.TOKEN_CLAIM_RANGE)

    def test_long_lives_are_refused(self):
        """M-TOK-11, M-TOK-12: 24 h, 72 h with a permit, 4 h in an emergency, and the key's longest."""
        self.refuse(reasons.TOKEN_LIFE_TOO_LONG)

    def test_key_signs_within_its_limits(self):
        """M-TOK-12: scope, area and period of the key."""
        self.refuse(reasons.TOKEN_SCOPE, reasons.TOKEN_AREA, reasons.TOKEN_KEY_PERIOD)

    def test_other_device_is_refused(self):
        """M-TOK-13: a token opens one machine."""
        self.refuse(reasons.TOKEN_OTHER_DEVICE)

    def test_revoked_token_is_refused(self):
        """M-TOK-14: an id on the revocation list."""
        self.refuse(reasons.TOKEN_REVOKED)

    def test_ended_key_set_starts_emergencies_only(self):
        """M-TOK-15: past the key set's end other purposes are refused."""
        self.refuse(reasons.TOKEN_KEY_SET_EXPIRED)

    def test_future_tokens_are_refused(self):
        """M-TOK-16: a sure clock refuses what was issued more than 10 minutes ahead."""
        self.refuse(reasons.TOKEN_FROM_FUTURE)

    def test_unsure_clock_moves_so_far(self):
        """M-TOK-17: a floor is not moved by more than 400 days."""
        self.refuse(reasons.TOKEN_CLOCK_UNSURE)

    def test_time_outside_is_refused(self):
        """M-TOK-18: expired, not yet begun, outside the permit's window."""
        self.refuse(reasons.TOKEN_EXPIRED, reasons.TOKEN_NOT_YET, reasons.TOKEN_PERMIT_WINDOW)

    def test_used_token_is_refused(self):
        """M-TOK-19, M-TOK-23: a used id, and (as expired) what ends with forgotten ones or was issued before a loss."""
        self.refuse(reasons.TOKEN_USED)

    def test_every_refusal_has_its_test(self):
        """No reason of the vectors is left without a test of its rule."""
        tested = {
            reasons.TOKEN_TOO_LONG,
            reasons.TOKEN_MALFORMED,
            reasons.TOKEN_ALGORITHM,
            reasons.TOKEN_NO_KEY_SET,
            reasons.TOKEN_UNKNOWN_KEY,
            reasons.TOKEN_KEY_REVOKED,
            reasons.TOKEN_SIGNATURE,
            reasons.TOKEN_UNKNOWN_CLAIM,
            reasons.TOKEN_MISSING_CLAIM,
            reasons.TOKEN_CLAIM_RANGE,
            reasons.TOKEN_LIFE_TOO_LONG,
            reasons.TOKEN_SCOPE,
            reasons.TOKEN_AREA,
            reasons.TOKEN_KEY_PERIOD,
            reasons.TOKEN_OTHER_DEVICE,
            reasons.TOKEN_REVOKED,
            reasons.TOKEN_KEY_SET_EXPIRED,
            reasons.TOKEN_FROM_FUTURE,
            reasons.TOKEN_CLOCK_UNSURE,
            reasons.TOKEN_EXPIRED,
            reasons.TOKEN_NOT_YET,
            reasons.TOKEN_PERMIT_WINDOW,
            reasons.TOKEN_USED,
        }
        self.assertEqual({case["error"] for case in CASES if "error" in case} - tested, set())

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
