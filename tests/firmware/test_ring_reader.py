"""The cursor over a ring's records."""

import struct
import unittest

from weldgate_firmware.ring_format import RingSectors
from weldgate_firmware.ring_order import RingOrder
from weldgate_firmware.ring_reader import RingReader
from weldgate_simulator.flash import VirtualFlash

SECTOR = 256
EPOCH = b"epo!"


def frame(seq, type_=0x44):
    """Return a raw frame."""
    return struct.pack(">BB8s4sIIHH", 0x28, type_, b"\0" * 7 + b"\7", EPOCH, seq, 1700000000, 0, 0) + b"tagtagta"


class TestRingReader(unittest.TestCase):
    """Three sectors of a ring, five records each."""

    def setUp(self):
        """Write fifteen records; the number 8 is a gap."""
        self.flash = VirtualFlash(4, SECTOR)
        self.order = RingOrder(RingSectors(self.flash, 0, 4))
        self.order.mount()
        self.order.renew(EPOCH)
        for index in range(3):
            self.order.erase(index)
            self.order.open(index, 5 * index + 1)
            for seq in range(5 * index + 1, 5 * index + 6):
                self.order.write(frame(seq, 0x48 if seq == 8 else 0x44))
        self.reader = RingReader(self.order)
        self.buf = bytearray(100)

    def test_type_of_the_next_record_is_told(self):
        """`next_held` leaves the message type of what it found, found afresh or where the cursor stood."""
        self.assertEqual((self.reader.next_held(8), self.reader.type), (8, 0x48))
        self.assertEqual((self.reader.next_held(8), self.reader.type), (8, 0x48))
        self.assertEqual((self.reader.next_held(9), self.reader.type), (9, 0x44))

    def test_nothing_held_behind_the_last(self):
        """Behind the newest record, and in an empty ring, there is nothing."""
        self.assertEqual(self.reader.next_held(16), 0)
        empty = RingOrder(RingSectors(VirtualFlash(4, SECTOR), 0, 4))
        empty.mount()
        self.assertEqual(RingReader(empty).next_held(1), 0)

    def test_rot_under_the_cursor_is_noticed(self):
        """A record that rots after the cursor reached it is not read, and the next one is held."""
        self.reader.read(6, self.buf)
        self.flash.rot(SECTOR + 32 + 42 + 20, 1)

        self.assertEqual((self.reader.read(7, self.buf), self.reader.next_held(7)), (0, 8))

    def test_short_buffer_spoils_nothing(self):
        """A read into a buffer too short gives 0 and the next read is right."""
        self.assertEqual(self.reader.read(3, bytearray(10)), 0)
        self.assertEqual(bytes(self.buf[: self.reader.read(3, self.buf)]), frame(3))

    def test_record_that_took_before_its_sector_failed_is_found(self):
        """A record begun again in a new sector, and lost there, is read from the sector where it took."""
        self.order.erase(3)
        self.order.open(3, 15)

        self.assertEqual((self.reader.next_held(15), self.reader.read(15, self.buf)), (15, 34))

    def test_forget_drops_the_place(self):
        """After `forget` records are found afresh."""
        self.reader.read(1, self.buf)
        self.reader.forget()

        self.assertEqual(bytes(self.buf[: self.reader.read(2, self.buf)]), frame(2))
