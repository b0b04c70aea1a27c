"""High-waters in byte strings, held against a dictionary."""

import random

import pytest

from weldgate_collector.store import highs
from weldgate_collector.store.highs import HighTable, line_key


@pytest.mark.parametrize("front", [0, 40, 32_768])
def test_table_holds_what_a_dictionary_holds(monkeypatch: pytest.MonkeyPatch, front: int) -> None:
    """Numbers set, raised and taken out in any order; keys that look like one another across entries among them.

    ``front``: how many stand in front.
    """
    monkeypatch.setattr(highs, "_FRONT_MAX", front)
    chance = random.Random(4)
    table, known = HighTable(), {}
    keys = [line_key(device, epoch) for device in (0, 1, 256, (1 << 63) - 1, 0x0101010101010101) for epoch in range(60)]

    for _ in range(20_000):
        key, high = chance.choice(keys), chance.choice((0, 1, 0x01010101, 0xFFFFFFFF, chance.getrandbits(32)))
        deed = chance.random()
        if deed < 0.5:
            table.put(key, high)
            known[key] = high
        elif deed < 0.9:
            table.raise_to(key, high)
            if high > known.get(key, 0):
                known[key] = high
        else:
            assert table.pop(key) == known.pop(key, 0)
        assert table.get(key) == known.get(key, 0)
        if chance.random() < 0.001:
            assert {line_key(device, epoch): high for device, epoch, high in table.rows()} == known

    assert len(table) == len(known)
    assert {line_key(device, epoch): high for device, epoch, high in table.rows()} == known


def test_entry_that_straddles_two_others_is_not_found() -> None:
    """A key whose bytes lie across the border of two entries of its own string is not there."""
    table, key = HighTable([(40_000, 7, 1)]), line_key(40_000, 7)
    (bucket,) = table._buckets.values()

    bucket[:] = b"\0\0\0\0" + key + b"\1" * 16

    assert table.get(key) == 0


def test_copy_is_another_table() -> None:
    """What is taken out of a copy stays in the table."""
    table = HighTable([(7, 1, 5), (7, 1, 3), (8, 1, 9)])

    other = table.copy()
    other.pop(line_key(7, 1))

    assert (table.get(line_key(7, 1)), len(table), len(other)) == (5, 2, 1)
