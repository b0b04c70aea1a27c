"""Messages against their vectors, and the promises of their tables."""

import json
import os
import unittest

from weldgate_protocol import messages, reasons
from weldgate_protocol.errors import CborError, EncodeError, MessageError

with open(os.getenv("WELDGATE_VECTORS", "tests/vectors") + "/messages.json") as file:
    CASES = json.load(file)

ACCEPTED = [case for case in CASES if "expect" in case]
REFUSED = [case for case in CASES if "error" in case]
KINDS = ("uint", "int", "bytes", "text", "bool", "uints", "ids", "map")


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


def fields_of(case):
    """Return the fields a vector expects; keys of a newer peer are numbers."""
    fields = {}
    for name in case["expect"]:
        number = name.lstrip("-").isdigit()
        fields[int(name) if number else name] = value_of(case["expect"][name])
    return fields


class MessageVectorTest(unittest.TestCase):
    """The numbers stay what they are."""

    def test_payloads_decode(self):
        """M-MSG-01, M-MSG-02, M-MSG-05, M-MSG-06: keys have names; a newer peer's stay on the uplink only."""
        for case in ACCEPTED:
            with self.subTest(name=case["name"]):
                self.assertEqual(messages.decode(case["type"], bytes.fromhex(case["hex"])), fields_of(case))

    def test_fields_encode(self):
        """M-MSG-01, M-MSG-02: the same fields give the same bytes."""
        for case in ACCEPTED:
            if "left out" in case["name"]:
                continue
            with self.subTest(name=case["name"]):
                self.assertEqual(messages.encode(case["type"], fields_of(case)).hex(), case["hex"])

    def test_payloads_are_refused(self):
        """M-MSG-01, M-MSG-03, M-MSG-04, M-MSG-05: what is no such message has its number."""
        for case in REFUSED:
            with self.subTest(name=case["name"]):
                with self.assertRaises((MessageError, CborError)) as caught:
                    messages.decode(case["type"], bytes.fromhex(case["hex"]))
                self.assertEqual(caught.exception.code, case["error"])

    def test_changed_bytes_are_a_message_or_an_error(self):
        """M-MSG-04: with any byte of a vector changed a payload is a message or is refused, no more."""
        for case in ACCEPTED:
            good = bytes.fromhex(case["hex"])
            for at in range(min(len(good), 60)):
                odd = good[:at] + bytes([good[at] ^ (1 << at % 8)]) + good[at + 1 :]
                try:
                    fields = messages.decode(case["type"], odd)
                except (MessageError, CborError) as error:
                    self.assertTrue(220 <= error.code <= 249)
                    continue
                if case["type"] < 0x80:
                    self.assertEqual(messages.encode(case["type"], fields), odd)

    def test_every_message_has_a_vector(self):
        """No message goes without a full example and, where something is required, a refusal."""
        seen = {case["type"] for case in ACCEPTED}
        refused = {case["type"] for case in REFUSED}
        for type_ in messages.MESSAGES:
            with self.subTest(type=type_):
                self.assertTrue(type_ in seen)
                if any(field[3] for field in messages.MESSAGES[type_][1]):
                    self.assertTrue(type_ in refused)


class MessageTableTest(unittest.TestCase):
    """What every table keeps to."""

    def test_tables_are_lawful(self):
        """Numbers and names are unique, kinds known, bounds ordered, keys ascending."""
        names = [messages.MESSAGES[type_][0] for type_ in messages.MESSAGES]
        self.assertEqual(len(set(names)), len(names))
        for type_ in messages.MESSAGES:
            name, table = messages.MESSAGES[type_]
            with self.subTest(name=name):
                keys = [field[0] for field in table]
                self.assertEqual(keys, sorted(set(keys)))
                self.assertEqual(len({field[1] for field in table}), len(table))
                for field in table:
                    self.assertTrue(field[2] in KINDS)
                    self.assertTrue(field[4] <= field[5])
                    self.assertTrue(0 < field[0] < 24)  # one byte on the wire

    def test_seal_is_reserved_in_every_durable_message(self):
        """M-MSG-07: key 15 of every durable message is the seal, 16 to 32 bytes, and of no other message."""
        for type_ in messages.MESSAGES:
            table = messages.MESSAGES[type_][1]
            with self.subTest(type=type_):
                seals = [field for field in table if field[1] == "seal"]
                if 0x40 <= type_ < 0x80:
                    self.assertEqual(seals, [(messages.SEAL_KEY, "seal", "bytes", False, 16, 32)])
                else:
                    self.assertEqual(seals, [])

    def test_unknown_types(self):
        """M-MSG-05: a type without a table is refused here; on the uplink the caller keeps the frame all the same."""
        for type_ in (0x00, 0x3F, 0x7F, 0x91, 0xF0, 0x100, -1):
            with self.subTest(type=type_):
                with self.assertRaises(MessageError) as theirs:
                    messages.decode(type_, b"\xa0")
                with self.assertRaises(EncodeError) as ours:
                    messages.encode(type_, {})
                self.assertEqual(theirs.exception.code, reasons.MESSAGE_UNKNOWN_TYPE)
                self.assertEqual(ours.exception.code, reasons.MESSAGE_UNKNOWN_TYPE)

    def test_registers_grow_on_the_uplink_only(self):
        """M-MSG-09: a gate state or a cause of a newer chip is kept; a lock mode that is not known is refused."""
        newer = {"first": 1, "cause": 200}

        self.assertEqual(messages.decode(messages.GAP, messages.encode(messages.GAP, newer)), newer)
        with self.assertRaises(MessageError) as caught:
            messages.decode(messages.LOCK, b"\xa3\x01\x03\x02\x48ABCDEFGH\x03\x00")
        self.assertEqual(caught.exception.code, reasons.MESSAGE_FIELD_RANGE)

    def test_payload_is_limited(self):
        """M-MSG-08: a message that would not fit a frame is not built."""
        values = {}
        for key in range(64):
            values[key] = bytes(20)

        with self.assertRaises(EncodeError) as caught:
            messages.encode(messages.DIAGNOSTICS, {"query": bytes(8), "what": 1, "values": values})

        self.assertEqual(caught.exception.code, reasons.FRAME_LENGTH)
