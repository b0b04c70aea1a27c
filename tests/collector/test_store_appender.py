"""The open segment's file: what somebody does to it takes no acks; a disk that takes no writes withholds them."""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.collector.store_world import Commits, row, until

from weldgate_collector.store import Reader, Writer, connect, list_segments


def remove(path: Path) -> None:
    """Remove a database under the writer's hands."""
    path.unlink()


def replace(path: Path) -> None:
    """Put a copy in its place."""
    copy = path.with_name("copy")
    copy.write_bytes(path.read_bytes())
    copy.rename(path)


def cut_short(path: Path) -> None:
    """Take its last page."""
    os.truncate(path, path.stat().st_size - 4096)


@pytest.mark.parametrize(
    ("befall", "told"), [(remove, "is gone"), (replace, "is another file"), (cut_short, "was cut short")]
)
def test_file_that_somebody_touched_takes_no_more_acks(
    tmp_path: Path, befall: Callable[[Path], None], told: str
) -> None:
    """SQLite goes on writing into a file that is gone; nothing is reported then, and no fresh one hides the loss."""
    commits = Commits()
    writer = Writer(tmp_path, 1, 100, commits, stop_retry_s=0.0)
    path = list_segments(tmp_path)[0].path
    writer.start()
    writer.put([row(1)])
    commits.wait(1)
    writer.submit(lambda _connection: None).result(20)

    befall(path)
    writer.put([row(2)])
    until(lambda: told in writer.trouble)
    writer.put([row(3)])
    writer.stop()

    assert commits.seen == [1]
    assert path.exists() == (befall is not remove)


def test_store_that_takes_no_writes_withholds_and_recovers(tmp_path: Path) -> None:
    """A disk that the kernel made read-only is trouble as long as it lasts, and then nothing is lost."""
    read_only = [False]

    def seam(path: str) -> sqlite3.Connection:
        return connect(f"file:{path}?mode=ro" if read_only[0] else path)

    commits = Commits()
    writer = Writer(tmp_path, 1, 100, commits, seam)
    writer.start()
    writer.put([row(1)])
    commits.wait(1)
    read_only[0] = True
    writer._appender._segment.connection.close()
    writer.put([row(2)])
    until(lambda: "readonly" in writer.trouble)
    read_only[0] = False
    commits.wait(2)
    writer.stop()

    with Reader(tmp_path) as reader:
        assert [record[2] for record in reader.rows(1, 9)] == [1, 2]
