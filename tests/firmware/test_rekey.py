"""Rekeying: the next generation's keys by a signed order, both kept on flash at any power cut, the old ones gone."""

import os
import sys
import unittest

sys.path.append(os.getenv("WELDGATE_VECTORS", "tests/vectors") + "/../firmware")  # tests are no package

from board_double import new_identity
from driver_world import SECTOR_BYTES, SECTORS, World

from weldgate_firmware import identity as identities
from weldgate_firmware.slots import IDENTITY
from weldgate_firmware.storage import Storage
from weldgate_protocol import frame, keys, messages, reasons
from weldgate_protocol._compat import HmacKey
from weldgate_simulator.flash import PowerCut, VirtualFlash

UP, DOWN, SEAL = b"U" * 32, b"D" * 32, b"S" * 32
OLD = new_identity(area="410184")
ORDER = b"rekey-01"


def wrapped(generation=1, order=ORDER, k_seal=OLD.k_seal):
    """Return the new keys as the order brings them."""
    return keys.wrap(k_seal, order, generation, UP + DOWN + SEAL)


def provisioned():
    """Return a flash that holds the old identity in both slots."""
    flash = VirtualFlash(SECTORS, SECTOR_BYTES)
    slots = Storage(flash, lambda n: bytes(n)).slots
    slots.store(IDENTITY, identities.encode(OLD))
    slots.store(IDENTITY, identities.encode(OLD))
    return flash


def stored(flash):
    """Return the identity that counts on a flash."""
    return identities.decode(Storage(flash, lambda n: bytes(n)).slots.load(IDENTITY))


class TestRekey(unittest.TestCase):
    """One chip."""

    def setUp(self):
        self.world = World(provisioned(), identity=OLD).settle()

    def rekey(self, generation=1, data=None, name="rekey-01"):
        self.world.order(name, messages.REKEY, version=generation, wrapped=data or wrapped(generation))

    def reason(self):
        return self.world.last(messages.ORDER_RESULT).get("reason")

    def test_the_new_keys_are_on_flash_and_the_chip_begins_anew(self):
        """M-KEY-05: the identity has keys and generation of the order, all else stays, and the app is to restart."""
        self.rekey()
        new = stored(self.world.flash)

        self.assertEqual(self.reason(), None)
        self.assertEqual((new.k_up, new.k_down, new.k_seal, new.generation), (UP, DOWN, SEAL, 1))
        self.assertEqual((new.device, new.roots, new.area, new.profile), (OLD.device, OLD.roots, OLD.area, OLD.profile))
        self.assertTrue(self.world.driver.core.restart)

    def test_records_of_both_generations(self):
        """M-KEY-05: what was spooled keeps its tag and parity; after the restart records bear the new ones."""
        self.rekey()
        self.world.settings["identity"] = stored(self.world.flash)
        self.world.power_cut()
        self.world.run(2000)
        spool = self.world.storage.spool
        parities = []
        for seq in range(1, spool.highest + 1):
            buffer = bytearray(1058)
            raw = bytes(buffer[: spool.read(seq, buffer)])
            parities.append(frame.parse(raw).parity)
            self.assertTrue(frame.tag_matches(raw, HmacKey(UP if parities[-1] else OLD.k_up)))

        self.assertEqual(parities, sorted(parities))
        self.assertEqual((parities[0], parities[-1]), (0, 1))

    def test_the_old_keys_leave_the_flash(self):
        """M-KEY-05: afterwards no slot holds a key of the old generation, so rot brings none back."""
        self.assertIn(OLD.k_seal, bytes(self.world.flash.data))
        self.rekey()

        for key in (OLD.k_up, OLD.k_down, OLD.k_seal):
            self.assertTrue(key not in bytes(self.world.flash.data))

    def test_power_cut_at_any_step(self):
        """M-KEY-05: wherever power goes, the identity is the old one or the new one, whole."""
        start = self.world.flash.copy()
        before = self.world.flash.steps
        self.rekey()
        total = self.world.flash.steps - before
        met = set()
        for cut in range(0, total, max(total // 40, 1)):
            world = World(start.copy(), identity=OLD)
            world.run(100)
            world.flash.cut_after(cut)
            self.world = world
            try:
                self.rekey()
            except PowerCut:
                pass
            world.flash.cut_after(-1)
            found = stored(world.flash.copy(cut + 1))
            met.add(found.generation)
            if found.generation == 0:
                self.assertEqual(identities.encode(found), identities.encode(OLD))
            else:
                self.assertEqual((found.k_up, found.k_down, found.k_seal), (UP, DOWN, SEAL))
        self.assertEqual(met, {0, 1})

    def test_keys_that_were_not_wrapped_for_this_chip_change_nothing(self):
        """M-KEY-04: a holder of a signing key alone, who does not know K_seal, cannot put other keys in."""
        for data in (wrapped(k_seal=bytes(32)), wrapped(order=b"rekey-02"), wrapped(2), bytes(112)):
            self.world = World(provisioned(), identity=OLD).settle()
            self.rekey(data=data)
            self.assertEqual(self.reason(), reasons.ORDER_SIGNATURE)
            self.assertEqual(stored(self.world.flash).generation, 0)
            self.assertFalse(self.world.driver.core.restart)

    def test_it_waits_for_the_relay_to_open(self):
        """No slot is written under a session: the order is carried out when it has ended."""
        self.world.live()
        self.rekey()
        self.assertEqual(stored(self.world.flash).generation, 0)
        self.world.driver.stop()
        self.world.run(3000)

        self.assertEqual(stored(self.world.flash).generation, 1)

    def test_flash_that_fails(self):
        """Flash that does not take the new identity keeps the old one, and the order is answered so."""
        self.world.flash.broken = [6, 7]
        self.rekey()
        self.assertEqual(self.reason(), reasons.STORAGE_FAILED)
        self.assertFalse(self.world.driver.core.restart)
        self.assertEqual(stored(self.world.flash).generation, 0)

    def test_the_same_order_again(self):
        """M-ORD-18: after the restart the order's generation is in force, so it is refused as old."""
        self.rekey()
        self.world.settings["identity"] = stored(self.world.flash)
        self.world.power_cut()
        self.world.run(1000)

        self.assertEqual(self.world.driver._trust.versions[b"rekey"], 1)
        self.rekey()
        self.assertEqual(self.reason(), reasons.ORDER_VERSION_OLD)


if __name__ == "__main__":
    unittest.main()
