"""The gate under time: a lock, a bypass and the watchdog beside erases, verification, back-fill and garbage.

Small here; `make bench` takes every millisecond.
"""

from typing import Any

import pytest

from weldgate_firmware import gate
from weldgate_simulator import interpreter, timed, timed_board
from weldgate_simulator.timed_script import START_MS, WINDOW_MS, Script, lock_to_open_us

LOCK_MS = 100  # DESIGN section 4, S3
ALARM_MS = 1_000  # S4
WATCHDOG_MS = 1_500

World = tuple[dict[str, Any], bytes]


@pytest.fixture(scope="module")
def world() -> World:
    """Make the chip that owes 5,000 records, once."""
    return timed.world()


def test_lock_opens_within_100_ms_whatever_else_goes_on(world: World) -> None:
    """S3: from the last byte of the lock to the pin at moments all over ten busy seconds."""
    found = timed.lock_to_open(*world, step_ms=100)

    assert found.worst_ms <= LOCK_MS
    assert found.closed_moments > 50
    assert found.unfed_ms < WATCHDOG_MS


def test_bypass_is_an_alarm_within_a_second_beside_erases(world: World) -> None:
    """S4: current past the open relay while sectors are erased ahead and records go back."""
    found = timed.bypass_to_alarm(*world, step_ms=100)

    assert found.worst_ms <= ALARM_MS
    assert 400 <= found.unfed_ms < WATCHDOG_MS  # erases were met, and the watchdog does not bite in them


@pytest.mark.mpy
def test_lock_opens_within_100_ms_in_the_real_interpreter(world: World) -> None:
    """The same chip in MicroPython: the order of its parts and what they do is the interpreter's own."""
    chip = interpreter.find()
    assert chip is not None

    found = timed.in_interpreter(chip, *world, 333, 2_000)

    assert found.moments == 5
    assert found.closed_moments >= 3
    assert found.worst_ms <= LOCK_MS


def test_ten_seconds_have_everything_in_them(world: World) -> None:
    """The ring wraps, sectors are erased first, arcs are recorded, tokens extend the session, records go back."""
    script = Script(world[0], bytearray(world[1]))
    chip = script.chip
    spool = chip.link._spool
    script.run_until(START_MS)
    begun = spool.highest, chip.link._cursor, spool._ring.head
    script.run_until(START_MS + WINDOW_MS)
    session = chip.app.driver.core.session

    assert chip.live
    assert spool.highest > begun[0] + 2
    assert chip.link._cursor > begun[1] + 1_500
    assert (begun[2], spool._ring.head) == (spool._ring.count - 1, 0)
    assert sum(chip.board.flash.erases) >= 2
    assert session is not None
    assert session.extensions >= 3


def test_slow_part_is_noticed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slice of verification that took 120 ms would be seen."""
    monkeypatch.setitem(timed_board.COST_US, "verify", 120_000)

    assert timed.lock_to_open(*world, step_ms=500).worst_ms > LOCK_MS


def test_lock_that_comes_while_the_start_is_written_is_heard_before_the_relay_closes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3: flash that blocks in the midst of a commit holds the lock up; the relay must not close first."""
    script = Script(world[0], bytearray(world[1]))
    chip = script.chip
    while chip.app.driver.state != gate.COMMITTING:
        script.run_until(chip.now_us // 1000 + 1)
    monkeypatch.setitem(timed_board.COST_US, "program", 150_000)
    worst = held = 0
    while not chip.live and chip.now_us < 12_000_000:
        before_us = chip.now_us
        script.run_until(before_us // 1000 + 1)
        if chip.app.driver._starts._at == 3:  # all is on flash; with the relay closed nothing erases
            monkeypatch.setitem(timed_board.COST_US, "program", 3_000)
        if chip.now_us - before_us < 50_000:
            continue  # nothing was held up
        us = timed._forked(lambda at_us=before_us + 1_000: _after_it(script, at_us))  # type: ignore[misc]
        worst = max(worst, us)
        held += 1

    assert chip.live
    assert held >= 3  # steps in which flash was slow
    assert worst <= LOCK_MS * 1000


def _after_it(script: Script, at_us: int) -> int:
    """Return the reaction to a lock that came in the step just done; flash is as fast as ever from here on."""
    timed_board.COST_US["program"] = 3_000  # in a fork of the process
    return lock_to_open_us(script, at_us)
