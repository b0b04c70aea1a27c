"""Fault schedules and lossy lines: repeatable, in order, counted."""

import pytest

from weldgate_simulator.faults import DURATIONS_MS, JUMP_S, Fault, FaultKind, LossyLine, Schedule, draw_schedule

PIECES = [bytes([number]) * 20 for number in range(200)]


def test_same_seed_draws_the_same_faults() -> None:
    """A seed is all that is needed to see a failure again."""
    first, again, other = (draw_schedule(seed, 60_000, 50, targets=5).faults for seed in (7, 7, 8))

    assert first == again
    assert first != other


def test_drawn_faults_keep_their_ranges() -> None:
    """Times, durations, targets and jumps are within what was asked for, and in order."""
    faults = draw_schedule(1, 10_000, 500, targets=3).faults

    assert list(faults) == sorted(faults)
    assert {fault.kind for fault in faults} == set(FaultKind)
    for fault in faults:
        low, high = DURATIONS_MS[fault.kind]
        assert 0 <= fault.at_ms < 10_000
        assert low <= fault.duration_ms <= high
        assert fault.target in range(3)
        assert abs(fault.amount) <= (JUMP_S if fault.kind == FaultKind.CLOCK_JUMP else 0)


def test_each_fault_is_handed_out_once_when_due() -> None:
    """take_due gives what has begun, in order, and nothing twice."""
    late, early = Fault(500, FaultKind.POWER_CUT, 100, 0), Fault(100, FaultKind.LINK_CUT, 50, 1)
    schedule = Schedule([late, early])

    taken = [schedule.take_due(now) for now in (99, 100, 499, 1000, 1000)]

    assert taken == [[], [early], [], [late], []]


def test_fault_is_active_from_its_time_to_its_end() -> None:
    """The end is not part of it; other targets are untouched."""
    schedule = Schedule([Fault(100, FaultKind.LINK_CUT, 50, 1)])

    active = [schedule.active(FaultKind.LINK_CUT, 1, now) for now in (99, 100, 149, 150)]

    assert active == [False, True, True, False]
    assert not schedule.active(FaultKind.LINK_CUT, 0, 120)
    assert not schedule.active(FaultKind.POWER_CUT, 1, 120)


def test_nothing_to_draw_from_is_refused() -> None:
    """An empty horizon, no target or no kind is an error."""
    for arguments in (
        (0, 1, 1, tuple(FaultKind)),
        (1, 1, 0, tuple(FaultKind)),
        (1, 1, 1, ()),
        (1, -1, 1, (FaultKind.LINK_CUT,)),
    ):
        horizon_ms, count, targets, kinds = arguments
        with pytest.raises(ValueError, match="no faults to draw"):
            draw_schedule(1, horizon_ms, count, targets, kinds)


def test_whole_line_changes_nothing() -> None:
    """Without damage each piece comes out at once, as it went in."""
    line = LossyLine(1)

    assert [line.carry(piece) for piece in PIECES] == [[piece] for piece in PIECES]
    assert set(line.counts.values()) == {0}


@pytest.mark.parametrize("damage", ["lost", "torn", "flipped", "repeated", "reordered"])
def test_each_damage_is_what_it_says(damage: str) -> None:
    """A line with one damage does that one, counts it and does no other."""
    line = LossyLine(3, **{damage: 200})
    out = [piece for given in PIECES for piece in line.carry(given)] + line.flush()

    done = line.counts.pop(damage)
    assert 10 <= done <= 80
    assert set(line.counts.values()) == {0}
    whole = [piece for piece in out if piece in PIECES]
    if damage == "lost":
        assert len(out) == len(PIECES) - done
    elif damage in ("torn", "flipped"):
        assert len(out) == len(PIECES)
        assert len(whole) == len(PIECES) - done
    elif damage == "repeated":
        assert len(out) == len(PIECES) + done
        assert list(dict.fromkeys(out)) == PIECES
    else:
        assert out != PIECES
        assert sorted(out) == PIECES


def test_same_seed_does_the_same_damage() -> None:
    """Damage repeats with the seed."""
    lines = [LossyLine(9, lost=100, torn=100, flipped=100, repeated=100, reordered=100) for _ in range(2)]

    first, again = ([line.carry(piece) for piece in PIECES] for line in lines)

    assert first == again


def test_permille_out_of_range_is_refused() -> None:
    """A chance above 1000 permille is an error that names it."""
    with pytest.raises(ValueError, match="torn is 1001"):
        LossyLine(1, torn=1001)
