"""The log survives a power cut at every single step: each fact is old or new, and what is grave is never forgotten.

As for the spool, a run is recorded operation by operation, and the flash is looked at as each single step would have
left it. A state machine then mixes puts, removals, services, cuts, failures and reboots against a plain dictionary.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from weldgate_firmware.log import ACKED, BOOT_COUNT, LATCH, LOCK, LOG_SECTORS, POWERED, SESSION, USED_ID, Log, mirrored
from weldgate_protocol.errors import StorageError
from weldgate_protocol.reasons import STORAGE_FAILED, STORAGE_FULL
from weldgate_simulator.flash import PowerCut, VirtualFlash

SECTOR = 128
Fact = tuple[int, bytes]


def mounted(flash: VirtualFlash) -> Log:
    """Return a log as a boot finds it."""
    log = Log(flash, 0)
    log.mount()
    return log


def prepare(log: Log) -> None:
    """Let the log make room and mend itself."""
    while log.service(True):
        pass


def contents(log: Log) -> dict[Fact, bytes]:
    """Return all facts."""
    return {(kind, key): value for kind in range(1, 15) for key, value in log.items(kind)}


class Recorder(VirtualFlash):
    """A flash that notes every operation, so that each of its steps can be cut afterwards."""

    def __init__(self) -> None:
        super().__init__(LOG_SECTORS, SECTOR)
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


def states(operations: list[tuple[int, bytes | None]]) -> Iterator[tuple[int, VirtualFlash]]:
    """Yield (operations done, flash) for each single step in which power may go away."""
    before = VirtualFlash(LOG_SECTORS, SECTOR)
    for index, (where, data) in enumerate(operations):
        for step in range(4 if data is None else len(data)):
            torn = before.copy(seed=index * 4099 + step)
            torn.cut_after(step)
            with pytest.raises(PowerCut):
                repeat(torn, where, data)
            torn.cut_after(-1)
            yield index, torn
        repeat(before, where, data)
    yield len(operations), before


SCRIPT: list[tuple[int, bytes, bytes | None]] = [
    (LATCH, b"latch--1", b"\0\x96"),
    (USED_ID, b"token--1", b"\0\0\1\0"),
    (SESSION, b"", b"open session one"),
    (POWERED, b"", bytes(4)),
    (POWERED, b"", b"\0\0\0\x3c"),
    (SESSION, b"", None),
    (LOCK, b"lock---1", b"\2\0\x7d"),
    (BOOT_COUNT, b"", b"\0\0\0\2"),
    (LATCH, b"latch--1", None),
    (USED_ID, b"token--2", b"\0\0\2\0"),
    (SESSION, b"", b"open session two"),
    (POWERED, b"", bytes(4)),
    (ACKED, b"", b"epoch\0\0\1"),
    (LOCK, b"lock---1", None),
    (LATCH, b"latch--2", b"\0\x97"),
    (USED_ID, b"token--1", None),
]


def test_power_cut_at_every_single_step_leaves_old_or_new() -> None:
    """Through puts, removals, rewrites and erases, a cut in any step leaves each fact as it was or as it was to be."""
    flash = Recorder()
    log = mounted(flash)
    prepare(log)
    facts: dict[Fact, bytes] = {}
    marks: list[tuple[int, dict[Fact, bytes]]] = [(0, {})]
    for kind, key, value in SCRIPT * 3:
        if value is None:
            log.remove(kind, key, may_erase=True)
            facts.pop((kind, key), None)
        else:
            log.put(kind, value, key, may_erase=True)
            facts[kind, key] = value
        marks.append((len(flash.operations), dict(facts)))
        prepare(log)
    assert min(flash.erases) >= 3
    assert flash.lost_bits == 0

    count = at = 0
    for done, torn in states(flash.operations):
        while at + 1 < len(marks) and marks[at + 1][0] <= done:
            at += 1
        old = marks[at][1]
        new = marks[min(at + 1, len(marks) - 1)][1]
        again = mounted(torn)
        assert again.readable(LATCH)
        first = contents(again)
        assert first in (old, new), done
        if count % 5 == 0:
            prepare(again)
            assert contents(again) == first
            assert contents(mounted(torn)) == first
        count += 1
    assert count > 3000


class LogHistory(RuleBasedStateMachine):
    """Any order of events; each fact may only be what was confirmed last, or what was tried after that and failed."""

    @initialize()
    def begin(self) -> None:
        """Start with blank flash, after a boot."""
        self.flash = VirtualFlash(LOG_SECTORS, 256)
        self.log = mounted(self.flash)
        prepare(self.log)
        self.may_be: dict[Fact, set[bytes | None]] = {}
        self.codes: set[int] = set()

    def _try(self, fact: Fact, value: bytes | None, may_erase: bool) -> None:
        before = self.may_be.get(fact, {None})
        self.may_be[fact] = before | {value}
        kind, key = fact
        try:
            if value is None:
                self.log.remove(kind, key, may_erase)
            else:
                self.log.put(kind, value, key, may_erase)
        except StorageError as error:
            self.codes.add(error.code)
            return
        self.may_be[fact] = {value}

    facts = st.tuples(st.sampled_from([USED_ID, LATCH, LOCK, BOOT_COUNT]), st.sampled_from([b"key----1", b"key----2"]))

    @rule(fact=facts, value=st.one_of(st.none(), st.binary(min_size=1, max_size=6)), may_erase=st.booleans())
    def write(self, fact: Fact, value: bytes | None, may_erase: bool) -> None:
        """Put or remove."""
        self._try(fact, value, may_erase)

    @rule()
    def service(self) -> None:
        """Mend and make room."""
        self.log.service(True)

    @rule()
    def reboot(self) -> None:
        """Mount anew."""
        self.log = mounted(self.flash)

    @rule(fact=facts, value=st.binary(min_size=1, max_size=6), steps=st.integers(0, 400))
    def cut(self, fact: Fact, value: bytes, steps: int) -> None:
        """Cut power somewhere in a put and the service after it."""
        self.flash.cut_after(steps)
        try:
            self._try(fact, value, True)
            self.log.service(True)
        except PowerCut:
            pass
        self.flash.cut_after(-1)
        self.log = mounted(self.flash)

    @rule(count=st.integers(1, 5))
    def fail(self, count: int) -> None:
        """Let the next operations fail."""
        self.flash.fail_programs = count
        self.flash.fail_erases = count // 3

    @invariant()
    def nothing_grave_is_forgotten(self) -> None:
        """Each fact is what it may be; and nothing that was never put appears."""
        if not hasattr(self, "log"):
            return
        assert self.codes <= {STORAGE_FULL, STORAGE_FAILED}
        assert self.log.readable(LATCH)
        held = contents(self.log)
        for fact, values in self.may_be.items():
            assert held.get(fact) in values, fact
        assert set(held) <= set(self.may_be)


LogHistory.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None, derandomize=True)
TestLogHistory = LogHistory.TestCase


@settings(max_examples=150, deadline=None)
@given(content=st.binary(min_size=1, max_size=4 * SECTOR), guard=st.booleans(), data=st.data())
def test_any_bytes_in_one_copy_cost_nothing_grave(content: bytes, guard: bool, data: st.DataObject) -> None:
    """Whatever is written over one copy, the other's facts hold, also after mending."""
    flash = VirtualFlash(LOG_SECTORS, SECTOR)
    log = mounted(flash)
    prepare(log)
    facts = {(LATCH, b"latch--1"): b"\0\x96", (LOCK, b"lock---1"): b"\2\0\x7d", (USED_ID, b"token--1"): b"\0\0\1\0"}
    for (kind, key), value in facts.items():
        log.put(kind, value, key)
    at = data.draw(st.integers(0, 4 * SECTOR - len(content))) + (4 * SECTOR if guard else 0)
    flash.data[at : at + len(content)] = content

    again = mounted(flash)
    assert again.readable(LATCH)
    assert {fact: value for fact, value in contents(again).items() if mirrored(fact[0])} == facts
    prepare(again)
    last = mounted(flash)
    assert last.readable(LATCH)
    assert {fact: value for fact, value in contents(last).items() if mirrored(fact[0])} == facts
