"""One chip's rows of the open segment: by its sorted runs, as a scan would find them."""

import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from weldgate_collector.store import Reader, Row, Writer, connect, list_segments, seal
from weldgate_collector.store import runs as module
from weldgate_collector.store.runs import chip_rows

EPOCH = 0xA0000001
NOW_MS = 1_780_000_000_000
RARE, LOUD = 77, 5
RUN_ROWS = 100


@pytest.fixture(autouse=True)
def small_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of a hundred rows, of which twenty of one chip are many."""
    monkeypatch.setattr(module, "RUN_ROWS", RUN_ROWS)
    monkeypatch.setattr(module, "_FEW", 20)


def rows(count: int) -> Iterator[Row]:
    """Yield rows of a loud chip, of some others and of a rare one."""
    chance = random.Random(7)
    for seq in range(1, count + 1):
        device = LOUD if seq % 2 else RARE if seq % 301 == 0 else chance.choice((1, 9, (1 << 63) - 1))
        yield (NOW_MS + seq, 1, device, EPOCH, seq, 0x45, b"%40d" % seq)


def fill(folder: Path, count: int, segment_rows: int = 100_000) -> Writer:
    """Store rows, fifty a commit; the writer runs."""
    writer = Writer(folder, 0, 1000, lambda _index: None, segment_rows=segment_rows)
    writer.start()
    wanted = list(rows(count))
    for start in range(0, count, 50):
        writer.put(wanted[start : start + 50])
        writer.submit(lambda _connection: None).result(20)
    return writer


def test_runs_find_what_a_scan_finds(tmp_path: Path) -> None:
    """A chip with half of the rows, one with a handful, one that is not there; whole, by time, by its numbers."""
    writer = fill(tmp_path, 1_730)
    try:
        with Reader(tmp_path) as reader:
            made = reader.connection.execute("SELECT count(*), max(last) FROM runs").fetchone()
            for chip in (RARE, LOUD, 1, 9, (1 << 63) - 1, 4):
                wanted = [row for row in reader.records() if row.device == chip]
                assert list(reader.records(chip)) == wanted
                late = [row for row in wanted if NOW_MS + 905 <= row.received_ms < NOW_MS + 1_650]
                assert list(reader.records(chip, NOW_MS + 905, NOW_MS + 1_650)) == late
                assert reader.find(chip, EPOCH, 300, 950) == [row for row in wanted if 300 <= row.seq <= 950]
    finally:
        writer.stop()
    assert made == (17, 1_700)


def test_runs_are_made_for_a_segment_that_has_none(tmp_path: Path) -> None:
    """An older weldgate left it so: a few runs with each batch, until all is sorted."""
    fill(tmp_path, 1_500).stop()
    (segment,) = list_segments(tmp_path)
    connection = connect(str(segment.path))
    connection.execute("DELETE FROM runs")
    connection.close()

    writer = Writer(tmp_path, 0, 1000, lambda _index: None)
    writer.start()
    counts = []
    for _ in range(3):
        writer.submit(lambda _connection: None).result(20)
        with Reader(tmp_path) as reader:
            counts.append(reader.connection.execute("SELECT count(*) FROM runs").fetchone()[0])
            assert len(list(reader.records(RARE))) == 2
    writer.stop()
    assert counts == [8, 15, 15]


def test_sealed_segment_has_an_index_instead(tmp_path: Path) -> None:
    """The table goes, and the answer stays."""
    fill(tmp_path, 1_000, segment_rows=500).stop()
    sealed = list_segments(tmp_path)[0]
    with Reader(tmp_path) as reader:
        before = list(reader.records(LOUD))

    seal(sealed.path)

    connection = sqlite3.connect(sealed.path)
    names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    connection.close()
    assert "by_line" in names
    assert "runs" not in names
    with Reader(tmp_path) as reader:
        assert list(reader.records(LOUD)) == before


def test_run_that_names_a_row_that_is_not_there_is_damage(tmp_path: Path) -> None:
    """It is told, rather than taken for an answer."""
    fill(tmp_path, 300).stop()
    (segment,) = list_segments(tmp_path)
    connection = connect(str(segment.path))
    connection.execute("DELETE FROM records WHERE idx <= 100")

    with pytest.raises(sqlite3.DatabaseError, match="not there"):
        list(chip_rows(connection, LOUD, "1", ()))
    connection.close()
