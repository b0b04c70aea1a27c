"""Known chips and their keys: one file of JSON lines, mode 0600, read by the collector and written by the tools.

A line is ``{"device": "<decimal>", "generation": 1, "up": "<64 hex>", "down": "<64 hex>"}``: the two keys the issuer
gives the collector in charge (DESIGN §2.3), never the seal's; ``previous_up`` and ``previous_down`` are those of the
generation before, under which a chip speaks until its rekey has reached it. A file that others may read is refused.
Keys reach neither a message, a log nor a ``repr``. Writers hold a lock and replace the file whole, so that a reader
always sees an old or a new one.
"""

import fcntl
import os
import re
import tempfile
from array import array
from bisect import bisect_left
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import compress, islice
from operator import eq, ge
from pathlib import Path
from struct import Struct
from typing import BinaryIO

import msgspec

from weldgate_protocol.keys import KEY_BYTES, ChipKeys
from weldgate_protocol.reasons import TOOL_BAD_INPUT, TOOL_NOT_FOUND, TOOL_PERMISSIONS

from .errors import ChipsError, KeyFileError

__all__ = [
    "Chip",
    "Chips",
    "add_chips",
    "device_bytes",
    "list_chips",
    "read_chips",
    "read_key",
    "read_secret",
    "remove_chips",
    "write_secret",
]

_DEVICE = re.compile(r"0|[1-9][0-9]{0,18}")
DEVICE_MAX = (1 << 63) - 1  # DESIGN §2: device < 2^63, so that SQLite and JSON carry it unharmed


_Keys = tuple[bytes, bytes, bytes, bytes]  # up, down, and the generation's before, empty for none


class Chip(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One known chip. ``device`` is the decimal text of its number."""

    device: str
    generation: int
    up: str
    down: str
    previous_up: str = ""  # K_up of the generation before, for frames spooled under it
    previous_down: str = ""  # K_down of it, for a chip that the rekey has not reached

    def __repr__(self) -> str:
        return f"Chip(device={self.device!r}, generation={self.generation})"


class Chips:
    """The known chips in memory, looked up by their 8 bytes; ``reload`` follows the file.

    A chip takes 76 bytes: its number in a sorted array, generation and keys at the same place in one byte string.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known = _Known()
        self._stamp: tuple[int, ...] = ()
        self.reload()

    def __len__(self) -> int:
        return len(self._known.devices)

    def reload(self) -> bool:
        """Read the file again if it changed; a wrong file leaves what is known as it was.

        Returns:
            True when the known chips were replaced.

        Raises:
            ChipsError: the file is wrong; once, until it changes.
            KeyFileError: the file is missing or readable by others, likewise.
        """
        try:
            stamp = _stamp(self._path)
        except KeyFileError:
            if self._stamp == _MISSING:
                return False
            self._stamp = _MISSING
            raise
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        known = _Known()
        with closing(_read(self._path)) as found:
            for _, chip, keys in found:
                known.add(int(chip.device), chip.generation, keys)
        twice = known.sort()
        if twice is not None:
            for _ in read_chips(self._path):
                pass  # it knows the line
            raise ChipsError(TOOL_BAD_INPUT, f"{self._path}: chip {twice} was there twice")
        self._known = known
        return True

    def lookup(self, device: bytes) -> ChipKeys | None:
        """Return the keys of a chip, or None for one that isn't known.

        Args:
            device: 8 bytes, big-endian.
        """
        return self._known.keys(int.from_bytes(device, "big"))


class _Known:
    """One file's chips."""

    _KEYS = Struct(f">I{KEY_BYTES}s{KEY_BYTES}s")

    def __init__(self) -> None:
        self.devices = array("Q")
        self._keys = bytearray()
        self._previous: dict[int, tuple[bytes, bytes]] = {}  # of the few that were rekeyed

    def add(self, device: int, generation: int, keys: _Keys) -> None:
        up, down, *before = keys
        self.devices.append(device)
        self._keys += self._KEYS.pack(generation, up, down)
        if any(before):
            self._previous[device] = (before[0], before[1])

    def sort(self) -> int | None:
        """Put the chips in order; return one that is there twice."""
        devices, size = self.devices, self._KEYS.size
        if any(map(ge, devices, islice(devices, 1, None))):
            order = sorted(range(len(devices)), key=devices.__getitem__)
            self.devices = array("Q", [devices[place] for place in order])
            self._keys = bytearray().join([self._keys[place * size : (place + 1) * size] for place in order])
        twice = map(eq, self.devices, islice(self.devices, 1, None))
        return next(compress(self.devices, twice), None)

    def keys(self, device: int) -> ChipKeys | None:
        place = bisect_left(self.devices, device)
        if place == len(self.devices) or self.devices[place] != device:
            return None
        generation, up, down = self._KEYS.unpack_from(self._keys, place * self._KEYS.size)
        return ChipKeys(generation, up, down, *self._previous.get(device, (b"", b"")))


def read_chips(path: Path) -> Iterator[Chip]:
    """Yield the chips of a file, each checked.

    Args:
        path: the file, JSON lines, mode 0600.

    Raises:
        KeyFileError: the file is missing or readable by others.
        ChipsError: a line that isn't a chip, or a chip that is there twice.
    """
    seen: set[str] = set()
    with closing(_read(path)) as found:
        for number, chip, _ in found:
            if chip.device in seen:
                raise ChipsError(TOOL_BAD_INPUT, f"{path}: line {number}: chip {chip.device} is there twice")
            seen.add(chip.device)
            yield chip


def _read(path: Path) -> Generator[tuple[int, Chip, _Keys], None, None]:
    """Yield line number, chip and its keys, each checked, line by line: a province's file is a hundred megabytes."""
    decoder = msgspec.json.Decoder(Chip)
    with _open_secret(path) as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                chip = decoder.decode(line)
            except (msgspec.MsgspecError, ValueError, RecursionError) as error:
                # The decoder's message names the field and its type, never the value.
                raise ChipsError(TOOL_BAD_INPUT, f"{path}: line {number}: {error}") from None
            try:
                keys = _check(chip)
            except ChipsError as error:
                raise ChipsError(TOOL_BAD_INPUT, f"{path}: line {number}: {error.message}") from None
            yield number, chip, keys


def list_chips(path: Path) -> list[tuple[str, int]]:
    """Return (device as decimal text, key generation) of each known chip, by device.

    Raises:
        KeyFileError: the file is readable by others.
        ChipsError: the file is wrong.
    """
    if not path.exists():
        return []
    return [(chip.device, chip.generation) for chip in sorted(read_chips(path), key=lambda chip: int(chip.device))]


def add_chips(path: Path, chips: Iterable[Chip]) -> int:
    """Add chips, replacing those already known; make the file when it isn't there.

    Args:
        path: the file.
        chips: what to add; also the way to import another such file: ``add_chips(path, read_chips(other))``.

    Returns:
        How many were added or replaced.

    Raises:
        ChipsError: a chip is malformed; the file stays as it was.
        KeyFileError: the file is readable by others.
    """
    with _locked(path):
        known = {chip.device: chip for chip in read_chips(path)} if path.exists() else {}
        count = 0
        for chip in chips:
            try:
                _check(chip)
            except ChipsError as error:
                raise ChipsError(TOOL_BAD_INPUT, f"chip {count + 1}: {error.message}") from None
            known[chip.device] = chip
            count += 1
        _write(path, known)
    return count


def remove_chips(path: Path, devices: Iterable[str]) -> int:
    """Remove chips by their decimal text; unknown ones count as nothing.

    Returns:
        How many were removed.
    """
    with _locked(path):
        known = {chip.device: chip for chip in read_chips(path)} if path.exists() else {}
        count = sum(known.pop(device, None) is not None for device in devices)
        if count:
            _write(path, known)
    return count


def read_key(path: Path) -> bytes:
    """Return the 32 bytes of a key file: 64 hex digits, mode 0600.

    Raises:
        KeyFileError: missing, readable by others, or not 32 bytes in hex.
    """
    text = read_secret(path).strip()
    try:
        key = bytes.fromhex(text.decode("ascii"))
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise KeyFileError(TOOL_BAD_INPUT, f"{path}: not a key: {len(text)} characters, 64 hex digits are allowed")
    return key


def device_bytes(text: str) -> bytes | None:
    """Return a chip's 8 bytes from its plain decimal text, None where it is none or 2^63 or more."""
    if not _DEVICE.fullmatch(text) or int(text) > DEVICE_MAX:
        return None
    return int(text).to_bytes(8, "big")


def write_secret(path: Path, data: bytes) -> None:
    """Write a file of mode 0600 whole: beside it, flushed to disk, then renamed over it."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mkstemp makes it 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _check(chip: Chip) -> _Keys:
    """Return a chip's keys."""
    if device_bytes(chip.device) is None:
        raise ChipsError(TOOL_BAD_INPUT, f"device is not a plain decimal number of at most {DEVICE_MAX}")
    if not 0 <= chip.generation <= 0xFFFFFFFF:
        raise ChipsError(TOOL_BAD_INPUT, f"generation {chip.generation}, 0 to 4294967295 are allowed")
    previous_up = _key("previous_up", chip.previous_up) if chip.previous_up else b""
    previous_down = _key("previous_down", chip.previous_down) if chip.previous_down else b""
    return _key("up", chip.up), _key("down", chip.down), previous_up, previous_down


def _key(name: str, text: str) -> bytes:
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES or len(text) != 2 * KEY_BYTES:
        raise ChipsError(TOOL_BAD_INPUT, f"`{name}` is not a key of 64 hex digits")
    return key


_MISSING = (0, 0, 0)


def _stamp(path: Path) -> tuple[int, ...]:
    """Return what shows a change; of its mode too, which has a time of its own."""
    try:
        status = path.stat()
    except OSError as error:
        raise KeyFileError(TOOL_NOT_FOUND, f"{path}: can't be read: {error.strerror}") from error
    return (status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_size)


def read_secret(path: Path) -> bytes:
    """Return a secret file's bytes.

    Raises:
        KeyFileError: it is missing or readable by others.
    """
    with _open_secret(path) as file:
        try:
            return file.read()
        except OSError as error:
            raise KeyFileError(TOOL_NOT_FOUND, f"{path}: can't be read: {error.strerror}") from error


def _open_secret(path: Path) -> BinaryIO:
    """Open a secret file; KeyFileError as ``read_secret``."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise KeyFileError(TOOL_NOT_FOUND, f"{path}: can't be read: {error.strerror}") from error
    mode = os.fstat(file.fileno()).st_mode & 0o777
    if mode & 0o077:
        file.close()
        raise KeyFileError(TOOL_PERMISSIONS, f"{path}: mode {mode:04o}, at most 0600; run: chmod 600 {path}")
    return file


def _write(path: Path, known: dict[str, Chip]) -> None:
    encode = msgspec.json.encode
    write_secret(path, b"".join(encode(chip) + b"\n" for chip in known.values()))


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the writers' lock, a file beside the chips' own (which is replaced, so can't be locked itself)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
