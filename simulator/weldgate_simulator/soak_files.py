"""The soak's faults of disks and files: full, read-only, deleted, truncated, flipped, copied back.

What an operator would do about them is done as the pages say: stop, ``store check``, ``store salvage`` or ``store
restore``, start. Functions are as in ``soak_faults``.
"""

import os
import resource
import shutil
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from weldgate_collector import backup_store, check_store, restore_store, salvage_store

from .soak_audit import Trouble
from .soak_faults import Fault, needs_nothing
from .soak_site import Site

__all__ = ["FILE_FAULTS"]

_TMPFS_MB = 24


def disk_full(site: Site) -> list[Trouble]:
    """Fill the file system that the store is on to the last byte, and give the room back."""
    site.line.stop_collector()
    place = site.line.store
    moved = place.with_name("data.before")
    place.rename(moved)
    place.mkdir()
    used_mb = sum(path.stat().st_size for path in moved.rglob("*") if path.is_file()) >> 20
    _run("mount", "-t", "tmpfs", "-o", f"size={used_mb + _TMPFS_MB}m", "none", str(place))
    try:
        shutil.copytree(moved, place, dirs_exist_ok=True, ignore=_regular_only)
        site.as_usual()
        site.line.start_collector()
        site.flow(0.5)
        ballast = place / "ballast"
        free = os.statvfs(place)
        with suppress(OSError), ballast.open("wb", buffering=0) as file:  # the collector may be faster to the last byte
            file.write(bytes(max(0, free.f_bavail * free.f_frsize - (site.draw.randrange(256) << 10))))
        site.until("the disk to be full", lambda: not site.line.health().get("ok", True))
        lost = site.kept()
        site.flow(0.5)
        if site.draw.random() < 0.5:
            lost += _kill_on_full(site)
        ballast.unlink()
        site.acknowledged_on(site.size.chips)
        site.flow(0.5)
        site.line.stop_collector()
        shutil.rmtree(moved)
        shutil.copytree(place, moved, ignore=_regular_only)
    finally:
        site.line.kill_collector()
        _run("umount", "-l", str(place))
    place.rmdir()
    moved.rename(place)
    site.line.start_collector()
    return lost + site.kept()


def quota_full(site: Site) -> list[Trouble]:
    """Forbid the process to let a file grow, as a quota does, and allow it again."""
    pid = site.line.collector_pid
    largest = max(path.stat().st_size for path in site.segments.iterdir())
    soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (largest, hard))
    site.until("the quota to be reached", lambda: not site.line.health().get("ok", True))
    lost = site.kept()
    site.flow(0.5)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))
    site.acknowledged_on(site.size.chips)
    return lost


def read_only(site: Site) -> list[Trouble]:
    """Start on files that can't be written: refused or withheld, nothing acknowledged; then writable again."""
    site.flow(0.5)
    site.line.stop_collector()
    before = site.traffic.acknowledged
    undo = _made_read_only(site.line.store)
    try:
        process = site.line.launch_collector()
        site.until("the collector to refuse", lambda: process.poll() is not None or bool(site.line.health()))
        site.flow(0.5)
        lost = []
        if site.traffic.acknowledged > before:
            lost.append(Trouble(site.traffic.acknowledged - before, "acknowledged on a read-only disk"))
        site.line.kill_collector()
    finally:
        undo()
    site.line.start_collector()
    return lost + site.kept()


def file_deleted(site: Site) -> list[Trouble]:
    """Remove a file of the store, under the running collector or beside a stopped one; salvage; start."""

    def remove(path: Path) -> None:
        for suffix in ("", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)

    return _damaged(site, remove)


def file_truncated(site: Site) -> list[Trouble]:
    """Cut a file of the store short; salvage; start."""

    def cut(path: Path) -> None:
        size = path.stat().st_size
        os.truncate(path, site.draw.randrange(size))

    return _damaged(site, cut)


def byte_flipped(site: Site) -> list[Trouble]:
    """Change one byte of a file of the store; check, salvage where it is found, start."""

    def flip(path: Path) -> None:
        place = site.draw.randrange(path.stat().st_size)
        with path.open("r+b") as file:
            file.seek(place)
            byte = file.read(1)[0]
            file.seek(place)
            file.write(bytes([byte ^ 1 << site.draw.randrange(8)]))

    return _damaged(site, flip)


def store_restored(site: Site) -> list[Trouble]:
    """Back up while it runs, go on, and restore the older copy."""
    backup = site.folder / "backup"
    site.flow(0.5)
    shutil.rmtree(backup, ignore_errors=True)
    backup_store(site.line.store, backup)
    site.flow()
    site.line.stop_collector()
    site.may_declare()
    site.all_again()
    restore_store(backup, site.line.store)
    site.line.start_collector()
    return []


def store_copied_back(site: Site) -> list[Trouble]:
    """Copy an older snapshot of all files back, unnoticed: the consumer is ahead of the store then."""
    return _copied_back(site, lambda: list(site.segments.iterdir()))


def file_copied_back(site: Site) -> list[Trouble]:
    """Copy an older version of the newest file alone back, unnoticed."""
    return _copied_back(site, lambda: list(site.segments.glob(_newest(site).name + "*")))


def consumer_restored(site: Site) -> list[Trouble]:
    """Restore the consumer from an older copy of its database: the collector's cursor is ahead of it then."""
    copy = site.folder / "consumer.copy"
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir()
    line = site.line
    line.kill_consumer()
    for path in line.folder.glob(line.journal.name + "*"):
        if not path.name.endswith("-shm"):
            shutil.copy(path, copy)
    line.start_consumer()
    site.flow()
    line.kill_consumer()
    line.wipe_consumer()
    for path in copy.iterdir():
        shutil.copy(path, line.folder)
    site.consumer_rolled_back()
    line.start_consumer()
    return []


def consumer_wiped(site: Site) -> list[Trouble]:
    """Let the consumer begin anew with nothing."""
    site.flow(0.5)
    site.line.kill_consumer()
    site.line.wipe_consumer()
    site.consumer_rolled_back()
    site.line.start_consumer()
    return []


def _copied_back(site: Site, files: Callable[[], list[Path]]) -> list[Trouble]:
    copy = site.folder / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir()
    site.flow(0.5)
    site.line.stop_collector()
    there = {path.name for path in site.segments.iterdir()}
    for path in files():
        shutil.copy(path, copy)
    site.line.start_collector()
    site.flow()
    site.may_declare()
    site.all_again()
    site.wire.cut()
    site.line.kill_collector()
    copied = {path.name for path in copy.iterdir()}
    for path in list(site.segments.iterdir()):
        if path.name not in there or path.name.partition("-")[0] in copied:
            path.unlink()
    for path in copy.iterdir():
        shutil.copy(path, site.segments)
    site.line.start_collector()
    site.wire.join()
    return []


def _damaged(site: Site, damage: Callable[[Path], None]) -> list[Trouble]:
    """Damage one file, while the collector runs or not; do what the pages tell an operator to do."""
    site.flow(0.5)
    site.may_declare(held=True)
    site.all_again()
    running = site.draw.random() < 0.5
    if not running:
        site.line.stop_collector()
    damage(site.draw.choice(sorted(path for path in site.segments.glob("*.sqlite3"))))
    if running:
        site.flow(0.5)
    site.wire.cut()
    site.line.stop_collector()
    salvage_store(site.line.store, tag_matches=site.tag_matches)
    found = [finding.text for report in check_store(site.line.store, site.tag_matches) for finding in report.findings]
    site.line.start_collector()
    site.wire.join()
    return [Trouble(1, f"after salvage: {text}") for text in found]


def _kill_on_full(site: Site) -> list[Trouble]:
    """Kill the collector on the full disk; it may not be able to start there, and must not lose anything."""
    site.wire.cut()
    site.line.kill_collector()
    process = site.line.launch_collector()
    site.until("the collector to start or give up", lambda: process.poll() is not None or bool(site.line.health()))
    lost = site.kept()
    if process.poll() is not None:
        (site.line.store / "ballast").write_bytes(b"")
        site.line.start_collector()
    return lost


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


def _newest(site: Site) -> Path:
    return max(site.segments.glob("*.sqlite3"))


def _regular_only(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if not (Path(folder, name).is_file() or Path(folder, name).is_dir())]


def _made_read_only(place: Path) -> Callable[[], None]:
    """Make a folder and all in it read-only, for root by a mount; return what undoes it."""
    if os.geteuid() == 0:
        _run("mount", "--bind", str(place), str(place))
        _run("mount", "-o", "remount,bind,ro", str(place))
        return lambda: _run("umount", "-l", str(place))
    paths = [path for path in place.rglob("*") if path.is_file() or path.is_dir()]
    modes = {path: path.stat().st_mode for path in [*paths, place]}
    for path in modes:
        path.chmod(modes[path] & ~0o222)

    def undo() -> None:
        for path in reversed(modes):
            path.chmod(modes[path])

    return undo


def _lacks_mount() -> str:
    """Say why no file system can be mounted, empty when one can."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        return "a small file system needs root; quota-full is the same without it"
    return ""


def _lacks_read_only() -> str:
    return _lacks_mount() if os.geteuid() == 0 else ""


FILE_FAULTS = {
    "disk-full": Fault(disk_full, _lacks_mount),
    "quota-full": Fault(quota_full, needs_nothing),
    "read-only": Fault(read_only, _lacks_read_only),
    "file-deleted": Fault(file_deleted, needs_nothing),
    "file-truncated": Fault(file_truncated, needs_nothing),
    "byte-flipped": Fault(byte_flipped, needs_nothing),
    "store-restored": Fault(store_restored, needs_nothing),
    "store-copied-back": Fault(store_copied_back, needs_nothing),
    "file-copied-back": Fault(file_copied_back, needs_nothing),
    "consumer-restored": Fault(consumer_restored, needs_nothing),
    "consumer-wiped": Fault(consumer_wiped, needs_nothing),
}
