"""Ranges: what is new, and the same set whatever the order."""

import random
from itertools import pairwise

import pytest

from weldgate_platform.ingest.ranges import add


@pytest.mark.parametrize(
    ("known", "numbers", "new", "after"),
    [
        ([], [1, 2, 3], {1, 2, 3}, [(1, 3)]),
        ([], [], set(), []),
        ([(1, 3)], [2, 3], set(), [(1, 3)]),
        ([(1, 3)], [4], {4}, [(1, 4)]),
        ([(1, 3), (5, 9)], [4, 4], {4}, [(1, 9)]),
        ([(5, 9), (1, 3)], [11, 4, 1], {11, 4}, [(1, 9), (11, 11)]),
        ([(5, 9)], [1, 4], {1, 4}, [(1, 1), (4, 9)]),
    ],
)
def test_numbers_are_added(known, numbers, new, after) -> None:
    """Touching ranges become one."""
    assert add(known, numbers) == (new, after)


def test_ranges_are_the_set_whatever_the_order_and_the_pieces() -> None:
    """Against a set."""
    draw = random.Random(20261124)
    for _ in range(300):
        ranges: list[tuple[int, int]] = []
        held: set[int] = set()
        for _ in range(draw.randrange(1, 8)):
            numbers = [draw.randrange(1, 40) for _ in range(draw.randrange(12))]
            new, ranges = add(draw.sample(ranges, len(ranges)), numbers)
            assert new == set(numbers) - held
            held |= set(numbers)
        assert {number for first, last in ranges for number in range(first, last + 1)} == held
        assert all(one[1] + 1 < other[0] for one, other in pairwise(ranges))
