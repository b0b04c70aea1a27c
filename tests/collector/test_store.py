"""The store: D2, contiguous rows, failing disks, migrations, and the views for people."""

import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from tests.collector.store_world import DEVICE, RAW, Commits, row, until

from weldgate_collector.errors import StoreError
from weldgate_collector.store import Reader, Row, Writer, appender, connect, schema


class Recording:
    """The ``connect`` seam with a record of every statement, and failures on demand."""

    def __init__(self) -> None:
        self.statements: list[str] = []
        self.fail: Callable[[str], None] = lambda _statement: None

    def __call__(self, path: str) -> sqlite3.Connection:
        recorder = self

        class Connection(sqlite3.Connection):
            def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
                recorder.fail(sql)
                cursor = super().execute(sql, *args)
                recorder.statements.append(sql)
                return cursor

            def executemany(self, sql: str, *args: Any) -> sqlite3.Cursor:
                recorder.fail(sql)
                cursor = super().executemany(sql, *args)
                recorder.statements.append(sql)
                return cursor

        return connect(path, Connection)


def full() -> sqlite3.OperationalError:
    """Return the error of a full disk."""
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    return error


def test_d2_ack_follows_full_commit(tmp_path: Path) -> None:
    """D2: nothing is reported durable before a COMMIT under synchronous=FULL in WAL has returned."""
    seam = Recording()
    at_report: list[list[str]] = []
    commits = Commits()

    def on_commit(index: int) -> None:
        at_report.append(list(seam.statements))
        commits(index)

    writer = Writer(tmp_path, 1, 100, on_commit, seam)
    mode = writer.submit(
        lambda connection: (
            connection.execute("PRAGMA journal_mode").fetchone()[0],
            connection.execute("PRAGMA synchronous").fetchone()[0],
        )
    )
    writer.start()
    writer.put([row(1), row(2)])
    commits.wait(2)
    writer.stop()

    assert mode.result() == ("wal", 2)
    assert at_report[0][-1] == "COMMIT"
    insert = max(n for n, sql in enumerate(at_report[0]) if sql.startswith("INSERT INTO records"))
    assert at_report[0].index("COMMIT", insert) > insert
    assert not any("synchronous" in sql.lower() and "full" not in sql.lower() for sql in at_report[0] if "=" in sql)


def test_rows_are_contiguous_and_survive_reopening(tmp_path: Path) -> None:
    """The idx goes on where it ended, without a hole."""
    path = tmp_path
    for start in (1, 251):
        commits = Commits()
        writer = Writer(path, 1, 100, commits)
        writer.start()
        assert writer.put([row(seq) for seq in range(start, start + 250)]) == start + 249
        writer.stop()
        assert commits.seen[-1] == start + 249

    with Reader(path) as reader:
        assert [record[2] for record in reader.rows(1, 1000)] == list(range(1, 501))
        assert list(reader.highs()) == [(DEVICE, 0xA0000001, 500)]


def test_stop_commits_what_is_queued(tmp_path: Path) -> None:
    """A graceful stop flushes; afterwards nothing is taken."""
    commits = Commits()
    writer = Writer(tmp_path, 1000, 10_000, commits)
    writer.start()
    writer.put([row(seq) for seq in range(1, 31)])

    writer.stop()

    assert commits.seen == [30]
    with pytest.raises(StoreError):
        writer.put([row(31)])
    with pytest.raises(StoreError):
        writer.submit(lambda _connection: None)


def test_full_disk_withholds_and_recovers(tmp_path: Path) -> None:
    """While the disk is full nothing is reported, the trouble is named, and nothing is lost when it ends."""
    seam = Recording()
    commits = Commits()
    writer = Writer(tmp_path, 1, 100, commits, seam)
    failures: list[str] = []
    failed_twice = threading.Event()

    def fail(sql: str) -> None:
        if sql == "COMMIT":
            failures.append(sql)
            if len(failures) == 2:
                failed_twice.set()
            raise full()

    seam.fail = fail
    writer.start()
    writer.put([row(1), row(2)])
    assert failed_twice.wait(20)

    assert commits.seen == []
    assert "full" in writer.trouble
    assert writer.backlog == 2
    seam.fail = lambda _sql: None
    commits.wait(2)
    writer.stop()
    assert writer.trouble == ""
    with Reader(tmp_path) as reader:
        assert [record[2] for record in reader.rows(1, 9)] == [1, 2]


@pytest.mark.parametrize("rows", [[row(1), row(2)], []])
def test_commit_that_failed_but_is_there_is_not_doubled(tmp_path: Path, rows: list[Row]) -> None:
    """An error after the commit reached the file leaves each row once, and does its work once."""
    seam = Recording()
    writer = Writer(tmp_path, 1, 100, Commits(), seam)
    real = writer._appender._segment.connection
    failed: list[str] = []

    def fail(sql: str) -> None:
        if sql == "COMMIT" and not failed:
            failed.append(sql)
            sqlite3.Connection.execute(real, "COMMIT")
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR
            raise error

    seam.fail = fail
    if rows:
        writer.put(rows)
    work = writer.submit(lambda c: c.execute("INSERT INTO meta VALUES ('once', 1)").rowcount)
    writer.start()

    assert work.result(20) == 1
    writer.stop()
    assert failed
    assert "PRAGMA wal_checkpoint(TRUNCATE)" in seam.statements[seam.statements.index("BEGIN IMMEDIATE") :]
    with Reader(tmp_path) as reader:
        assert reader.last_index() == len(rows)


def test_commit_that_failed_is_not_believed_while_a_reader_is_in_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkpoint that was busy moved nothing into the database, so the commit isn't known to be durable."""
    commits = Commits()
    seam = Recording()
    writer = Writer(tmp_path, 1, 100, commits, seam)
    real = writer._appender._segment.connection
    failed: list[str] = []
    monkeypatch.setattr(appender, "settle", lambda _connection: False)

    def fail(sql: str) -> None:
        if sql == "COMMIT" and not failed:
            failed.append(sql)
            sqlite3.Connection.execute(real, "COMMIT")
            raise full()

    seam.fail = fail
    writer.start()
    writer.put([row(1)])
    until(lambda: "in the way" in writer.trouble)
    assert commits.seen == []
    monkeypatch.undo()
    commits.wait(1)
    writer.stop()


def test_settle_is_busy_under_an_old_view(tmp_path: Path) -> None:
    """With a reader on an older state, what came after it can't be moved, and that is said."""
    path = str(tmp_path / "x")
    connection, sitting = connect(path), connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE t (x)")
    sitting.execute("BEGIN")
    sitting.execute("SELECT * FROM t").fetchall()
    connection.execute("PRAGMA busy_timeout=1")
    connection.execute("INSERT INTO t VALUES (1)")

    assert not schema.settle(connection)
    sitting.close()
    assert schema.settle(connection)
    connection.close()


def test_work_rides_in_the_batch_and_fails_alone(tmp_path: Path) -> None:
    """Work that fails undoes only itself and tells whoever submitted it."""
    commits = Commits()
    writer = Writer(tmp_path, 1, 100, commits)

    def bad(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO meta VALUES ('bad', 1)")
        connection.execute("INSERT INTO meta VALUES ('bad', 2)")

    good: Future[Any] = writer.submit(lambda connection: connection.execute("INSERT INTO meta VALUES ('good', 1)"))
    failing = writer.submit(bad)
    writer.put([row(1)])
    writer.start()
    writer.stop()

    good.result(0)
    with pytest.raises(sqlite3.IntegrityError):
        failing.result(0)
    with Reader(tmp_path) as reader:
        keys = [key for (key,) in reader.connection.execute("SELECT key FROM meta ORDER BY key")]
        assert keys == ["good", "store_id"]
        assert reader.last_index() == 1


def test_asker_who_gives_up_does_not_cancel_what_is_queued(tmp_path: Path) -> None:
    """Work that was submitted is done, and the writer lives, though somebody tried to take it back."""
    writer = Writer(tmp_path, 1, 100, Commits())
    asked = writer.submit(lambda connection: connection.execute("INSERT INTO meta VALUES ('kept', 1)"))

    assert asked.cancel() is False
    writer.start()
    writer.stop()

    asked.result(0)
    assert writer.trouble == ""


def test_reader_finds_by_chip_time_and_type(tmp_path: Path) -> None:
    """The questions of tools: by chip, by time, by type, counted."""
    writer = Writer(tmp_path, 1, 100, lambda _index: None)
    writer.start()
    writer.put([(1000, 1, 5, 1, 1, 0x40, RAW), (2000, 1, 5, 1, 2, 0x45, RAW), (3000, 1, 6, 1, 1, 0x45, RAW)])
    writer.stop()

    with Reader(tmp_path) as reader:
        assert [record.idx for record in reader.records(device=5)] == [1, 2]
        assert [record.idx for record in reader.records(since_ms=2000, until_ms=3000)] == [2]
        assert [record.idx for record in reader.records(types=(0x45,), kind=1)] == [2, 3]
        assert reader.summary() == [(5, 2, 0, 1, 1000, 2000), (6, 1, 0, 1, 3000, 3000)]
        assert [record.seq for record in reader.find(5, 1, 2, 9)] == [2]
        assert len(reader.store_id()) == 16


def test_reader_finds_the_newest_of_each_chip(tmp_path: Path) -> None:
    """One frame and one own record a chip, of the types asked for, not older than asked for."""
    writer = Writer(tmp_path / "store.sqlite3", 1, 100, lambda _index: None)
    writer.start()
    rows: list[Row] = [
        (1000, 1, 7, 1, 1, 0x40, b"a"), (2000, 1, 7, 1, 2, 0x43, b"b"), (3000, 1, 7, 1, 3, 0x45, b"telemetry"),
        (4000, 2, 7, 1, 0, 3, b"presence"), (5000, 1, 8, 1, 1, 0x40, b"c"), (900, 1, 9, 1, 1, 0x40, b"old"),
    ]  # fmt: skip
    writer.put(rows)
    writer.stop()

    with Reader(tmp_path / "store.sqlite3") as reader:
        found = [(record.idx, record.device, record.raw) for record in reader.newest((3, 0x40, 0x43), 950)]

    assert found == [(2, 7, b"b"), (4, 7, b"presence"), (5, 8, b"c")]


def test_missing_store_is_told(tmp_path: Path) -> None:
    """Reading makes no file."""
    with pytest.raises(StoreError, match="no store"):
        Reader(tmp_path / "data")

    assert not list(tmp_path.iterdir())


def test_stop_on_a_failing_disk_gives_up_in_time(tmp_path: Path) -> None:
    """A stop does not hang on a dead disk; what was not committed was not acknowledged, and work is told."""
    seam = Recording()
    commits = Commits()
    writer = Writer(tmp_path, 1, 100, commits, seam, stop_retry_s=0.0)

    def fail(sql: str) -> None:
        if sql == "COMMIT":
            raise full()

    writer.start()
    seam.fail = fail
    writer.put([row(1)])
    work = writer.submit(lambda _connection: None)
    writer.stop()

    assert commits.seen == []
    with pytest.raises(StoreError, match="stopped before it could commit"):
        work.result(0)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_writer_that_ends_by_an_error_says_so(tmp_path: Path) -> None:
    """A fault of ours on the writer's thread is trouble that everybody sees, not silence."""

    def on_commit(_index: int) -> None:
        raise RuntimeError("planted")

    writer = Writer(tmp_path, 1, 100, on_commit)
    writer.put([row(1)])
    waiting = writer.submit(lambda _connection: None)
    writer.start()
    writer._thread.join(20)

    assert not writer.alive
    assert "planted" in writer.trouble
    assert waiting.done()
    with pytest.raises(StoreError, match="stopping"):
        writer.submit(lambda _connection: None)
    writer.stop()
