"""Recordings: what is written is what came, and a file that is none is told by its line."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from weldgate_collector.errors import RecordingError
from weldgate_collector.links.memory import MemoryEnd, MemoryLink
from weldgate_collector.recording import Entry, Recorder, Recording
from weldgate_protocol.reasons import TOOL_BAD_INPUT, TOOL_EXISTS, TOOL_NOT_FOUND


class Echo:
    """A peer that answers."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def received(self, data: bytes) -> None:
        """Answer."""
        self.connection.send(data.upper())

    def closed(self) -> None:
        """Nothing."""


def record(path: Path, max_bytes: int = 1 << 20) -> None:
    """Record a conversation of two connections."""

    async def scene() -> None:
        recorder = Recorder(path, "t", max_bytes)
        link = MemoryLink()
        await link.start(recorder.watch("memory", Echo))
        for text in (b"one", b"two"):
            end = MemoryEnd()
            near = link.connect(end, "here")
            near.send(text)
            while not end.data:
                await asyncio.sleep(0)
            near.close()
        await link.stop()
        recorder.flush()
        recorder.close()

    asyncio.run(scene())


def test_recording_holds_every_byte_of_both_directions(tmp_path: Path) -> None:
    """Opened, up, down, closed, in order and by connection; readable by its owner alone."""
    path = tmp_path / "a.wgr"

    record(path)

    recording = Recording(path)
    found = [(entry.c, entry.open or entry.up or entry.down or entry.closed) for entry in recording.entries()]
    one, two = b"one".hex(), b"two".hex()
    assert [what for c, what in found if c == 1] == ["memory", one, b"ONE".hex(), True]
    assert [what for c, what in found if c == 2] == ["memory", two, b"TWO".hex(), True]
    assert recording.collector == "t"
    assert path.stat().st_mode & 0o777 == 0o600
    times = [entry.at for entry in recording.entries()]
    assert times == sorted(times)


def test_recording_is_bounded_and_never_overwrites(tmp_path: Path) -> None:
    """At its limit it ends with a word in the log; a file that is there is left alone."""
    path = tmp_path / "a.wgr"

    with capture_logs() as logs:
        record(path, 150)

    assert path.stat().st_size <= 150
    assert [entry["event"] for entry in logs].count("recording_ended") == 1
    with pytest.raises(RecordingError) as caught:
        Recorder(path, "t", 100)
    assert caught.value.code == TOOL_EXISTS
    with pytest.raises(RecordingError) as caught:
        Recorder(tmp_path / "no" / "a.wgr", "t", 100)
    assert caught.value.code == TOOL_NOT_FOUND


def test_disk_that_fails_ends_the_recording_only(tmp_path: Path) -> None:
    """What the links carry goes on; the log says so once."""
    recorder = Recorder(tmp_path / "a.wgr", "t", 1 << 20)

    class Full:
        def write(self, _data: bytes) -> None:
            raise OSError(28, "No space left on device")

        flush = close = lambda self: None

    recorder._file.close()
    recorder._file = Full()  # type: ignore[assignment]
    with capture_logs() as logs:
        recorder.note(1, up="00")
        recorder.note(1, up="00")
        recorder.flush()
        recorder.close()

    assert [entry["event"] for entry in logs] == ["recording_ended"]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("", 1),
        ("no json\n", 1),
        ('{"weldgate":"recording","version":2}\n', 1),
        ('{"weldgate":"recording","version":1}\n{"at":1,"c":1,"up":"7e"}\n{"at":1}\n', 3),
        ('{"weldgate":"recording","version":1}\n{"at":1,"c":1,"up":"xx"}\n', 2),
    ],
)
def test_wrong_file_is_told_by_its_line(tmp_path: Path, text: str, number: int) -> None:
    """What is no recording, another version's, or broken."""
    path = tmp_path / "a.wgr"
    path.write_text(text, "utf-8")

    with pytest.raises(RecordingError, match=f"line {number}:") as caught:
        list(Recording(path).entries())
    assert caught.value.code == TOOL_BAD_INPUT


def test_last_line_without_an_end_is_passed_over(tmp_path: Path) -> None:
    """A collector that was killed leaves one; a file that is not there is told."""
    path = tmp_path / "a.wgr"
    head = json.dumps({"weldgate": "recording", "version": 1, "began_ms": 5})
    path.write_text(head + '\n{"at":1,"c":1,"up":"7e"}\n{"at":2,"c":1,"u', "utf-8")

    assert list(Recording(path).entries()) == [Entry(1, 1, up="7e")]
    with pytest.raises(RecordingError, match="can't be read"):
        Recording(tmp_path / "none")
