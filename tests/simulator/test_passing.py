"""A folder that goes with its process, also when that is killed: by the next one."""

import contextlib
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from weldgate_simulator.passing import passing_folder

PROGRAM = """
import sys
from pathlib import Path
from weldgate_simulator.passing import passing_folder
with passing_folder("w-", *map(Path, sys.argv[1:])) as folder:
    (folder / "big").write_bytes(bytes(1000))
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary folder of our own."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def test_it_is_empty_and_goes_at_the_end(place: Path) -> None:
    """Also by an exception."""
    with passing_folder("w-") as folder:
        assert list(folder.iterdir()) == []
        assert place in folder.parents
    assert list(place.iterdir()) == []

    with contextlib.suppress(RuntimeError), passing_folder("w-"):
        raise RuntimeError
    assert list(place.iterdir()) == []


def test_what_a_killed_process_left_goes_and_what_lives_stays(place: Path) -> None:
    """Only what is provably dead: no living one's folder, none without a lock, no other name, no link."""
    command = [sys.executable, "-c", PROGRAM]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as one:
        assert one.stdout is not None
        folder = Path(one.stdout.readline().strip())
        for name in ("w-unlocked", "x-other"):
            (place / name).mkdir()
        (place / "w-link").symlink_to(place / "x-other")
        with passing_folder("w-"):
            assert (folder / "big").exists()
        one.kill()
        one.wait(20)
        assert (folder / "big").exists()
        with passing_folder("w-") as mine:
            assert not folder.parent.exists()
            assert {path.name for path in place.iterdir()} == {"w-unlocked", "x-other", "w-link", mine.parent.name}


def test_folder_of_a_killed_run_goes_and_that_of_a_running_one_stays(tmp_path: Path) -> None:
    """In a place of the caller's own likewise; the system's temporary folder is not asked."""
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as one:
        assert one.stdout is not None
        folder = Path(one.stdout.readline().strip())
        with passing_folder("w-", tmp_path) as mine:
            assert {path.name for path in tmp_path.iterdir()} == {folder.parent.name, mine.parent.name}
        one.kill()
        one.wait(20)
        with passing_folder("w-", tmp_path) as mine:
            assert {path.name for path in tmp_path.iterdir()} == {mine.parent.name}
