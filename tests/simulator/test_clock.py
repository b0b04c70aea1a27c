"""Virtual time and the host's: the same promises, and the calendar of the virtual one."""

from collections.abc import Callable

import pytest

from weldgate_simulator.clock import TICKS_PERIOD_MS, HostClock, VirtualClock


@pytest.fixture(params=[VirtualClock, HostClock])
def make(request: pytest.FixtureRequest) -> Callable[..., VirtualClock | HostClock]:
    """Return each clock's class in turn."""
    chosen: Callable[..., VirtualClock | HostClock] = request.param
    return chosen


def test_time_never_goes_back(make: Callable[..., VirtualClock | HostClock]) -> None:
    """A wall clock that jumps back does not move running time or ticks back."""
    clock = make()
    before, ticks = clock.now_ms(), clock.ticks_ms()

    clock.jump(-1_000_000)

    assert clock.now_ms() >= before
    assert clock.ticks_ms() >= ticks


def test_ticks_start_where_told_and_stay_below_the_period(make: Callable[..., VirtualClock | HostClock]) -> None:
    """Ticks are those of the chip, 0..2^30 - 1."""
    clock = make(ticks=TICKS_PERIOD_MS - 1)

    assert clock.ticks_ms() in (TICKS_PERIOD_MS - 1, *range(1000))


def test_jump_moves_the_wall_clock(make: Callable[..., VirtualClock | HostClock]) -> None:
    """A jump of a day is a day on the wall."""
    clock = make()
    before = clock.wall_ms()

    clock.jump(86_400)

    assert 86_400_000 <= clock.wall_ms() - before < 86_410_000


def test_virtual_ticks_wrap() -> None:
    """Ticks pass 2^30 and begin at 0 while running time goes on."""
    clock = VirtualClock(ticks=TICKS_PERIOD_MS - 5)

    clock.advance(10)

    assert (clock.ticks_ms(), clock.now_ms()) == (5, 10)


def test_virtual_time_stands_still_unless_told() -> None:
    """Looking at it does not move it."""
    clock = VirtualClock(start_s=1000)

    assert [clock.now_ms(), clock.wall_ms(), clock.now_ms()] == [0, 1_000_000, 0]


def test_calendar_calls_in_order_at_their_own_time() -> None:
    """Calls come by time, then by entry; each sees its own time, and may enter another within the step."""
    clock = VirtualClock()
    seen: list[tuple[str, int]] = []
    clock.at(20, lambda: seen.append(("late", clock.now_ms())))
    clock.at(10, lambda: seen.append(("first", clock.now_ms())))
    clock.at(10, lambda: clock.at(15, lambda: seen.append(("entered", clock.now_ms()))))
    clock.at(31, lambda: seen.append(("not yet", clock.now_ms())))

    clock.advance(30)

    assert seen == [("first", 10), ("entered", 15), ("late", 20)]
    assert clock.now_ms() == 30


def test_what_falls_due_while_a_step_is_charged_waits() -> None:
    """A blocking erase lets time pass; the call that was due meanwhile comes at the next advance, late."""
    clock = VirtualClock()
    seen: list[int] = []
    clock.at(100, lambda: seen.append(clock.now_ms()))

    clock.charge_us(400_000)
    during = list(seen)
    clock.advance(0)

    assert (during, seen) == ([], [400])


def test_time_refuses_to_go_back() -> None:
    """Negative steps are errors and move nothing."""
    clock = VirtualClock()
    with pytest.raises(ValueError, match="back by 1 ms"):
        clock.advance(-1)
    with pytest.raises(ValueError, match="back by 1 us"):
        clock.charge_us(-1)

    assert clock.now_ms() == 0
