"""The spool survives a power cut at every single step, and any history of appends, acks, cuts, failures and rot.

The exhaustive part records every flash operation of a run over four sectors and three wraps, and then looks at the
flash as each single step would have left it: each byte half programmed, each quarter of an erase half done.
"""

from __future__ import annotations

import random as stdlib_random
import struct
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from weldgate_firmware.spool import RECORD, SESSION, TELEMETRY, Spool
from weldgate_protocol.errors import StorageError
from weldgate_protocol.reasons import STORAGE_FAILED, STORAGE_FULL
from weldgate_simulator.flash import PowerCut, VirtualFlash

SECTORS = 4
SECTOR = 256
GAP = 0x48
ARC = 0x44
DEVICE = bytes(7) + b"\7"


def frame(epoch: bytes, seq: int, type_: int = ARC, payload: bytes = b"") -> bytes:
    """Return a raw frame."""
    body = struct.pack(">BB8s4sIIHH", 0x28, type_, DEVICE, epoch, seq, 1_700_000_000, 0, len(payload))
    return body + payload + b"tagtagta"


def mounted(flash: VirtualFlash, acked: tuple[bytes, int] | None = None, seed: int = 0) -> Spool:
    """Return a spool over the whole flash, as a boot finds it."""
    spool = Spool(flash, 0, flash.sector_count, stdlib_random.Random(seed).randbytes)
    spool.mount(acked)
    return spool


class Recorder(VirtualFlash):
    """A flash that notes every operation, so that each of its steps can be cut afterwards."""

    def __init__(self) -> None:
        super().__init__(SECTORS, SECTOR)
        self.operations: list[tuple[int, bytes | None]] = []

    def program(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Note and do."""
        self.operations.append((offset, bytes(data)))
        super().program(offset, data)

    def erase(self, sector: int) -> None:
        """Note and do."""
        self.operations.append((sector, None))
        super().erase(sector)


def repeat(flash: VirtualFlash, where: int, data: bytes | None) -> None:
    """Do a noted operation again: a program, or without data an erase."""
    if data is None:
        flash.erase(where)
    else:
        flash.program(where, data)


class History:
    """What a run promised, operation by operation: frames committed and frames acknowledged."""

    def __init__(self) -> None:
        self.flash = Recorder()
        self.spool = mounted(self.flash)
        self.frames: dict[int, bytes] = {}
        self.pending: dict[int, bytes] = {}
        self.marks: list[tuple[int, int, int, int]] = []  # operations done, committed, acked, dropped through

    def run(self) -> None:
        """Write until the ring has turned three times, acknowledging most of it, once letting it overflow."""
        spool, flash = self.spool, self.flash
        dropped = 0
        draws = stdlib_random.Random(7)
        while sum(flash.erases) < 4 * SECTORS:
            raw = frame(spool.epoch, spool.next_seq, payload=draws.randbytes(draws.randrange(40)))
            self.frames[spool.next_seq] = raw
            spool.append(raw, RECORD, True)
            lost = spool.take_lost()
            if lost is not None:
                dropped = lost[1]
            self.marks.append((len(flash.operations), spool.highest, spool.acked, dropped))
            if not 30 < spool.highest < 45 and spool.highest % 3 == 0:
                spool.ack(spool.highest - 1)
                spool.service(True)
                self.marks.append((len(flash.operations), spool.highest, spool.acked, dropped))

    def states(self) -> Iterator[tuple[int, VirtualFlash]]:
        """Yield (operations done, flash) for each single step in which power may go away."""
        before = VirtualFlash(SECTORS, SECTOR)
        for index, (where, data) in enumerate(self.flash.operations):
            steps = 4 if data is None else len(data)
            for step in range(steps):
                torn = before.copy(seed=index * 4099 + step)
                torn.cut_after(step)
                with pytest.raises(PowerCut):
                    repeat(torn, where, data)
                torn.cut_after(-1)
                yield index, torn
            repeat(before, where, data)
        yield len(self.flash.operations), before


def check(spool: Spool, frames: dict[int, bytes], committed: int, acked: int, gone: int) -> None:
    """See that a mounted spool holds what was committed and not acknowledged or dropped, and reuses no number."""
    buf = bytearray(1058)
    assert committed <= spool.highest <= committed + 1
    for seq in range(max(acked, gone) + 1, committed + 1):
        assert bytes(buf[: spool.read(seq, buf)]) == frames[seq], seq
    for seq in range(1, spool.highest + 1):
        length = spool.read(seq, buf)
        assert length == 0 or bytes(buf[:length]) == frames[seq], seq
    assert spool.next_seq > spool.highest
    if spool.next_seq > spool.highest + 1:
        assert spool.skipped == (spool.highest + 1, spool.next_seq - 1) == (committed + 1, committed + 1)
    else:
        assert spool.skipped is None


def test_power_cut_at_every_single_step_recovers_a_prefix() -> None:
    """Over four sectors and three wraps, after a cut in any step, all committed frames are there and the ring goes on.

    At most the frame being written is lost; its number is skipped and declared; no number is reused for other bytes.
    """
    history = History()
    history.run()
    marks = iter([*history.marks, (1 << 30, 0, 0, 0)])
    current, upcoming = (0, 0, 0, 0), next(marks)
    count = 0
    for done, flash in history.states():
        while upcoming[0] <= done:
            current, upcoming = upcoming, next(marks)
        _, committed, acked, gone = current
        # An eviction under way has given its sector up; it is declared when the append that wanted it returns.
        gone = max(gone, upcoming[3])
        spool = mounted(flash, (history.spool.epoch, acked), seed=1)
        if spool.formatted:
            assert committed == 0
            continue
        check(spool, history.frames, committed, acked, gone)
        go_on(spool, flash, history)
        count += 1
    assert count > 3000
    assert sum(history.flash.erases) >= 4 * SECTORS
    assert history.flash.lost_bits == 0


def go_on(spool: Spool, flash: VirtualFlash, history: History) -> None:
    """Write a gap and an arc after a cut, and see that the next boot knows both."""
    frames = {seq: raw for seq, raw in history.frames.items() if seq <= spool.highest}
    for type_ in (GAP, ARC):
        raw = frame(spool.epoch, spool.next_seq, type_, b"after the cut")
        frames[spool.next_seq] = raw
        spool.append(raw, RECORD, True)
    again = mounted(flash, (spool.epoch, spool.acked), seed=2)
    assert (again.epoch, again.highest, again.next_seq, again.skipped) == (
        spool.epoch,
        spool.highest,
        spool.next_seq,
        None,
    )
    buf = bytearray(1058)
    for seq in (spool.highest - 1, spool.highest):
        assert bytes(buf[: again.read(seq, buf)]) == frames[seq]


class SpoolHistory(RuleBasedStateMachine):
    """Any order of appends, acks, services, reboots, power cuts, failures and rot against a dictionary of frames.

    `sent` holds every frame whose bytes could have been seen outside: committed ones. The promise: a number in it is
    never read back with other bytes, and what is neither acknowledged, dropped, rotten nor skipped can be read.
    """

    @initialize(sectors=st.integers(4, 7))
    def begin(self, sectors: int) -> None:
        """Start with blank flash."""
        self.flash = VirtualFlash(sectors, SECTOR)
        self.spool = mounted(self.flash)
        self.sent: dict[int, bytes] = {}
        self.spent: dict[int, bytes] = {}
        self.missing: set[int] = set()

    def _frame(self, payload: bytes) -> bytes:
        type_ = GAP if self.spool.skipped is not None else ARC
        return frame(self.spool.epoch, self.spool.next_seq, type_, payload)

    def _append(self, number: int, raw: bytes, priority: int, may_erase: bool) -> int:
        """Append, and give the code of the refusal or 0; note what was sent, or spent without being committed."""
        try:
            self.spool.append(raw, priority, may_erase)
        except StorageError as error:
            if self.spool.next_seq > number:
                self.spent[number] = raw
            return error.code
        self.sent[number] = raw
        return 0

    def _mount(self) -> None:
        """Boot. A spent number may come to light, with the bytes it was spent on and no others."""
        self.spool = mounted(self.flash, (self.spool.epoch, self.spool.acked), seed=self.flash.programs)
        buf = bytearray(1058)
        for number, raw in self.spent.items():
            length = self.spool.read(number, buf)
            if length:
                assert bytes(buf[:length]) == raw
                self.sent[number] = raw
        self.spent.clear()

    def _note_lost(self) -> None:
        lost = self.spool.take_lost()
        if lost is not None:
            self.missing.update(range(lost[0], lost[1] + 1))

    @rule(
        payload=st.binary(max_size=120), priority=st.sampled_from([TELEMETRY, SESSION, RECORD]), may_erase=st.booleans()
    )
    def append(self, payload: bytes, priority: int, may_erase: bool) -> None:
        """Append a frame; a refusal spends a number only when flash failed."""
        number, raw = self.spool.next_seq, self._frame(payload)
        erases = sum(self.flash.erases)
        code = self._append(number, raw, priority, may_erase)
        assert code in (0, STORAGE_FULL, STORAGE_FAILED)
        assert not (priority == RECORD and may_erase and code == STORAGE_FULL)
        assert code == 0 or self.spool.next_seq == number or (code == STORAGE_FAILED and self.spool.skipped is not None)
        assert may_erase or sum(self.flash.erases) == erases
        self._note_lost()

    @rule(back=st.integers(0, 5))
    def ack(self, back: int) -> None:
        """The collector acknowledges, and never forgets what it had."""
        self.spool.ack(max(0, self.spool.highest - back))

    @rule()
    def service(self) -> None:
        """Erase ahead."""
        self.spool.service(True)

    @rule()
    def reboot(self) -> None:
        """Mount anew, nothing torn."""
        before = self.spool
        highest, next_seq = before.highest, before.next_seq
        self._mount()
        if highest:
            assert self.spool.epoch == before.epoch
            assert highest <= self.spool.highest < next_seq
            assert highest < self.spool.next_seq <= next_seq
        elif self.spool.formatted:
            self.sent.clear()

    @rule(payload=st.binary(max_size=120), steps=st.integers(0, 500))
    def cut(self, payload: bytes, steps: int) -> None:
        """Cut power somewhere in an append or the erases it needs."""
        number, raw = self.spool.next_seq, self._frame(payload)
        self.flash.cut_after(steps)
        try:
            self.spool.service(True)
            self._append(number, raw, RECORD, True)
        except PowerCut:
            self.spent[number] = raw
        self.flash.cut_after(-1)
        self._note_lost()
        first = self.spool.next_seq
        self._mount()
        assert not (self.spool.formatted and self.sent)
        assert self.spool.formatted or max(self.sent, default=0) < self.spool.next_seq <= first + 1

    @rule(count=st.integers(1, 12))
    def fail(self, count: int) -> None:
        """Let the next operations fail."""
        self.flash.fail_programs = count
        self.flash.fail_erases = count // 4

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def collector_goes_back(self, data: st.DataObject) -> None:
        """A restored collector asks for older frames, and has them again."""
        high = data.draw(st.integers(0, self.spool.highest))
        following = self.spool.rewind(high)
        assert following == 0 or following > high
        self.spool.take_lost()
        self.spool.ack(self.spool.highest)

    @invariant()
    def every_frame_reads_as_it_was_sent(self) -> None:
        """No number is ever read back with other bytes, and nothing unacknowledged is missing undeclared."""
        if not hasattr(self, "spool"):
            return
        buf = bytearray(1058)
        for seq, raw in self.sent.items():
            length = self.spool.read(seq, buf)
            assert length == 0 or bytes(buf[:length]) == raw
            assert length or seq <= self.spool.acked or seq in self.missing, seq


SpoolHistory.TestCase.settings = settings(max_examples=200, stateful_step_count=50, deadline=None, derandomize=True)
TestSpoolHistory = SpoolHistory.TestCase


@settings(max_examples=150, deadline=None)
@given(content=st.binary(min_size=64, max_size=SECTOR * 2), where=st.integers(0, SECTOR * 2), seed=st.integers(0, 99))
def test_any_bytes_on_flash_mount_without_another_error(content: bytes, where: int, seed: int) -> None:
    """Whatever stands on flash, a mount ends, and the ring can be written after it."""
    flash = VirtualFlash(SECTORS, SECTOR)
    spool = mounted(flash)
    while spool.service(True):
        pass
    for _ in range(9):
        spool.append(frame(spool.epoch, spool.next_seq, payload=b"some bytes"), RECORD, True)
    flash.data[where : where + len(content)] = content
    del flash.data[SECTORS * SECTOR :]

    again = mounted(flash, None, seed)

    again.append(frame(again.epoch, again.next_seq, GAP), RECORD, True)
    buf = bytearray(1058)
    assert again.read(again.highest, buf) == 34
    assert mounted(flash, None, seed + 1).highest == again.highest
