"""Secrets at rest: files of mode 0600 that are written whole or not at all, and refused when others may read them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from weldgate_issuer.errors import IssuerError
from weldgate_protocol import reasons

__all__ = ["read_secret", "write_secret"]


def write_secret(path: Path, data: bytes) -> None:
    """Write a file of mode 0600: complete and on disk under its name, or not there.

    Raises:
        OSError: the disk or the folder does not let us.
    """
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read_secret(path: Path) -> bytes:
    """Read a file that nobody else may read.

    Raises:
        IssuerError: TOOL_NOT_FOUND, no such file; TOOL_PERMISSIONS, group or others may read or write it.
    """
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            raise IssuerError(
                reasons.TOOL_PERMISSIONS, f"{path} has mode {mode:04o}, at most 0600: run chmod 600 on it"
            )
        return path.read_bytes()
    except FileNotFoundError as e:
        raise IssuerError(reasons.TOOL_NOT_FOUND, f"{path} is not there") from e
