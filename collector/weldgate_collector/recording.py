"""Recordings of what the links carried: written by a running collector (``--record``), read by ``replay``.

JSON lines. The first one is the head, each other one an entry; ``at`` is milliseconds since the beginning, ``c`` is
the connection's number::

    {"weldgate": "recording", "version": 1, "collector": "yuzhou-1", "began_ms": 1790000000000}
    {"at": 12.25, "c": 1, "open": "tcp", "source": "10.0.0.7"}
    {"at": 12.31, "c": 1, "up": "7e2101…7e"}
    {"at": 13.02, "c": 1, "down": "7e3480…7e"}
    {"at": 90012.5, "c": 1, "closed": true}

A recording holds frames, so what chips measured and which tokens they used, but no key: mode 0600. Bytes stand as they
came, cut as they came. A collector that is killed leaves a last line without an end, which is passed over. Nothing
that goes wrong with a recording harms the collector: the recording ends, and the log says so.
"""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import msgspec
import structlog

from weldgate_protocol.reasons import TOOL_BAD_INPUT, TOOL_EXISTS, TOOL_NOT_FOUND

from .errors import RecordingError
from .links.base import Accept, Connection, Peer

__all__ = ["Entry", "Recorder", "Recording"]

_log = structlog.get_logger("weldgate.recording")

_VERSION = 1


class Entry(msgspec.Struct, frozen=True):
    """One line: exactly one of ``open`` (a link's name), ``up`` and ``down`` (hex) and ``closed`` is set."""

    at: float
    c: int
    open: str = ""
    source: str = ""
    up: str = ""
    down: str = ""
    closed: bool = False


class Recorder:
    """Writes one recording. Attribute ``ended`` once it is full, or could not be written."""

    def __init__(self, path: Path, collector: str, max_bytes: int) -> None:
        """Make the file.

        Args:
            path: must not be there yet.
            collector: name, for the head.
            max_bytes: the recording ends before it grows beyond.

        Raises:
            RecordingError: it is there already, or can't be made.
        """
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise RecordingError(TOOL_EXISTS, f"{path} is there already and is not overwritten") from None
        except OSError as error:
            raise RecordingError(TOOL_NOT_FOUND, f"{path}: can't be made: {error.strerror}") from error
        self.path = path
        self.ended = False
        self._file: IO[bytes] = os.fdopen(handle, "wb", buffering=1 << 20)
        self._left = max_bytes
        self._began_s = time.monotonic()
        self._count = 0
        began_ms = time.time_ns() // 1_000_000
        self._write({"weldgate": "recording", "version": _VERSION, "collector": collector, "began_ms": began_ms})

    def watch(self, link: str, accept: Accept) -> Accept:
        """Return an ``accept`` that records what goes over each connection of a link."""

        def accept_recorded(connection: Connection) -> Peer:
            self._count += 1
            number = self._count
            self.note(number, open=link, source=connection.source)
            return _RecordedPeer(self, number, accept(_RecordedConnection(self, number, connection)))

        return accept_recorded

    def note(self, number: int, **what: Any) -> None:
        """Write one entry."""
        if not self.ended:
            self._write({"at": round((time.monotonic() - self._began_s) * 1000, 3), "c": number, **what})

    def flush(self) -> None:
        """Give what is buffered to the system; called now and then."""
        if not self.ended:
            try:
                self._file.flush()
            except OSError as error:
                self._end(str(error))

    def close(self) -> None:
        """End the recording."""
        if not self.ended:
            self._end("")

    def _write(self, entry: dict[str, Any]) -> None:
        line = json.dumps(entry, separators=(",", ":")).encode() + b"\n"
        if len(line) > self._left:
            self._end("it is as large as it may be")
            return
        self._left -= len(line)
        try:
            self._file.write(line)
        except OSError as error:
            self._end(str(error))

    def _end(self, trouble: str) -> None:
        self.ended = True
        try:
            self._file.close()
        except OSError as error:
            trouble = trouble or str(error)
        if trouble:
            _log.error("recording_ended", file=str(self.path), reason=trouble)
        else:
            _log.info("recording_closed", file=str(self.path), connections=self._count)


class _RecordedConnection:
    """A connection whose answers are noted; all else is the link's own."""

    def __init__(self, recorder: Recorder, number: int, inner: Connection) -> None:
        self._recorder = recorder
        self._number = number
        self._inner = inner
        self.source = inner.source
        self.pause = inner.pause
        self.resume = inner.resume
        self.close = inner.close

    def send(self, data: bytes) -> None:
        self._recorder.note(self._number, down=data.hex())
        self._inner.send(data)


class _RecordedPeer:
    """A peer whose bytes are noted."""

    def __init__(self, recorder: Recorder, number: int, inner: Peer) -> None:
        self._recorder = recorder
        self._number = number
        self._inner = inner

    def received(self, data: bytes) -> None:
        self._recorder.note(self._number, up=data.hex())
        self._inner.received(data)

    def closed(self) -> None:
        self._recorder.note(self._number, closed=True)
        self._inner.closed()


class Recording:
    """A recording to be read. Attributes ``collector`` and ``began_ms`` are its head's."""

    def __init__(self, path: Path) -> None:
        """Read the head.

        Raises:
            RecordingError: the file can't be read, or is no recording of a version that we know.
        """
        self.path = path
        try:
            with path.open("rb") as file:
                head = json.loads(file.readline(65_536))
        except OSError as error:
            raise RecordingError(TOOL_NOT_FOUND, f"{path}: can't be read: {error.strerror}") from error
        except (ValueError, RecursionError):
            head = None
        if not isinstance(head, dict) or head.get("weldgate") != "recording":
            raise RecordingError(TOOL_BAD_INPUT, f"{path}: line 1: this is no recording of a collector")
        if head.get("version") != _VERSION:
            raise RecordingError(
                TOOL_BAD_INPUT, f"{path}: line 1: version {head.get('version')}, {_VERSION} is what we read"
            )
        self.collector = str(head.get("collector", ""))
        self.began_ms = head.get("began_ms", 0)

    def entries(self) -> Iterator[Entry]:
        """Yield the entries, from the beginning at each call.

        Raises:
            RecordingError: a line is no entry; the message names it.
        """
        decoder = msgspec.json.Decoder(Entry)
        with self.path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if number == 1 or not line.endswith(b"\n"):
                    continue
                try:
                    entry = decoder.decode(line)
                    bytes.fromhex(entry.up or entry.down)
                except (msgspec.MsgspecError, ValueError, RecursionError) as error:
                    raise RecordingError(TOOL_BAD_INPUT, f"{self.path}: line {number}: {error}") from None
                yield entry
