"""Segments: changing over, sealing, retention, the old store of one file, and what a start makes of missing files."""

import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from weldgate_collector.errors import StoreError
from weldgate_collector.store import Reader, Row, Writer, connect, list_segments, seal
from weldgate_collector.store.keeper import Held, Keeper, Retention, expired
from weldgate_collector.store.segments import Segment
from weldgate_collector.upstream.packing import Packer, save_boundaries, save_cursor

EPOCH = 0xA0000001
DAY_MS = 86_400_000
NOW_MS = 1_780_000_000_000


def row(seq: int, device: int = 7, received_ms: int = NOW_MS) -> Row:
    """Return a frame's row."""
    return (received_ms, 1, device, EPOCH, seq, 0x45, b"%20d" % seq)


def until(true: Callable[[], bool]) -> None:
    """Wait for what another thread does, with an end."""
    end_s = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end_s
        threading.Event().wait(0.01)


def own(text: str, now_ms: int) -> Row:
    """Return an own record's row."""
    return (now_ms, 2, 0, 0, 0, 4, text.encode())


class Store:
    """A writer whose segments take 100 rows, fed batch by batch."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.writer = Writer(folder, 0, 1000, lambda _index: None, segment_rows=100)
        self.writer.start()

    def fill(self, first: int, last: int, device: int = 7, received_ms: int = NOW_MS) -> None:
        """Store frames one commit after another, ten a commit."""
        for start in range(first, last + 1, 10):
            self.writer.put([row(seq, device, received_ms) for seq in range(start, min(start + 10, last + 1))])
            self.writer.submit(lambda _connection: None).result(20)

    def stop(self) -> None:
        """Stop gracefully."""
        self.writer.stop()


@pytest.fixture
def store(tmp_path: Path) -> Any:
    """Return a running store."""
    made = Store(tmp_path)
    yield made
    made.stop()


def keeper(store: Store, retention: Retention | None = None, **clocks: Callable[[], float]) -> Keeper:
    """Return a keeper that is not started: the test makes its passes."""
    return Keeper(store.writer, retention or Retention(), own, **clocks)


def test_rows_and_order_go_on_over_segments(store: Store) -> None:
    """Identity and order are the store's, not a file's."""
    store.fill(1, 550)

    assert len(list_segments(store.folder)) >= 5
    with Reader(store.folder) as reader:
        assert [idx for _, _, idx, _ in reader.rows(1, 10_000)] == list(range(1, 551))
        assert [idx for _, _, idx, _ in reader.rows(95, 230)] == list(range(95, 231))
        assert [record.seq for record in reader.records(device=7)] == list(range(1, 551))
        assert list(reader.highs()) == [(7, EPOCH, 550)]
        assert reader.summary() == [(7, 550, 0, 1, NOW_MS, NOW_MS)]
        assert (reader.first_index(), reader.last_index()) == (1, 550)


def test_start_needs_only_the_newest_segment(store: Store, tmp_path: Path) -> None:
    """High-waters of lines that are silent for long are in the newest segment's opening."""
    store.fill(1, 10, device=1)
    store.fill(1, 450, device=2)
    store.stop()
    for segment in list_segments(tmp_path)[:-1]:
        segment.path.unlink()

    again = Writer(tmp_path, 0, 1000, lambda _index: None)

    assert sorted(again.highs()) == [(1, EPOCH, 10), (2, EPOCH, 450)]
    assert again.committed == 460
    again.stop()


def test_late_frame_does_not_lower_a_high_water(store: Store) -> None:
    """A frame that turns up after it was declared lost has a lower number than its line has reached."""
    store.fill(50, 260)
    store.fill(1, 20)
    store.fill(261, 380)
    store.fill(21, 40)

    with Reader(store.folder) as reader:
        assert list(reader.highs()) == [(7, EPOCH, 380)]


def test_sealed_segment_is_indexed_and_whole(store: Store) -> None:
    """A sealed file needs no log beside it, has the index, and opens where nobody may write."""
    store.fill(1, 250)
    keeper(store).one_pass()

    first = list_segments(store.folder)[0].path
    assert not first.with_name(first.name + "-wal").exists()
    first.chmod(0o444)
    connection = sqlite3.connect(f"file:{first}?mode=ro&immutable=1", uri=True)
    plan = connection.execute("EXPLAIN QUERY PLAN SELECT * FROM records WHERE device = 7 AND epoch = 1").fetchall()
    assert "by_line" in str(plan)
    assert connection.execute("SELECT sealed, first FROM segment").fetchone() == (1, 1)
    assert connection.execute("SELECT count(*) FROM frames").fetchone()[0] >= 100
    connection.close()


def test_seal_waits_for_readers_and_not_for_ever(store: Store) -> None:
    """A reader that sits on a full segment delays its sealing; an impatient pass indexes it all the same."""
    store.fill(1, 90)
    sitting = connect(str(list_segments(store.folder)[0].path))
    sitting.execute("BEGIN")
    sitting.execute("SELECT * FROM records").fetchone()
    store.fill(91, 150)
    house = keeper(store)
    path = list_segments(store.folder)[0].path

    assert seal(path) is None
    assert seal(path, patient=False) == (path_last(path), NOW_MS, NOW_MS)
    sitting.close()
    house.one_pass()
    assert seal(path) is not None


def path_last(path: Path) -> int:
    """Return a segment's last row."""
    connection = connect(str(path))
    try:
        return int(connection.execute("SELECT max(idx) FROM records").fetchone()[0])
    finally:
        connection.close()


def test_repeat_is_found_in_any_segment(store: Store) -> None:
    """Looking a repeat up goes back only as far as its line's numbers reach."""
    store.fill(1, 350, device=1)
    store.fill(1, 50, device=2)
    keeper(store).one_pass()

    with Reader(store.folder) as reader:
        assert [record.seq for record in reader.find(1, EPOCH, 5, 7)] == [5, 6, 7]
        assert [record.seq for record in reader.find(1, EPOCH, 340, 400)] == list(range(340, 351))
        assert [record.seq for record in reader.find(2, EPOCH, 49, 60)] == [49, 50]
        assert reader.find(3, EPOCH, 1, 9) == []


def test_chip_and_time_skip_segments_without_them(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A chip's day opens the segments of that day alone."""
    for day in range(5):
        store.fill(day * 100 + 1, day * 100 + 100, received_ms=NOW_MS + day * DAY_MS)
    keeper(store).one_pass()
    store.writer.submit(lambda _connection: None).result(20)

    with Reader(store.folder) as reader:
        opened: list[Segment] = []
        real = reader._shelf.open
        monkeypatch.setattr(reader._shelf, "open", lambda segment: (opened.append(segment), real(segment))[1])
        found = list(reader.records(7, NOW_MS + 2 * DAY_MS, NOW_MS + 3 * DAY_MS))

    assert [record.seq for record in found] == list(range(201, 301))
    assert len(opened) <= 3


def test_retention_waits_for_required_upstreams(store: Store) -> None:
    """What a required upstream has not receipted stays, whatever its age."""
    store.fill(1, 350, received_ms=NOW_MS)
    now_s = [NOW_MS / 1000 + 10 * 86_400, 0.0]
    house = keeper(store, Retention(5, 0, {"u": True}), clock_s=lambda: now_s[0], monotonic_s=lambda: now_s[1])
    house.one_pass()
    now_s[0] += 3_601
    now_s[1] += 3_601
    house.one_pass()
    assert house.deleted == 0

    with Reader(store.folder) as reader:
        store_id = reader.store_id()
    last = list_segments(store.folder)[1].first
    store.writer.submit(lambda c: save_boundaries(c, store_id, "u", [(1, 1, last, b"d" * 32)])).result(20)
    store.writer.submit(lambda c: save_cursor(c, store_id, "u", 1, b"b" * 8)).result(20)
    house.one_pass()

    store.writer.submit(lambda _connection: None).result(20)
    assert house.deleted == 1
    assert house.lost == 0
    with Reader(store.folder) as reader:
        assert reader.first_index() == last
        assert [idx for _, _, idx, _ in reader.rows(1, 999)] == list(range(last, 351))
        assert reader.marks()[-1][0] == "deleted"


def test_optional_upstream_loses_with_a_record(store: Store) -> None:
    """What an optional upstream had not, is told in a row before the file goes; disk is returned."""
    store.fill(1, 350)
    keeper(store).one_pass()
    house = keeper(store, Retention(0, 1, {"u": False}))
    before = sum(file.stat().st_size for file in (store.folder / "segments").iterdir())
    house.one_pass()

    assert house.deleted >= 2
    with Reader(store.folder) as reader:
        first = reader.first_index()
        texts = [record.raw.decode() for record in reader.records(kind=2)]
        assert house.lost == first - 1
        assert texts[0].startswith("retention: upstream u loses rows 1 to ")
        packer = Packer(reader, "u", b"k" * 32)
        built = packer.build(store.writer.committed)
        assert built is not None
        assert built.first == first
    assert sum(file.stat().st_size for file in (store.folder / "segments").iterdir()) < before


def test_full_disk_lets_retention_go_on(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an optional upstream loses can't be told on a full disk; the file goes first then, and gives the room."""
    store.fill(1, 350)
    keeper(store).one_pass()
    house = keeper(store, Retention(0, 1, {"u": False}))
    real = store.writer._appender._transaction

    def full(rows: Any, work: Any) -> Any:
        if len(list_segments(store.folder)) > 2:
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error
        return real(rows, work)

    monkeypatch.setattr(store.writer._appender, "_transaction", full)
    waiting = store.writer.submit(lambda _connection: None)
    until(lambda: bool(store.writer.trouble))
    house.one_pass()
    waiting.result(20)
    store.writer.submit(lambda _connection: None).result(20)

    assert len(list_segments(store.folder)) <= 2
    with Reader(store.folder) as reader:
        assert any(b"loses rows" in record.raw for record in reader.records(kind=2))


def test_idle_reader_keeps_no_removed_file_open(store: Store) -> None:
    """The disk is back once readers have looked up: nobody sits on a file that retention removed."""
    store.fill(1, 350)
    house = keeper(store, Retention(0, 1))
    with Reader(store.folder) as reader:
        assert len(list(reader.rows(1, 350))) == 350
        house.one_pass()
        house.one_pass()
        reader.rest()
        house.one_pass()

        assert house.deleted >= 2
        reader.rest()
        opened = [os.readlink(entry.path) for entry in os.scandir("/proc/self/fd") if os.path.islink(entry.path)]
    assert [name for name in opened if str(store.folder) in name and "(deleted)" in name] == []


def test_clock_that_jumps_deletes_nothing() -> None:
    """Age needs a clock that has run steadily; a segment stamped in 1970 is as old as the next one."""
    held = [Held(Segment(1, Path("a")), 100, 5_000, 1), Held(Segment(101, Path("b")), 200, NOW_MS, 1)]
    keep = Retention(keep_days=5)

    assert expired(held, 0, keep, None) == []
    assert expired(held, 0, keep, NOW_MS + DAY_MS) == []
    assert expired(held, 0, keep, NOW_MS + 6 * DAY_MS) == held
    assert expired(held[:1], 0, keep, NOW_MS + 6 * DAY_MS) == []
    assert expired(held, 10, Retention(keep_bytes=11), None) == held[:1]


def test_jump_of_the_clock_restarts_the_hour(store: Store) -> None:
    """Ten days forward in a second delete nothing until that clock has held for an hour."""
    store.fill(1, 250)
    clock = [NOW_MS / 1000, 0.0]
    house = keeper(store, Retention(5), clock_s=lambda: clock[0], monotonic_s=lambda: clock[1])
    for forward_s, steady_s in ((7_200, 7_200), (10 * 86_400, 1), (3_500, 3_500)):
        clock[0] += forward_s
        clock[1] += steady_s
        house.one_pass()
        assert house.deleted == 0
    clock[0] += 200
    clock[1] += 200
    house.one_pass()
    assert house.deleted >= 1


def test_old_boundaries_stay_in_older_segments(store: Store) -> None:
    """A consumer that goes back is answered from the segment that stored its packs; the newest is pruned."""
    with Reader(store.folder) as reader:
        store_id = reader.store_id()
    for n in range(1, 26):
        store.fill(n * 10 - 9, n * 10)
        pack = (n, n * 10 - 9, n * 10, bytes([n]) * 32)
        store.writer.submit(lambda c, pack=pack: save_boundaries(c, store_id, "u", [pack])).result(20)
        store.writer.submit(lambda c, n=n: save_cursor(c, store_id, "u", n, b"b" * 8)).result(20)

    with Reader(store.folder) as reader:
        newest = [n for (n,) in reader.connection.execute("SELECT n FROM packs ORDER BY n")]
        assert newest[0] > 15
        assert [reader.pack("u", n) for n in (0, 1, 25, 26)] == [
            None, (1, 10, b"\x01" * 32), (241, 250, b"\x19" * 32), None,
        ]  # fmt: skip
        assert reader.cursors() == [("u", 25, 250)]


def test_store_of_one_file_becomes_the_first_segment(tmp_path: Path) -> None:
    """A database that the earlier release left is taken over as it is: rows, id, packs, cursor, orders."""
    shutil.copy("tests/vectors/store_1.sqlite3", tmp_path / "store.sqlite3")
    with pytest.raises(StoreError, match="start the collector once"):
        Reader(tmp_path)

    store = Store(tmp_path)
    assert store.writer.committed == 41
    assert sorted(store.writer.highs()) == [(7, EPOCH, 25), ((1 << 63) - 1, EPOCH, 20)]
    store.fill(26, 200)
    store.stop()

    assert not (tmp_path / "store.sqlite3").exists()
    with Reader(tmp_path / "store.sqlite3") as reader:  # the old name still finds it
        assert reader.store_id() == bytes(range(16))
        assert [idx for _, _, idx, _ in reader.rows(1, 999)] == list(range(1, 217))
        assert reader.cursor("u") == (1, b"b" * 8)
        assert reader.pack("u", 2) == (21, 41, b"e" * 32)
        assert reader.connection.execute("SELECT count(*) FROM orders").fetchone() == (1,)
        assert reader.find((1 << 63) - 1, EPOCH, 20, 20)[0].idx == 40


def test_two_stores_in_one_folder_are_refused(tmp_path: Path) -> None:
    """A copy of the old file put back beside segments is not guessed about."""
    Store(tmp_path).stop()
    shutil.copy("tests/vectors/store_1.sqlite3", tmp_path / "store.sqlite3")

    with pytest.raises(StoreError, match="second store"):
        Writer(tmp_path, 0, 1000, lambda _index: None)


def test_missing_newest_segment_draws_a_new_store_id(store: Store, tmp_path: Path) -> None:
    """Numbers of rows that are gone are not given to other rows under the same id."""
    store.fill(1, 250)
    with Reader(tmp_path) as reader:
        old = reader.store_id()
    store.stop()
    newest = list_segments(tmp_path)[-1]
    newest.path.unlink()

    again = Store(tmp_path)
    with Reader(tmp_path) as reader:
        assert reader.store_id() != old
        assert reader.last_index() == newest.first - 1
        assert list(reader.highs()) == [(7, EPOCH, newest.first - 1)]
        assert reader.marks()[-1][0] == "restored"
    again.fill(newest.first, 250)
    again.stop()
    with Reader(tmp_path) as reader:
        assert [idx for _, _, idx, _ in reader.rows(1, 999)] == list(range(1, 251))


def test_unfinished_change_of_segments_is_undone(store: Store, tmp_path: Path) -> None:
    """A next segment that was named while the one before took more rows is removed at the start."""
    store.fill(1, 150)
    store.stop()
    segments = list_segments(tmp_path)
    stale = tmp_path / "segments" / f"{140:019d}.sqlite3"
    shutil.copy(segments[-1].path, stale)
    connection = connect(str(stale))
    connection.execute("DELETE FROM records")
    connection.execute("UPDATE segment SET first = 140, last = NULL")
    connection.close()

    again = Writer(tmp_path, 0, 1000, lambda _index: None)
    assert again.committed == 150
    again.stop()
    assert list_segments(tmp_path) == segments
