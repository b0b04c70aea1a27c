"""The partition as a whole: layout, coming up, and what one boot leaves for the next."""

import struct
import unittest

from weldgate_firmware import storage as storage_module
from weldgate_firmware.log import LATCH
from weldgate_firmware.slots import KEY_SET
from weldgate_firmware.spool import RECORD, SESSION
from weldgate_firmware.storage import RING_FIRST, Storage
from weldgate_protocol import reasons
from weldgate_protocol.errors import StorageError
from weldgate_simulator.flash import VirtualFlash


def random(n):
    """Return n bytes that stand for a random draw."""
    return bytes(range(0xA0, 0xA0 + n))


def booted(flash):
    """Return a storage after mount and all service."""
    storage = Storage(flash, random)
    storage.mount()
    while storage.service(True):
        pass
    return storage


def frame(spool):
    """Return the next raw frame."""
    head = struct.pack(">BB8s4sIIHH", 0x28, 0x44, b"\0" * 7 + b"\7", spool.epoch, spool.next_seq, 1700000000, 0, 20)
    return head + bytes(20) + b"tagtagta"


class TestStorage(unittest.TestCase):
    """Slots, log and ring on one flash."""

    def test_layout_is_that_of_the_file(self):
        """The default partition has 80 sectors: 8 of slots, 8 of log, 64 of ring."""
        self.assertEqual((storage_module.LOG_FIRST, RING_FIRST, storage_module.PARTITION_SECTORS), (8, 16, 80))

    def test_small_partition_is_refused(self):
        """A partition without room for a ring of four sectors is refused."""
        with self.assertRaises(StorageError) as caught:
            Storage(VirtualFlash(RING_FIRST + 3, 512), random)
        self.assertEqual(caught.exception.code, reasons.STORAGE_TOO_LONG)

    def test_parts_do_not_touch_each_other(self):
        """What is written to slots, log and spool is all there after the next boot."""
        flash = VirtualFlash(RING_FIRST + 6, 2048)
        storage = booted(flash)
        storage.slots.store(KEY_SET, b"keys" * 50)
        storage.log.put(LATCH, b"\0\x96", b"12345678")
        for _ in range(100):
            storage.spool.append(frame(storage.spool), RECORD, True)

        again = booted(flash)

        self.assertEqual(again.slots.load(KEY_SET), b"keys" * 50)
        self.assertEqual(again.log.get(LATCH, b"12345678"), b"\0\x96")
        self.assertEqual((again.spool.highest, again.spool.formatted), (100, False))
        self.assertEqual(flash.lost_bits, 0)

    def test_acked_is_remembered(self):
        """What the collector had is known after a boot, as far as it was saved."""
        flash = VirtualFlash(RING_FIRST + 6, 2048)
        storage = booted(flash)
        for _ in range(3):
            storage.spool.append(frame(storage.spool), RECORD)
        storage.spool.ack(2)
        storage.save_acked()
        storage.spool.ack(3)

        self.assertEqual(booted(flash).spool.acked, 2)

    def test_session_is_admitted_when_flash_is_ready(self):
        """A new flash admits no session before service, and one after it."""
        storage = Storage(VirtualFlash(RING_FIRST + 6, 4096), random)
        storage.mount()

        self.assertEqual(storage.admits_session(), reasons.GATE_SPOOL_FULL)
        while storage.service(True):
            pass
        self.assertEqual(storage.admits_session(), 0)
        self.assertFalse(storage.service(False))

    def test_an_operation_blocks_as_long_as_real_flash(self):
        """An append blocks for two programs, and with the relay closed nothing blocks longer than 40 ms."""
        spent = []
        flash = VirtualFlash(RING_FIRST + 6, 4096, charge=spent.append)
        storage = booted(flash)
        storage.spool.append(frame(storage.spool), RECORD)
        for _ in range(60):
            del spent[:]
            storage.spool.append(frame(storage.spool), SESSION)
            self.assertTrue(sum(spent) <= 9)
        del spent[:]
        storage.log.put(LATCH, b"\0\x96", b"12345678")
        self.assertEqual(sum(spent), 6)
