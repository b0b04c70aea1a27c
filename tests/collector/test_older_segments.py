"""Segments of an older schema: sealed ones are read as they are, the open one is migrated."""

import shutil
import sqlite3
from pathlib import Path

import pytest
from tests.collector.test_segments import EPOCH, own

from weldgate_collector.errors import StoreError
from weldgate_collector.store import Reader, Writer, check_store, list_segments, prove_lines
from weldgate_collector.store.keeper import Keeper, Retention
from weldgate_collector.store.schema import MIGRATIONS


def _older(folder: Path) -> None:
    """Put a store of schema 3 there: rows 1 to 110 sealed, 111 to 130 in the open segment."""
    (folder / "segments").mkdir()
    for name, first in (("sealed", 1), ("open", 111)):
        shutil.copy(f"tests/vectors/store_3_{name}.sqlite3", folder / "segments" / f"{first:019d}.sqlite3")


def test_sealed_segments_of_an_older_schema_are_read_as_they_are(tmp_path: Path) -> None:
    """From the first moment of a start, before any housekeeping; and they are never written again."""
    _older(tmp_path)
    before = list_segments(tmp_path)[0].path.read_bytes()
    writer = Writer(tmp_path, 0, 1000, lambda _index: None, segment_rows=100)
    writer.start()
    with Reader(tmp_path) as reader:
        assert [record.seq for record in reader.records(7)] == list(range(1, 131))
        assert [idx for _, _, idx, _ in reader.rows(1, 130)] == list(range(1, 131))
        assert [record.seq for record in reader.find(7, EPOCH, 105, 115)] == list(range(105, 116))
        assert [line.stored for line in prove_lines(reader)] == [130]
    assert {finding.kind for report in check_store(tmp_path) for finding in report.findings} == {"misfiled"}

    house = Keeper(writer, Retention(), own)
    house.one_pass()
    writer.stop()

    assert house.status.segments == 2
    assert list_segments(tmp_path)[0].path.read_bytes() == before


def test_open_segment_of_an_older_schema_is_migrated_with_its_rows(tmp_path: Path) -> None:
    """A start brings the newest segment up to date; its view says what the old one said."""
    _older(tmp_path)
    path = list_segments(tmp_path)[1].path
    query = "SELECT idx, device, epoch, seq, type, length, raw FROM frames"
    connection = sqlite3.connect(path)
    old = connection.execute(query).fetchall()
    connection.close()

    Writer(tmp_path, 0, 1000, lambda _index: None).stop()

    connection = sqlite3.connect(path)
    assert connection.execute(query).fetchall() == old
    assert connection.execute("PRAGMA user_version").fetchone()[0] == len(MIGRATIONS)
    assert connection.execute("SELECT count(*) FROM runs").fetchone()[0] == 0
    connection.close()


def test_newest_segment_of_an_older_schema_is_not_read(tmp_path: Path) -> None:
    """It lacks what questions ask for; a start of the collector mends that, and the error says so."""
    _older(tmp_path)

    with pytest.raises(StoreError, match="start the collector once"):
        Reader(tmp_path)
