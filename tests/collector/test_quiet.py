"""One line a minute for each cause, with the number of what came meanwhile."""

from weldgate_collector.quiet import Quiet


def test_first_is_told_at_once_then_one_a_minute() -> None:
    """What came in between is in the next line's number; another cause has its own minute."""
    now = [0.0]
    quiet = Quiet(lambda: now[0])

    assert quiet.count("a") == 1
    assert [quiet.count("a") for _ in range(50)] == [0] * 50
    assert quiet.count("b") == 1
    now[0] = 60.0
    assert quiet.count("a") == 51
    assert quiet.count("a") == 0


def test_causes_are_bounded() -> None:
    """Whoever invents causes costs memory for 10,000 of them and no more."""
    quiet = Quiet(lambda: 0.0)
    for number in range(10_001):
        quiet.count(number)

    assert len(quiet._told) == 10_000
    assert quiet.count(0) == 1
    assert quiet.count(10_000) == 0
