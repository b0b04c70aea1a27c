"""The demo, once, for real: what its document says, that a planted fault breaks it, that nothing outlives it."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

from weldgate_protocol import reasons
from weldgate_simulator import ledger
from weldgate_simulator.line import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.broker, pytest.mark.mpy]

CHIPS = 8
PROGRAM = [sys.executable, "-m", "weldgate_tools.cli", "demo"]


class Played:
    """A demo that has been played and kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "kept"
        arguments = ["--seconds", "1", "--chips", str(CHIPS), "--seed", "3", "--json", "--keep", str(self.folder)]
        self.done = subprocess.run([*PROGRAM, *arguments], capture_output=True, text=True, check=False, timeout=300)
        self.document: dict[str, Any] = json.loads(self.done.stdout) if self.done.stdout else {}

    def judge(self, folder: Path) -> int:
        """Run the ledger over a copy."""
        return ledger.main(
            [
                "--flash", str(folder / "flash"), "--store", str(folder / "line" / "data"),
                "--consumer", str(folder / "line" / "consumer.sqlite3"),
            ]
        )  # fmt: skip


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    played = Played(tmp_path_factory.mktemp("demo"))
    assert played.done.returncode == 0, played.done.stderr
    return played


def test_document_says_that_all_holds(played: Played) -> None:
    """The three sets are equal, nothing is lost or doubled, and every chip is contiguous."""
    document = played.document

    assert document["ok"]
    assert document["chips"] == CHIPS + 1
    assert document["emitted"] == document["stored"] == document["delivered"] > 100
    assert (document["lost"], document["duplicates"], document["changed"], document["invented"]) == (0, 0, 0, 0)
    assert document["gaps_contiguous"]


def test_first_chip_ran_in_micropython(played: Played) -> None:
    """With the heap that DESIGN section 8 grants: the import's and 96 KB."""
    if "interpreter_missing" in played.document:
        pytest.skip(played.document["interpreter_missing"])

    assert played.document["interpreter"].startswith("MicroPython 1.")
    assert 98_304 < played.document["heap_bytes"] < 1_000_000


def test_every_reason_to_refuse_was_seen(played: Played) -> None:
    """No token, forged, expired, other machine, replayed, no local act, latched."""
    assert set(map(int, played.document["refusals"])) >= {
        reasons.GATE_NO_SESSION, reasons.TOKEN_SIGNATURE, reasons.TOKEN_EXPIRED, reasons.TOKEN_OTHER_DEVICE,
        reasons.TOKEN_USED, reasons.GATE_NO_LOCAL_ACT, reasons.GATE_LATCHED,
    }  # fmt: skip


def test_arc_is_the_traces(played: Played) -> None:
    """The record's seconds agree with the trace's own, by a calculation of its own."""
    document = played.document

    assert document["arcs"] == document["arcs_expected"] == 1
    assert abs(document["arc_seconds"] - document["arc_seconds_expected"]) <= document["arc_tolerance_s"]


def test_bypass_is_among_the_alarms(played: Played) -> None:
    """Latched, and of one chip."""
    assert {"alarm": reasons.ALARM_BYPASS, "latched": True, "chips": 1} in played.document["alarms"]


def test_steps_come_with_their_times(played: Played) -> None:
    """Each ticked line is in the document, in order."""
    times = [step["at_s"] for step in played.document["steps"]]

    assert times == sorted(times)
    assert len(times) == played.done.stderr.count("✓") > 20


def store_of(folder: Path) -> Path:
    return max((folder / "line" / "data" / "segments").glob("*.sqlite3"))


def consumer_of(folder: Path) -> Path:
    return folder / "line" / "consumer.sqlite3"


def sql(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def flip(path: Path, table: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        where = f"FROM {table} WHERE seq = 3 LIMIT 1"
        device, raw = connection.execute(f"SELECT device, raw {where}").fetchone()
        other = raw[:-1] + bytes([raw[-1] ^ 1])
        connection.execute(f"UPDATE {table} SET raw = ? WHERE device = ? AND seq = 3", (other, device))


def first_record(folder: Path) -> tuple[Path, bytearray, int, bytes]:
    path = min((folder / "flash").glob("*.flash"))
    data = bytearray(path.read_bytes())
    raw = ledger.read_flash(folder / "flash")[0].raw
    return path, data, data.index(raw), raw


def lose_in_flash(folder: Path) -> None:
    path, data, at, _ = first_record(folder)
    data[at - 8] = 0xFF  # its commit byte
    path.write_bytes(data)


def double_in_flash(folder: Path) -> None:
    path, data, at, _ = first_record(folder)
    path.write_bytes(bytes(data) + bytes(data[at // 4096 * 4096 : (at // 4096 + 1) * 4096]))


def change_in_flash(folder: Path) -> None:
    path, data, at, raw = first_record(folder)
    data[at + len(raw) - 1] ^= 1
    data[at - 4 : at] = crc32(data[at : at + len(raw)], crc32(data[at - 6 : at - 4])).to_bytes(4, "big")
    path.write_bytes(data)


COPY = "INSERT INTO records (received_ms, kind, device, epoch, seq, type, raw) SELECT received_ms, kind, device, epoch,"


@pytest.mark.parametrize(
    "plant",
    [
        pytest.param(lose_in_flash, id="flash-loss"),
        pytest.param(double_in_flash, id="flash-double"),
        pytest.param(change_in_flash, id="flash-changed"),
        pytest.param(lambda folder: sql(store_of(folder), "DELETE FROM records WHERE idx = 9"), id="store-loss"),
        pytest.param(
            lambda folder: sql(store_of(folder), COPY + " seq, type, raw FROM records WHERE kind = 1 LIMIT 1"),
            id="store-double",
        ),
        pytest.param(lambda folder: flip(store_of(folder), "records"), id="store-changed"),
        pytest.param(lambda folder: sql(consumer_of(folder), "DELETE FROM frames WHERE seq = 9"), id="consumer-loss"),
        pytest.param(
            lambda folder: sql(
                consumer_of(folder),
                "CREATE TABLE loose AS SELECT * FROM frames",
                "DROP TABLE frames",
                "ALTER TABLE loose RENAME TO frames",
                "INSERT INTO frames SELECT * FROM frames LIMIT 1",
            ),
            id="consumer-double",
        ),
        pytest.param(lambda folder: flip(consumer_of(folder), "frames"), id="consumer-changed"),
    ],
)
def test_planted_fault_breaks_the_ledger(played: Played, tmp_path: Path, plant: Callable[[Path], None]) -> None:
    """A loss, a duplicate or a changed byte in any of the three sets: exit 1, where it was 0 before."""
    copy = tmp_path / "copy"
    shutil.copytree(played.folder, copy, ignore=lambda folder, names: [n for n in names if n.endswith(".sock")])
    assert played.judge(copy) == 0

    plant(copy)

    assert played.judge(copy) == 1


def test_nothing_outlives_it_on_ctrl_c(tmp_path: Path) -> None:
    """Interrupted in the middle it ends soon, and every process with it, whatever the caller did to SIGINT."""
    folder = tmp_path / "kept"
    said = tmp_path / "said"
    arguments = [*PROGRAM, "--chips", "3", "--keep", str(folder)]
    with (
        said.open("wb") as errors,
        subprocess.Popen(
            arguments, stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True, preexec_fn=_hears_ctrl_c
        ) as process,
    ):
        wait_for("the first refusals", lambda: "forged" in said.read_text(encoding="utf-8"), 60)
        began_s = time.monotonic()

        os.kill(process.pid, signal.SIGINT)

        process.wait(30)

    assert process.returncode == 5
    assert time.monotonic() - began_s < 20
    assert _running(str(folder)) == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of its parent's death")
def test_nothing_outlives_it_when_it_is_killed(tmp_path: Path) -> None:
    """Killed with -9 in the middle: broker, collector, consumer, fleet and interpreter end by themselves."""
    folder = tmp_path / "kept"
    said = tmp_path / "said"
    arguments = [*PROGRAM, "--chips", "3", "--keep", str(folder)]
    with (
        said.open("wb") as errors,
        subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True) as process,
    ):
        wait_for("the fleet", lambda: "broker killed with -9" in said.read_text(encoding="utf-8"), 120)
        children = _descendants(process.pid)

        process.kill()

    assert len(children) >= 4
    wait_for("its processes to end", lambda: not any(map(_alive, children)), 60)


def _descendants(pid: int) -> set[int]:
    """Return the processes that a process started, and those that they did."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            parents[int(path.parent.name)] = int(path.read_text(encoding="utf-8").rpartition(")")[2].split()[1])
    found: set[int] = set()
    while more := {child for child, parent in parents.items() if parent in {pid, *found}} - found:
        found |= more
    return found


def _alive(pid: int) -> bool:
    """Tell whether a process runs; one that waits to be buried does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _hears_ctrl_c() -> None:
    """Give SIGINT its default back: under nohup, or in a script's background, it is inherited as ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _running(mark: str) -> list[str]:
    """Return the command lines that name the demo's folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it has ended meanwhile
        if mark in command:
            found.append(command)
    return found
