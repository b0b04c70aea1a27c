"""A platform in one file under a passphrase: settings, secrets and both SQLite databases.

    line 1   JSON: format, scrypt parameters, nonce prefix
    chunks   length 4 (big-endian) · AES-256-GCM of at most 1 MiB of a tar archive

The nonce of a chunk is prefix 7 · counter 4 · last 1 (the STREAM construction, Hoang et al. 2015), and line 1 is the
associated data of each: a chunk that is cut off, swapped or repeated does not open. A database is copied by SQLite's
own backup while the platform runs. A PostgreSQL database is not in it: that has `pg_dump`.
"""

from __future__ import annotations

import io
import json
import secrets
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from weldgate_issuer.passphrase import COST, COST_MAX, PASSPHRASE_MIN, stretch
from weldgate_platform.folder import SETTINGS_FILE, FolderError, Secrets, Settings
from weldgate_protocol import reasons

__all__ = ["read_backup", "write_backup"]

_FORMAT = "weldgate-platform-backup-1"
_DATABASES = ("platform.sqlite3", "ingest.sqlite3")
_SECRETS = ("django.key", "identity.key", "search.key", "metrics.token")
_CHUNK = 1 << 20
_HEAD_MAX = 1000


def write_backup(folder: Path, path: Path, passphrase: str) -> list[str]:
    """Write a folder's backup, mode 0600.

    Args:
        folder: the platform's; it may be running.
        path: the file; must not exist.
        passphrase: at least 12 characters.

    Returns:
        The names of what is in it.

    Raises:
        FolderError: TOOL_BAD_INPUT, passphrase too short; TOOL_EXISTS.
    """
    if len(passphrase) < PASSPHRASE_MIN:
        raise FolderError(
            reasons.TOOL_BAD_INPUT, f"passphrase of {len(passphrase)} characters, at least {PASSPHRASE_MIN}"
        )
    if path.exists():
        raise FolderError(reasons.TOOL_EXISTS, f"{path} exists already")
    Settings.read(folder)
    Secrets.read(folder)
    names = []
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".backup-") as scratch:
        plain = Path(scratch) / "plain.tar"
        with tarfile.open(plain, "w") as archive:
            for name in (SETTINGS_FILE, *(f"secrets/{one}" for one in _SECRETS)):
                archive.add(folder / name, name)
                names.append(name)
            for name in _DATABASES:
                if (folder / name).exists():
                    archive.add(_copy(folder / name, Path(scratch) / name), name)
                    names.append(name)
        part = path.with_name(path.name + ".part")
        part.unlink(missing_ok=True)
        with plain.open("rb") as source, part.open("xb") as target:
            part.chmod(0o600)
            for piece in _sealed(source, passphrase):
                target.write(piece)
        part.replace(path)
    return names


def read_backup(path: Path, folder: Path, passphrase: str) -> list[str]:
    """Put a backup back into a folder that holds no platform.

    Returns:
        The names of what was put there.

    Raises:
        FolderError: TOOL_EXISTS; TOOL_BAD_INPUT, no backup of ours, a damaged one or another passphrase.
    """
    if (folder / SETTINGS_FILE).exists() or (folder / "secrets").exists():
        raise FolderError(reasons.TOOL_EXISTS, f"{folder} holds a platform already")
    allowed = {SETTINGS_FILE, *(f"secrets/{one}" for one in _SECRETS), *_DATABASES}
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".restore-") as scratch:
        plain = Path(scratch) / "plain.tar"
        with path.open("rb") as source, plain.open("xb") as target:
            for piece in _opened(source, passphrase, path):
                target.write(piece)
        with tarfile.open(plain) as archive:
            members = archive.getmembers()
            if {member.name for member in members} - allowed or not all(member.isfile() for member in members):
                raise FolderError(reasons.TOOL_BAD_INPUT, f"{path} holds files that no platform has")
            (folder / "secrets").mkdir(mode=0o700)
            for member in members:
                archive.extract(member, folder, filter="data")
                (folder / member.name).chmod(0o600)
    return [member.name for member in members]


def _copy(database: Path, target: Path) -> Path:
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(target)) as copy:
        source.backup(copy)
    return target


def _sealed(source: io.BufferedReader, passphrase: str) -> Iterator[bytes]:
    """Yield the file of a backup, piece by piece."""
    salt, prefix = secrets.token_bytes(16), secrets.token_bytes(7)
    head = json.dumps({"format": _FORMAT, "n": COST, "salt": salt.hex(), "prefix": prefix.hex()}).encode()
    cipher = AESGCM(stretch(passphrase, salt, COST))
    yield head + b"\n"
    number, piece = 0, source.read(_CHUNK)
    while True:
        following = source.read(_CHUNK)
        sealed = cipher.encrypt(_nonce(prefix, number, last=not following), piece, head)
        yield len(sealed).to_bytes(4, "big") + sealed
        if not following:
            return
        number, piece = number + 1, following


def _opened(source: io.BufferedReader, passphrase: str, path: Path) -> Iterator[bytes]:
    """Yield what was sealed, piece by piece; an error comes before the piece that is wrong."""
    try:
        line = source.readline(_HEAD_MAX)
        head = json.loads(line)
        if head["format"] != _FORMAT or not isinstance(head["n"], int) or not 2 <= head["n"] <= COST_MAX:
            raise FolderError(reasons.TOOL_BAD_INPUT, f"{path} is not a backup of this format")
        salt, prefix = bytes.fromhex(head["salt"]), bytes.fromhex(head["prefix"])
        cipher = AESGCM(stretch(passphrase, salt, head["n"]))
        number, piece = 0, _piece(source)
        while piece or not number:  # the head alone is no backup: the empty piece does not open
            following = _piece(source)
            yield cipher.decrypt(_nonce(prefix, number, last=not following), piece, line.rstrip(b"\n"))
            number, piece = number + 1, following
    except (ValueError, KeyError, TypeError, InvalidTag) as error:
        raise FolderError(reasons.TOOL_BAD_INPUT, f"{path} is damaged, or the passphrase is another") from error


def _piece(source: io.BufferedReader) -> bytes:
    size = int.from_bytes(source.read(4), "big")
    if size > _CHUNK + 16:
        raise ValueError(f"a chunk of {size} bytes")
    return source.read(size)


def _nonce(prefix: bytes, number: int, last: bool) -> bytes:
    return prefix + number.to_bytes(4, "big") + bytes((last,))
