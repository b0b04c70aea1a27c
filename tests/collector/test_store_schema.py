"""The store's schema: migrations, files that are refused, and the views for people."""

import sqlite3
from pathlib import Path

import pytest
from tests.collector.store_world import DEVICE, row

from weldgate_collector.errors import StoreError
from weldgate_collector.store import Reader, Writer, connect, list_segments, schema


def test_migrations_are_whole_or_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A migration that fails in the middle leaves the version before it."""
    Writer(tmp_path, 1, 100, lambda _index: None).stop()
    path = list_segments(tmp_path)[0].path
    broken = "CREATE TABLE later (x); CREATE TABLE later (x);\n"
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, broken.replace("; ", ";\n")))

    with pytest.raises(sqlite3.OperationalError):
        schema.open_store(path)

    connection = connect(str(path))
    assert connection.execute("PRAGMA user_version").fetchone()[0] == len(schema.MIGRATIONS) - 1
    assert connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'later'").fetchone()[0] == 0
    connection.close()


def test_newer_store_is_refused_untouched(tmp_path: Path) -> None:
    """A file of a newer weldgate is left alone."""
    Writer(tmp_path, 1, 100, lambda _index: None).stop()
    connection = connect(str(list_segments(tmp_path)[0].path))
    connection.execute("PRAGMA user_version=999")
    connection.close()

    with pytest.raises(StoreError, match="schema 999"):
        Writer(tmp_path, 1, 100, lambda _index: None)


def test_file_that_is_no_database_is_refused_untouched(tmp_path: Path) -> None:
    """A damaged file is named and never wiped."""
    path = tmp_path / "store.sqlite3"
    path.write_bytes(b"not a database, and longer than a header of a hundred bytes " * 20)
    before = path.read_bytes()

    with pytest.raises(StoreError, match="not a database"):
        Writer(path, 1, 100, lambda _index: None)

    assert path.read_bytes() == before


def test_views_decode_headers(tmp_path: Path) -> None:
    """Somebody with nothing but ``sqlite3`` sees time, quality and payload."""
    writer = Writer(tmp_path, 1, 100, lambda _index: None)
    writer.start()
    writer.put([row(7), (1, 2, DEVICE, 1, 9, 1, b"\xa0")])
    writer.stop()

    with Reader(tmp_path) as reader:
        frame = reader.connection.execute(
            "SELECT device, epoch, seq, type, time_s, time, quality, length, payload, tag FROM frames"
        ).fetchone()
        own = reader.connection.execute("SELECT idx, seq, type FROM own_records").fetchone()

    assert frame == (
        DEVICE, "a0000001", 7, "45", 1764000000, "2025-11-24 16:00:00", "synced", 3, b"\xa1\x01\x02", b"T" * 8,
    )  # fmt: skip
    assert own == (2, 9, "gap")
