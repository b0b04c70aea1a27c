"""Rows laid down by SQL are what a collector would have left, and answers from them are the chip's day."""

import shutil
import sqlite3
from pathlib import Path

import pytest

from weldgate_collector import Reader, check_store, find_gaps, list_segments
from weldgate_protocol.errors import LocalError
from weldgate_simulator.big_figures import chip_days_ms
from weldgate_simulator.big_line import BigLine
from weldgate_simulator.big_store import EPOCH, UPSTREAM, Plan, room_for

pytestmark = pytest.mark.broker


def test_laid_rows_are_a_sound_store(big_line: BigLine) -> None:
    """Each segment is sound, each line is whole, high-waters and cursor are where the rows end."""
    place, plan = big_line.line.store, big_line.laid.plan

    reports = list(check_store(place))
    with Reader(place) as reader:
        gaps = list(find_gaps(reader))
        last, highs, cursors = reader.last_index(), set(reader.highs()), reader.cursors()
        minute = [record.received_ms for record in reader.records()][:: plan.chips]

    assert [(report.first, report.last, report.sealed) for report in reports] == [
        (1, 1_000, True), (1_001, 2_000, True), (2_001, last, False),
    ]  # fmt: skip
    assert [finding for report in reports for finding in report.findings] == []
    assert last >= plan.rows == 3_000
    assert gaps == []
    assert {(chip, EPOCH, 60) for chip in range(1, 51)} <= highs
    assert cursors[0][0] == UPSTREAM
    assert minute[:60] == [plan.first_ms + number * 60_000 for number in range(60)]


def test_day_is_asked_for_and_counted(big_line: BigLine, tmp_path: Path) -> None:
    """A row that is not in the answer is told, rather than timed."""
    shutil.copytree(big_line.line.store / "segments", tmp_path / "data" / "segments")

    took = chip_days_ms(tmp_path / "data", big_line.laid.plan, [1, 50])

    assert len(took) == 2
    connection = sqlite3.connect(list_segments(tmp_path / "data")[1].path)
    connection.execute("DELETE FROM records WHERE device = 50 AND seq = 30")
    connection.commit()
    connection.close()
    with pytest.raises(LocalError, match="chip 50: 59 rows of its day, 60"):
        chip_days_ms(tmp_path / "data", big_line.laid.plan, [50])


def test_room_is_asked_for_beforehand(tmp_path: Path) -> None:
    """One sentence says how much is wanted and how much there is."""
    rows = shutil.disk_usage(tmp_path).total // 100

    with pytest.raises(LocalError, match=r"rows need \d+\.\d GB of disk, \d+\.\d GB are free"):
        room_for(tmp_path, rows)
    room_for(tmp_path, 0)


def test_rows_come_minute_by_minute() -> None:
    """All chips' rows of a minute are spread over it."""
    plan = Plan(4, 1, 10, 2, 1_000)

    assert [plan.received_ms(idx) for idx in (1, 2, 4, 5)] == [1_000, 16_000, 46_000, 61_000]
    assert (plan.rows, plan.last_ms) == (12, 1_000 + 2 * 60_000 + 45_000)
