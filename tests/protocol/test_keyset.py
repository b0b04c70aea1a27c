"""The signed key set against its vectors, and what its keys may do."""

import os
import sys
import unittest

sys.path.insert(0, os.getenv("WELDGATE_VECTORS", "tests/vectors"))
import circumstances

from weldgate_protocol import cbor, cose, keyset, p256, reasons
from weldgate_protocol.errors import Refused

SETUP, CASES = circumstances.load("keyset.json")
SET = bytes.fromhex(SETUP["key_set"])


def verify(case):
    """Judge a case's key set in its circumstances."""
    context = circumstances.context(SETUP, case["context"])
    return p256.run(keyset.verify_steps(circumstances.data_of(case), context))


class KeySetTest(unittest.TestCase):
    """Only a root of the site says which keys count."""

    def test_sets_are_accepted(self):
        """M-KEYSET-01, M-KEYSET-02: a set by either root, above the version in force and not ended, is taken."""
        for case in CASES:
            if "expect" in case:
                with self.subTest(name=case["name"]):
                    self.assertTrue(len(verify(case).keys) > 0)

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

    def test_signer_must_be_a_root(self):
        """M-KEYSET-01: an issuer key, a stranger, another kind or a changed bit is not a root's word."""
        self.refuse(reasons.KEY_SET_SIGNATURE)

    def test_old_versions_are_refused(self):
        """M-KEYSET-02: a version that is not above the one in force."""
        self.refuse(reasons.KEY_SET_VERSION)

    def test_malformed_sets_are_refused_whole(self):
        """M-KEYSET-03, M-KEYSET-05, M-SUITE-04: a broken rule of either table, a foreign id, a point off the curve."""
        self.refuse(reasons.KEY_SET_MALFORMED)

    def test_time_and_device_must_fit(self):
        """M-KEYSET-06: ended, from the future, for another device."""
        self.refuse(reasons.KEY_SET_EXPIRED, reasons.ORDER_FROM_FUTURE, reasons.ORDER_OTHER_DEVICE)

    def test_every_refusal_has_its_test(self):
        """No reason of the vectors is left without a test of its rule."""
        tested = {
            reasons.KEY_SET_SIGNATURE,
            reasons.KEY_SET_VERSION,
            reasons.KEY_SET_MALFORMED,
            reasons.KEY_SET_EXPIRED,
            reasons.ORDER_FROM_FUTURE,
            reasons.ORDER_OTHER_DEVICE,
        }
        self.assertEqual({case["error"] for case in CASES if "error" in case} - tested, set())

    def test_stored_set_is_read_back(self):
        """A set that was verified is read back with all that its keys may do."""
        got = keyset.decode(SET)
        self.assertEqual((got.version, got.issued_s), (SETUP["now_s"] - 86400, SETUP["now_s"] - 86400))
        self.assertEqual([key.scopes for key in got.keys], [1, 6, 16, 31, 7, 31])
        self.assertEqual([key.area for key in got.keys], ["", "4110", "", "411081102", "", ""])
        self.assertEqual([key.max_life_s for key in got.keys], [259200, 259200, 14400, 259200, 3600, 259200])

    def test_key_of_a_later_suite_spoils_nothing(self):
        """M-KEYSET-07: a key of an unknown algorithm stays in the set; what it signs is refused elsewhere."""
        self.assertEqual([key.alg for key in keyset.decode(SET).keys], [-7, -7, -7, -7, -7, -65000])

    def test_later_suites_key_is_not_looked_into(self):
        """M-KEYSET-07: the key of an unknown algorithm need be no point of P-256, nor named by our thumbprint."""
        sign1 = cose.parse_sign1(SET)
        claims = cbor.decode(sign1.payload)
        claims[20][5][2] = bytes(64)
        changed = cbor.encode([sign1.protected, {}, cbor.encode(claims), sign1.signature])

        self.assertEqual(keyset.decode(changed).keys[5].public, bytes(64))

    def test_damaged_stored_set_is_refused(self):
        """Reading back checks the form once more, so that damage is not taken for keys."""
        for data in (b"", SET[:-1], SET + b"\x00", bytes(1001)):
            with self.assertRaises(Refused) as caught:
                keyset.decode(data)
            self.assertEqual(caught.exception.code, reasons.KEY_SET_MALFORMED)

    def test_keys_are_found(self):
        """A key is found by its id, and nothing by another."""
        got = keyset.decode(SET)
        for key in got.keys:
            self.assertEqual(got.find(key.kid), key)
        self.assertIsNone(got.find(bytes(8)))

    def test_area_is_a_prefix(self):
        """M-KEYSET-04: a key covers the chips whose area code begins with its own, "" covers all."""
        everywhere, county, _, town, _, _ = keyset.decode(SET).keys
        self.assertTrue(everywhere.covers("") and everywhere.covers("999999999"))
        self.assertTrue(county.covers("411081102") and county.covers("4110"))
        self.assertFalse(county.covers("411") or county.covers("419001") or county.covers(""))
        self.assertTrue(town.covers("411081102"))
        self.assertFalse(town.covers("411081103") or town.covers("41108110"))

    def test_period_holds_begin_and_end(self):
        """M-TOK-12: what a key signs begins and ends inside the key's own period."""
        short = keyset.decode(SET).keys[4]
        begin, end = SETUP["now_s"] - 3600, SETUP["now_s"] + 7200
        self.assertTrue(short.in_period(begin, end))
        self.assertFalse(short.in_period(begin - 1, end) or short.in_period(begin, end + 1))

    def test_repr_names_ids_only(self):
        """Key and set show ids and counts, no key material."""
        got = keyset.decode(SET)
        self.assertFalse(got.keys[0].public.hex()[:16] in repr(got.keys[0]))
        self.assertIn("6 keys", repr(got))
