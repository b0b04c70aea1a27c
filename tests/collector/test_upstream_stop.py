"""An upstream ends when it is told to, whatever the disk does."""

import sqlite3
import threading
from pathlib import Path
from typing import Any

from weldgate_collector.config import UpstreamSection
from weldgate_collector.store import Reader, Writer, connect
from weldgate_collector.upstream.mqtt import MqttUpstream


def test_full_disk_does_not_keep_an_upstream_from_stopping(tmp_path: Path) -> None:
    """The last place of the cursor can't be stored: that costs a resend, and nobody waits for it for ever."""
    full = threading.Event()

    class Failing(sqlite3.Connection):
        def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
            if sql == "COMMIT" and full.is_set():
                error = sqlite3.OperationalError("database or disk is full")
                error.sqlite_errorcode = sqlite3.SQLITE_FULL
                raise error
            return super().execute(sql, *args)

    path = tmp_path / "store.sqlite3"
    writer = Writer(path, 0, 100, lambda _index: None, lambda name: connect(name, Failing))
    writer.start()
    tried = threading.Event()

    class Told(MqttUpstream):
        def _tell(self, connected: bool, trouble: str) -> None:
            super()._tell(connected, trouble)
            tried.set()

    settings = UpstreamSection(name="u", port=1)
    upstream = Told(settings, "c", bytes(32), "", writer, lambda: Reader(path), lambda *_: None)
    upstream.start()
    assert tried.wait(20)
    upstream._cursor.boot = b"consumer"  # as if a receipt had come since the cursor was stored last
    full.set()

    stopping = threading.Thread(target=upstream.stop, daemon=True)
    stopping.start()
    stopping.join(10)

    assert not stopping.is_alive()
    full.clear()
    writer.stop()
