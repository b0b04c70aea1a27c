"""Sets of numbers as ranges: what is new, and the ranges after it. Pure."""

from collections.abc import Iterable, Sequence

__all__ = ["Range", "add"]

Range = tuple[int, int]


def add(known: Sequence[Range], numbers: Iterable[int]) -> tuple[set[int], list[Range]]:
    """Add numbers to ranges.

    Args:
        known: first and last of each, in any order, neither overlapping nor touching.
        numbers: in any order, with repeats.

    Returns:
        Those that were in no range, and all ranges, in order, again neither overlapping nor touching.
    """
    wanted = sorted(set(numbers))
    ranges = sorted(known)
    new: set[int] = set()
    place = 0
    for number in wanted:
        while place < len(ranges) and ranges[place][1] < number:
            place += 1
        if place == len(ranges) or ranges[place][0] > number:
            new.add(number)
    merged: list[Range] = []
    for first, last in sorted([*ranges, *((number, number) for number in new)]):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    return new, merged
