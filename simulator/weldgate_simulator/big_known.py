"""A collector that knows half a million chips, for `bench`: the memory it takes, at its highest.

The chips' file and a store that has every chip's line are made beforehand; then some of the chips send until a segment
is full and the next one, with half a million lines to open with, has taken over.
"""

import json
import secrets
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from weldgate_collector import Chip, add_chips, connect, list_segments, load_config
from weldgate_protocol.reasons import TOOL_TIMEOUT
from weldgate_simulator.line import LineError, memory_mb
from weldgate_simulator.load import make_chips
from weldgate_simulator.storm import running_collector

__all__ = ["Known", "play_known"]

_EPOCH = 0xA0000001


class Known(NamedTuple):
    """What was measured.

    Attributes:
        started_mb: resident once it listened, MB of 10^6 bytes.
        peak_mb: the highest until the end.
        start_s: seconds until it listened.
        rows: how many came in meanwhile.
    """

    started_mb: float
    peak_mb: float
    start_s: float
    rows: int


def play_known(folder: Path, count: int, callers: int, segment_rows: int | None = None) -> Known:
    """Measure a collector that knows `count` chips, `callers` of which send until a segment is full.

    Args:
        folder: empty.
        count: chips.
        callers: the first of them.
        segment_rows: another size of a segment than the collector's own.

    Raises:
        LocalError: the collector did not start, or the load did not get through.
    """
    chips = make_chips(count, secrets.token_bytes(32))
    add_chips(folder / "chips.jsonl", chips)
    add_chips(folder / "callers.jsonl", chips[:callers])
    extra = "" if segment_rows is None else f"\n[store]\nsegment_rows = {segment_rows}\n"
    with running_collector(folder, extra):
        pass  # it leaves an empty store
    _know_lines(folder / "data", chips)
    rows = load_config(folder / "collector.toml").store.segment_rows * 5 // 4
    started_s = time.monotonic()
    with running_collector(folder, extra) as (port, pid, _):
        start_s = time.monotonic() - started_s
        started_mb = memory_mb(pid)
        found = _send(folder / "callers.jsonl", port, -(-rows // callers))
        while len(list_segments(folder / "data")) == 1:  # it changes between two commits
            found += _send(folder / "callers.jsonl", port, 10)
        peak_mb = memory_mb(pid, "VmHWM")
    return Known(started_mb, peak_mb, start_s, found)


def _know_lines(data: Path, chips: list[Chip]) -> None:
    """Let an empty store's segment open with a line of each chip."""
    (segment,) = list_segments(data)
    connection: sqlite3.Connection = connect(str(segment.path))
    try:
        connection.execute("BEGIN")
        lines = ((int(chip.device), _EPOCH, 1000) for chip in chips)
        connection.executemany("INSERT INTO highs VALUES (?, ?, ?)", lines)
        connection.execute("COMMIT")
    finally:
        connection.close()


def _send(callers: Path, port: int, frames: int) -> int:
    command = [
        sys.executable, "-m", "weldgate_simulator.load", "--collector", f"127.0.0.1:{port}",
        "--chips-file", str(callers), "--frames", str(frames),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, check=False, timeout=600)
    if done.returncode != 0:
        raise LineError(TOOL_TIMEOUT, f"the load did not get through: {done.stderr.decode(errors='replace')[-300:]}")
    return int(json.loads(done.stdout)["acknowledged"])
