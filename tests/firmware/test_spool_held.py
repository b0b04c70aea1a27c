"""What is held and what the collector has: losses are declared once, acks count forward, a rewind counts as said."""

import struct
import unittest

from weldgate_firmware.ring_format import RingSectors
from weldgate_firmware.spool_held import CAUSE_OVERWRITTEN, CAUSE_UNREADABLE, SpoolHeld
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
