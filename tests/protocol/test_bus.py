"""Turns on a shared line, and the goodbye where a link has no connections (SPEC section 17)."""

import json
import unittest

from weldgate_protocol import bus, messages, reasons
from weldgate_protocol._compat import HmacKey
from weldgate_protocol.conversation_chip import BAD, REJECTED, ChipConversation
from weldgate_protocol.frame import FLAG_PARITY, parse
from weldgate_protocol.stream import FrameStream

DEVICE = bytes([0, 0, 0, 0, 0, 0, 0, 7])
OTHER = bytes([0, 0, 0, 0, 0, 0, 0, 8])


def frames_of(wire):
    """Return the raw frames in bytes from the wire."""
    stream = FrameStream()
    stream.feed(wire)
    found = []
    raw = stream.take()
    while raw is not None:
        found.append(raw)
        raw = stream.take()
    return found, stream


def waiting_chip(generation=1):
    """Return a chip's end that waits for its welcome."""
    chip = ChipConversation(DEVICE, HmacKey(bytes(32)), bytes(32), generation)
    hello = {
        "oldest": 1, "highest": 0, "boot": 1, "firmware": "t", "profile": "t", "key_set_version": 0,
        "config_version": 0, "revocations_version": 0,
    }  # fmt: skip
    chip.start(bytes(16), hello, bytes(4), (1790000000, 0, 2), 0)
    return chip


class PollTest(unittest.TestCase):
    """A poll grants a turn and nothing else."""

    def test_vectors(self):
        """M-BUS-02: a poll has these bytes and no others."""
        with open("tests/vectors/bus.json") as file:
            cases = json.load(file)
        for case in cases:
            expect = case["expect"]
            device = int(expect["device"]).to_bytes(8, "big")
            if expect["what"] == "turn":
                wire = bytes.fromhex(case["hex"])
                found, stream = frames_of(wire)
                self.assertEqual((len(found), stream.discarded_bytes), (expect["frames"], 0), case["name"])
                self.assertEqual(wire.find(bus.TURN_END), len(wire) - 4 if found else 0, case["name"])
                continue
            if expect["what"] == "poll":
                wire = bus.encode_poll(device, expect["frames"])
            else:
                wire = bus.encode_goodbye(device, expect["parity"], expect["reason"])
            self.assertEqual(wire.hex(), case["hex"], case["name"])

    def test_ear_knows_its_own_poll(self):
        """M-BUS-01, M-BUS-04: a turn is granted by a poll that names us; other chips' frames are passed over."""
        ear = bus.BusEar(DEVICE)
        (poll,), _ = frames_of(bus.encode_poll(DEVICE, 9))
        (others,), _ = frames_of(bus.encode_poll(OTHER, 9))

        self.assertEqual(ear.hear(poll), 9)
        self.assertEqual(ear.hear(others), bus.NOT_FOR_US)
        self.assertEqual(ear.hear(bytes([poll[0] & 0xEF]) + poll[1:]), bus.NOT_FOR_US)

    def test_poll_that_can_not_be_read_grants_nothing(self):
        """A payload out of bounds is no turn."""
        ear = bus.BusEar(DEVICE)
        (poll,), _ = frames_of(bus.encode_poll(DEVICE, 9))

        self.assertEqual(ear.hear(poll[:28] + b"\x00" + poll[29:]), bus.NOT_FOR_US)

    def test_other_frames_are_the_conversations(self):
        """What is for us and no poll goes on."""
        ear = bus.BusEar(DEVICE)
        found, _ = frames_of(bus.encode_goodbye(DEVICE, 0, reasons.WIRE_SEQUENCE_HOLE))

        self.assertEqual([ear.hear(raw) for raw in found], [bus.GRANTED_NOTHING] * 3)

    def test_end_of_a_turn_is_no_frame_and_no_error(self):
        """M-BUS-03: three delimiters in a row disturb nobody who does not look for them."""
        found, stream = frames_of(bus.encode_poll(DEVICE, 1) + bus.TURN_END + bus.encode_poll(OTHER, 1))

        self.assertEqual(len(found), 2)
        self.assertEqual(stream.discarded_bytes, 0)
        self.assertTrue(bus.TURN_END not in bus.encode_poll(DEVICE, 1) + bus.encode_poll(OTHER, 1))


class GoodbyeTest(unittest.TestCase):
    """A chip gives up by its own rules."""

    def test_chip_that_waits_for_its_welcome_is_turned_away(self):
        """M-BUS-06: the first of the three is a rejected, in the chip's parity."""
        for generation in (0, 1):
            chip = waiting_chip(generation)
            parity = FLAG_PARITY if generation & 1 else 0
            found, _ = frames_of(bus.encode_goodbye(DEVICE, parity, reasons.WIRE_THROTTLED))

            self.assertEqual(chip.receive(found[0], 1), REJECTED)
            self.assertEqual(chip.reason, reasons.WIRE_THROTTLED)
            self.assertTrue(chip.closed)

    def test_chip_in_a_conversation_ends_it_at_the_third(self):
        """M-BUS-06: three wrong tags close, as any three do; nothing in them takes effect."""
        chip = waiting_chip()
        chip.state = 2
        chip._conn = HmacKey(bytes(32))
        found, _ = frames_of(bus.encode_goodbye(DEVICE, FLAG_PARITY, reasons.WIRE_SEQUENCE_HOLE))

        self.assertEqual([chip.receive(raw, 1) for raw in found], [BAD] * 3)
        self.assertTrue(chip.closed)
        self.assertEqual(parse(found[0]).type, messages.WELCOME)


if __name__ == "__main__":
    unittest.main()
