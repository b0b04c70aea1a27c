"""The slots: old or new, never neither."""

import unittest

from weldgate_firmware.slots import CONFIG, KEY_SET, KINDS, REVOCATIONS, SLOT_SECTORS, Slots
from weldgate_protocol import reasons
from weldgate_protocol.errors import StorageError
from weldgate_simulator.flash import PowerCut, VirtualFlash

SECTOR = 256
OLD = b"old" * 40
NEW = b"new one" * 20


def fresh():
    """Return (flash, slots) with nothing stored."""
    flash = VirtualFlash(SLOT_SECTORS, SECTOR)
    return flash, Slots(flash, 0)


def code_of(call, *args):
    """Return the code of the StorageError that a call raises, 0 when it raises none."""
    try:
        call(*args)
    except StorageError as error:
        return error.code
    return 0


class TestSlots(unittest.TestCase):
    """Objects of each kind, two slots each."""

    def test_blank_slots_hold_nothing(self):
        """On a new chip there is no object of any kind."""
        _, slots = fresh()

        self.assertEqual([slots.load(kind) for kind in range(KINDS)], [None] * KINDS)

    def test_stored_object_is_there_after_a_reboot(self):
        """Each kind keeps its own latest object, over many replacements."""
        flash, slots = fresh()
        for i in range(5):
            slots.store(KEY_SET, bytes([i]) * 100)
            slots.store(CONFIG, bytes([i + 50]) * 10)

        again = Slots(flash, 0)

        self.assertEqual((again.load(KEY_SET), again.load(CONFIG)), (b"\4" * 100, b"\x36" * 10))
        self.assertIsNone(again.load(REVOCATIONS))
        self.assertEqual((flash.erases, flash.lost_bits), ([3, 2, 0, 0, 3, 2, 0, 0], 0))

    def test_length_is_checked(self):
        """An empty object, one longer than a slot and an unknown kind are refused and change nothing."""
        _, slots = fresh()
        slots.store(CONFIG, bytes(slots.largest))

        self.assertEqual(code_of(slots.store, CONFIG, b""), reasons.STORAGE_TOO_LONG)
        self.assertEqual(code_of(slots.store, CONFIG, bytes(slots.largest + 1)), reasons.STORAGE_TOO_LONG)
        self.assertEqual(code_of(slots.store, KINDS, b"x"), reasons.STORAGE_TOO_LONG)
        self.assertEqual(code_of(slots.load, -1), reasons.STORAGE_TOO_LONG)
        self.assertEqual(slots.load(CONFIG), bytes(SECTOR - 18))

    def test_cut_at_every_step_leaves_old_or_new(self):
        """Whatever step of a replacement is cut, the old object or the new one is whole."""
        seen = []
        for step in range(4 + 18 + len(NEW) + 1):
            flash, slots = fresh()
            slots.store(KEY_SET, OLD)
            slots.store(CONFIG, OLD)
            flash.cut_after(step)
            try:
                slots.store(KEY_SET, NEW)
            except PowerCut:
                pass
            with self.subTest(step=step):
                got = Slots(flash, 0).load(KEY_SET)
                self.assertIn(got, (OLD, NEW))
                self.assertEqual(Slots(flash, 0).load(CONFIG), OLD)
                seen.append(got)
        self.assertEqual((seen[0], seen[-1]), (OLD, NEW))

    def test_rotten_object_falls_back_to_the_former(self):
        """When the newest object rotted, the one before it is loaded."""
        flash, slots = fresh()
        slots.store(KEY_SET, OLD)
        slots.store(KEY_SET, NEW)
        flash.rot(SECTOR + 60, 1)

        self.assertEqual(Slots(flash, 0).load(KEY_SET), OLD)

    def test_failing_flash_leaves_the_old_object(self):
        """One failure is tried again; a flash that takes nothing leaves the old object and says so."""
        flash, slots = fresh()
        slots.store(KEY_SET, OLD)
        flash.fail_erases = 1
        slots.store(KEY_SET, NEW)
        self.assertEqual(slots.load(KEY_SET), NEW)
        flash.broken = [0]

        self.assertEqual(code_of(slots.store, KEY_SET, OLD), reasons.STORAGE_FAILED)
        self.assertEqual((slots.load(KEY_SET), slots.failures), (NEW, 3))
