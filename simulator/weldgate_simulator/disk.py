"""A disk whose power can be cut and whose fsync can fail: an apsw VFS under SQLite that knows what is on the platter.

Files are real, so the running program sees what it wrote (the page cache). Beside each, this keeps what has been
synced, and what has been written since. ``platter`` says what a power cut at this instant leaves: all that was synced,
and of the rest any part, torn at sectors; names as the folder had them when it was synced last, or as they are now.
``page_cache`` is what a kill leaves: everything, but still not durable.

A failed fsync is the kernel's kind: the pages count as clean afterwards, a second fsync succeeds and writes nothing.

``os.fsync`` is watched while the disk is in use (``with``), since folders and copied files are synced by that.
"""

import os
import random
import stat
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import apsw

__all__ = ["Disk", "Image"]

Image = dict[str, bytes]
"""Path below the disk's folder → content."""

_SECTOR_BYTES = 512
_SHARED = "-shm"  # memory shared by processes, nothing of it belongs on a platter


class _File:
    """One file, whatever it is called: what is on the platter, and what is not yet.

    Attributes:
        synced: its bytes as of the last sync.
        waiting: (offset, bytes) written since, or (size, None) for a change of length.
    """

    def __init__(self, handle: int, synced: bytes) -> None:
        self.handle = handle  # kept open, so that its inode isn't given to another file
        self.synced = bytearray(synced)
        self.waiting: list[tuple[int, bytes | None]] = []

    def sync(self) -> None:
        for change in self.waiting:
            _apply(self.synced, *change)
        self.waiting = []

    def content(self) -> bytes:
        """Return what the running program sees."""
        return os.pread(self.handle, os.fstat(self.handle).st_size, 0)

    def torn(self, draw: random.Random, shares: Sequence[float]) -> bytes:
        """Return what a power cut leaves: each sector of each write that was not synced is there or isn't."""
        left = bytearray(self.synced)
        kept = draw.choice(shares)
        for offset, data in self.waiting:
            if data is None:
                if draw.random() < kept:
                    _apply(left, offset, None)
                continue
            start = 0
            while start < len(data):
                end = min(len(data), start + _SECTOR_BYTES - (offset + start) % _SECTOR_BYTES)
                if draw.random() < kept:
                    _apply(left, offset + start, data[start:end])
                start = end
        return bytes(left)


class Disk:
    """A folder on a disk that this object can take the power from. Use it in ``with``.

    Attributes:
        events: writes, syncs and changes of names so far.
        on_event: called after each of them, on whatever thread made it, under the disk's lock.
        last_written: name of the file that was written last, empty after a sync.
        shares: how much of a file's writes that were not synced a power cut leaves; one is drawn for each file.
        fail_sync: asked before each fsync with the file's name; True makes that one fail.
    """

    def __init__(self, folder: Path, before: "Disk | None" = None) -> None:
        """Take a folder; with ``before``, as a kill left that disk: its files come along, synced or not."""
        self.folder = folder.resolve()
        self.events = 0
        self.last_written = ""
        self.shares: Sequence[float] = (0.0, 0.5, 0.9, 1.0)
        self.on_event: Callable[[], None] = lambda: None
        self.fail_sync: Callable[[str], bool] = lambda _name: False
        self.name = f"disk-{id(self)}"
        self._lock = threading.RLock()
        self._files: dict[tuple[int, int], _File] = {}
        self._named: dict[str, dict[str, tuple[int, int]]] = {}  # folder → names as of its last sync
        self._vfs = _Vfs(self)
        self._fsync = os.fsync
        self.folder.mkdir(parents=True, exist_ok=True)
        if before is not None:
            self._inherit(before)
        else:
            for place in self._places():  # what is there already is durable
                for name in self._listing(place):
                    self._record(str(place / name), None)
                self._sync_names(place)

    def __enter__(self) -> Self:
        os.fsync = self._watched_fsync
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        os.fsync = self._fsync
        for file in self._files.values():
            os.close(file.handle)
        self._files.clear()

    def platter(self, draw: random.Random) -> Image:
        """Return what a power cut leaves now."""
        with self._lock:
            image: Image = {}
            for place in self._places():
                now, synced = self._listing(place), self._named.get(str(place), {})
                for name in now.keys() | synced.keys():
                    # Each name on its own is as it was synced, or as it is now.
                    inode = draw.choice((now, synced)).get(name)
                    file = self._files.get(inode) if inode is not None else None
                    if file is not None:
                        image[str((place / name).relative_to(self.folder))] = file.torn(draw, self.shares)
            return image

    def cut_power(self, draw: random.Random, folder: Path) -> None:
        """Lay down in a folder what a power cut leaves now, and end this process: after it nothing is synced."""
        with self._lock:
            for name, content in self.platter(draw).items():
                path = folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            os._exit(1)

    def open(self, filename: str | None, flags: list[int]) -> "_VfsFile":
        """Open a file for SQLite."""
        with self._lock:
            made = filename is not None and not os.path.exists(filename)
            opened = _VfsFile(self, filename, flags)
            if filename is not None:
                opened.record = self._record(filename, b"" if made else None)
            if made:
                # SQLite syncs the folder with the first sync of a journal that it made.
                opened.owes_name = bool(flags[0] & (apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL))
                self._happened()
            return opened

    def wrote(self, file: "_VfsFile", offset: int, data: bytes | None) -> None:
        """Note a write, or a change of length."""
        with self._lock:
            if file.record is not None:
                file.record.waiting.append((offset, data))
                self.last_written = file.filename or ""
            self._happened()

    def sync(self, file: "_VfsFile") -> None:
        """Sync a file, or fail."""
        with self._lock:
            if self.fail_sync(os.path.basename(file.filename or "")):
                if file.record is not None:
                    file.record.waiting = []  # as after EIO: nobody will write these pages any more
                self._happened()
                raise apsw.IOError("planted: fsync failed")
            if file.record is not None:
                file.record.sync()
                self.last_written = ""
            if file.owes_name and file.filename is not None:
                file.owes_name = False
                self._sync_names(Path(file.filename).parent)
            self._happened()

    def renamed(self) -> None:
        """Note that a name went."""
        with self._lock:
            self._happened()

    def _happened(self) -> None:
        self.events += 1
        self.on_event()

    def _watched_fsync(self, fd: Any) -> None:
        found = os.fstat(fd)
        path = Path(os.readlink(f"/proc/self/fd/{fd}"))
        if path == self.folder or self.folder in path.parents:
            with self._lock:
                if stat.S_ISDIR(found.st_mode):
                    self._sync_names(path)
                else:
                    record = self._record(str(path), b"")
                    record.synced[:] = path.read_bytes()
                    record.waiting = []
                self._happened()
        else:
            self._fsync(fd)

    def _record(self, filename: str, synced: bytes | None) -> _File:
        """Return what is known of a file; one that was there before us is taken as synced."""
        found = os.stat(filename)
        inode = (found.st_dev, found.st_ino)
        if inode not in self._files:
            content = Path(filename).read_bytes() if synced is None else synced
            self._files[inode] = _File(os.open(filename, os.O_RDONLY), content)
        return self._files[inode]

    def _sync_names(self, place: Path) -> None:
        self._named[str(place)] = self._listing(place)

    def _listing(self, place: Path) -> dict[str, tuple[int, int]]:
        names: dict[str, tuple[int, int]] = {}
        if place.is_dir():
            for entry in os.scandir(place):
                with suppress(FileNotFoundError):  # gone since, on another thread
                    found = entry.stat()
                    if stat.S_ISREG(found.st_mode) and not entry.name.endswith(_SHARED):
                        names[entry.name] = (found.st_dev, found.st_ino)
        return names

    def _places(self) -> list[Path]:
        return [Path(root) for root, _, _ in os.walk(self.folder)]

    def _inherit(self, before: "Disk") -> None:
        moved: dict[tuple[int, int], tuple[int, int]] = {}
        with before._lock:
            for place in before._places():
                to = self.folder / place.relative_to(before.folder)
                to.mkdir(parents=True, exist_ok=True)
                for name, inode in before._listing(place).items():
                    known = before._files.get(inode)
                    if known is None:
                        continue
                    (to / name).write_bytes(known.content())
                    record = self._record(str(to / name), bytes(known.synced))
                    record.waiting = list(known.waiting)
                    found = (to / name).stat()
                    moved[inode] = (found.st_dev, found.st_ino)
            for where, names in before._named.items():
                to = self.folder / Path(where).relative_to(before.folder)
                self._named[str(to)] = {name: moved[inode] for name, inode in names.items() if inode in moved}


class _Vfs(apsw.VFS):
    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        super().__init__(disk.name, "")

    def xOpen(self, name: Any, flags: list[int]) -> "_VfsFile":  # noqa: N802 - SQLite's names
        return self._disk.open(name.filename() if isinstance(name, apsw.URIFilename) else name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        super().xDelete(filename, syncdir)
        if syncdir:
            self._disk._sync_names(Path(filename).parent)
        self._disk.renamed()


class _VfsFile(apsw.VFSFile):
    def __init__(self, disk: Disk, filename: str | None, flags: list[int]) -> None:
        self._disk = disk
        self.filename = filename
        self.record: _File | None = None
        self.owes_name = False
        super().__init__("", filename, flags)

    def xWrite(self, data: Any, offset: int) -> None:  # noqa: N802
        super().xWrite(data, offset)
        self._disk.wrote(self, offset, bytes(data))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        super().xTruncate(newsize)
        self._disk.wrote(self, newsize, None)

    def xSync(self, _flags: int) -> None:  # noqa: N802 - the real fsync is left out: it would only take time
        self._disk.sync(self)


def _apply(content: bytearray, offset: int, data: bytes | None) -> None:
    """Write at an offset, or set the length."""
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    if data is None:
        del content[offset:]
    else:
        content[offset : offset + len(data)] = data
