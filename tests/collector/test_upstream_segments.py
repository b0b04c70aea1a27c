"""Record upstreams over a store of segments: they read over them, keep none from its end, and lose nothing unsaid."""

import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "contracts"))  # tests are no package; the worlds stand there
sys.path.insert(0, str(Path(__file__).parent))

import pytest
from test_upstream_records import Far, start
from upstream_world import Store, wait_until

from weldgate_collector import Reader, backup_store, join_store, list_segments, restore_store, salvage_store
from weldgate_collector.store import Row
from weldgate_collector.store.keeper import Keeper, Retention
from weldgate_collector.store.schema import open_store


def own(text: str, now_ms: int) -> Row:
    """Return an own record's row."""
    return (now_ms, 2, 0, 0, 0, 4, text.encode())


def fill(store: Store, count: int) -> None:
    """Store frames commit by commit, so that segments change over on the way."""
    for _ in range(count // 10):
        store.frames(10)
        store.writer.submit(lambda _connection: None).result(20)


def aside(folder: Path) -> list[tuple[str, int]]:
    """Return whose and which records are set aside."""
    with Reader(folder) as reader:
        return [(one.upstream, one.idx) for one in reader.aside()]


@pytest.fixture
def poisoned(tmp_path: Path) -> Path:
    """The folder of a store of some segments, which had records set aside in its first one."""
    far = Far()
    far.poison = {3, 50}
    with Store(tmp_path / "data", segment_rows=100) as store:
        upstream = start(store, far)
        fill(store, 100)
        wait_until(lambda: upstream.status().aside == 2, upstream.status)
        fill(store, 300)
        store.drained(upstream)
    assert sorted(far.got) == [index for index in range(1, 401) if index not in far.poison]
    assert len(list_segments(tmp_path / "data")) >= 3
    return tmp_path / "data"


def test_what_is_set_aside_goes_on_into_later_segments(poisoned: Path) -> None:
    """Every row goes out once, whatever segment has it; what is aside stays so."""
    assert aside(poisoned) == [("u", 3), ("u", 50)]


def test_copies_have_what_is_set_aside(poisoned: Path, tmp_path: Path) -> None:
    """A backup, a restored store and a store of one file."""
    backup_store(poisoned, tmp_path / "backup")
    join_store(poisoned, tmp_path / "one.sqlite3")
    restore_store(tmp_path / "backup", tmp_path / "again")
    one = open_store(tmp_path / "one.sqlite3")
    joined = one.execute("SELECT upstream, idx FROM aside ORDER BY idx").fetchall()
    one.close()

    assert aside(tmp_path / "backup") == aside(tmp_path / "again") == joined == [("u", 3), ("u", 50)]


def test_salvage_keeps_what_is_set_aside(poisoned: Path) -> None:
    """The newest segment is damaged where its rows are; the rest of it is taken over."""
    newest = list_segments(poisoned)[-1].path
    connection = open_store(newest)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    page: int = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'records'").fetchone()[0]
    connection.close()
    data = bytearray(newest.read_bytes())
    data[(page - 1) * 4096 : (page - 1) * 4096 + 100] = b"\x5a" * 100
    newest.write_bytes(data)

    assert salvage_store(poisoned)[0].aside is not None
    assert aside(poisoned) == [("u", 3), ("u", 50)]


def test_retention_waits_for_a_required_one_and_tells_what_an_optional_one_loses(tmp_path: Path) -> None:
    """Its cursor is read as any other's; behind what is gone it goes on."""
    far = Far()
    far.open_raises = OSError("nobody is there")
    with Store(tmp_path, segment_rows=100) as store:
        upstream = start(store, far)
        fill(store, 350)
        required = Keeper(store.writer, Retention(0, 1, {"u": True}), own)
        required.one_pass()
        required.one_pass()
        assert required.deleted == 0

        optional = Keeper(store.writer, Retention(0, 1, {"u": False}), own)
        wait_until(lambda: (optional.one_pass(), optional.deleted >= 2)[1])
        with store.reader() as reader:
            first = reader.first_index()
            told = [record.raw.decode() for record in reader.records(kind=2)]
        far.open_raises = None
        store.drained(upstream)

    assert optional.lost == first - 1
    assert told[0].startswith("retention: upstream u loses rows 1 to ")
    assert far.got[0] == first
    assert far.got == sorted(set(far.got))


def test_connected_upstream_lets_go_of_what_is_gone(tmp_path: Path) -> None:
    """Sealed while it is connected, and removed: the disk returns within a second or two."""
    far = Far()
    with Store(tmp_path, segment_rows=100) as store:
        fill(store, 350)
        upstream = start(store, far)
        store.drained(upstream)
        house = Keeper(store.writer, Retention(0, 1, {"u": True}), own)
        wait_until(lambda: (house.one_pass(), house.deleted >= 2)[1])
        wait_until(lambda: _held(tmp_path) == [], lambda: _held(tmp_path))
        assert far.opened == 1
        assert house.lost == 0


def test_rows_that_can_t_be_read_yet_are_not_passed_over(tmp_path: Path, monkeypatch: Any) -> None:
    """A reader that sees less than what is committed holds the cursor, nothing else."""
    far = Far()
    with Store(tmp_path) as store:
        store.frames(10)
        last_index, rows, seen = Reader.last_index, Reader.rows, [5]
        monkeypatch.setattr(Reader, "last_index", lambda reader: min(last_index(reader), seen[0]))
        monkeypatch.setattr(Reader, "rows", lambda reader, first, last: rows(reader, first, min(last, seen[0])))
        upstream = start(store, far)
        wait_until(lambda: upstream.status().through >= 5)
        seen[0] = 10
        store.drained(upstream)

    assert far.got == list(range(1, 11))


def _held(folder: Path) -> list[str]:
    """Return removed files below a folder that this process still has open."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{name}"))
        except FileNotFoundError:
            continue
    return [name for name in found if str(folder) in name and name.endswith("(deleted)")]
