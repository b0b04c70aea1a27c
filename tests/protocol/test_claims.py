"""Claims by table, and how a context reads its clock."""

import unittest

from weldgate_protocol import cbor, claims, keyset
from weldgate_protocol.errors import Refused

TABLE = (
    (1, "id", "bytes", True, 8, 8),
    (2, "count", "uint", True, 1, 5),
    (3, "area", "text", False, 0, 2),
    (4, "ids", "ids", False, 1, 2),
    (5, "settings", "map", False, 1, 2),
    (6, "keys", "maps", False, 1, 2),
    (7, "alg", "int", False, -9, -1),
)
CODES = claims.Codes(101, 102, 103, 104)
LAWFUL = {1: bytes(8), 2: 1}


def context(now_s, quality, issued_s=None):
    """Return a context with this clock and a key set signed at issued_s."""
    key_set = None if issued_s is None else keyset.KeySet(1, issued_s, issued_s + 100, bytes(8), bytes(8), [])
    return claims.Context(bytes(8), "", key_set, now_s, quality, lambda _: False)


class ClaimsTest(unittest.TestCase):
    """What is in the table and within its bounds, or a reason."""

    def refuse(self, changes, code):
        """Expect a refusal of the lawful claims with changes."""
        pairs = {}
        pairs.update(LAWFUL)
        pairs.update(changes)
        with self.assertRaises(Refused) as caught:
            claims.read_payload(cbor.encode(pairs), TABLE, CODES)
        self.assertEqual(caught.exception.code, code)

    def test_known_claims_come_out_by_name(self):
        """Known claims come out by name, absent ones do not, ignorable ones are dropped."""
        pairs = {1: bytes(8), 2: 5, 3: "ab", 4: [bytes(8)], 5: {1: 2}, 6: [{}], 7: -9, 24: [], 63: "x"}

        found = claims.read_payload(cbor.encode(pairs), TABLE, CODES)

        self.assertEqual(sorted(found), ["alg", "area", "count", "id", "ids", "keys", "settings"])
        self.assertEqual(found["count"], 5)
        self.assertEqual(sorted(claims.read(LAWFUL, TABLE, CODES)), ["count", "id"])

    def test_other_payloads_are_malformed(self):
        """What is no deterministic CBOR map is malformed."""
        for payload in (b"", b"\x80", b"\x00", b"\xa1\x01", b"\xa1\x18\x01\x00", b"\xa0\x00"):
            with self.assertRaises(Refused) as caught:
                claims.read_payload(payload, TABLE, CODES)
            self.assertEqual(caught.exception.code, 101)

    def test_unknown_claims_are_refused(self):
        """M-TOK-08: a label outside the table is refused unless it is one of 24 to 63."""
        for label in (8, 23, 64, 255, -1, 1 << 63):
            self.refuse({label: 0}, 102)

    def test_missing_claims_are_refused(self):
        """M-TOK-09: each required claim must be there."""
        with self.assertRaises(Refused) as caught:
            claims.read({1: bytes(8)}, TABLE, CODES)
        self.assertEqual(caught.exception.code, 103)

    def test_bounds_hold_for_each_kind(self):
        """M-TOK-10: wrong type, value or length is refused, for each kind; true is no number."""
        for changes in (
            {1: bytes(7)},
            {1: bytes(9)},
            {1: "12345678"},
            {2: 0},
            {2: 6},
            {2: True},
            {2: None},
            {3: "abc"},
            {3: b"a"},
            {4: []},
            {4: [bytes(8)] * 3},
            {4: [bytes(7)]},
            {4: bytes(8)},
            {5: {}},
            {5: {1: 1, 2: 2, 3: 3}},
            {5: []},
            {6: [1]},
            {6: [{}, {}, {}]},
            {7: 0},
            {7: -10},
        ):
            self.refuse(changes, 104)

    def test_clock_is_sure_when_set_since_power_on(self):
        """M-TOK-16: only a held or synced clock is sure; the key set's time of signing is past on any clock."""
        self.assertEqual(context(1000, claims.QUALITY_SYNCED, 2000).sure(), 1000)
        self.assertEqual(context(1000, claims.QUALITY_HELD, 2000).floor_s(), 2000)
        self.assertIsNone(context(1000, claims.QUALITY_FLOOR).sure())
        self.assertEqual(context(1000, claims.QUALITY_FLOOR).floor_s(), 1000)
        self.assertEqual(context(1000, claims.QUALITY_FLOOR, 2000).floor_s(), 2000)
        self.assertEqual(context(3000, claims.QUALITY_FLOOR, 2000).floor_s(), 3000)
        self.assertEqual(context(None, claims.QUALITY_FLOOR, 2000).floor_s(), 2000)
        self.assertEqual(context(None, claims.QUALITY_FLOOR).floor_s(), 0)
