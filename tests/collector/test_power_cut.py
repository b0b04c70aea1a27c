"""Power cuts and kills at any moment, and failing fsync: what was reported as durable is there afterwards."""

import os
import random
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from weldgate_collector.store import Reader, Row, Writer, check_store
from weldgate_collector.store.keeper import Keeper, Retention
from weldgate_simulator.disk import Disk, Image
from weldgate_simulator.disk_seam import disk_seam

EPOCH = 0xA0000001
NOW_MS = 1_780_000_000_000
CHIPS = (7, (1 << 63) - 1)
SEEDS = range(int(os.environ.get("WELDGATE_POWER_CUTS", "6")))


def frame(seq: int, device: int) -> Row:
    """Return the row of a frame whose header says what its columns say."""
    head = b"\x2a\x45" + device.to_bytes(8, "big") + EPOCH.to_bytes(4, "big") + seq.to_bytes(4, "big")
    raw = head + (1_780_000_000 + seq).to_bytes(4, "big") + b"\0\0\0\x03" + b"\xa1\x01\x02" + b"T" * 8
    return (NOW_MS + seq, 1, device, EPOCH, seq, 0x45, raw)


def nothing(_text: str, now_ms: int) -> Row:
    """Return an own record's row."""
    return (now_ms, 2, 0, 0, 0, 4, b"\xa0")


class Machine:
    """A writer and a keeper on a disk, doing what a collector's do, with power cuts taken at drawn moments.

    A cut is a picture of the platter; the machine itself goes on, so that one run gives many.
    """

    def __init__(self, folder: Path, seed: int, pragmas: str = "", disk: Disk | None = None, rows: int = 100) -> None:
        self.draw = random.Random(seed)
        self.disk = disk or Disk(folder)
        self.reported = 0
        self.cuts: list[tuple[int, Image]] = []
        self._cut_at = -1
        self._pragmas = pragmas
        self._rows = rows  # of a segment
        self.disk.on_event = self._event

    def __enter__(self) -> "Machine":
        self.disk.__enter__()
        seam = disk_seam(self.disk, self._pragmas)
        self.writer = Writer(self.disk.folder, 0, 1000, self._committed, seam, segment_rows=self._rows)
        self.reported = self.writer.committed  # what a welcome would tell a chip
        self.writer.start()
        self.keeper = Keeper(self.writer, Retention(keep_bytes=60_000), nothing, seam)
        return self

    def __exit__(self, *_: Any) -> None:
        self.disk.on_event = lambda: None
        self.writer.stop()
        self.keeper.stop()
        self.disk.__exit__(None, None, None)

    def cut_soon(self) -> None:
        """Take the next picture within a few events."""
        self._cut_at = self.disk.events + self.draw.randint(0, 40)

    def work(self, rounds: int, first: int = 1) -> int:
        """Store frames of both chips, housekeeping in between; return the next number."""
        seq = first
        for _ in range(rounds):
            count = self.draw.randint(1, 12)
            self.writer.put([frame(number, chip) for number in range(seq, seq + count) for chip in CHIPS])
            seq += count
            if self.draw.random() < 0.7:
                self.writer.submit(lambda _connection: None).result(60)
            if self.draw.random() < 0.3:
                self.keeper.one_pass()
            if self._cut_at < self.disk.events:
                self.cut_soon()
        self.writer.submit(lambda _connection: None).result(60)
        return seq

    def _committed(self, index: int) -> None:
        self.reported = index

    def _event(self) -> None:
        if self.disk.events == self._cut_at:
            self.cuts.append((self.reported, self.disk.platter(self.draw)))


def restored(image: Image, folder: Path) -> Path:
    """Lay an image down as a folder."""
    for name, content in image.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def lost(reported: int, image: Image, folder: Path) -> list[int]:
    """Return which of the reported rows are gone once a collector has started again, and check the rest."""
    restored(image, folder)
    writer = Writer(folder, 0, 1000, lambda _index: None)
    highs = {chip: high for chip, _, high in writer.highs()}
    writer.stop()
    with Reader(folder) as reader:
        first = reader.first_index()
        rows = {row.idx: row for row in reader.records()}
        deleted = max((last for kind, _, _, last, _ in reader.marks() if kind == "deleted"), default=0)
    assert sorted(rows) == list(range(first, first + len(rows)))
    for row in rows.values():
        assert (row.kind, row.raw) == (1, frame(row.seq, row.device)[6])
        assert highs[row.device] >= row.seq
    assert [finding for report in check_store(folder) for finding in report.findings] == []
    # A file that retention removes goes before this is written down; it is the oldest one then.
    return [idx for idx in range(max(deleted + 1, first), reported + 1) if idx not in rows]


@pytest.mark.parametrize("seed", SEEDS)
def test_d2_power_cut_loses_nothing_reported(tmp_path: Path, seed: int) -> None:
    """D2: after a power cut at any moment, in any order of what was not synced, every reported row is there."""
    with Machine(tmp_path / "run", seed) as machine:
        machine.cut_soon()
        machine.work(60)
        cuts = machine.cuts

    assert len(cuts) > 5
    for number, (reported, image) in enumerate(cuts):
        assert lost(reported, image, tmp_path / f"cut-{number}") == []


@pytest.mark.parametrize("planted", ["PRAGMA synchronous=OFF", "PRAGMA synchronous=NORMAL"])
def test_planted_missing_fsync_is_found(tmp_path: Path, planted: str) -> None:
    """The same test under a weaker ``synchronous`` finds rows that were reported and are gone."""
    found = 0
    for seed in SEEDS:
        with Machine(tmp_path / f"run-{seed}", seed, planted) as machine:
            machine.cut_soon()
            machine.work(30)
            cuts = machine.cuts
        for number, (reported, image) in enumerate(cuts):
            try:
                found += len(lost(reported, image, tmp_path / f"cut-{seed}-{number}"))
            except Exception:
                found += 1  # not even a store any more

    assert found > 0


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("watched", [False, True])
def test_kill_and_then_power_cut(tmp_path: Path, seed: int, watched: bool) -> None:
    """What a start after a kill believes to be stored, and so tells chips, survives a power cut right after it.

    ``watched``: a reader looks in between, so that it is not the start that plays the log back.
    """
    with Machine(tmp_path / "run", seed) as machine:
        seq = machine.work(machine.draw.randint(5, 30))
        killed: list[Disk] = []
        events = machine.disk.events

        def kill() -> None:
            log = machine.disk.last_written.endswith("-wal")
            if not killed and log and machine.disk.events > events and machine.draw.random() < 0.2:
                killed.append(Disk(tmp_path / "again", machine.disk))

        machine.disk.on_event = kill
        while not killed:
            seq = machine.work(3, seq)

    with (
        Reader(tmp_path / "again", disk_seam(killed[0])) if watched else nullcontext(),
        Machine(tmp_path / "again", seed, disk=killed[0]) as machine,
    ):
        reported, image = machine.reported, machine.disk.platter(machine.draw)

    assert lost(reported, image, tmp_path / "cut") == []


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # fsync fails where SQLite ignores it
@pytest.mark.parametrize("seed", SEEDS)
def test_failing_fsync_reports_nothing_that_is_not_there(tmp_path: Path, seed: int) -> None:
    """After a failed fsync the kernel forgets what it was to write; no commit is believed for a second fsync's sake."""
    with Machine(tmp_path / "run", seed) as machine:
        machine.disk.fail_sync = lambda _name: machine.draw.random() < 0.1
        machine.cut_soon()
        machine.work(40)
        machine.disk.fail_sync = lambda _name: False
        cuts = machine.cuts

    assert len(cuts) > 3
    for number, (reported, image) in enumerate(cuts):
        assert lost(reported, image, tmp_path / f"cut-{number}") == []


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # fsync fails where SQLite ignores it
@pytest.mark.parametrize("seed", SEEDS[:3])
def test_failed_commit_is_not_played_back_over_what_the_disk_has(tmp_path: Path, seed: int) -> None:
    """A commit fails, is tried again on a fresh log and fails again, as does the log's closing; then the power goes.

    What the fresh log holds then is in the page cache alone. Copied from there into the database, and the power cut,
    what the disk has of the log would be played back over newer pages.
    """
    with Machine(tmp_path / "run", seed, rows=10_000) as machine:  # no other file is synced beside
        seq = machine.work(8)
        cuts: list[tuple[int, Image]] = []
        syncs = iter((True, False, False, False, False, True, True))

        def fail(_name: str) -> bool:
            failing = next(syncs, None)
            if failing is None and len(cuts) < 60:
                machine.disk.on_event = cut
            return bool(failing)

        def cut() -> None:
            cuts.append((machine.reported, machine.disk.platter(machine.draw)))

        machine.disk.fail_sync = fail
        machine.writer.put([frame(number, chip) for number in range(seq, seq + 40) for chip in CHIPS])
        machine.writer.submit(lambda _connection: None).result(60)
        machine.disk.on_event = lambda: None
        machine.disk.fail_sync = lambda _name: False

    assert next(syncs, None) is None
    assert cuts
    for number, (reported, image) in enumerate(cuts):
        assert lost(reported, image, tmp_path / f"cut-{number}") == []
