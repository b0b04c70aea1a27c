"""The chip's chain: sealed where it is due, found again after a boot, right at any power cut."""

import unittest

from weldgate_firmware import spool as spools
from weldgate_firmware.records import Recorder
from weldgate_firmware.seals import Seals
from weldgate_firmware.spool import Spool
from weldgate_protocol import frame, messages, seal
from weldgate_protocol._compat import HmacKey
from weldgate_protocol.errors import StorageError
from weldgate_simulator.flash import PowerCut, VirtualFlash

DEVICE = b"\0\0\0\0\0\0\0\x07"
K_UP = HmacKey(b"u" * 32)
K_SEAL = HmacKey(b"s" * 32)
STOP = {
    "token": b"token-01", "cause": 120, "powered_s": 60, "arc_ms": 0, "arcs": 0, "strikes": 0, "peak_ma": 0,
    "charge_mah": 0, "synthesised": False,
}  # fmt: skip


class Clock:
    """A clock that stands still."""

    def stamp(self, ago_ms=0):
        return 1700000000, 0, 2


class Chip:
    """A recorder on a small ring."""

    def __init__(self, flash, random=0):
        self.flash = flash
        self._random = random
        self.boot()

    def boot(self):
        """Mount what flash holds."""
        self.flash.cut_after(-1)
        self.spool = Spool(self.flash, 0, self.flash.sector_count, self.random)
        self.spool.mount()
        self.seals = Seals(K_SEAL)
        self.recorder = Recorder(self.spool, K_UP, DEVICE, 0, Clock(), self.seals)
        return self

    def random(self, n):
        self._random += 1
        return bytes([self._random]) * n

    def write(self, count=1, type_=messages.POWER_OFF, fields=None):
        """Write records of one type."""
        for _ in range(count):
            self.recorder.write(type_, fields or {}, spools.RECORD, True)

    def raws(self):
        """Return all frames of the ring, oldest first."""
        found = []
        buffer = bytearray(1058)
        seq = self.spool.next_held(1)
        while seq:
            found.append(bytes(buffer[: self.spool.read(seq, buffer)]))
            seq = self.spool.next_held(seq + 1) if seq < self.spool.highest else 0
        return found


def judge(raws):
    """Return (seals that match, seals over an empty chain after the first, numbers of records with a wrong seal).

    A judge of its own: the issuer's is not for this interpreter.
    """
    good, anew, wrong = 0, 0, []
    chain = earlier = None
    before = 0
    for raw in raws:
        seq = int.from_bytes(raw[14:18], "big")
        given_from = seal.never_given(raw) or seq
        if given_from == before:
            chain = earlier
        borne = seal.seal_of(raw)
        if borne:
            head = seal.head_of(raw)
            if chain is not None and seal.make(K_SEAL, chain, head) == borne:
                good += 1
            elif seal.make(K_SEAL, seal.CHAIN_START, head) == borne:
                anew += chain is not None or before > 0
                good += 1
            else:
                wrong.append(seq)
        elif seal.due(raw[1], seq, given_from - 1):
            wrong.append(seq)
        earlier = seal.CHAIN_START if borne else chain
        chain = seal.fold(seal.CHAIN_START if borne or chain is None else chain, raw)
        before = seq
    return good, anew, wrong


class TestSeals(unittest.TestCase):
    """One chip's records and their seals."""

    def setUp(self):
        self.chip = Chip(VirtualFlash(40, 2048))

    def sealed(self):
        """Return the numbers of the records that bear a seal."""
        return [int.from_bytes(raw[14:18], "big") for raw in self.chip.raws() if seal.seal_of(raw)]

    def test_stops_and_every_256th_record_are_sealed(self):
        """M-SEAL-02: the first record, each session-stop and record 256 bear a seal that matches."""
        self.chip.write(5)
        self.chip.write(1, messages.SESSION_STOP, STOP)
        self.chip.write(252)

        self.assertEqual(self.sealed(), [1, 6, 256])
        self.assertEqual(judge(self.chip.raws()), (3, 0, []))
        self.assertTrue(all(frame.tag_matches(raw, K_UP) for raw in self.chip.raws()))

    def test_a_boot_goes_on_with_the_chain(self):
        """M-SEAL-04: the chain is found again from the ring, in slices, wherever in it the power went."""
        for count in (1, 2, 6, 30, 249, 1, 1, 200):
            self.chip.write(count)
            self.chip.boot()
        self.chip.write(1, messages.SESSION_STOP, STOP)

        self.assertEqual(self.sealed(), [1, 256, 491])
        self.assertEqual(judge(self.chip.raws()), (3, 0, []))

    def test_recalling_takes_slices(self):
        """A boot's first slices read eight records each, before anything is written; a queue waits for them."""
        self.chip.write(20)
        self.chip.boot()
        self.chip.recorder.note(messages.POWER_OFF, {}, spools.RECORD)

        busy = [self.chip.recorder.flush(True) for _ in range(4)]

        self.assertEqual(busy, [True, True, True, False])
        self.assertEqual(self.chip.spool.highest, 21)

    def test_a_record_that_rotted_begins_the_chain_anew(self):
        """M-SEAL-04: where the ring can't say what the chain was, the next record bears a seal over an empty one."""
        self.chip.write(5)
        raw = self.chip.raws()[2]
        self.chip.flash.rot(bytes(self.chip.flash.data).find(raw) + 20, 1)
        self.chip.boot()
        self.chip.write(2)
        self.chip.write(1, messages.SESSION_STOP, STOP)

        self.assertEqual(self.sealed(), [1, 6, 8])
        good, _, wrong = judge(self.chip.raws()[-3:])
        self.assertEqual((good, wrong), (2, []))

    def test_records_of_a_firmware_without_seals(self):
        """A ring whose records bear no seals is gone on with: the next record begins a chain."""
        body = frame.encode_body(
            frame.FLAG_DURABLE, messages.POWER_OFF, DEVICE, self.chip.spool.epoch, 1, 0, 0, b"\xa0"
        )
        self.chip.spool.append(frame.seal(body, K_UP), spools.RECORD, True)
        self.chip.boot()
        self.chip.write(2)

        self.assertEqual(self.sealed(), [2])

    def test_flash_that_fails_keeps_the_chain(self):
        """A record that flash does not take is in no chain; its number is declared by the gap that is."""
        self.chip.write(3)
        self.chip.flash.fail_programs = 9
        with self.assertRaises(StorageError):
            self.chip.write()
        self.chip.flash.fail_programs = 0
        self.chip.spool.service(True)
        self.chip.write(2)
        self.chip.boot()
        self.chip.write(1, messages.SESSION_STOP, STOP)

        self.assertEqual(judge(self.chip.raws())[1:], (0, []))

    def test_what_comes_to_light_later_is_in_no_chain(self):
        """M-SEAL-01: a half-programmed record that one boot skipped and a later one can read spoils nothing."""
        self.chip.write(3)
        half = self.chip.raws()[2]
        at = bytes(self.chip.flash.data).find(half) - 8
        commit = self.chip.flash.data[at]
        self.chip.flash.data[at] = 0xFF  # power went before the commit byte
        self.chip.boot()
        self.chip.write(2)
        self.chip.flash.data[at] = commit
        self.chip.boot()
        self.chip.write(1, messages.SESSION_STOP, STOP)

        self.assertEqual(self.sealed(), [1, 7])
        self.assertEqual(judge(self.chip.raws()), (2, 0, []))

    def test_power_cut_at_any_step(self):
        """M-SEAL-04: wherever power goes while records are written, every seal afterwards matches, none begins anew."""
        start = Chip(VirtualFlash(5, 1024))
        start.write(25)
        begin = start.flash.steps
        start.write(6)
        start.write(1, messages.SESSION_STOP, STOP)
        total = start.flash.steps - begin
        for cut in range(0, total, 5):
            chip = Chip(VirtualFlash(5, 1024))
            chip.write(25)
            chip.flash.cut_after(cut)
            try:
                chip.write(6)
                chip.write(1, messages.SESSION_STOP, STOP)
                chip.flash.cut_after(-1)
            except PowerCut:
                pass
            chip.flash = chip.flash.copy(cut + 1)
            chip.boot()
            chip.write(2)
            chip.boot()
            chip.write(1, messages.SESSION_STOP, STOP)
            if judge(chip.raws())[1:] != (0, []):
                self.fail("power cut at step %d of %d: %s" % (cut, total, judge(chip.raws())))


if __name__ == "__main__":
    unittest.main()
