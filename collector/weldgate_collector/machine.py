"""What the machine gives this process: open files, memory, disk. Linux first; where it can't be had, 0."""

import os
import resource
import shutil
from pathlib import Path

__all__ = [
    "FILES_SPARE",
    "connections_allowed",
    "disk_free_bytes",
    "file_limit",
    "raise_file_limit",
    "resident_bytes",
    "store_bytes",
]

FILES_SPARE = 200  # databases, sockets upstream, readers, metrics: what a process needs besides its chips


def file_limit() -> int:
    """Return how many files this process may have open."""
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return 1 << 30 if soft == resource.RLIM_INFINITY else soft


def raise_file_limit() -> int:
    """Raise this process's own limit of open files as far as it may, and return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError):  # macOS says "unlimited" and then refuses it
            return soft
    return file_limit()


def connections_allowed() -> int:
    """Return how many connections fit below the limit of open files."""
    return max(1, file_limit() - FILES_SPARE)


def resident_bytes() -> int:
    """Return this process's resident memory."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    except OSError:
        return 0


def disk_free_bytes(folder: Path) -> int:
    """Return the free space of a folder's file system, as far as this process may use it."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 0


def store_bytes(folder: Path) -> int:
    """Return what the files in a data folder take on the disk, its own folders included."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(place, name)).st_blocks * 512
            except OSError:
                continue  # gone meanwhile: a segment that was deleted
    return total
