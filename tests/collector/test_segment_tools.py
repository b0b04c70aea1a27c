"""A segment opens as it is in ``sqlite-utils`` and ``datasette``, sealed or open, and a sealed one keeps its bytes."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from weldgate_collector.store import Row, Writer, list_segments, seal

DEVICE = (1 << 63) - 1
EPOCH = 0xA0000001


def frame(seq: int) -> Row:
    """Return the row of a frame."""
    head = b"\x2a\x45" + DEVICE.to_bytes(8, "big") + EPOCH.to_bytes(4, "big") + seq.to_bytes(4, "big")
    return (1_780_000_000_000, 1, DEVICE, EPOCH, seq, 0x45, head + bytes(8) + b"\xa1\x01\x02" + b"T" * 8)


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    """A sealed and an open segment."""
    writer = Writer(tmp_path, 0, 1000, lambda _index: None, segment_rows=100)
    writer.start()
    for start in range(1, 151, 10):
        writer.put([frame(seq) for seq in range(start, start + 10)])
        writer.submit(lambda _connection: None).result(20)
    writer.stop()
    found = [segment.path for segment in list_segments(tmp_path)]
    for path in found[:-1]:
        seal(path)
    return found


def _program(code: str, *arguments: str) -> str:
    command = [sys.executable, "-W", "ignore", "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


SQLITE_UTILS = "from sqlite_utils.cli import cli; cli()"
# The stubs of MicroPython bring a folder `mip`, which datasette takes for the solver of that name.
DATASETTE = "import sys; sys.modules['mip'] = None; from datasette.cli import cli; cli()"


def test_sqlite_utils_opens_each_segment(paths: list[Path]) -> None:
    """A chip of 2^63 - 1 comes through its JSON as the number it is."""
    before = hashlib.sha256(paths[0].read_bytes()).digest()
    for path in paths:
        (row,) = json.loads(_program(SQLITE_UTILS, "query", str(path), "SELECT max(device) AS d FROM frames"))
        assert row == {"d": DEVICE}
        assert "frames" in _program(SQLITE_UTILS, "views", str(path))
    assert hashlib.sha256(paths[0].read_bytes()).digest() == before


def test_datasette_opens_each_segment(paths: list[Path]) -> None:
    """Its JSON has the rows of the view."""
    for path in paths:
        text = _program(DATASETTE, str(path), "--get", f"/{path.stem}/frames.json?_shape=objects&_size=1")
        found = json.loads(text)
        assert found["rows"][0]["device"] == DEVICE
        assert found["rows"][0]["quality"] == "synced"
