"""Reading facts back: whole, torn, damaged, blank."""

import unittest

from weldgate_firmware.fact_reader import AREA_HEADER, FactReader, bits_cleared
from weldgate_firmware.facts import FactLog
from weldgate_simulator.flash import VirtualFlash

SECTOR = 512


class TestFactReader(unittest.TestCase):
    """One log, written by `facts`, read as each accident leaves it."""

    def setUp(self):
        """Write three facts into the second area."""
        self.flash = VirtualFlash(2, SECTOR)
        log = FactLog(self.flash, 0, 1, 5)
        log.mount()
        log.prepare()
        log.rewrite([])
        for kind, key, value in ((1, b"key1", b"one"), (2, b"key2", b"two"), (1, b"key3", b"three")):
            log.put(kind, key, value)
        self.end = log.end

    def mounted(self):
        """Return the log as a boot finds it."""
        reader = FactReader(self.flash, 0, 1)
        reader.mount()
        return reader

    def test_whole_log_is_read(self):
        """All facts are found by kind and key, in the order of writing, and the end is right."""
        reader = self.mounted()

        self.assertEqual(list(reader.facts(1)), [(1, b"key1", b"one"), (1, b"key3", b"three")])
        self.assertEqual((reader.get(2, b"key2"), reader.get(2, b"key1"), reader.held(1)), (b"two", None, 2))
        self.assertEqual((reader.torn, reader.damaged, reader.blank, reader.end), (False, False, False, self.end))

    def test_torn_tail_is_not_damage(self):
        """Some bytes behind the last fact make the tail torn; nothing confirmed is missing."""
        self.flash.data[SECTOR + self.end + 1] = 0x12
        reader = self.mounted()

        self.assertEqual((reader.torn, reader.damaged, reader.count), (True, False, 3))

    def test_rot_in_the_middle_is_damage(self):
        """An entry that can't be read, with a whole one behind it, is damage; the others are found."""
        self.flash.rot(SECTOR + AREA_HEADER + 13 + 3, 0x10)
        reader = self.mounted()

        self.assertEqual((reader.damaged, reader.torn, reader.count), (True, False, 2))
        self.assertEqual(reader.get(1, b"key3"), b"three")

    def test_impossible_length_is_not_followed(self):
        """An entry whose length leads beyond the area is not read."""
        self.flash.data[SECTOR + AREA_HEADER : SECTOR + AREA_HEADER + 2] = b"\x1f\xfd"
        reader = self.mounted()

        self.assertEqual((reader.damaged, reader.count), (True, 2))

    def test_blank_flash_is_blank_and_other_bytes_are_damage(self):
        """Without a header that counts, erased flash holds no facts, and anything else is damage."""
        self.flash = VirtualFlash(2, SECTOR)
        self.assertEqual((self.mounted().blank, self.mounted().damaged), (True, False))
        self.flash.data[300] = 0
        self.assertEqual((self.mounted().blank, self.mounted().damaged), (False, True))

    def test_giving_up_is_damage(self):
        """A log given up holds nothing and says that it is damaged."""
        reader = self.mounted()
        reader.give_up()

        self.assertEqual((reader.damaged, reader.count, reader.get(1, b"key1")), (True, 0, None))

    def test_bits_are_counted(self):
        """The zero bits of a counter's field are counted, in any order."""
        for field, zeros in ((b"\xff\xff", 0), (b"\xfe\x7f", 2), (b"\x00\xf0", 12), (b"\xaa", 4)):
            self.assertEqual(bits_cleared(field), zeros)
