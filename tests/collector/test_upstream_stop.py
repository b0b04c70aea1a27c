"""An upstream ends when it is told to, whatever the disk does."""

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from weldgate_collector.store import Reader, Writer, connect
from weldgate_collector.upstream.adapters import adapter
from weldgate_collector.upstream.base import Surroundings, Upstream
from weldgate_collector.upstream.mqtt import MqttUpstream
from weldgate_collector.upstream.settings import PacksSection


class Disk:
    """A store on a disk that may be full."""

    def __init__(self, folder: Path) -> None:
        self.full = threading.Event()
        full = self.full

        class Failing(sqlite3.Connection):
            def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
                if sql == "COMMIT" and full.is_set():
                    error = sqlite3.OperationalError("database or disk is full")
                    error.sqlite_errorcode = sqlite3.SQLITE_FULL
                    raise error
                return super().execute(sql, *args)

        self.writer = Writer(folder, 0, 100, lambda _index: None, lambda name: connect(name, Failing))
        self.writer.start()
        self.around = Surroundings(
            "c", bytes(32), folder.joinpath, lambda _: "", self.writer, lambda: Reader(folder), lambda *_: None
        )


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A disk with room, at first and in the end."""
    made = Disk(tmp_path)
    yield made
    made.full.clear()
    made.writer.stop()


def stops(upstream: Upstream) -> bool:
    """Tell whether an upstream stops within ten seconds."""
    stopping = threading.Thread(target=upstream.stop, daemon=True)
    stopping.start()
    stopping.join(10)
    return not stopping.is_alive()


def test_full_disk_does_not_keep_an_upstream_from_stopping(disk: Disk) -> None:
    """The last place of the cursor can't be stored: that costs a resend, and nobody waits for it for ever."""
    tried = threading.Event()

    class Told(MqttUpstream):
        def _tell(self, connected: bool, trouble: str, undelivered: bool = False) -> None:
            super()._tell(connected, trouble, undelivered)
            tried.set()

    upstream = Told(PacksSection(name="u", port=1), disk.around)
    upstream.start()
    assert tried.wait(20)
    upstream._cursor.boot = b"consumer"  # as if a receipt had come since the cursor was stored last
    disk.full.set()

    assert stops(upstream)


def test_full_disk_does_not_keep_a_record_upstream_from_stopping(disk: Disk) -> None:
    """Nor does the cursor of single records, whether its place is being stored or about to be."""
    found = adapter("file")
    section = msgspec.convert({"name": "u", "kind": "file", "folder": "out"}, found.section)
    upstream: Any = found.make(section, disk.around)
    upstream.start()
    saved = threading.Event()
    submit = disk.writer.submit

    def submitted(work: Any) -> Any:
        saved.set()
        return submit(work)

    index = disk.writer.put([(1, 2, 7, 0, 0, 3, b"x")])
    disk.writer.submit(lambda _connection: None).result(20)
    disk.full.set()
    disk.writer.submit = submitted  # type: ignore[method-assign]
    upstream.committed(index)
    assert saved.wait(20)

    assert stops(upstream)
