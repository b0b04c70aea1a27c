"""What is held and what the collector has: losses are declared once, acks count forward, a rewind counts as said."""

import struct
import unittest

from weldgate_firmware.ring_format import RingSectors
from weldgate_firmware.spool_held import CAUSE_OVERWRITTEN, CAUSE_UNREADABLE, SpoolHeld
from weldgate_protocol import messages
from weldgate_simulator.flash import VirtualFlash

EPOCH = b"epo!"


def frame(seq):
    """Return a raw frame."""
    return struct.pack(">BB8s4sIIHH", 0x28, 0x44, b"\0" * 7 + b"\7", EPOCH, seq, 1700000000, 0, 0) + b"tagtagta"


class TestSpoolHeld(unittest.TestCase):
    """Records 11 to 15 held, earlier ones gone."""

    def setUp(self):
        """Write five records into a ring whose older sectors were erased."""
        self.flash = VirtualFlash(4, 256)
        self.held = SpoolHeld(RingSectors(self.flash, 0, 4))
        order = self.held._ring
        order.mount()
        order.renew(EPOCH)
        order.erase(0)
        order.open(0, 11)
        for seq in range(11, 16):
            order.write(frame(seq))
        self.held.highest, self.held.next_seq = order.read_tail()

    def test_rewind_behind_what_is_held_declares_the_rest(self):
        """A collector that has less than the ring still holds is told what is gone, as overwritten, and once."""
        self.assertEqual(self.held.rewind(7), 11)
        self.assertEqual((self.held.take_lost(), self.held.lost_cause), ((8, 10), CAUSE_OVERWRITTEN))
        self.held.rewind(7)
        self.assertIsNone(self.held.take_lost())

    def test_rewind_into_what_is_held_declares_nothing(self):
        """A collector that can go on from what is held gets the next record and no gap."""
        self.assertEqual(self.held.rewind(12), 13)
        self.assertEqual((self.held.take_lost(), self.held.acked, self.held.oldest), (None, 12, 11))

    def test_rotten_tail_is_declared_to_its_end(self):
        """When nothing behind the collector's mark can be read, all of it is lost, as unreadable."""
        for at in range(32 + 42 * 3, 32 + 42 * 5, 7):
            self.flash.rot(at, 0x11)

        self.assertEqual(self.held.rewind(13), 0)
        self.assertEqual((self.held.take_lost(), self.held.lost_cause), ((14, 15), CAUSE_UNREADABLE))
        self.assertEqual(self.held.oldest, 16)

    def owe(self, *gaps):
        """Let a collector be ahead at 20 that is owed all from 9 on, with gap records (number, fields) behind it."""
        self.held.acked = 8
        self.held.go_above(20)
        order = self.held._ring
        for seq, fields in gaps:
            order.erase(order.turn(1))
            order.open(order.turn(1), seq)
            payload = fields if isinstance(fields, bytes) else messages.encode(messages.GAP, fields)
            head = struct.pack(">BB8s4sIIHH", 0x28, 0x48, b"\0" * 7 + b"\7", EPOCH, seq, 1700000000, 0, len(payload))
            order.write(head + payload + b"tagtagta")
        self.held.highest, self.held.next_seq = order.read_tail()

    def test_owed_numbers_that_are_gone_are_declared(self):
        """M-CONV-19: overwritten before the ring's oldest, unreadable in it; once, and none that is held."""
        self.owe()
        self.assertEqual(self.held.next_held(9), 11)
        self.assertEqual((self.held.take_lost(), self.held.lost_cause), ((9, 10), CAUSE_OVERWRITTEN))
        self.flash.rot(32 + 42 + 20, 0x11)
        self.assertEqual((self.held.next_held(11), self.held.next_held(12)), (11, 13))
        self.assertEqual((self.held.take_lost(), self.held.lost_cause), ((12, 12), CAUSE_UNREADABLE))
        self.assertEqual((self.held.next_held(12), self.held.take_lost()), (13, None))

    def test_owed_tail_that_rotted_is_declared_to_its_end(self):
        """M-CONV-19: with nothing readable behind it, all is declared."""
        self.owe()
        self.flash.rot(32 + 42 * 4 + 20, 0x11)
        self.assertEqual((self.held.next_held(15), self.held.take_lost()), (0, (15, 15)))

    def test_owed_numbers_that_a_gap_declares_are_not_declared_again(self):
        """M-CONV-19: a gap right behind a hole accounts for what it says, and for nothing else."""
        exact = {"first": 16, "last": 20, "cause": 6}
        cases = [
            (exact, 16, None),
            ({"first": 18, "last": 20, "cause": 6}, 16, (16, 17)),
            ({"first": 16, "last": 19, "cause": 2}, 16, (16, 20)),
            ({"epoch": b"else", "first": 16, "last": 20, "cause": 3}, 16, (16, 20)),
            (b"\xff", 16, (16, 20)),
        ]
        for gap, seq, lost in cases:
            with self.subTest(str(gap)):
                self.setUp()
                self.owe((21, gap))
                self.held.ahead = 25
                self.assertEqual((self.held.next_held(seq), self.held.take_lost()), (21, lost))

    def test_losses_are_joined_until_taken(self):
        """Two losses before one is taken are declared as one range."""
        self.held._note_lost(3, 5, CAUSE_OVERWRITTEN)
        self.held._note_lost(6, 9, CAUSE_OVERWRITTEN)
        self.held._note_lost(4, 8, CAUSE_OVERWRITTEN)

        self.assertEqual(self.held.take_lost(), (3, 9))

    def test_nothing_is_missing_behind_the_highest(self):
        """Behind the newest record there is no hole."""
        self.assertFalse(self.held.hole_after(15))
        self.assertTrue(self.held.hole_after(3))
