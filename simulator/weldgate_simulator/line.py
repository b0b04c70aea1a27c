"""The line as real processes on free ports: broker, collector, counting consumer, each killed and started at will.

Used by system tests, the bench and the demo. Waits by asking (a port answers, a count is reached), never by a blind
sleep; each wait has a deadline and says what it waited for.
"""

import json
import os
import secrets
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

from weldgate_collector import Chip, Reader, add_chips, write_secret
from weldgate_protocol.errors import LocalError
from weldgate_protocol.reasons import TOOL_CONNECTION, TOOL_TIMEOUT

from . import tether
from .broker import Broker, NatsBroker, free_port
from .ready import ready_program

__all__ = ["Line", "LineError", "Sent", "bench", "cpu_s", "memory_mb", "wait_for"]

_WAIT_S = 60.0
_POLL_S = 0.02
_UPSTREAM = """
[[upstream]]
name = "consumer"
port = {port}
receipt_timeout_s = 1.0
backoff_max_s = 1.0
pack_ms = 20
"""


class LineError(LocalError):
    """A part of the line that did not do what was waited for."""


def wait_for(what: str, true: Callable[[], bool], seconds: float = _WAIT_S) -> None:
    """Ask until it is so.

    Raises:
        LineError: it was not so in time.
    """
    deadline_s = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline_s:
            raise LineError(TOOL_TIMEOUT, f"waited {seconds:.0f} s for: {what}")
        time.sleep(_POLL_S)


class Sent(NamedTuple):
    """What became of a load.

    Attributes:
        per_s: frames a second, to the consumer's commit of the last.
        acked_per_s: to the last ack.
        cpu_s: by process.
    """

    per_s: float
    acked_per_s: float
    cpu_s: dict[str, float]


class Line:
    """Broker, collector and consumer in one folder. Use it in ``with``; every process ends with it.

    Attributes:
        port: the collector's TCP port.
        broker: the broker.
        store, journal: the collector's store and the consumer's database.
        collector_command: what runs the collector, all but its configuration; may be changed before a start.
    """

    def __init__(
        self,
        folder: Path,
        chips: Sequence[Chip],
        broker: Broker | None = None,
        extra: str = "",
        *,
        tethered: bool = False,
        upstream_port: int = 0,
        upstream: str = _UPSTREAM,
    ) -> None:
        """Write keys and configuration.

        Args:
            folder: everything goes there.
            chips: known to the collector.
            broker: another than ``NatsBroker``.
            extra: more lines of the collector's configuration; ``{port}`` in them is the upstream's.
            tethered: whether the processes end with this one, even when it is killed; then start them from the main
                thread, since the kernel watches the thread that did.
            upstream_port: where the collector finds the broker, if not at the broker's own port: a proxy's.
            upstream: the upstream's table, likewise.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.broker = broker or NatsBroker(folder / "broker")
        self.broker.tethered = tethered
        self._tethered = tethered
        self.port = free_port()
        self.metrics_port = free_port()
        self.store = folder / "data"
        self.journal = folder / "consumer.sqlite3"
        self.key_file = folder / "collector.key"
        self.chips_file = folder / "chips.jsonl"
        self.config_file = folder / "collector.toml"
        self.collector_command = [sys.executable, "-m", "weldgate_collector"]
        self._collector: subprocess.Popen[bytes] | None = None
        self._consumer: subprocess.Popen[bytes] | None = None
        write_secret(self.key_file, secrets.token_hex(32).encode())
        add_chips(self.chips_file, chips)
        self.config_file.write_text(
            f"""[collector]
name = "line"

[tcp]
host = "127.0.0.1"
port = {self.port}

[metrics]
port = {self.metrics_port}
"""
            + (upstream + extra).replace("{port}", str(upstream_port or self.broker.port)),
            encoding="utf-8",
        )

    def __enter__(self) -> Self:
        try:
            self.broker.start()
            self.start_consumer()
            self.start_collector()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start_collector(self) -> None:
        """Start the collector; return when it listens."""
        self.launch_collector()
        wait_for("the collector to listen", lambda: bool(self.health()))

    def launch_collector(self) -> "subprocess.Popen[bytes]":
        """Start the collector without waiting for it: one that may refuse to run."""
        self._collector = self._spawn("collector", [*self.collector_command, str(self.config_file)])
        return self._collector

    @property
    def collector_pid(self) -> int:
        """The collector's process id, 0 when it does not run."""
        return self._collector.pid if self._collector is not None else 0

    def kill_collector(self) -> None:
        """Kill the collector with -9."""
        _end(self._collector, signal.SIGKILL)
        self._collector = None

    def stop_collector(self) -> int:
        """Stop the collector gracefully and return its exit code."""
        process, self._collector = self._collector, None
        _end(process, signal.SIGTERM)
        return process.returncode if process is not None else 0

    def start_consumer(self) -> None:
        """Start the consumer."""
        self._consumer = self._spawn("consumer", [
            sys.executable, "-m", "weldgate_simulator.upstream", "--broker", f"{self.broker.host}:{self.broker.port}",
            "--database", str(self.journal), "--key-file", str(self.key_file), "--collector", "line",
        ])  # fmt: skip

    def kill_consumer(self) -> None:
        """Kill the consumer with -9."""
        _end(self._consumer, signal.SIGKILL)
        self._consumer = None

    def wipe_consumer(self) -> None:
        """Remove the database of a consumer that does not run; its log too, or SQLite would play that back."""
        for suffix in ("", "-wal", "-shm"):
            self.journal.with_name(self.journal.name + suffix).unlink(missing_ok=True)

    def stop(self) -> None:
        """End every process."""
        _end(self._collector, signal.SIGTERM)
        self._collector = None
        _end(self._consumer, signal.SIGTERM)
        self._consumer = None
        self.broker.stop()

    def ended(self) -> str:
        """Return the name of a process that ended though nobody ended it, empty for none."""
        for name, process in (("collector", self._collector), ("consumer", self._consumer)):
            if process is not None and process.poll() is not None:
                return name
        return ""

    def health(self) -> dict[str, Any]:
        """Return the collector's ``/healthz``, be it well or not; empty when it doesn't answer."""
        try:
            try:
                answer = urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/healthz", timeout=5)
            except urllib.error.HTTPError as error:
                answer = error  # 503: it says what is wrong
            with answer:
                found: dict[str, Any] = json.load(answer)
                return found
        except (urllib.error.URLError, OSError, ValueError):
            return {}

    def stored(self) -> list[tuple[int, int, int, bytes]]:
        """Return (device, epoch, seq, raw) of every frame in the collector's store, in order of arrival."""
        if not (self.store / "segments").exists():
            return []
        with Reader(self.store) as reader:
            return [(row.device, row.epoch, row.seq, row.raw) for row in reader.records(kind=1)]

    def delivered(self) -> list[tuple[int, int, int, bytes]]:
        """Return (device, epoch, seq, raw) of every frame the consumer committed."""
        return _query(self.journal, "SELECT device, epoch, seq, raw FROM frames ORDER BY device, epoch, seq")

    def delivered_count(self) -> int:
        """Return how many frames the consumer committed."""
        if not self.journal.exists() or not _query(self.journal, "SELECT 1 FROM sqlite_master WHERE name = 'frames'"):
            return 0
        rows = _query(self.journal, "SELECT count(*) FROM frames")
        return int(rows[0][0])

    def counts(self) -> dict[str, int]:
        """Return the consumer's counts: conflicts, own records, and frames that came doubled."""
        rows = _query(self.journal, "SELECT 'doubled', coalesce(sum(value), 0) FROM counts WHERE name = 'doubled'")
        for name in ("conflicts", "own_records"):
            rows += _query(self.journal, f"SELECT '{name}', count(*) FROM {name}")  # noqa: S608 - names are ours
        return dict(rows)

    def store_id(self) -> bytes:
        """Return the collector's store id."""
        with Reader(self.store) as reader:
            return reader.store_id()

    def cpu_s(self) -> dict[str, float]:
        """Return the CPU seconds of each process up to now."""
        pids = {"broker": self.broker.pid}
        for name, process in (("collector", self._collector), ("consumer", self._consumer)):
            pids[name] = process.pid if process is not None else 0
        return {name: cpu_s(pid) for name, pid in pids.items() if pid}

    def send(self, chips_file: Path, chips: int, frames: int) -> "Sent":
        """Let a load generator send through the running line to a consumer that has committed no frame.

        One frame goes a second time with a bit of its tag flipped; unless just that is refused, nothing was measured.

        Args:
            chips_file: who sends.
            chips: how many they are.
            frames: by each.

        Raises:
            LocalError: it did not get through, or another number of frames than one was refused.
        """
        refused = int(self.health()["bad_tags"])
        command = [
            sys.executable, "-m", "weldgate_simulator.load", "--collector", f"127.0.0.1:{self.port}",
            "--chips-file", str(chips_file), "--frames", str(frames), "--wait", "--flip",
        ]  # fmt: skip
        with ready_program(command) as load:
            before = self.cpu_s()
            started_s = time.perf_counter()
            load.go()
            result = load.result()
            wait_for("the consumer to commit every frame", lambda: self.delivered_count() == chips * frames, 300)
            seconds = time.perf_counter() - started_s
            used = {name: round(value - before[name], 2) for name, value in self.cpu_s().items()}
        refused = int(self.health()["bad_tags"]) - refused
        if refused != 1:
            raise LineError(TOOL_CONNECTION, f"one tag was flipped, and {refused} frames were refused")
        return Sent(chips * frames / seconds, result["frames_per_s"], {**used, "load": result["cpu_s"]})

    def _spawn(self, name: str, command: list[str]) -> "subprocess.Popen[bytes]":
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                tether.tethered(command) if self._tethered else command,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip


def bench(folder: Path, chips: int = 200, frames: int = 1_000) -> dict[str, Any]:
    """Measure frames/s until the last is acknowledged (durable), and until the consumer committed it (delivered).

    Args:
        folder: empty; the caller removes it.
        chips: how many.
        frames: by each.

    Returns:
        ``durable_per_s``, ``delivered_per_s``, ``frames``, and ``cpu_s`` by process.
    """
    from .load import make_chips  # here, since the load generator imports what a line alone does not need

    with Line(folder, make_chips(chips, secrets.token_bytes(32))) as line:
        sent = line.send(line.chips_file, chips, frames)
    return {
        "frames": chips * frames, "durable_per_s": sent.acked_per_s, "delivered_per_s": round(sent.per_s),
        "cpu_s": sent.cpu_s,
    }  # fmt: skip


def _end(process: "subprocess.Popen[bytes] | None", number: signal.Signals) -> None:
    """End a process, harder when it doesn't."""
    if process is not None:
        process.send_signal(number)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _query(path: Path, query: str) -> list[Any]:
    connection = sqlite3.connect(path, timeout=20)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def cpu_s(pid: int) -> float:
    """Return the CPU seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int, name: str = "VmRSS") -> float:
    """Return a line of /proc/PID/status that is in kB, as MB of 10^6 bytes: VmRSS now, VmHWM at its highest."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith(name + ":"):
            return round(int(line.split()[1]) * 1024 / 1e6, 1)
    raise LineError(TOOL_TIMEOUT, f"process {pid} has ended")


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        print(json.dumps(bench(Path(name))))
