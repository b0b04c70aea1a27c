"""The chip's end of the conversation: the scripts of the vectors, and what no script can show."""

import json
import os
import unittest

from weldgate_protocol import conversation as c
from weldgate_protocol import conversation_chip as chip
from weldgate_protocol import messages, reasons
from weldgate_protocol._compat import HmacKey
from weldgate_protocol.errors import EncodeError, LocalError
from weldgate_protocol.frame import encode_body, from_wire, parse, seal, tag_matches
from weldgate_protocol.keys import connection_key

try:
    from micropython import heap_lock, heap_unlock
except ImportError:  # CPython has no heap to lock; there the same test proves the outcome alone

    def heap_lock():
        """Do nothing."""

    def heap_unlock():
        """Do nothing."""


with open((os.getenv("WELDGATE_VECTORS") or "tests/vectors") + "/conversation.json") as file:
    VECTORS = json.load(file)

DEVICE = bytes.fromhex(VECTORS["device"])
EPOCH = bytes.fromhex(VECTORS["epoch"])
UP = HmacKey(bytes.fromhex(VECTORS["k_up"]))
K_DOWN = bytes.fromhex(VECTORS["k_down"])
CHIP_NONCE = bytes.fromhex(VECTORS["chip_nonce"])
NONCE = bytes.fromhex(VECTORS["collector_nonce"])
CONN = HmacKey(connection_key(K_DOWN, CHIP_NONCE, NONCE))
STAMP = (VECTORS["time_s"], VECTORS["time_ms"], 2)
LOCK_ID = b"lock-id."
NAMES = (
    "IGNORED",
    "WELCOMED",
    "WELCOMED_AHEAD",
    "PENDING",
    "REJECTED",
    "ACKED",
    "TOKEN",
    "LOCK",
    "ORDER",
    "IDENTIFY",
    "QUERY",
    "BAD",
)
HEARTBEAT = {
    "gate": 2,
    "alarms": [],
    "highest": 5,
    "acked": 3,
    "spool_permille": 10,
    "current_ma": 0,
    "uptime_s": 60,
}


def hello_fields(oldest=1, highest=5):
    """Return a hello's fields without the nonce."""
    return {
        "oldest": oldest,
        "highest": highest,
        "boot": 9,
        "firmware": "0.1.0",
        "profile": "gmaw-400",
        "key_set_version": 1,
        "config_version": 2,
        "revocations_version": 3,
    }


def down(type_, seq, fields, key=CONN):
    """Return a downlink frame."""
    payload = messages.encode(type_, fields)
    return seal(encode_body(0x12, type_, DEVICE, EPOCH, seq, STAMP[0], STAMP[1], payload), key)


def welcome(high=3, nonce=NONCE):
    """Return an accepting welcome."""
    key = HmacKey(connection_key(K_DOWN, CHIP_NONCE, nonce))
    return down(messages.WELCOME, 1, {"nonce": nonce, "status": 0, "high_water": high}, key)


def durable(seq, type_=messages.POWER_OFF, fields=None):
    """Return a durable frame as the spool holds it."""
    payload = messages.encode(type_, fields or {})
    return seal(encode_body(0x0A, type_, DEVICE, EPOCH, seq, STAMP[0], STAMP[1], payload), UP)


class TestConversationChip(unittest.TestCase):
    def setUp(self):
        self.chip = chip.ChipConversation(DEVICE, UP, K_DOWN, VECTORS["generation"])

    def open(self, oldest=1, highest=5, high=3):
        self.chip.start(CHIP_NONCE, hello_fields(oldest, highest), EPOCH, STAMP, 0)
        event = self.chip.receive(welcome(high), 1)
        self.chip.volatile(messages.HEARTBEAT, HEARTBEAT, STAMP)
        return event

    def refused(self, code, call):
        with self.assertRaises(LocalError) as caught:
            call()
        self.assertEqual(caught.exception.code, code)

    def test_follows_every_script_of_the_vectors(self):
        """M-CONV-02, M-CONV-03, M-CONV-04, M-CONV-05, M-CONV-06, M-CONV-11, M-CONV-12, M-CONV-13: the scripts."""
        for case in VECTORS["chip"]:
            with self.subTest(case["name"]):
                self.play(case["steps"])

    def play(self, steps):
        end = chip.ChipConversation(DEVICE, UP, K_DOWN, VECTORS["generation"])
        for step in steps:
            if "hello" in step:
                fields = hello_fields(step["oldest"], step["highest"])
                self.assertEqual(end.start(CHIP_NONCE, fields, EPOCH, STAMP, step["now_ms"]).hex(), step["hello"])
            elif "heartbeat" in step:
                self.assertEqual(end.volatile(messages.HEARTBEAT, HEARTBEAT, STAMP).hex(), step["heartbeat"])
            elif "sent" in step:
                end.sent(step["sent"])
            else:
                event = end.receive(bytes.fromhex(step["receive"]), step["now_ms"])
                self.assertEqual(NAMES[event], step["event"])
                for name in step["expect"]:
                    self.assertEqual((name, getattr(end, name)), (name, step["expect"][name]))

    def test_lock_allocates_nothing_after_its_tag(self):
        """M-CONV-14: between a lock's verified tag and the return nothing is allocated: a full heap stops no lock."""
        locked = []

        def matches(raw, key):
            verdict = tag_matches(raw, key)
            if raw[1] == messages.LOCK:
                locked.append(verdict)
                heap_lock()
            return verdict

        end = chip.ChipConversation(DEVICE, UP, K_DOWN, VECTORS["generation"], matches)
        end.start(CHIP_NONCE, hello_fields(), EPOCH, STAMP, 0)
        end.receive(welcome(), 1)
        raw = down(messages.LOCK, 2, {"mode": 2, "id": LOCK_ID, "reason": 125})
        try:
            event = end.receive(raw, 2)
        finally:
            if locked:
                heap_unlock()

        self.assertEqual(locked, [True])
        self.assertEqual(event, chip.LOCK)
        self.assertEqual((end.fields["mode"], end.fields["id"], end.fields["reason"]), (2, LOCK_ID, 125))

    def test_unreadable_lock_reads_as_now(self):
        """M-CONV-15: an authentic lock is obeyed though its payload cannot be read: mode now, an id of zeros."""
        cases = [
            (b"\xff", 2, bytes(8)),
            (b"\xa1\x01\x01", 1, bytes(8)),
            (b"\xa3\x01\x09\x02\x48" + LOCK_ID + b"\x03\x00", 2, LOCK_ID),
        ]
        for payload, mode, name in cases:
            with self.subTest(payload.hex()):
                self.setUp()
                self.open()
                body = encode_body(0x12, messages.LOCK, DEVICE, EPOCH, 2, STAMP[0], STAMP[1], payload)
                self.assertEqual(self.chip.receive(seal(body, CONN), 2), chip.LOCK)
                self.assertEqual((self.chip.fields["mode"], self.chip.fields["id"]), (mode, name))
                self.assertTrue(self.chip.reason != 0)

    def test_elapsed_time_survives_the_wrap_of_the_ticks(self):
        """M-CONV-06: the welcome's age is counted over the wrap of the ticks at 2^30 ms."""
        for elapsed, fresh in ((5000, True), (5001, False)):
            with self.subTest(elapsed):
                self.setUp()
                start = c.TICKS_MASK - 100
                self.chip.start(CHIP_NONCE, hello_fields(), EPOCH, STAMP, start)
                self.chip.receive(welcome(), (start + elapsed) & c.TICKS_MASK)
                self.assertEqual(self.chip.time_fresh, fresh)

    def test_own_steps_out_of_order_are_refused(self):
        """M-CONV-07: neither a durable frame nor another message goes out before the heartbeat that opens."""
        end = self.chip
        self.refused(reasons.WIRE_NOT_ONLINE, lambda: end.volatile(messages.HEARTBEAT, HEARTBEAT, STAMP))
        self.refused(reasons.WIRE_NOT_ONLINE, lambda: end.sent(1))
        end.start(CHIP_NONCE, hello_fields(), EPOCH, STAMP, 0)
        self.refused(reasons.WIRE_UNEXPECTED, lambda: end.start(CHIP_NONCE, hello_fields(), EPOCH, STAMP, 0))
        self.refused(reasons.WIRE_NOT_ONLINE, lambda: end.volatile(messages.HEARTBEAT, HEARTBEAT, STAMP))
        end.receive(welcome(), 1)
        self.assertTrue(end.welcomed and not end.online)
        self.refused(reasons.WIRE_NOT_ONLINE, lambda: end.sent(4))
        challenge = {"challenge": bytes(16), "token": bytes(8)}
        self.refused(reasons.WIRE_NOT_ONLINE, lambda: end.volatile(messages.CHALLENGE, challenge, STAMP))
        end.volatile(messages.HEARTBEAT, HEARTBEAT, STAMP)
        self.assertTrue(end.online)
        end.sent(4)
        hello = hello_fields()
        hello["nonce"] = CHIP_NONCE
        self.refused(reasons.WIRE_NOT_ONLINE, lambda: end.volatile(messages.HELLO, hello, STAMP))

    def test_refused_start_changes_nothing(self):
        """A hello that cannot be encoded leaves the end closed and ready for another start."""
        self.refused(reasons.KEY_MALFORMED, lambda: self.chip.start(b"short", hello_fields(), EPOCH, STAMP, 0))
        with self.assertRaises(EncodeError):
            self.chip.start(CHIP_NONCE, {"oldest": 1}, EPOCH, STAMP, 0)
        self.assertTrue(self.chip.closed)
        self.assertEqual(self.open(), chip.WELCOMED)

    def test_volatile_numbers_rise_by_one(self):
        """M-CONV-08: volatile uplink is counted from 1 in its connection, under K_conn after the hello."""
        self.chip.start(CHIP_NONCE, hello_fields(), EPOCH, STAMP, 0)
        self.chip.receive(welcome(), 1)
        for seq in (2, 3, 4):
            raw = from_wire(self.chip.volatile(messages.HEARTBEAT, HEARTBEAT, STAMP)[1:-1])
            self.assertEqual(parse(raw).seq, seq)
            self.assertTrue(tag_matches(raw, CONN))

    def test_a_new_connection_forgets_the_old_key(self):
        """M-CONV-04: what was recorded in one connection proves nothing in the next."""
        self.open()
        old_lock = down(messages.LOCK, 2, {"mode": 2, "id": LOCK_ID, "reason": 0})
        self.chip.end()
        self.chip.start(b"n" * 16, hello_fields(), EPOCH, STAMP, 0)

        self.assertEqual(self.chip.receive(welcome(), 1), chip.BAD)
        self.assertEqual(self.chip.receive(old_lock, 1), chip.BAD)
        self.assertFalse(self.chip.authentic or self.chip.welcomed)

    def test_nothing_is_taken_after_the_end(self):
        """M-CONV-03: a closed end takes nothing, not even an authentic lock; the gate falls back on its own rules."""
        self.open()
        self.chip.end()
        lock = down(messages.LOCK, 2, {"mode": 2, "id": LOCK_ID, "reason": 0})
        self.assertEqual(self.chip.receive(lock, 1), chip.IGNORED)
        self.assertFalse(self.chip.authentic)

    def test_parity_of_another_generation_proves_nothing(self):
        """M-KEY-03: a frame whose parity bit is not the chip's generation counts as a bad tag."""
        self.open()
        payload = messages.encode(messages.IDENTIFY, {"seconds": 5})
        body = encode_body(0x16, messages.IDENTIFY, DEVICE, EPOCH, 2, STAMP[0], STAMP[1], payload)
        self.assertEqual(self.chip.receive(seal(body, CONN), 1), chip.BAD)
        self.assertEqual(self.chip.reason, reasons.FRAME_TAG)

    def test_next_frame_follows_the_high_water(self):
        """M-CONV-10: durable frames follow from the high-water without a hole, or the connection begins anew."""
        self.open(1, 9, 3)
        gap = durable(7, messages.GAP, {"first": 4, "last": 6, "cause": 1})
        self.assertTrue(self.chip.follows(durable(4)))
        self.assertFalse(self.chip.follows(durable(5)))
        self.assertTrue(self.chip.follows(gap))
        self.chip.sent(4)
        self.assertFalse(self.chip.follows(gap))
        self.assertTrue(self.chip.follows(durable(5)))

    def test_a_collector_can_not_use_up_all_numbers(self):
        """M-CONV-09: far beyond what any chip writes, only what a lost tail may hold is believed."""
        for highest, high, event in (
            ((1 << 30) - (1 << 20), 1 << 30, chip.WELCOMED_AHEAD),
            ((1 << 30) - (1 << 20) + 1, (1 << 30) + 1, chip.BAD),
            (1 << 30, (1 << 30) + 256, chip.WELCOMED_AHEAD),
            (1 << 30, (1 << 30) + 257, chip.BAD),
            (1 << 30, 1 << 30, chip.WELCOMED),
        ):
            self.setUp()
            self.chip.start(CHIP_NONCE, hello_fields(highest=highest), EPOCH, STAMP, 0)
            self.assertEqual(self.chip.receive(welcome(high), 100), event, (highest, high))

    def test_what_the_collector_has_may_be_sent_again(self):
        """M-CONV-19: repeats move nothing on; what follows is still the number above the high-water."""
        self.open(1, 2, 3)
        self.assertTrue(self.chip.follows(durable(1)))
        self.chip.sent(1)
        self.assertEqual(self.chip.receive(self.ack(3, 2), 1), chip.IGNORED)
        self.assertTrue(self.chip.follows(durable(2)))
        self.chip.sent(2)
        self.assertFalse(self.chip.follows(durable(5)))
        self.assertTrue(self.chip.follows(durable(4)))
        self.assertEqual((self.chip.first, self.chip.acked), (4, 3))

    def test_ack_that_misses_a_repeat_covers_nothing(self):
        """M-CONV-19: the ack tells how many repeats came; with one too few everything is sent again in time."""
        self.open(1, 2, 3)
        for seq in (1, 2, 2, 4):
            self.chip.sent(seq)
        missing = down(messages.ACK, 2, {"epoch": EPOCH, "through": 4, "repeats": 1})
        self.assertEqual(self.chip.receive(missing, 1), chip.IGNORED)
        self.assertEqual(self.chip.receive(self.ack(4, 3), 2), chip.IGNORED)
        self.assertEqual(self.chip.acked, 3)
        late = down(messages.ACK, 4, {"epoch": EPOCH, "through": 4})
        self.assertEqual(self.chip.receive(late, c.ACK_WAIT_MS + 2), chip.BAD)
        self.assertEqual((self.chip.closed, self.chip.reason), (True, reasons.WIRE_ACK_STALLED))

    def test_ack_that_counts_all_repeats_covers_them(self):
        """M-CONV-19: each repeat counts once, and what the collector counts above that changes nothing."""
        for repeats in (2, 3):
            with self.subTest(repeats=repeats):
                self.setUp()
                self.open(1, 2, 3)
                for seq in (1, 2, 2, 4):
                    self.chip.sent(seq)
                whole = down(messages.ACK, 2, {"epoch": EPOCH, "through": 4, "repeats": repeats})
                self.assertEqual(self.chip.receive(whole, 1), chip.ACKED)
                self.assertEqual(self.chip.acked, 4)

    def test_oldest_of_the_hello_is_where_a_hole_ends(self):
        """M-CONV-10: where the hello's oldest lies past the high-water, the first frame is the oldest."""
        self.open(7, 9, 3)
        self.assertTrue(self.chip.follows(durable(7)))
        self.assertFalse(self.chip.follows(durable(4)))

    def test_stalled_ack_ends_the_connection(self):
        """M-CONV-18: what was sent and is not acknowledged for 300 s is sent again on a new connection."""
        self.open()
        late = c.ACK_WAIT_MS + 2
        self.assertEqual(self.chip.receive(self.ack(3, 2), late), chip.IGNORED)  # nothing was under way
        self.chip.sent(4)
        self.assertEqual(self.chip.receive(self.ack(3, 3), late + c.ACK_WAIT_MS), chip.IGNORED)
        self.assertEqual(self.chip.receive(self.ack(3, 4), late + c.ACK_WAIT_MS + 1), chip.BAD)
        self.assertEqual((self.chip.closed, self.chip.reason), (True, reasons.WIRE_ACK_STALLED))

    def test_risen_ack_renews_the_wait(self):
        """M-CONV-18: an ack that covers more starts the wait again."""
        self.open()
        self.chip.sent(5)
        self.assertEqual(self.chip.receive(self.ack(4, 2), c.ACK_WAIT_MS), chip.ACKED)
        self.assertEqual(self.chip.receive(self.ack(4, 3), c.ACK_WAIT_MS + 100), chip.IGNORED)

    def ack(self, through, seq):
        return down(messages.ACK, seq, {"epoch": EPOCH, "through": through})

    def test_first_tells_what_would_be_declared(self):
        """M-CONV-10: the chip can see before its heartbeat which frames the collector is going to declare."""
        self.open(7, 9, 3)
        self.assertEqual((self.chip.high_water, self.chip.first), (3, 7))
        self.setUp()
        self.open(1, 9, 3)
        self.assertEqual(self.chip.first, 4)

    def test_patience_depends_on_the_state(self):
        """M-CONV-16: a welcome is waited for 30 s; later a silence of 90 s ends the connection."""
        self.chip.start(CHIP_NONCE, hello_fields(), EPOCH, STAMP, 0)
        self.assertEqual(self.chip.patience_ms, 30000)
        self.chip.receive(welcome(), 1)
        self.assertEqual(self.chip.patience_ms, 90000)


if __name__ == "__main__":
    unittest.main()
