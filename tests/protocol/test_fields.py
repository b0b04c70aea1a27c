"""Fields against a small table of their own: kinds, bounds, keys of a newer peer."""

import unittest

from weldgate_protocol import fields, reasons
from weldgate_protocol.errors import EncodeError, MessageError

TABLE = (
    (1, "count", "uint", True, 1, 10),
    (2, "delta", "int", False, -5, 5),
    (3, "id", "bytes", False, 8, 8),
    (4, "text", "text", False, 0, 4),
    (5, "on", "bool", False, 0, 0),
    (6, "numbers", "uints", False, 0, 2),
    (7, "ids", "ids", False, 1, 2),
    (8, "values", "map", False, 0, 1),
)
GOOD = {
    "count": 1,
    "delta": -5,
    "id": b"12345678",
    "text": "焊x",
    "on": False,
    "numbers": [0, 65535],
    "ids": [b"12345678"],
    "values": {9: None},
}
TYPE = reasons.MESSAGE_FIELD_TYPE
RANGE = reasons.MESSAGE_FIELD_RANGE
WRONG = (
    ("count", 0, RANGE),
    ("count", 11, RANGE),
    ("count", True, TYPE),
    ("count", "1", TYPE),
    ("delta", -6, RANGE),
    ("delta", 6, RANGE),
    ("delta", False, TYPE),
    ("id", b"1234567", RANGE),
    ("id", "12345678", TYPE),
    ("text", "焊xy", RANGE),
    ("text", b"x", TYPE),
    ("on", 1, TYPE),
    ("numbers", [1, 2, 3], RANGE),
    ("numbers", [65536], RANGE),
    ("numbers", [-1], RANGE),
    ("numbers", [True], TYPE),
    ("numbers", {}, TYPE),
    ("ids", [], RANGE),
    ("ids", [b"1"], RANGE),
    ("ids", [1], TYPE),
    ("values", {1: 1, 2: 2}, RANGE),
    ("values", [], TYPE),
)


def by_number(named):
    """Return the named values under their keys."""
    pairs = {}
    for key, name, _kind, _required, _low, _high in TABLE:
        if name in named:
            pairs[key] = named[name]
    return pairs


class FieldsTest(unittest.TestCase):
    """Both ways through one table."""

    def test_names_to_keys_and_back(self):
        """Fields become pairs under their numbers and come back under their names."""
        pairs = fields.to_pairs("thing", TABLE, GOOD)

        self.assertEqual(pairs, by_number(GOOD))
        self.assertEqual(fields.from_pairs("thing", TABLE, pairs, True), GOOD)

    def test_wrong_values(self):
        """A value of another type or outside its bounds is refused in both directions, with the same number."""
        for name, value, code in WRONG:
            with self.subTest(name=name, code=code):
                odd = dict(GOOD)
                odd[name] = value
                with self.assertRaises(EncodeError) as ours:
                    fields.to_pairs("thing", TABLE, odd)
                with self.assertRaises(MessageError) as theirs:
                    fields.from_pairs("thing", TABLE, by_number(odd), True)
                self.assertEqual((ours.exception.code, theirs.exception.code), (code, code))

    def test_missing(self):
        """A required field that is absent, or None where we encode, is refused."""
        for odd in ({"delta": 1}, {"count": None}):
            with self.subTest(odd=len(odd)):
                with self.assertRaises(EncodeError) as caught:
                    fields.to_pairs("thing", TABLE, odd)
                self.assertEqual(caught.exception.code, reasons.MESSAGE_MISSING)
        with self.assertRaises(MessageError) as caught:
            fields.from_pairs("thing", TABLE, {2: 1}, True)
        self.assertEqual(caught.exception.code, reasons.MESSAGE_MISSING)

    def test_none_is_absent_for_the_encoder_only(self):
        """None leaves an optional field out; null on the wire is a wrong type."""
        self.assertEqual(fields.to_pairs("thing", TABLE, {"count": 1, "delta": None}), {1: 1})
        with self.assertRaises(MessageError) as caught:
            fields.from_pairs("thing", TABLE, {1: 1, 2: None}, True)
        self.assertEqual(caught.exception.code, TYPE)

    def test_unknown_keys(self):
        """Keys of a newer peer stay under their number where they are kept, and go where they are not."""
        pairs = {1: 1, 40: "new", -1: [2]}

        kept = fields.from_pairs("thing", TABLE, pairs, True)

        self.assertEqual(kept, {"count": 1, 40: "new", -1: [2]})
        self.assertEqual(fields.to_pairs("thing", TABLE, kept), pairs)
        self.assertEqual(fields.from_pairs("thing", TABLE, pairs, False), {"count": 1})

    def test_unknown_names(self):
        """A name that no field has is our own mistake, and so is a number that a field has."""
        for odd in ({"count": 1, "cuont": 2}, {"count": 1, 2: 3}, {"count": 1, True: 3}):
            with self.subTest(odd=len(odd)):
                with self.assertRaises(EncodeError) as caught:
                    fields.to_pairs("thing", TABLE, odd)
                self.assertEqual(caught.exception.code, reasons.MESSAGE_UNKNOWN_KEY)

    def test_text_without_utf8(self):
        """A text that has no UTF-8 passes the bounds by its characters; the CBOR encoder refuses it."""
        self.assertEqual(len(fields.to_pairs("thing", TABLE, {"count": 1, "text": "\ud800"})), 2)
