"""Orders go into the next segment a slice at a time, and none is lost, doubled or out of date by that."""

import random
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from weldgate_collector.store import connect, order_copy
from weldgate_collector.store.highs import HighTable
from weldgate_collector.store.newest import open_newest
from weldgate_collector.store.segments import Opening


def fill(connection: sqlite3.Connection, numbers: range) -> None:
    """Store orders."""
    connection.executemany(
        "INSERT INTO orders VALUES (?, ?, 128, x'00', 'test', 1, 2, 1, 0, 3)",
        [((number * 7919 % 65_536).to_bytes(8, "big"), number % 3) for number in numbers],
    )


def change(connection: sqlite3.Connection, chance: random.Random) -> None:
    """End some, forget some, add some, and undo some of all that."""
    connection.execute("BEGIN")
    names = connection.execute("SELECT id, device FROM orders ORDER BY id, device").fetchall()
    for name in chance.sample(names, 20):
        connection.execute(
            "UPDATE orders SET state = 3, changed_s = ? WHERE id = ? AND device = ?", (chance.random(), *name)
        )
    for name in chance.sample(names, 10):
        connection.execute("DELETE FROM orders WHERE id = ? AND device = ?", name)
    connection.execute("INSERT INTO orders VALUES (?, 9, 128, x'01', 'late', 1, 2, 1, 0, 3)", (chance.randbytes(8),))
    connection.execute("COMMIT" if chance.random() < 0.7 else "ROLLBACK")


@pytest.mark.parametrize("seed", range(5))
def test_next_segment_has_the_orders_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Whatever changes before, under way and after."""
    monkeypatch.setattr(order_copy, "_SLICE_ROWS", 50)
    chance = random.Random(seed)
    opened = open_newest(tmp_path, connect)
    fill(opened.connection, range(400))
    opening = Opening(tmp_path, opened.connection, HighTable(), connect)
    slices = 0
    while not opening.step():
        slices += 1
        change(opened.connection, chance)
    change(opened.connection, chance)
    path = opening.finish(5, HighTable())

    assert slices > 8
    assert rows(connect(str(path))) == rows(opened.connection)


def test_what_was_begun_and_given_up_leaves_no_trace(tmp_path: Path) -> None:
    """Nothing is noted any more, and another try begins from nothing."""
    opened = open_newest(tmp_path, connect)
    fill(opened.connection, range(10))
    Opening(tmp_path, opened.connection, HighTable(), connect).abandon()
    found = opened.connection.execute("SELECT count(*) FROM sqlite_temp_master").fetchone()
    opening = Opening(tmp_path, opened.connection, HighTable(), connect)
    while not opening.step():
        pass
    path = opening.finish(5, HighTable())

    assert found == (0,)
    assert opened.connection.execute("SELECT count(*) FROM sqlite_temp_master").fetchone() == (0,)
    assert rows(connect(str(path))) == rows(opened.connection)


def rows(connection: sqlite3.Connection) -> list[Any]:
    """Return all orders, and close."""
    found = connection.execute("SELECT * FROM orders ORDER BY id, device").fetchall()
    connection.close()
    return found
