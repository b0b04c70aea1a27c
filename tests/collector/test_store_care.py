"""Check, salvage, backup and restore: what is damaged is found, what can be read is kept, the rest is declared."""

import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from weldgate_collector.errors import StoreError
from weldgate_collector.ingest import gap_row
from weldgate_collector.store import (
    Reader,
    Row,
    Writer,
    backup_store,
    check_store,
    find_gaps,
    list_segments,
    restore_store,
    salvage_store,
    seal,
)
from weldgate_collector.store.keeper import Keeper, Retention
from weldgate_collector.store.lock import take_folder
from weldgate_protocol.collector_record import RECORD_GAP, decode_record

EPOCH = 0xA0000001
NOW_MS = 1_780_000_000_000
CHIPS = (7, (1 << 63) - 1)


def frame(seq: int, device: int) -> Row:
    """Return the row of a frame whose header says what its columns say."""
    head = b"\x2a\x45" + device.to_bytes(8, "big") + EPOCH.to_bytes(4, "big") + seq.to_bytes(4, "big")
    raw = head + (1_780_000_000 + seq).to_bytes(4, "big") + b"\0\0\0\x03" + b"\xa1\x01\x02" + b"T" * 8
    return (NOW_MS + seq, 1, device, EPOCH, seq, 0x45, raw)


def grow(folder: Path, first: int, last: int, rows: int = 100) -> None:
    """Store frames of both chips, and stop."""
    writer = Writer(folder, 0, 1000, lambda _index: None, segment_rows=rows)
    writer.start()
    for start in range(first, last + 1, 5):
        writer.put([frame(seq, chip) for seq in range(start, min(start + 5, last + 1)) for chip in CHIPS])
        writer.submit(lambda _connection: None).result(20)
    writer.stop()
    for segment in list_segments(folder)[:-1]:
        seal(segment.path)


def numbers(folder: Path, chip: int) -> list[int]:
    """Return a chip's stored numbers, in order."""
    with Reader(folder) as reader:
        return [record.seq for record in reader.records(chip, kind=1)]


def declared(folder: Path, chip: int) -> set[int]:
    """Return the numbers that our own gap records declare."""
    with Reader(folder) as reader:
        records = [decode_record(record.raw) for record in reader.records(chip, kind=2)]
    return {seq for r in records if r.kind == RECORD_GAP for seq in range(r.first, r.last + 1)}


def findings(folder: Path) -> list[str]:
    """Return the kinds of everything that ``check`` finds."""
    return [finding.kind for report in check_store(folder) for finding in report.findings]


def holes(folder: Path) -> list[tuple[int, int, int, str]]:
    """Return (chip, first, last, state) of each hole."""
    with Reader(folder) as reader:
        return [(gap.device, gap.first, gap.last, gap.state) for gap in find_gaps(reader) if gap.is_hole]


def test_sound_store_has_no_findings(tmp_path: Path) -> None:
    """A store as the collector leaves it is sound, whole, and salvage leaves it alone."""
    grow(tmp_path, 1, 200)

    reports = list(check_store(tmp_path, lambda raw: raw.endswith(b"T" * 8)))

    assert [finding for report in reports for finding in report.findings] == []
    assert sum(report.rows for report in reports) == 400
    assert [report.sealed for report in reports] == [True] * (len(reports) - 1) + [False]
    assert holes(tmp_path) == []
    assert salvage_store(tmp_path) == []


def test_tag_that_does_not_verify_is_found(tmp_path: Path) -> None:
    """With the chips' keys at hand, check looks at every tag; a chip it doesn't know is left out."""
    grow(tmp_path, 1, 5)

    def tag_matches(raw: bytes) -> bool | None:
        return None if raw[9] == 7 else raw[17] != 3

    (report,) = check_store(tmp_path, tag_matches)
    assert [finding.kind for finding in report.findings] == ["tag"]
    assert salvage_store(tmp_path)[:1] == []


def test_frame_whose_tag_does_not_verify_is_declared_by_a_salvage_with_keys(tmp_path: Path) -> None:
    """A bit that flipped in a payload shows by the tag alone: the frame goes aside, its number is declared lost."""
    grow(tmp_path, 1, 390, rows=150)
    victim = list_segments(tmp_path)[1]
    connection = sqlite3.connect(victim.path)
    idx, seq, raw = connection.execute("SELECT idx, seq, raw FROM records WHERE device = 7 LIMIT 1 OFFSET 9").fetchone()
    connection.execute("UPDATE records SET raw = ? WHERE idx = ?", (raw[:30] + bytes([raw[30] ^ 1]) + raw[31:], idx))
    connection.commit()
    connection.close()

    def tag_matches(raw: bytes) -> bool | None:
        return raw == frame(int.from_bytes(raw[14:18], "big"), int.from_bytes(raw[2:10], "big"))[6]

    assert salvage_store(tmp_path) == []

    (done,) = salvage_store(tmp_path, tag_matches=tag_matches)

    assert (done.lost_rows, done.declared) == (1, 1)
    assert done.aside is not None
    assert declared(tmp_path, 7) == {seq}
    assert seq not in numbers(tmp_path, 7)
    assert [finding for report in check_store(tmp_path, tag_matches) for finding in report.findings] == []


def damage_flip(path: Path) -> None:
    """Flip bytes in the middle of the file, over several pages."""
    data = bytearray(path.read_bytes())
    middle = len(data) // 2 // 4096 * 4096
    for offset in range(middle, middle + 4096):
        data[offset] ^= 0x5A
    path.write_bytes(data)


def damage_cut(path: Path) -> None:
    """Cut the file short, as a disk does that was torn out."""
    os.truncate(path, path.stat().st_size * 9 // 10 // 4096 * 4096)


def damage_cut_in_a_row(path: Path) -> None:
    """Cut the file short in the middle of a frame's tag: with zeros behind it, it still looks like a row."""
    data = path.read_bytes()
    os.truncate(path, data.index(b"T" * 8, len(data) // 2) + 4)


def damage_head(path: Path) -> None:
    """Spoil the header: nothing can be read any more."""
    path.write_bytes(b"\xff" * 4096 + path.read_bytes()[4096:])


def damage_all(path: Path) -> None:
    """Leave an empty file."""
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [damage_flip, damage_cut, damage_cut_in_a_row, damage_head, damage_all, os.unlink])
@pytest.mark.parametrize("which", ["first", "middle", "newest"])
def test_damaged_segment_is_salvaged_and_the_rest_declared(tmp_path: Path, damage: Any, which: str) -> None:
    """Whatever befell a segment: what can be read stays, what can't is declared exactly, the file is set aside."""
    grow(tmp_path, 1, 390, rows=150)
    segments = list_segments(tmp_path)
    assert len(segments) >= 4
    victim = segments[{"first": 0, "middle": 1, "newest": -1}[which]]
    before = {chip: set(numbers(tmp_path, chip)) for chip in CHIPS}
    damage(victim.path)
    gone = damage is os.unlink
    if gone and which == "newest":
        assert findings(tmp_path) == []  # nobody can know of it; the writer draws a new id
    else:
        assert findings(tmp_path)

    done = salvage_store(tmp_path)

    assert findings(tmp_path) == []
    if not gone:
        assert done[0].aside is not None
        assert done[0].aside.exists()
        assert (done[0].kept > 0) == (damage != damage_all) or damage is damage_cut_in_a_row
    writer = Writer(tmp_path, 0, 1000, lambda _index: None)
    highs = {chip: high for chip, _, high in writer.highs()}
    writer.stop()
    for chip in CHIPS:
        stored, told = set(numbers(tmp_path, chip)), declared(tmp_path, chip)
        assert stored <= before[chip]
        high = highs.get(chip, 0)
        assert stored | told >= set(range(1, high + 1))
        assert all(seq > high for seq in before[chip] - stored - told)
        assert not stored & told
    with Reader(tmp_path) as reader:
        assert all(row.raw == frame(row.seq, row.device)[6] for row in reader.records(kind=1))
        assert [gap.state for gap in find_gaps(reader) if gap.state == "missing"] == []


def test_file_that_was_mended_is_missed_when_it_is_removed(tmp_path: Path) -> None:
    """What a salvage wrote down as lost are the rows that were lost, and not all the others of that file too."""
    grow(tmp_path, 1, 390, rows=150)
    victim = list_segments(tmp_path)[1].path
    damage_flip(victim)
    before = {chip: set(numbers(tmp_path, chip)) for chip in CHIPS} if salvage_store(tmp_path) else {}
    assert findings(tmp_path) == []

    victim.unlink()

    assert findings(tmp_path) == ["missing-segment"]
    salvage_store(tmp_path)
    assert findings(tmp_path) == []
    for chip in CHIPS:
        assert before[chip] <= set(numbers(tmp_path, chip)) | declared(tmp_path, chip)


def test_declaration_that_was_in_a_lost_file_is_made_again(tmp_path: Path) -> None:
    """A gap record in a file that is gone spoke of older numbers; they would be a hole that nobody told of."""
    writer = Writer(tmp_path, 0, 1000, lambda _index: None, segment_rows=150)
    writer.start()
    writer.put([frame(seq, 7) for seq in (1, 2, 4, 5)])
    writer.submit(lambda _connection: None).result(20)
    writer.stop()
    grow(tmp_path, 6, 90, rows=150)
    writer = Writer(tmp_path, 0, 1000, lambda _index: None, segment_rows=150)
    writer.start()
    writer.put([gap_row((7).to_bytes(8, "big"), EPOCH.to_bytes(4, "big"), 3, 3, NOW_MS)])
    writer.stop()
    grow(tmp_path, 91, 300, rows=150)
    victim = next(path for _, path in list_segments(tmp_path) if holds_own(path))
    victim.unlink()

    salvage_store(tmp_path)

    assert 3 in declared(tmp_path, 7)
    assert holes(tmp_path) == [hole for hole in holes(tmp_path) if hole[3] == "lost"]


def holds_own(path: Path) -> bool:
    """Tell whether a segment has one of our own records."""
    connection = sqlite3.connect(path)
    try:
        return bool(connection.execute("SELECT count(*) FROM records WHERE kind = 2").fetchone()[0])
    finally:
        connection.close()


def test_oldest_segment_that_retention_took_is_not_missing(tmp_path: Path) -> None:
    """What retention took is told from what somebody removed; salvage declares the one and not the other."""
    grow(tmp_path, 1, 390, rows=150)
    first, second, third = list_segments(tmp_path)[:3]
    writer = Writer(tmp_path, 0, 1000, lambda _index: None, segment_rows=150)
    keeper = Keeper(writer, Retention(keep_bytes=1), lambda _text, now_ms: (now_ms, 2, 0, 0, 0, 4, b"\xa0"))
    writer.start()
    keeper._seal(first)
    keeper._delete(keeper._held[first.first], {})
    keeper.stop()
    writer.stop()
    assert findings(tmp_path) == []

    os.unlink(second.path)

    assert findings(tmp_path) == ["missing-segment"]
    (done,) = salvage_store(tmp_path)
    assert (done.first, done.last, done.aside) == (second.first, third.first - 1, None)
    assert findings(tmp_path) == []
    for chip in CHIPS:
        assert declared(tmp_path, chip) >= set(range(second.first // 2 + 1, third.first // 2))


def test_retention_cut_off_before_the_file_goes_is_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is written down before the file goes, so that a kill in between leaves no hole that nobody told of."""
    grow(tmp_path, 1, 390, rows=150)
    writer = Writer(tmp_path, 0, 1000, lambda _index: None, segment_rows=150)
    writer.start()
    retention = Retention(keep_bytes=list_segments(tmp_path)[-1].path.stat().st_size * 3)
    keeper = Keeper(writer, retention, lambda _text, now_ms: (now_ms, 2, 0, 0, 0, 4, b"\xa0"))
    before = [segment.first for segment in list_segments(tmp_path)]

    def killed(_path: Path) -> None:
        with Reader(tmp_path) as reader:
            assert any(mark[0] == "deleted" for mark in reader.marks())
        raise OSError("killed")

    with monkeypatch.context() as patch:
        patch.setattr("weldgate_collector.store.keeper.remove_database", killed)
        keeper.one_pass()
    assert [segment.first for segment in list_segments(tmp_path)] == before
    assert findings(tmp_path) == []

    keeper.one_pass()

    assert [segment.first for segment in list_segments(tmp_path)] != before
    keeper.stop()
    writer.stop()
    assert findings(tmp_path) == []


def test_salvage_refuses_while_a_collector_runs(tmp_path: Path) -> None:
    """Two writers would be worse than any damage."""
    grow(tmp_path, 1, 5)
    handle = take_folder(tmp_path)
    try:
        with pytest.raises(StoreError, match="another collector runs"):
            salvage_store(tmp_path)
    finally:
        os.close(handle)


def test_read_only_store_can_be_read(tmp_path: Path) -> None:
    """A sealed segment on a medium that can't be written is read, checked and backed up."""
    grow(tmp_path, 1, 200)
    for segment in list_segments(tmp_path)[:-1]:
        segment.path.chmod(0o444)

    assert numbers(tmp_path, 7) == list(range(1, 201))
    assert findings(tmp_path) == []


def test_backup_while_running_and_restore(tmp_path: Path) -> None:
    """An older backup comes back under a new id; chips refill what they hold, the rest is a declared loss."""
    data, backup = tmp_path / "data", tmp_path / "backup"
    writer = Writer(data, 0, 1000, lambda _index: None, segment_rows=100)
    writer.start()

    def put(first: int, last: int) -> None:
        for seq in range(first, last + 1):
            writer.put([frame(seq, chip) for chip in CHIPS])
            writer.submit(lambda _connection: None).result(20)

    put(1, 120)
    for segment in list_segments(data)[:-1]:
        seal(segment.path)
    assert backup_store(data, backup).last == 240
    put(121, 130)
    again = backup_store(data, backup)
    assert again.last == 260
    assert again.copied < again.segments
    put(131, 200)
    with Reader(data) as reader:
        old = reader.store_id()
    writer.stop()

    assert restore_store(backup, data).last == 260

    assert [path.name for path in data.iterdir() if path.name.startswith("segments.before-")]
    writer = Writer(data, 0, 1000, lambda _index: None, segment_rows=100)
    assert sorted(writer.highs()) == [(chip, EPOCH, 130) for chip in sorted(CHIPS)]
    writer.start()
    # chip 7 holds from 171 on; the other one holds everything
    writer.put([gap_row((7).to_bytes(8, "big"), EPOCH.to_bytes(4, "big"), 131, 170, NOW_MS)])
    writer.put([frame(seq, 7) for seq in range(171, 201)] + [frame(seq, CHIPS[1]) for seq in range(131, 201)])
    writer.stop()
    with Reader(data) as reader:
        assert reader.store_id() != old
        assert [idx for _, _, idx, _ in reader.rows(1, 9999)] == list(range(1, 362))
    assert holes(data) == [(7, 131, 170, "lost")]
    assert findings(data) == []


def test_backup_into_another_stores_folder_is_refused(tmp_path: Path) -> None:
    """A backup never mixes two stores, and never goes onto itself."""
    grow(tmp_path / "a", 1, 5)
    grow(tmp_path / "b", 1, 5)
    backup_store(tmp_path / "a", tmp_path / "c")

    with pytest.raises(StoreError, match="another store"):
        backup_store(tmp_path / "b", tmp_path / "c")
    with pytest.raises(StoreError, match="is the store itself"):
        backup_store(tmp_path / "a", tmp_path / "a")
    with pytest.raises(StoreError, match="no backup"):
        restore_store(tmp_path / "d", tmp_path / "a")


def test_planted_misfiled_row_is_found(tmp_path: Path) -> None:
    """A row whose columns are not its frame's is found, though SQLite sees nothing wrong with it."""
    grow(tmp_path, 1, 20)
    connection = sqlite3.connect(list_segments(tmp_path)[0].path)
    connection.execute("UPDATE records SET seq = 99 WHERE idx = 3")
    connection.commit()
    connection.close()

    assert findings(tmp_path) == ["misfiled"]
    salvage_store(tmp_path)
    assert 2 in declared(tmp_path, 7)
    assert findings(tmp_path) == []


@pytest.mark.parametrize("spoil", [False, True])
def test_store_of_one_file_is_checked_and_salvaged(tmp_path: Path, spoil: bool) -> None:
    """The earlier release's file: sound, it is taken over; damaged, its rows are copied out of it."""
    data = bytearray(Path("tests/vectors/store_1.sqlite3").read_bytes())
    if spoil:
        data[:4096] = bytes(4096)
    (tmp_path / "store.sqlite3").write_bytes(data)
    assert bool(findings(tmp_path)) == spoil

    done = salvage_store(tmp_path)

    assert bool(done) == spoil
    assert findings(tmp_path) == []
    assert not (tmp_path / "store.sqlite3").exists()
    if not spoil:
        assert len(numbers(tmp_path, 7)) > 0
