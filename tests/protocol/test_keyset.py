"""The signed key set against its vectors, and what its keys may do."""

import os
import sys
import unittest

sys.path.insert(0, os.getenv("WELDGATE_VECTORS", "tests/vectors"))
import circumstances

from weldgate_protocol import keyset, p256, reasons
from weldgate_protocol.errors import Refused

SETUP, CASES = circumstances.load("keyset.json")
SET = bytes.fromhex(SETUP["key_set"])


def verify(data, changes):
    """Judge a key set in the vectors' circumstances."""
    return p256.run(keyset.verify_steps(data, circumstances.context(SETUP, changes)))


class KeySetTest(unittest.TestCase):
    """Only a root of the site says which keys count."""

    def test_sets_are_accepted(self):
        """M-KEYSET-01, M-KEYSET-02: a set by either root, above the version in force and not ended, is taken."""
        for case in CASES:
            if "expect" in case:
                with self.subTest(name=case["name"]):
                    self.assertTrue(len(verify(circumstances.data_of(case), case["context"]).keys) > 0)

    def test_sets_are_refused(self):
        """M-KEYSET-01 to M-KEYSET-06: forged, old, ended, malformed and foreign sets are refused with their reason."""
        for case in CASES:
            if "error" in case:
                with self.subTest(name=case["name"]):
                    with self.assertRaises(Refused) as caught:
                        verify(circumstances.data_of(case), case["context"])
                    self.assertEqual(caught.exception.code, case["error"])

    def test_stored_set_is_read_back(self):
        """A set that was verified is read back with all that its keys may do."""
        got = keyset.decode(SET)
        self.assertEqual((got.version, got.issued_s), (SETUP["now_s"] - 86400, SETUP["now_s"] - 86400))
        self.assertEqual([key.scopes for key in got.keys], [1, 6, 16, 31, 7, 31])
        self.assertEqual([key.area for key in got.keys], ["", "4110", "", "411081102", "", ""])
        self.assertEqual([key.max_life_s for key in got.keys], [259200, 259200, 14400, 259200, 3600, 259200])
        self.assertEqual([key.alg for key in got.keys], [-7, -7, -7, -7, -7, -65000])

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
