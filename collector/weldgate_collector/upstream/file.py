"""The ``file`` upstream: JSON lines in a folder, for whoever reads files.

The open file is ``current.jsonl``; when it is large or old enough it gets a name with the time and its last row,
``20261124T120000Z-000000123456.jsonl``, and is never written again. A row counts as delivered when its line is synced
to disk. What a kill or a full disk left of a line is cut off before anything else is written, and a start begins a
new file, so every line of every file is whole; a record may stand in two files, and its ``id`` tells.
"""

import contextlib
import os
import time

from ..store.segments import sync_folder
from .base import Adapter, Surroundings
from .carrier import Refused, Settled
from .document import Row
from .encoder import Encoder
from .records import Pace, RecordUpstream
from .settings import FileSection

__all__ = ["ADAPTER", "FileCarrier"]

_CURRENT = "current.jsonl"
_TAIL_BYTES = 65_536


class FileCarrier:
    """Carries records to a folder."""

    def __init__(self, settings: FileSection, surroundings: Surroundings) -> None:
        """Compile the settings.

        Raises:
            SettingError: a setting that can't be used.
        """
        self._settings = settings
        self._folder = surroundings.path(settings.folder)
        self._path = self._folder / _CURRENT
        self._encoder = Encoder(settings.record, surroundings.collector)
        self._handle = -1
        self._size = 0  # bytes that are synced; what stands behind them is no line
        self._began_s = 0.0
        self._last = 0
        self._pending: list[tuple[int, bytes]] = []

    def begin(self, store_id: bytes) -> None:
        """Take the store's id."""
        self._encoder.begin(store_id)

    def wants(self, row: Row) -> bool:
        """Tell whether a row is to go out at all."""
        return self._encoder.wants(row)

    def open(self) -> None:
        """Make the folder, close what an earlier run left, begin a file."""
        self._pending.clear()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._tidy()
        self._start_file()

    def room(self) -> int:
        """Return how many records may be offered now."""
        return self._settings.window - len(self._pending) if self._handle >= 0 else 0

    def offer(self, rows: list[Row], more: bool) -> list[Refused]:  # noqa: ARG002 - the contract's
        """Take records; ``turn`` writes them."""
        refused: list[Refused] = []
        for row in rows:
            try:
                self._pending.append((row.idx, self._encoder.encode(row).data + b"\n"))
            except Exception as error:  # the configuration's map on a record that nobody thought of
                refused.append(Refused(row.idx, f"can't be encoded: {error!r}"))
        return refused

    def turn(self) -> Settled:
        """Write what was offered and sync it; begin another file when it is time."""
        done: list[int] = []
        if self._pending:
            self._append(b"".join(line for _, line in self._pending))
            done = [index for index, _ in self._pending]
            self._last = max(done)
            self._pending.clear()
        old = time.monotonic() - self._began_s >= self._settings.rotate_s
        if self._size and (old or self._size >= self._settings.rotate_mb << 20):
            self._rotate()
        return Settled(done, [])

    def fileno(self) -> int:
        """Return -1: a file is always ready."""
        return -1

    def wants_write(self) -> bool:
        """Return False."""
        return False

    def wait_s(self) -> float:
        """Return 0 while something is to be written."""
        return 0.0 if self._pending else 1.0

    def close(self) -> None:
        """Close the file."""
        if self._handle >= 0:
            with contextlib.suppress(OSError):
                os.close(self._handle)
            self._handle = -1

    def _append(self, data: bytes) -> None:
        here = os.stat(self._path)
        if here.st_ino != os.fstat(self._handle).st_ino or here.st_size != self._size:
            raise OSError(f"{self._path}: somebody else wrote, moved or replaced it")
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self._handle, view) :]
            os.fdatasync(self._handle)
        except OSError:
            # A full disk, most often. The part of it that was written must not stay: it ends within a line.
            with contextlib.suppress(OSError):
                os.ftruncate(self._handle, self._size)
                os.fsync(self._handle)
            raise
        self._size += len(data)

    def _rotate(self) -> None:
        self.close()
        self._put_away()
        self._start_file()
        self._prune()

    def _start_file(self) -> None:
        self._handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        self._size = os.fstat(self._handle).st_size
        self._began_s = time.monotonic()
        sync_folder(self._folder)

    def _tidy(self) -> None:
        """Cut off what is no whole line of an earlier run's file, and put the rest away."""
        if not self._path.exists():
            return
        with self._path.open("rb+") as file:
            size = file.seek(0, os.SEEK_END)
            whole = size
            while whole > 0:
                start = max(0, whole - _TAIL_BYTES)
                file.seek(start)
                found = file.read(whole - start).rfind(b"\n")
                if found >= 0:
                    whole = start + found + 1
                    break
                whole = start
            if whole != size:
                file.truncate(whole)
                os.fsync(file.fileno())
        if whole:
            self._put_away()

    def _put_away(self) -> None:
        stamp = f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{self._last:012d}"
        target, number = self._folder / f"{stamp}.jsonl", 1
        while target.exists():
            number += 1
            target = self._folder / f"{stamp}-{number}.jsonl"
        self._path.rename(target)

    def _prune(self) -> None:
        keep = self._settings.keep_files
        files = sorted(path for path in self._folder.glob("*.jsonl") if path.name != _CURRENT)
        for path in files[: len(files) - keep] if keep else []:
            path.unlink(missing_ok=True)


def _describe(settings: FileSection) -> str:
    Encoder(settings.record, "collector")
    return f"in {settings.folder}"


def _make(settings: FileSection, surroundings: Surroundings) -> RecordUpstream:
    carrier = FileCarrier(settings, surroundings)
    pace = Pace(settings.window, settings.tries, settings.backoff_max_s)
    return RecordUpstream(settings.name, carrier, pace, surroundings, carrier.wants)


ADAPTER = Adapter(FileSection, _describe, _make)
