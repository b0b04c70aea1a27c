"""The proof of completeness: what is a hole and what is none, through silence, roaming, new epochs and restores."""

import asyncio
import shutil
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.collector.conftest import House

from weldgate_collector.hub import Limits
from weldgate_collector.ingest import gap_row
from weldgate_collector.store import (
    Reader,
    Row,
    Writer,
    backup_store,
    connect,
    find_gaps,
    list_segments,
    prove_lines,
    restore_store,
    seal,
)
from weldgate_collector.store.keeper import Keeper, Retention
from weldgate_collector.store.proof import Proof

EPOCH = 0xA0000001
NOW_MS = 1_780_000_000_000
DAY_MS = 86_400_000
BIG = (1 << 63) - 1


@asynccontextmanager
async def _house(folder: Path) -> AsyncIterator[House]:
    """A collector's hub and store in a folder."""
    folder.mkdir(exist_ok=True)
    built = House(folder, Limits(), lambda: 0.0, connect)
    built.writer.start()
    await built.link.start(built.hub.accept)
    try:
        yield built
    finally:
        await built.link.stop()
        await built.hub.stop()
        await asyncio.to_thread(built.writer.stop)


def frame(seq: int, device: int, received_ms: int = NOW_MS, epoch: int = EPOCH) -> Row:
    """Return the row of a frame whose header says what its columns say."""
    head = b"\x2a\x45" + device.to_bytes(8, "big") + epoch.to_bytes(4, "big") + seq.to_bytes(4, "big")
    return (received_ms, 1, device, epoch, seq, 0x45, head + bytes(8) + b"\xa1\x01\x02" + b"T" * 8)


def store(folder: Path, *rows: Row) -> None:
    """Store rows, ten a commit, and seal what is full."""
    writer = Writer(folder, 0, 1000, lambda _index: None, segment_rows=100)
    writer.start()
    for start in range(0, len(rows), 10):
        writer.put(list(rows[start : start + 10]))
        writer.submit(lambda _connection: None).result(20)
    writer.stop()
    for segment in list_segments(folder)[:-1]:
        seal(segment.path)


def gaps(folder: Path) -> list[tuple[int, int, int, str]]:
    """Return (chip, first, last, state) of every gap."""
    with Reader(folder) as reader:
        return [(gap.device, gap.first, gap.last, gap.state) for gap in find_gaps(reader)]


def test_whole_lines_have_no_gap(tmp_path: Path) -> None:
    """Many segments, two chips, one with the largest number there is."""
    store(tmp_path, *[frame(seq, chip) for seq in range(1, 301) for chip in (7, BIG)])

    with Reader(tmp_path) as reader:
        lines = list(prove_lines(reader))
    assert [(line.device, line.stored, line.last_ms, line.gaps) for line in lines] == [
        (7, 300, NOW_MS, []), (BIG, 300, NOW_MS, []),
    ]  # fmt: skip


def test_planted_hole_is_found_in_any_segment(tmp_path: Path) -> None:
    """A row that somebody deleted is missing, with the time since when it can be known."""
    store(tmp_path, *[frame(seq, 7, NOW_MS + seq) for seq in range(1, 301)])
    for segment in (list_segments(tmp_path)[0], list_segments(tmp_path)[-1]):
        connection = sqlite3.connect(segment.path)
        connection.execute("DELETE FROM records WHERE seq IN (SELECT max(seq) - 2 FROM records)")
        connection.commit()
        connection.close()

    with Reader(tmp_path) as reader:
        found = list(find_gaps(reader))
    assert [gap.state for gap in found] == ["missing", "missing"]
    assert found[1][2:] == (298, 298, NOW_MS + 299, "missing", None)  # no hello of the chip is on record


def test_missing_numbers_say_whether_the_chip_holds_them(tmp_path: Path, talker: Any) -> None:
    """By the oldest number of its latest hello; a chip whose flash was formatted since holds none of them."""

    def forget(*seqs: int) -> None:
        connection = sqlite3.connect(list_segments(tmp_path / "data")[-1].path)
        connection.execute(f"DELETE FROM records WHERE kind = 1 AND seq IN ({', '.join('?' * len(seqs))})", seqs)
        connection.commit()
        connection.close()

    def held() -> list[tuple[int, int, bool | None]]:
        with Reader(tmp_path / "data") as reader:
            return [(gap.first, gap.last, gap.held) for gap in find_gaps(reader) if gap.epoch == EPOCH]

    async def visit(chip: Any, oldest: int, first: int, last: int) -> None:
        async with _house(tmp_path / "data") as home:
            await chip.come_online(home.link, oldest, last)
            chip.send(*[chip.frame(seq) for seq in range(first, last + 1)])
            await chip.acked(last)

    asyncio.run(visit(talker(1), 1, 1, 20))
    forget(3, 9, 10, 11)
    assert held() == [(3, 3, True), (9, 11, True)]
    asyncio.run(visit(talker(1), 10, 21, 22))
    assert held() == [(3, 3, False), (9, 9, False), (10, 11, True)]
    asyncio.run(visit(talker(1, b"\xb0\0\0\1"), 1, 1, 5))
    assert held() == [(3, 3, False), (9, 11, False)]


def test_rows_that_come_while_it_is_proved_make_no_gap(tmp_path: Path) -> None:
    """The chip goes on, one segment follows another, and retention takes the oldest two, one of them read already."""
    store(tmp_path, *[frame(seq, 7) for seq in range(1, 291)])
    writer = Writer(tmp_path, 0, 1000, lambda _index: None, segment_rows=100)
    writer.start()
    reached = [290]

    def more() -> None:
        for _ in range(5):
            writer.put([frame(seq, 7) for seq in range(reached[0] + 1, reached[0] + 11)])
            writer.submit(lambda _connection: None).result(20)
            reached[0] += 10
        if reached[0] == 390:
            for segment in list_segments(tmp_path)[:2]:
                segment.path.unlink()
        reader.close()

    with Reader(tmp_path) as reader:
        before = reader.segments()
        lines = list(prove_lines(reader, breathe=more))
        after = reader.segments()
    writer.stop()

    assert before[-1] in after[:-1]
    assert [(line.stored, line.gaps) for line in lines] == [(290 - before[-1].first + 1, [])]


def test_proof_has_nothing_open_while_it_rests(tmp_path: Path) -> None:
    """So that whatever fills up meanwhile can be sealed; and it ends when it is told to, however long it would rest."""
    store(tmp_path, *[frame(seq, 7) for seq in range(1, 251)])
    opened: list[sqlite3.Connection] = []
    resting = threading.Event()

    def seam(path: str) -> sqlite3.Connection:
        opened.append(connect(path))
        return opened[-1]

    class Resting(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            resting.set()
            return super().wait(None)

    proof = Proof(lambda: Reader(tmp_path, seam), 3600)
    proof._stop = Resting()
    proof.start()
    assert resting.wait(20)

    for connection in opened:
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            connection.execute("SELECT 1")
    proof.stop()
    assert proof.proved.lines == 0


def test_chip_silent_for_400_days_makes_no_gap(tmp_path: Path) -> None:
    """Retention took the segments with its frames; it comes back and goes on where it was."""
    store(tmp_path, *[frame(seq, 7, NOW_MS) for seq in range(1, 51)])
    for day in range(1, 8):
        store(tmp_path, *[frame(seq, 8, NOW_MS + day * 60 * DAY_MS) for seq in range(day * 60 - 59, day * 60 + 1)])
    now_s = [NOW_MS / 1000 + 400 * 86_400, 0.0]
    writer = Writer(tmp_path, 0, 1000, lambda _index: None, segment_rows=100)
    writer.start()
    house = Keeper(writer, Retention(200), lambda _t, ms: (ms, 2, 0, 0, 0, 4, b"\xa0"),
                   clock_s=lambda: now_s[0], monotonic_s=lambda: now_s[1])  # fmt: skip
    house.one_pass()
    now_s[:] = [now_s[0] + 4_000, now_s[1] + 4_000]
    house.one_pass()
    assert house.deleted >= 1
    assert (7, EPOCH, 50) in writer.highs()
    writer.put([frame(seq, 7, NOW_MS + 400 * DAY_MS) for seq in range(51, 61)])
    writer.stop()

    with Reader(tmp_path) as reader:
        assert reader.first_index() > 50
    assert gaps(tmp_path) == []


def test_new_epoch_makes_no_gap(tmp_path: Path) -> None:
    """A formatted spool begins at 1 again, under another epoch."""
    store(tmp_path, *[frame(seq, 7) for seq in range(1, 21)], *[frame(seq, 7, epoch=5) for seq in range(1, 6)])

    assert gaps(tmp_path) == []


def test_chip_that_roams_makes_no_hole(tmp_path: Path, talker: Any) -> None:
    """Between two collectors each has what it was sent, and says what the other one has; together they are whole."""

    async def scene() -> None:
        chip = talker(1)
        ring = {seq: chip.frame(seq) for seq in range(1, 31)}
        for place, oldest, last in (("a", 1, 10), ("b", 8, 20), ("a", 15, 30)):
            async with _house(tmp_path / place) as home:
                await chip.come_online(home.link, oldest, last)
                first = max(chip.conversation.high_water + 1, oldest)
                chip.send(*[ring[seq] for seq in range(first, last + 1)])
                await chip.acked(last)
                chip.connection.close()
                await chip.until(lambda: chip.is_closed)

    asyncio.run(scene())
    assert gaps(tmp_path / "a") == [(1, 11, 14, "elsewhere")]
    assert gaps(tmp_path / "b") == [(1, 1, 7, "elsewhere")]
    stored: set[int] = set()
    for place in ("a", "b"):
        with Reader(tmp_path / place) as reader:
            stored |= {record.seq for record in reader.records(kind=1)}
    assert stored == set(range(1, 31))


def test_restore_of_an_older_backup(tmp_path: Path, talker: Any, eventually: Any) -> None:
    """The high-water goes back, the chip refills what it holds, the rest is a declared loss; other bytes conflict."""

    async def scene() -> None:
        chip = talker(1)
        ring = {seq: chip.frame(seq) for seq in range(1, 41)}
        async with _house(tmp_path / "data") as home:
            await chip.come_online(home.link, 1, 10)
            chip.send(*[ring[seq] for seq in range(1, 11)])
            await chip.acked(10)
            backup_store(tmp_path / "data", tmp_path / "backup")
            chip.send(*[ring[seq] for seq in range(11, 31)])
            await chip.acked(30)
        restore_store(tmp_path / "backup", tmp_path / "data")
        async with _house(tmp_path / "data") as home:
            await chip.come_online(home.link, 16, 40)
            assert chip.conversation.high_water < 16  # it went back
            chip.send(*[ring[seq] for seq in range(16, 41)])
            await chip.acked(40)
            chip.send(chip.frame(5, mean_ma=9))
            chip.heartbeat()
            await eventually(lambda: bool(home.records(kind=2, types=(2,))))

    asyncio.run(scene())
    assert gaps(tmp_path / "data") == [(1, 11, 15, "lost")]
    with Reader(tmp_path / "data") as reader:
        assert [record.seq for record in reader.records(kind=1)] == [*range(1, 11), *range(16, 41)]


def test_gap_before_the_restore_stays_what_it_was(tmp_path: Path) -> None:
    """Only what was declared after the store went back is a loss."""
    line = (7).to_bytes(8, "big"), EPOCH.to_bytes(4, "big")
    store(tmp_path / "data", gap_row(*line, 1, 4, NOW_MS), *[frame(seq, 7) for seq in range(5, 11)])
    backup_store(tmp_path / "data", tmp_path / "backup")
    restore_store(tmp_path / "backup", tmp_path / "data")
    store(tmp_path / "data", gap_row(*line, 11, 12, NOW_MS), *[frame(seq, 7) for seq in range(13, 16)])

    assert gaps(tmp_path / "data") == [(7, 1, 4, "elsewhere"), (7, 11, 12, "lost")]


def test_proof_counts_for_the_metrics(tmp_path: Path) -> None:
    """One pass fills what ``/metrics`` shows, and a store that can't be read is told and tried again."""
    store(tmp_path, *[frame(seq, 7, NOW_MS + seq) for seq in (1, 2, 5, 6)])
    proof = Proof(lambda: Reader(tmp_path), 3600, lambda: 5.0)

    proof.one_pass()

    assert proof.proved == (5.0, {"missing": 2}, 1, 1, NOW_MS + 5)
    proof.start()
    proof.stop()
    shutil.rmtree(tmp_path / "segments")
    with pytest.raises(Exception, match="no store"):
        proof.one_pass()
