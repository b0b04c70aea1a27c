"""Power cut at every single step of a ring of four sectors that wraps three times: each byte programmed, each erase.

The run is noted operation by operation; then flash is looked at as every step would have left it. On both interpreters.
"""

import struct
import unittest

from weldgate_firmware.spool import RECORD, Spool
from weldgate_simulator.flash import PowerCut, VirtualFlash

SECTORS = 4
SECTOR = 192
WRAPS = 3
GAP = 0x48
ARC = 0x44


def random(n):
    """Return n bytes that stand for a random draw."""
    return bytes(range(0xA0, 0xA0 + n))


def frame(spool, type_=ARC):
    """Return a raw frame with the number the spool wants next; its length varies."""
    seq = spool.next_seq
    payload = seq % 3
    body = struct.pack(">BB8s4sIIHH", 0x28, type_, b"\0" * 7 + b"\7", spool.epoch, seq, 1700000000, 0, payload)
    return body + bytes([(seq + i) & 0xFF for i in range(payload)]) + b"tagtagta"


class Noted(VirtualFlash):
    """A flash that notes every operation: (offset, bytes), or (sector, None) for an erase."""

    def __init__(self):
        super().__init__(SECTORS, SECTOR)
        self.noted = []

    def program(self, offset, data):
        """Note and do."""
        self.noted.append((offset, bytes(data)))
        super().program(offset, data)

    def erase(self, sector):
        """Note and do."""
        self.noted.append((sector, None))
        super().erase(sector)


def repeat(flash, where, data):
    """Do a noted operation again."""
    if data is None:
        flash.erase(where)
    else:
        flash.program(where, data)


def mounted(flash, acked):
    """Return a spool over the whole flash, as a boot finds it."""
    spool = Spool(flash, 0, SECTORS, random)
    spool.mount(acked)
    return spool


class TestEveryStep(unittest.TestCase):
    """What a boot finds, wherever the power went."""

    def run_until_wrapped(self):
        """Write until the ring has turned three times; note what was promised after which operation."""
        flash = Noted()
        spool = mounted(flash, None)
        self.frames = {}
        marks = []  # operations done, committed, acknowledged, given up through
        lost = 0
        while sum(flash.erases) < (WRAPS + 1) * SECTORS:
            self.frames[spool.next_seq] = frame(spool)
            spool.append(self.frames[spool.next_seq], RECORD, True)
            gone = spool.take_lost()
            lost = gone[1] if gone is not None else lost
            if not 8 < spool.highest < 24 and spool.highest % 3 == 0:  # once it overflows
                marks.append((len(flash.noted), spool.highest, spool.highest - 1, lost))
                spool.ack(spool.highest - 1)
                spool.service(True)
            marks.append((len(flash.noted), spool.highest, spool.acked, lost))
        self.assertEqual(flash.lost_bits, 0)
        self.assertTrue(lost > 0)
        return flash.noted, marks, spool.epoch

    def found(self, flash, epoch, promised, giving_up):
        """See that a boot holds all that was promised, that nothing else took its number, and that the ring goes on."""
        _, committed, acked, lost = promised
        spool = mounted(flash, (epoch, acked))
        if spool.formatted:
            self.assertEqual(committed, 0)
            return
        self.assertTrue(committed <= spool.highest <= committed + 1)
        buf = bytearray(80)
        for seq in range(1, spool.highest + 1):
            length = spool.read(seq, buf)
            if length or seq > max(acked, lost, giving_up):
                self.assertEqual(bytes(buf[:length]), self.frames[seq])
        if spool.next_seq > spool.highest + 1:
            self.assertEqual(spool.skipped, (committed + 1, committed + 1))
        else:
            self.assertEqual(spool.skipped, None)
        raw = frame(spool, GAP)
        spool.append(raw, RECORD, True)
        self.assertEqual(bytes(buf[: spool.read(spool.highest, buf)]), raw)

    def test_every_step_of_three_wraps(self):
        """After a cut in any step all committed frames are there; one number at most is skipped, and it is declared."""
        noted, marks, epoch = self.run_until_wrapped()
        before = VirtualFlash(SECTORS, SECTOR)
        steps = 0
        mark = 0
        promised = (0, 0, 0, 0)
        for index, (where, data) in enumerate(noted):
            while mark < len(marks) and marks[mark][0] <= index:
                promised = marks[mark]
                mark += 1
            giving_up = marks[mark][3] if mark < len(marks) else promised[3]
            for step in range(4 if data is None else len(data)):
                torn = before.copy(index * 4099 + step)
                torn.cut_after(step)
                try:
                    repeat(torn, where, data)
                    self.fail("no cut")
                except PowerCut:
                    torn.cut_after(-1)
                self.found(torn, epoch, promised, giving_up)
                steps += 1
            repeat(before, where, data)
        self.assertTrue(steps > 1500)
        self.assertTrue(sum(before.erases) > WRAPS * SECTORS)

    def test_wear_is_level(self):
        """Over thirty wraps with a boot in each no sector is erased more than twice more often than another."""
        flash = VirtualFlash(8, SECTOR)
        spool = Spool(flash, 0, 8, random)
        spool.mount(None)
        while sum(flash.erases) < 30 * 8:
            spool.append(frame(spool), RECORD, True)
            spool.ack(spool.highest)
            while spool.service(True):
                pass
            if spool.highest % 17 == 0:
                spool = Spool(flash, 0, 8, random)
                spool.mount(None)
        self.assertTrue(max(flash.erases) - min(flash.erases) <= 2)


if __name__ == "__main__":
    unittest.main()
