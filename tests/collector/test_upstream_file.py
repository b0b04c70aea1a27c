"""JSON lines: whole after any end, rotated, a full disk, somebody else's hands."""

import json
import os
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "contracts"))  # tests are no package; the world stands there

import pytest
from upstream_world import Store, frame_row, section_of, wait_until

from weldgate_collector.upstream.base import Surroundings
from weldgate_collector.upstream.document import Row
from weldgate_collector.upstream.file import FileCarrier


def carrier(folder: Path, extra: str = "") -> FileCarrier:
    """Return an open carrier."""
    settings = section_of(f'kind = "file"\nfolder = "out"\n{extra}')
    around: Surroundings = Surroundings("site", b"", folder.joinpath, None, None, None, None)  # type: ignore[arg-type]
    made = FileCarrier(settings, around)
    made.begin(bytes(16))
    made.open()
    return made


def row(index: int) -> Row:
    """Return a row."""
    stored = frame_row(index)
    return Row(stored[1], stored[0], index, stored[6])


def lines(folder: Path) -> list[int]:
    """Return the indices in all files, oldest file first; every line must be whole."""
    out = folder / "out"
    files = sorted(path for path in out.glob("*.jsonl") if path.name != "current.jsonl")
    found = [path.read_bytes() for path in [*files, out / "current.jsonl"] if path.exists()]
    assert all(not data or data.endswith(b"\n") for data in found)
    return [json.loads(line)["index"] for data in found for line in data.splitlines()]


def test_line_is_synced_before_it_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What ``turn`` reports as done was written and synced in it."""
    synced: list[int] = []
    real = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda handle: (synced.append(os.fstat(handle).st_size), real(handle)))
    made = carrier(tmp_path)
    made.offer([row(1), row(2)], False)
    assert lines(tmp_path) == []
    settled = made.turn()

    assert settled.done == [1, 2]
    assert synced == [(tmp_path / "out" / "current.jsonl").stat().st_size]
    assert lines(tmp_path) == [1, 2]
    made.close()


def test_torn_line_is_cut_off_at_the_next_start(tmp_path: Path) -> None:
    """A kill leaves half a line; the file is closed with its whole ones, and a new one is begun."""
    made = carrier(tmp_path)
    made.offer([row(1)], False)
    made.turn()
    made.close()
    with (tmp_path / "out" / "current.jsonl").open("ab") as file:
        file.write(b'{"id": "half')

    again = carrier(tmp_path)
    again.offer([row(2)], False)
    again.turn()
    again.close()
    assert lines(tmp_path) == [1, 2]
    assert len(list((tmp_path / "out").iterdir())) == 2


def test_file_of_one_torn_line_is_emptied(tmp_path: Path) -> None:
    """Longer than what is read at once."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "current.jsonl").write_bytes(b"x" * 200_000)

    made = carrier(tmp_path)
    made.close()
    assert (tmp_path / "out" / "current.jsonl").read_bytes() == b""


def test_rotation_by_size_and_age_and_how_many_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Large or old enough it gets its name; the oldest go when so many are to stay."""
    made = carrier(tmp_path, "rotate_mb = 1\nkeep_files = 2\n")
    for first in range(0, 12_000, 1_000):
        made.offer([row(index) for index in range(first + 1, first + 1_001)], True)
        made.turn()
    made.close()
    kept = sorted(path for path in (tmp_path / "out").glob("*.jsonl") if path.name != "current.jsonl")

    assert len(kept) == 2
    assert all(path.stat().st_size >= 1 << 20 for path in kept)
    assert lines(tmp_path)[-1] == 12_000

    old = carrier(tmp_path / "b", "rotate_s = 60\n")
    old.offer([row(1)], False)
    old.turn()
    now_s = 61.0 + old._began_s
    monkeypatch.setattr("weldgate_collector.upstream.file.time.monotonic", lambda: now_s)
    old.turn()
    old.close()
    assert (tmp_path / "b" / "out" / "current.jsonl").read_bytes() == b""
    assert lines(tmp_path / "b") == [1]


def test_file_that_somebody_moved_is_begun_anew(tmp_path: Path) -> None:
    """logrotate and the like: nothing is written into what is no longer there."""
    made = carrier(tmp_path)
    made.offer([row(1)], False)
    made.turn()
    (tmp_path / "out" / "current.jsonl").rename(tmp_path / "taken")
    made.offer([row(2)], False)
    with pytest.raises(OSError, match="No such file"):
        made.turn()
    made.close()
    made.open()
    made.offer([row(2)], False)
    made.turn()
    made.close()

    assert lines(tmp_path) == [2]


def test_file_that_somebody_wrote_into_is_put_away(tmp_path: Path) -> None:
    """Whole lines of ours never stand behind half a line of somebody else."""
    made = carrier(tmp_path)
    with (tmp_path / "out" / "current.jsonl").open("ab") as file:
        file.write(b"junk")
    made.offer([row(1)], False)
    with pytest.raises(OSError, match="somebody else"):
        made.turn()
    made.close()
    made.open()
    made.offer([row(1)], False)
    made.turn()
    made.close()

    assert lines(tmp_path) == [1]


@contextmanager
def files_end_at(size: int) -> Iterator[None]:
    """Let no file of this process grow further, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


def test_full_disk_holds_the_cursor_and_leaves_no_half_line(tmp_path: Path) -> None:
    """While the disk is full it is told and nothing counts; when there is room again every row is there."""
    record = {"map": {"index": "$.index", "pad": "x" * 10_000}}  # so that these files end long before the store's
    with Store(tmp_path) as store:
        store.frames(300)
        with files_end_at(1 << 20):
            upstream = store.upstream("file", folder="out", window=20, record=record)
            wait_until(lambda: "File too large" in upstream.status().trouble, upstream.status)
            written = lines(tmp_path)
            waiting = upstream.status().waiting_rows
        store.drained(upstream)
        wait_until(lambda: upstream.status().trouble == "", upstream.status)

    assert written == list(range(1, len(written) + 1))
    assert 0 < len(written) < 105
    assert waiting >= 300 - len(written)
    assert set(lines(tmp_path)) == set(range(1, 301))
