"""A temporary folder that goes with its process; what a killed one left behind is removed by the next.

Each folder has a file ``alive`` that its process holds locked; the kernel lets go of it however the process ends. A
folder whose lock nobody holds is provably dead. One without that file is left alone: it may be about to get it.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["passing_folder"]

_ALIVE = "alive"


@contextmanager
def passing_folder(prefix: str, parent: Path | None = None) -> Iterator[Path]:
    """Give an empty folder, and remove it at the end.

    Args:
        prefix: of its name; folders of this prefix, ours and provably dead, are removed first.
        parent: where; in the system's temporary folder if none is named.
    """
    parent = parent or Path(tempfile.gettempdir())
    _clear(prefix, parent)
    outer = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    handle = os.open(outer / f"{_ALIVE}.new", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        os.rename(outer / f"{_ALIVE}.new", outer / _ALIVE)  # locked before anybody can find it
        inner = outer / "files"
        inner.mkdir()
        yield inner
    finally:
        os.close(handle)
        shutil.rmtree(outer)


def _clear(prefix: str, parent: Path) -> None:
    """Remove what processes that are dead have left."""
    for folder in parent.glob(f"{prefix}*"):
        with suppress(OSError):  # somebody else's, or somebody else removes it just now
            status = folder.lstat()
            if status.st_uid != os.getuid() or not folder.is_dir() or folder.is_symlink():
                continue
            handle = os.open(folder / _ALIVE, os.O_RDWR | os.O_NOFOLLOW)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if (folder / "files").exists():
                    shutil.rmtree(folder / "files")  # the lock last: what can't go now is found again
                shutil.rmtree(folder)
            finally:
                os.close(handle)
