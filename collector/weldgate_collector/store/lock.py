"""The data folder belongs to one process at a time: a collector, or a command that mends the store."""

import fcntl
import os
from pathlib import Path

from weldgate_protocol.reasons import TOOL_STORE

from ..errors import StoreError

__all__ = ["take_folder"]


def take_folder(folder: Path) -> int:
    """Take a data folder for this process alone, and return the lock's descriptor; the kernel drops it with us.

    Raises:
        StoreError: another process has it.
    """
    handle = os.open(folder / "collector.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise StoreError(TOOL_STORE, f"{folder}: another collector runs here") from None
    return handle
