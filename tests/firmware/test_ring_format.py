"""Sectors and records on flash: what is written reads back, what is not whole is not taken."""

import struct
import unittest

from weldgate_firmware.ring_format import CLEAN, DIRTY, LIVE, RECORD_HEADER, SECTOR_HEADER, UNREADABLE, RingSectors
from weldgate_simulator.flash import VirtualFlash

SECTOR = 512
EPOCH = b"epo!"


def frame(seq, payload=20):
    """Return a raw frame."""
    head = struct.pack(">BB8s4sIIHH", 0x28, 0x44, b"\0" * 7 + b"\7", EPOCH, seq, 1700000000, 0, payload)
    return head + bytes(payload) + b"tagtagta"


class Recording(VirtualFlash):
    """A flash that remembers what was programmed."""

    def program(self, offset, data):
        self.programmed = getattr(self, "programmed", []) + [(offset, bytes(data))]
        super().program(offset, data)


class TestRingFormat(unittest.TestCase):
    """One sector, by hand."""

    def setUp(self):
        """Give each test a ring of two sectors, the first clean."""
        self.flash = VirtualFlash(3, SECTOR)
        self.sectors = RingSectors(self.flash, 1, 2)
        self.sectors.erase(0, 5)

    def write(self, count):
        """Open the first sector and write records 1 to `count`; return their offsets."""
        self.sectors.open(0, EPOCH, 9, 1)
        offsets = []
        at = SECTOR_HEADER
        for seq in range(1, count + 1):
            offsets.append(at)
            at = self.sectors.write(0, at, frame(seq))
        return offsets

    def test_header_goes_from_dirty_to_clean_to_live_to_dirty(self):
        """Erase, open and kill are the three steps of a sector's life, and examine tells them apart."""
        self.assertEqual((self.sectors.examine(0), self.sectors.erases), (CLEAN, 5))
        self.assertEqual(self.sectors.examine(1), DIRTY)
        self.sectors.open(0, EPOCH, 9, 77)
        self.assertEqual(self.sectors.examine(0), LIVE)
        self.assertEqual((self.sectors.epoch, self.sectors.order, self.sectors.first), (EPOCH, 9, 77))
        self.sectors.kill(0)
        self.assertEqual((self.sectors.examine(0), self.sectors.killed()), (DIRTY, True))

    def test_torn_header_is_dirty(self):
        """A header of which some bytes were programmed is neither clean nor live."""
        self.flash.data[SECTOR + 12] = 0x65

        self.assertEqual(self.sectors.examine(0), DIRTY)

    def test_header_that_cannot_be_read_is_told(self):
        """A sector that the driver can't read is unreadable, not dirty: nobody may erase it."""
        self.flash.unreadable = [1]

        self.assertEqual(self.sectors.examine(0), UNREADABLE)
        self.assertEqual(self.sectors.probe(0, SECTOR_HEADER), -1)
        self.assertFalse(self.sectors.seek(0, SECTOR_HEADER, 0, EPOCH))

    def test_layout_of_a_record(self):
        """A record is commit 00, check byte, length, CRC-32 and the raw frame, as the module says."""
        (at,) = self.write(1)

        record = bytes(self.flash.data[SECTOR + at : SECTOR + at + RECORD_HEADER + 54])
        self.assertEqual((record[0], record[2:4], record[8:]), (0, b"\0\x36", frame(1)))

    def test_commit_byte_is_programmed_last_and_alone(self):
        """The whole record is on flash with its commit byte FF before that byte is cleared."""
        self.flash = Recording(3, SECTOR)
        self.sectors = RingSectors(self.flash, 1, 2)
        self.sectors.erase(0, 5)
        at = SECTOR + self.write(1)[0]

        first, last = self.flash.programmed[-2:]
        self.assertEqual((first[0], first[1][0], first[1][RECORD_HEADER:]), (at, 0xFF, frame(1)))
        self.assertEqual(last, (at, b"\0"))

    def test_rotten_record_is_passed_over(self):
        """A committed record of which one bit has changed is not there, and the next one is."""
        at = self.write(3)[1]
        self.flash.rot(SECTOR + at + RECORD_HEADER + 30, 1)

        self.assertTrue(self.sectors.seek(0, SECTOR_HEADER, 2, EPOCH))
        self.assertEqual(self.sectors.seq, 3)

    def test_uncommitted_record_is_not_taken(self):
        """A record whose commit byte has one bit left is not there."""
        at = self.write(3)[1]
        self.flash.data[SECTOR + at] = 0x01

        self.assertTrue(self.sectors.seek(0, SECTOR_HEADER, 2, EPOCH))
        self.assertEqual(self.sectors.seq, 3)

    def test_other_epoch_is_not_taken(self):
        """A record of another epoch is not there."""
        self.write(1)

        self.assertFalse(self.sectors.seek(0, SECTOR_HEADER, 0, b"else"))

    def test_end_is_behind_the_last_record(self):
        """A search past the last record tells where the free part begins."""
        last = self.write(3)[-1]

        self.assertFalse(self.sectors.seek(0, SECTOR_HEADER, 4, EPOCH))
        self.assertEqual(self.sectors.end, last + RECORD_HEADER + 54)

    def test_load_checks_what_it_copies(self):
        """A record that changed between probe and load, or can't be read, is not given."""
        at = self.write(1)[0]
        buf = bytearray(100)
        n = self.sectors.probe(0, at)
        self.assertTrue(self.sectors.load(0, at, n, buf))
        self.flash.rot(SECTOR + at + 30, 1)
        self.assertFalse(self.sectors.load(0, at, n, buf))
        self.flash.unreadable = [1]
        self.assertFalse(self.sectors.load(0, at, n, buf))
        self.assertFalse(self.sectors.intact(0, at, n, EPOCH))
