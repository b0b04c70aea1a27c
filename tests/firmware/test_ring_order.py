"""The sectors' turn: which one is newest, next, oldest."""

import struct
import unittest

from weldgate_firmware.ring_format import CLEAN, DIRTY, LIVE, RETIRED, UNREADABLE, RingSectors
from weldgate_firmware.ring_order import RingOrder
from weldgate_simulator.flash import VirtualFlash

SECTOR = 256


def frame(seq):
    """Return a raw frame."""
    return struct.pack(">BB8s4sIIHH", 0x28, 0x44, b"\0" * 7 + b"\7", b"epo!", seq, 1700000000, 0, 0) + b"tagtagta"


class TestRingOrder(unittest.TestCase):
    """A ring of five sectors."""

    def setUp(self):
        """Give each test a ring in a new epoch, all sectors clean."""
        self.flash = VirtualFlash(5, SECTOR)
        self.order = self.ring()
        self.order.mount()
        self.order.renew(b"epo!")
        for index in range(5):
            self.order.erase(index)

    def ring(self):
        """Return a ring over the flash, not mounted."""
        return RingOrder(RingSectors(self.flash, 0, 5))

    def test_sectors_are_opened_strictly_in_turn(self):
        """Each next clean sector is the one behind the head, and after the last comes the first."""
        opened = []
        for first in range(1, 9):
            index = self.order.next_clean()
            if index < 0:
                index = self.order.next_used()
                self.order.erase(index)
            self.order.open(index, first)
            opened.append(index)

        self.assertEqual(opened, [0, 1, 2, 3, 4, 0, 1, 2])
        self.assertEqual((self.order.head, self.order.oldest()), (2, 3))
        self.assertEqual((self.order.last_of(3, 9), self.order.last_of(2, 9)), (4, 8))

    def test_mount_finds_the_same_head(self):
        """After a reboot the newest sector is the head again, wherever in the ring it stands."""
        for first in range(1, 8):
            index = self.order.next_clean()
            if index < 0:
                index = self.order.next_used()
                self.order.erase(index)
            self.order.open(index, first)
            again = self.ring()
            self.assertTrue(again.mount())
            self.assertEqual((again.head, again.epoch), (self.order.head, b"epo!"))

    def test_failed_open_leaves_no_second_newest(self):
        """A sector whose opening failed is dirty; when it took after all, the next one is still the newest."""
        self.order.open(0, 1)
        self.flash.fail_programs = 1
        self.assertFalse(self.order.open(1, 1))
        self.assertEqual(self.order.state[1], DIRTY)
        self.order.open(2, 1)
        again = self.ring()
        again.mount()

        self.assertEqual(again.head, 2)

    def test_retired_sectors_are_pardoned_as_dirty(self):
        """A sector that took no erase is retired and counts as not usable, until it is pardoned."""
        self.flash.broken = [3]
        self.assertFalse(self.order.erase(3))
        self.assertEqual((self.order.state[3], self.order.usable, self.order.clean), (RETIRED, 4, 4))
        self.order.pardon()
        self.assertEqual((self.order.state[3], self.order.usable), (DIRTY, 5))

    def test_unreadable_sector_is_never_erased(self):
        """A sector that can't be read keeps its place and is not offered for erasing."""
        self.order.open(0, 1)
        self.flash.unreadable = [1]
        again = self.ring()
        again.mount()

        self.assertEqual((again.state[1], again.usable, again.next_clean()), (UNREADABLE, 4, 2))
        for index in (2, 3, 4):
            self.assertEqual(again.state[index], CLEAN)
        self.assertEqual(again.next_used(), -1)

    def test_sector_out_of_order_is_dropped(self):
        """A sector whose numbers do not descend from the head's is not part of the ring."""
        self.order.open(0, 1)
        self.order.write(frame(1))
        self.order.open(1, 90)
        self.order.open(2, 5)
        again = self.ring()
        again.mount()

        self.assertEqual((again.head, again.state[1], again.state[0]), (2, DIRTY, LIVE))

    def test_number_that_took_before_its_sector_failed_is_not_used_again(self):
        """With the head empty and its first number in the sector before, numbers go on behind that, also later."""
        self.order.open(0, 1)
        for seq in (1, 2):
            self.order.write(frame(seq))
        self.order.open(1, 2)
        again = self.ring()
        again.mount()
        self.assertEqual(again.read_tail(), (2, 3))
        self.assertEqual(again.last_of(0, 3), 2)
        self.order.write(frame(3))
        self.order.open(2, 4)
        later = self.ring()
        later.mount()

        self.assertEqual((later.read_tail(), later.last_of(0, 4), later.first[1]), ((3, 4), 2, 3))

    def test_sectors_opened_for_nothing_do_not_hide_a_skipped_number(self):
        """With no record held, the numbers from the oldest opened sector on count as never committed."""
        self.order.open(0, 7)
        self.order.open(1, 8)
        again = self.ring()
        again.mount()

        self.assertEqual((again.read_tail(), again.first[0], again.last_of(0, 8)), ((6, 8), 8, 7))

    def test_sector_that_would_not_go_does_not_cost_a_newer_one(self):
        """Of two sectors that contradict each other the one that was given up is dropped, not the newer one."""
        self.order.open(0, 1)
        self.order.write(frame(1))
        self.order.open(4, 8)
        self.order.write(frame(8))
        self.order.open(3, 9)
        self.order.write(frame(9))
        again = self.ring()
        again.mount()

        self.assertEqual((again.head, again.state[4], again.state[0]), (3, LIVE, DIRTY))

    def test_sector_opened_in_spite_of_an_error_costs_no_record(self):
        """A sector that took its opening although flash said no, and holds nothing, hides no sector with records."""
        self.order.open(2, 1)
        self.order.write(frame(1))
        self.order.open(1, 3)
        self.order.open(0, 3)
        again = self.ring()
        again.mount()

        self.assertEqual((again.head, again.state[2], again.state[1], again.read_tail()), (0, LIVE, DIRTY, (1, 3)))

    def test_pending_counts_what_the_collector_has_not_got(self):
        """Sectors whose last number is beyond the ack are pending, the head apart."""
        for first in (1, 10, 20, 30):
            self.order.open(self.order.next_clean(), first)

        self.assertEqual([self.order.pending(acked) for acked in (0, 8, 9, 28, 29, 99)], [3, 3, 2, 1, 0, 0])

    def test_tail_that_cannot_be_read_is_torn(self):
        """When the newest sector can't be read behind its header, its next number is skipped."""
        self.order.open(0, 7)
        again = self.ring()
        again.mount()
        self.flash.unreadable = [0]

        self.assertEqual((again.read_tail(), again.write_at), ((6, 8), SECTOR))
