"""Checked flash operations: nothing counts as written before it was read back."""

import unittest
from binascii import crc32

from weldgate_firmware.flash_io import FlashIo
from weldgate_simulator.flash import VirtualFlash

SECTOR = 512


class TestFlashIo(unittest.TestCase):
    """Program, erase, blank and CRC."""

    def setUp(self):
        """Give each test a blank flash."""
        self.flash = VirtualFlash(2, SECTOR)
        self.io = FlashIo(self.flash)

    def test_program_that_took_is_silent(self):
        """Bytes longer than the scratch buffer are programmed and read back."""
        self.io.program(10, bytes(range(256)))

        self.assertEqual(bytes(self.flash.data[10:266]), bytes(range(256)))

    def test_program_over_cleared_bits_is_an_error(self):
        """A bit that should stand at 1 and is already 0 is found by reading back, wherever it is."""
        self.flash.data[200] = 0xFE

        with self.assertRaises(OSError):
            self.io.program(0, b"\xff" * 256)

    def test_erase_that_left_a_bit_is_an_error(self):
        """An erase after which a bit is still cleared is no erase."""
        worn = WornFlash(2, SECTOR)

        with self.assertRaises(OSError):
            FlashIo(worn).erase(1)
        self.io.erase(1)
        self.assertTrue(self.io.blank(SECTOR, SECTOR))

    def test_blank_looks_at_every_byte(self):
        """One cleared bit anywhere in the range, and only there, makes it not blank."""
        self.flash.data[300] = 0x7F

        self.assertFalse(self.io.blank(0, 301))
        self.assertTrue(self.io.blank(0, 300))
        self.assertTrue(self.io.blank(301, 2 * SECTOR - 301))

    def test_crc_in_place_is_that_of_the_bytes(self):
        """The CRC over flash, continued, equals the CRC over the same bytes in memory."""
        data = bytes([7 * i & 0xFF for i in range(300)])
        self.io.program(3, data)

        self.assertEqual(self.io.crc(3, 300, crc32(b"before")), crc32(b"before" + data))


class WornFlash(VirtualFlash):
    """A flash one of whose cells erases no more."""

    def erase(self, sector):
        """Erase, and leave one bit."""
        super().erase(sector)
        self.data[(sector + 1) * self.sector_size - 1] = 0xFE
