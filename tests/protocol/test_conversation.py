"""The conversation's state table: whole, closed under its rules, and safe outside itself."""

import unittest

from weldgate_protocol import conversation as c
from weldgate_protocol import messages
from weldgate_protocol.frame import encode_body, parse

CHIP = (c.CHIP_CLOSED, c.CHIP_HELLO_SENT, c.CHIP_WELCOMED, c.CHIP_ONLINE)
COLLECTOR = (c.HELLO_WAIT, c.WELCOME_SENT, c.ONLINE, c.CLOSED)
EVENTS = range(c.E_DURABLE + 1)


def rows():
    """Return the table's rows."""
    return [tuple(c.TABLE[pos : pos + 4]) for pos in range(0, len(c.TABLE), 4)]


def gap(fields):
    """Return gap record 6 with a zero tag."""
    payload = messages.encode(messages.GAP, fields)
    return encode_body(0x0A, messages.GAP, bytes(8), b"epoc", 6, 0, 0, payload) + bytes(8)


class TestConversation(unittest.TestCase):
    def test_pairs_are_unique_and_stay_on_their_end(self):
        """M-CONV-17: each pair stands once in the table, and no move leads from one end's states to the other's."""
        pairs = [row[:2] for row in rows()]
        self.assertEqual(len(pairs), len(set(pairs)))
        for state, _event, following, _action in rows():
            self.assertEqual(state in CHIP, following in CHIP)

    def test_outside_the_table_closes(self):
        """M-CONV-17: a pair outside the table closes, in every state, and a closed end opens by a start alone."""
        known = {row[:2]: row[2] << 4 | row[3] for row in rows()}
        for state in CHIP + COLLECTOR:
            for event in EVENTS:
                closed = c.CHIP_CLOSED if state in CHIP else c.CLOSED
                self.assertEqual(c.step(state, event), known.get((state, event), closed << 4 | c.A_CLOSE))
        self.assertEqual([row[1] for row in rows() if row[0] == c.CHIP_CLOSED], [c.E_START])
        self.assertEqual([row for row in rows() if row[0] == c.CLOSED], [])

    def test_proof_stands_before_everything_else(self):
        """M-CONV-07: durable frames are sent and accepted online only, and each end comes online by one move."""
        for state, event, following, action in rows():
            if event in (c.E_SEND_DURABLE, c.E_DURABLE):
                self.assertIn(state, (c.CHIP_ONLINE, c.ONLINE))
            if following == c.CHIP_ONLINE and state != following:
                self.assertEqual((state, event), (c.CHIP_WELCOMED, c.E_SPEAK_HEARTBEAT))
            if following == c.ONLINE and state != following:
                self.assertEqual((state, event, action), (c.WELCOME_SENT, c.E_VOLATILE, c.A_COME_ONLINE))

    def test_bad_tags_move_nothing_until_the_last(self):
        """M-CONV-03: a bad tag leaves the state as it is; the last one closes every state."""
        for state in CHIP[1:] + COLLECTOR[1:3]:
            self.assertEqual(c.step(state, c.E_BAD_TAG), state << 4 | c.A_COUNT)
            self.assertEqual(c.step(state, c.E_BAD_TAG_LAST) & 15, c.A_CLOSE)

    def test_bridge_is_exact(self):
        """M-CONV-10: a gap record bridges only the range from the line's end to just before itself."""
        good = {"first": 4, "last": 5, "cause": 1}
        self.assertTrue(c.bridges(gap(good), 3))
        self.assertTrue(c.bridges(gap({"first": 4, "last": 5, "cause": 1, "epoch": b"epoc"}), 3))
        for fields in (
            {"first": 3, "last": 5, "cause": 1},
            {"first": 4, "last": 4, "cause": 1},
            {"first": 4, "last": 6, "cause": 1},
            {"first": 4, "cause": 1},
            {"first": 4, "last": 5, "cause": 1, "epoch": b"othr"},
        ):
            self.assertFalse(c.bridges(gap(fields), 3))
        self.assertFalse(c.bridges(gap(good)[:-1], 3))
        self.assertFalse(c.bridges(encode_body(0x0A, messages.GAP, bytes(8), b"epoc", 6, 0, 0, b"\xff") + bytes(8), 3))
        self.assertFalse(c.bridges(encode_body(0x0A, 0x4C, bytes(8), b"epoc", 6, 0, 0, b"\xa0") + bytes(8), 3))

    def test_unknown_downlink_type_is_no_fault(self):
        """M-CONV-13: a downlink type of a later release is passed over, without fields and without a fault."""
        frame = parse(encode_body(0x10, 0xA0, bytes(8), b"epoc", 1, 0, 0, b"\xff") + bytes(8))
        self.assertEqual(c.read_downlink(frame), (0, {}))


if __name__ == "__main__":
    unittest.main()
