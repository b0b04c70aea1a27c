"""The collector's end of the conversation: the scripts of the vectors, and what no script can show."""

import json
import os
import unittest

from weldgate_protocol import conversation as c
from weldgate_protocol import conversation_collector as collector
from weldgate_protocol import messages, reasons
from weldgate_protocol._compat import HmacKey
from weldgate_protocol.errors import LocalError
from weldgate_protocol.frame import encode_body, from_wire, parse, seal, tag_matches
from weldgate_protocol.keys import ChipKeys, connection_key

with open((os.getenv("WELDGATE_VECTORS") or "tests/vectors") + "/conversation.json") as file:
    VECTORS = json.load(file)

DEVICE = bytes.fromhex(VECTORS["device"])
EPOCH = bytes.fromhex(VECTORS["epoch"])
K_UP = bytes.fromhex(VECTORS["k_up"])
K_DOWN = bytes.fromhex(VECTORS["k_down"])
OLD_UP = b"o" * 32
UP = HmacKey(K_UP)
CHIP_NONCE = bytes.fromhex(VECTORS["chip_nonce"])
NONCE = bytes.fromhex(VECTORS["collector_nonce"])
CONN = HmacKey(connection_key(K_DOWN, CHIP_NONCE, NONCE))
STAMP = (VECTORS["time_s"], VECTORS["time_ms"], 2)


def up(type_, seq, payload, key, flags=0x02):
    """Return an uplink frame."""
    return seal(encode_body(flags, type_, DEVICE, EPOCH, seq, STAMP[0], STAMP[1], payload), key)


def durable(seq, key=UP, flags=0x0A):
    """Return a durable frame."""
    return up(messages.POWER_OFF, seq, b"\xa0", key, flags)


HELLO = bytes.fromhex(VECTORS["collector"][0]["steps"][0]["receive"])
HEARTBEAT = bytes.fromhex(VECTORS["collector"][0]["steps"][1]["receive"])


class TestConversationCollector(unittest.TestCase):
    def setUp(self):
        self.high = 3
        self.verdict = (c.STATUS_ACCEPTED, 0, 0)

    def end(self):
        return collector.CollectorConversation(
            lambda device: ChipKeys(2, K_UP, K_DOWN, OLD_UP) if device == DEVICE else None,
            lambda device, epoch: self.high,
            lambda: STAMP,
            lambda size: NONCE[:size],
            lambda device: self.verdict,
        )

    def online(self):
        end = self.end()
        end.receive(HELLO)
        end.receive(HEARTBEAT)
        return end

    def refused(self, code, call):
        with self.assertRaises(LocalError) as caught:
            call()
        self.assertEqual(caught.exception.code, code)

    def plain(self, event):
        """Return an event as the vectors write it."""
        kind = event[0]
        if kind == collector.SEND:
            return [kind, event[1].hex()]
        if kind == collector.CAME_ONLINE:
            return [kind]
        if kind in (collector.DECLARE, collector.AHEAD):
            return [kind, event[1].hex(), event[2], event[3]]
        if kind == collector.BRIDGE:
            return [kind, event[1], event[3]]
        if kind == collector.VOLATILE:
            return [kind, event[1].type, event[2] is not None]
        return [kind, event[1]]

    def test_follows_every_script_of_the_vectors(self):
        """M-CONV-01, M-CONV-02, M-CONV-07, M-CONV-09, M-CONV-10, M-CONV-11, M-CONV-17: the scripts."""
        for case in VECTORS["collector"]:
            with self.subTest(case["name"]):
                self.high = case["high"]
                end = self.end()
                for step in case["steps"]:
                    if "acknowledge" in step:
                        self.assertEqual(end.acknowledge(EPOCH, step["acknowledge"]), bytes.fromhex(step["wire"]))
                    else:
                        events = end.receive(bytes.fromhex(step["receive"]))
                        self.assertEqual([self.plain(event) for event in events], step["events"])

    def test_online_event_tells_who_and_whether_the_epoch_is_new(self):
        """M-CONV-07: only the first K_conn frame makes a chip online, and with it come its hello and its epoch."""
        for high in (3, None):
            with self.subTest(str(high)):
                self.high = high
                end = self.end()
                self.assertEqual([event[0] for event in end.receive(HELLO)], ["send"])
                event = end.receive(HEARTBEAT)[0]
                self.assertEqual(event[:3], ("online", DEVICE, EPOCH))
                self.assertEqual((event[3]["boot"], event[4]), (9, high is None))

    def test_line_goes_on_from_what_an_older_connection_brought(self):
        """M-CONV-09: the high-water is asked again when the chip comes online; what was committed meanwhile repeats."""
        end = self.end()
        end.receive(HELLO)
        self.high = 5
        end.receive(HEARTBEAT)

        self.assertEqual(end.acknowledge(EPOCH, 5), b"")
        self.assertEqual(end.receive(durable(4))[0][0], "repeat")
        ack = parse(from_wire(end.acknowledge(EPOCH, 5)[1:-1]))
        self.assertEqual(messages.decode(ack.type, ack.payload)["through"], 4)
        self.assertEqual(end.receive(durable(5))[0][0], "repeat")
        self.assertEqual(end.receive(durable(6))[0][0], "durable")

    def test_ack_tells_how_many_repeats_came(self):
        """M-CONV-20: frames up to the welcome's high-water count once each, what is above it does not."""
        end = self.end()
        end.receive(HELLO)
        self.high = 5
        end.receive(HEARTBEAT)
        for seq, repeats in ((1, 1), (3, 2), (3, 2), (4, 2), (5, 2), (6, 2)):
            end.receive(durable(seq))
            events = end.receive(up(messages.HEARTBEAT, end._seq_heard + 1, parse(HEARTBEAT).payload, CONN))
            answer = parse(from_wire(events[-1][1][1:-1]))
            self.assertEqual(messages.decode(answer.type, answer.payload)["repeats"], repeats)

    def test_heartbeat_is_not_answered_with_a_repeat_that_was_not_compared(self):
        """M-CONV-20: what came again is acknowledged when its comparison is committed, by no heartbeat before."""
        end = self.end()
        end.receive(HELLO)
        self.high = 5
        end.receive(HEARTBEAT)
        end.receive(durable(4))
        frame = parse(HEARTBEAT)
        for seq, through in ((3, 3), (4, 4)):
            events = end.receive(up(messages.HEARTBEAT, seq, frame.payload, CONN))
            answer = parse(from_wire(events[1][1][1:-1]))
            self.assertEqual(messages.decode(answer.type, answer.payload)["through"], through)
            end.acknowledge(EPOCH, 5)

    def test_postponed_and_barred_chips_are_told_under_the_key(self):
        """M-CONV-05: pending and rejected to a known chip carry the connection's tag, and end the connection."""
        cases = [
            ((c.STATUS_PENDING, 0, 20), c.STATUS_PENDING, reasons.WIRE_PENDING),
            ((c.STATUS_PENDING, reasons.WIRE_THROTTLED, 20), c.STATUS_PENDING, reasons.WIRE_THROTTLED),
            ((c.STATUS_REJECTED, reasons.WIRE_UNKNOWN_CHIP, 0), c.STATUS_REJECTED, reasons.WIRE_UNKNOWN_CHIP),
        ]
        for verdict, status, reason in cases:
            with self.subTest(str(verdict)):
                self.verdict = verdict
                end = self.end()
                events = end.receive(HELLO)
                raw = from_wire(events[0][1][1:-1])
                self.assertTrue(tag_matches(raw, CONN))
                self.assertEqual(messages.decode(messages.WELCOME, parse(raw).payload)["status"], status)
                self.assertEqual(events[1:], [("close", reason)])
                self.assertEqual((end.state, end.receive(HEARTBEAT)), (c.CLOSED, []))

    def test_frames_of_the_generation_before_are_still_in_line(self):
        """M-KEY-03: what was spooled before a rekey keeps its tag and is verified with the key of its parity."""
        end = self.online()
        self.assertEqual(end.receive(durable(4, HmacKey(OLD_UP), 0x0E))[0][0], "durable")
        self.assertEqual(end.receive(durable(5))[0][0], "durable")
        self.assertEqual(end.receive(durable(6, UP, 0x0E)), [("refused", reasons.FRAME_TAG)])

    def test_chip_of_the_generation_before_can_still_connect(self):
        """M-KEY-03: a chip that has not been rekeyed yet is answered under the K_down of its own generation."""
        old_down = b"p" * 32
        body = encode_body(0x06, messages.HELLO, DEVICE, EPOCH, 1, STAMP[0], STAMP[1], parse(HELLO).payload)
        conn = HmacKey(connection_key(old_down, CHIP_NONCE, NONCE))
        beat = parse(HEARTBEAT).payload
        for held, kinds in ((old_down, ["send"]), (b"", ["send", "close"])):
            with self.subTest(kinds):
                end = collector.CollectorConversation(
                    lambda device, held=held: ChipKeys(2, K_UP, K_DOWN, OLD_UP, held),
                    lambda device, epoch: 3,
                    lambda: STAMP,
                    lambda size: NONCE[:size],
                )
                events = end.receive(seal(body, HmacKey(OLD_UP)))
                self.assertEqual([event[0] for event in events], kinds)
                raw = from_wire(events[0][1][1:-1])
                self.assertEqual((parse(raw).parity, tag_matches(raw, conn)), (1, held == old_down))
                if held:
                    self.assertEqual(
                        end.receive(up(messages.HEARTBEAT, 2, beat, conn)), [("refused", reasons.FRAME_TAG)]
                    )
                    events = end.receive(up(messages.HEARTBEAT, 2, beat, conn, 0x06))
                    self.assertEqual(events[0][0], "online")

    def test_refused_tag_leaves_the_line_where_it_was(self):
        """M-CONV-03: a frame with a bad tag is counted and has no other effect."""
        end = self.online()
        self.assertEqual(end.receive(durable(4, CONN)), [("refused", reasons.FRAME_TAG)])
        self.assertEqual(end.receive(durable(4))[0][:2], ("durable", 4))
        self.assertEqual(end.bad_tags, 1)

    def test_downlink_only_to_a_chip_that_is_there(self):
        """M-CONV-07: nothing but the welcome goes to a chip that has not proved to be there."""
        end = self.end()
        self.refused(reasons.WIRE_NOT_ONLINE, lambda: end.downlink(messages.IDENTIFY, {"seconds": 1}))
        end.receive(HELLO)
        self.refused(reasons.WIRE_NOT_ONLINE, lambda: end.downlink(messages.IDENTIFY, {"seconds": 1}))
        self.assertEqual(end.acknowledge(EPOCH, 3), b"")
        end.receive(HEARTBEAT)
        raw = from_wire(end.downlink(messages.IDENTIFY, {"seconds": 1})[1:-1])
        self.assertTrue(tag_matches(raw, CONN))
        self.assertEqual((parse(raw).seq, parse(raw).down), (3, True))
        self.refused(reasons.WIRE_UNEXPECTED, lambda: end.downlink(messages.ACK, {"epoch": EPOCH, "through": 9}))
        self.refused(reasons.WIRE_OTHER_EPOCH, lambda: end.acknowledge(bytes(4), 3))
        end.close()
        self.assertEqual((end.state, end.acknowledge(EPOCH, 3), end.receive(durable(4))), (c.CLOSED, b"", []))

    def test_ack_is_cut_to_what_the_connection_brought(self):
        """M-CONV-12: an ack never exceeds what this connection has brought, and never repeats itself."""
        end = self.online()
        self.assertEqual(end.acknowledge(EPOCH, 100), b"")
        end.receive(durable(4))
        self.assertTrue(len(end.acknowledge(EPOCH, 100)) > 0)
        self.assertEqual(end.acknowledge(EPOCH, 4), b"")

    def test_ack_is_the_message_that_the_table_makes(self):
        """M-CONV-12: the short way to an ack's bytes comes to the same, whatever width its number has."""
        for through, repeats in ((1, 0), (23, 2), (24, 0), (255, 24), (256, 0), (65536, 300), (4294967295, 0)):
            with self.subTest(through):
                end = self.online()
                end._acked, end._repeats = through, repeats
                told = {"epoch": EPOCH, "through": through, "repeats": repeats or None}
                self.assertEqual(parse(from_wire(end._ack()[1:-1])).payload, messages.encode(messages.ACK, told))

    def test_short_and_strange_bytes_are_counted(self):
        """Whatever comes, the answer is an event: bytes that are no frame count as bad tags."""
        for raw in (b"", b"\x2a", b"\x2a" * 33, b"\xff" * 34, b"\x2a" * 40):
            with self.subTest(raw.hex()):
                end = self.online()
                self.assertEqual(end.receive(raw), [("refused", reasons.FRAME_TAG)])
        self.assertEqual(self.end().receive(b""), [("close", reasons.WIRE_BAD_TAGS)])

    def test_patience_depends_on_the_state(self):
        """M-CONV-16: 10 s for the hello, 30 s for the first K_conn frame, 90 s of silence later."""
        end = self.end()
        waits = [end.patience_ms]
        end.receive(HELLO)
        waits.append(end.patience_ms)
        end.receive(HEARTBEAT)
        waits.append(end.patience_ms)
        self.assertEqual(waits, [10000, 30000, 90000])


if __name__ == "__main__":
    unittest.main()
