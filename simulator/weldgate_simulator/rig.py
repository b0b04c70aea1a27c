"""The line under the bench's load: what goes in, what each process spent on it, and whether all of it arrived.

Broker, collector, consumer and load generator are processes of their own. A run ends when the consumer's receipts have
moved the collector's cursor over all of it; then the consumer's database is held against the generator's ledger, byte
for byte, and the collector must have refused exactly the one frame whose tag was flipped.
"""

import hashlib
import json
import secrets
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from weldgate_protocol.errors import LocalError
from weldgate_protocol.reasons import TOOL_CONNECTION

from .broker import Broker
from .json_consumer import ANSWER_TOPIC
from .line import Line, wait_for
from .load import make_chips
from .ready import pipes, ready_program

__all__ = ["LOCAL", "JsonRig", "Load", "Rig", "RigError", "Run", "sink_rate"]

LOCAL = "127.0.0.1"
_DELIVERED_S = 120.0

_LOG = """
[log]
level = "warning"
"""

_PACKS = """
[[upstream]]
name = "consumer"
port = {port}
receipt_timeout_s = 5.0
"""

_JSON = f"""
[[upstream]]
name = "consumer"
kind = "mqtt-json"
port = {{port}}
qos = 0
proof = "answer"
answer_topic = "{ANSWER_TOPIC}"
window = 8000

[upstream.record]
raw = true
"""


class RigError(LocalError):
    """The line did not do what a figure stands for: then there is no figure."""


class Load(NamedTuple):
    """What goes in.

    Attributes:
        frames: by each chip.
        rate: frames a second, 0 for as many as acks allow.
        window: unacknowledged frames of each chip, 0 for the chip's own.
        by_broker: as publishes.
        sources: local addresses.
    """

    frames: int
    rate: float = 0.0
    window: int = 0
    by_broker: bool = False
    sources: int = 0


class Run(NamedTuple):
    """What was measured.

    Attributes:
        frames: that went through.
        seconds: from the first to the last one's receipt.
        acked_s: from the first to the last ack.
        cpu_s: by process.
        written_bytes: by the collector, as the kernel counts them; frames' bytes are 100 each.
        ack_ms, late_ms: p50, p99, max.
        orders: (chip, type, monotonic second) of what came to chips.
    """

    frames: int
    seconds: float
    acked_s: float
    cpu_s: dict[str, float]
    written_bytes: int
    ack_ms: dict[str, float]
    late_ms: dict[str, float]
    orders: list[tuple[int, int, float]]

    @property
    def rate(self) -> float:
        """Frames a second, to the last receipt."""
        return self.frames / self.seconds

    @property
    def collector_cpu_s(self) -> float:
        """CPU seconds of the collector for 100,000 frames."""
        return self.cpu_s["collector"] * 100_000 / self.frames

    def told(self) -> str:
        """Say where the CPU seconds went."""
        used = ", ".join(f"{name} {seconds:.2f}" for name, seconds in self.cpu_s.items())
        return f"CPU seconds for {self.frames} frames in {self.seconds:.1f} s: {used}"


class Rig(Line):
    """The line with as many chips as wanted."""

    def __init__(
        self, folder: Path, chips: int, broker: Broker | None = None, upstream: str = _PACKS, extra: str = ""
    ) -> None:
        """Write keys and configuration.

        Args:
            folder: everything goes there.
            chips: how many are known.
            broker: another than nats-server.
            upstream: the upstream's table, with ``{port}`` for the broker's.
            extra: more of the configuration, likewise.
        """
        super().__init__(
            folder, make_chips(chips, secrets.token_bytes(32)), broker, _LOG + extra, upstream=upstream
        )  # fmt: skip

    def run(self, load: Load, during: Callable[[float], None] = lambda _began_s: None) -> Run:
        """Let a load through.

        Args:
            load: what goes in.
            during: called once the clock runs, with the monotonic second of its start.

        Raises:
            RigError: something of it was lost, refused or doubled.
        """
        ledger = self.folder / "ledger.jsonl"
        with ready_program(self._command(load, ledger)) as generator:
            committed, before, written = self._committed(), self.cpu_s(), self._written()
            began_s = time.monotonic()
            generator.go()
            during(began_s)
            result = generator.result()
            total = int(result["frames"])
            wait_for("the last receipt", lambda: self._arrived(committed + total), _DELIVERED_S)
            seconds = time.monotonic() - began_s
            used = {name: value - before[name] for name, value in self.cpu_s().items()}
            used["load"] = float(result["cpu_s"])
            written = self._written() - written
        self._prove(ledger)
        return Run(
            total, seconds, float(result["seconds"]), used, written, result["ack_ms"], result["late_ms"],
            [(int(device), int(type_), float(at_s)) for device, type_, at_s in result["orders"]],
        )  # fmt: skip

    def _command(self, load: Load, ledger: Path) -> list[str]:
        way, port = ("--broker", self.broker.port) if load.by_broker else ("--collector", self.port)
        command = [
            sys.executable, "-m", "weldgate_simulator.load_run", way, f"{LOCAL}:{port}",
            "--chips-file", str(self.chips_file), "--frames", str(load.frames), "--rate", str(load.rate),
            "--sources", str(load.sources), "--flip", "--ledger", str(ledger),
        ]  # fmt: skip
        return command + (["--window", str(load.window)] if load.window else [])

    def _committed(self) -> int:
        return int(self.health()["committed"])

    def _arrived(self, rows: int) -> bool:
        """Tell whether so many rows are committed and every one of them is receipted."""
        health = self.health()
        upstreams = health.get("upstreams", {}).values()
        return health.get("committed", 0) >= rows and not any(one["waiting_rows"] for one in upstreams)

    def _written(self) -> int:
        """Return the bytes that the collector has made the kernel write."""
        text = Path(f"/proc/{self.collector_pid}/io").read_text("ascii")
        fields = dict(line.split(": ") for line in text.splitlines())
        return int(fields["write_bytes"]) - int(fields["cancelled_write_bytes"])

    def _prove(self, ledger: Path) -> None:
        """Hold what the consumer committed against what was acknowledged.

        Raises:
            RigError: they differ, or another number of tags than one was refused.
        """
        entries = [json.loads(line) for line in ledger.read_text("utf-8").splitlines()]
        for entry in entries:
            if entry["acknowledged"] != entry["frames"]:
                raise RigError(TOOL_CONNECTION, f"chip {entry['device']}: {entry['acknowledged']} acknowledged")
        found = self.digests()
        for entry in entries:
            held = found.get((entry["device"], entry["epoch"]))
            if held != (entry["frames"], entry["digest"]):
                raise RigError(
                    TOOL_CONNECTION,
                    f"chip {entry['device']}: {entry['frames']} frames were acknowledged, the consumer has "
                    f"{held[0] if held else 0}, or others",
                )
        refused = int(self.health()["bad_tags"])
        if refused != 1:
            raise RigError(TOOL_CONNECTION, f"one tag was flipped, and {refused} frames were refused")

    def digests(self) -> dict[tuple[int, int], tuple[int, str]]:
        """Return (frames, SHA-256 over them, by number) of each line in the consumer's database."""
        found: dict[tuple[int, int], tuple[list[int], Any]] = {}
        connection = sqlite3.connect(f"{self.journal.absolute().as_uri()}?mode=ro", uri=True)
        try:
            rows = connection.execute("SELECT device, epoch, raw FROM frames ORDER BY device, epoch, seq")
            for device, epoch, raw in rows:
                count, digest = found.setdefault((device, epoch), ([0], hashlib.sha256()))
                count[0] += 1
                digest.update(raw)
        finally:
            connection.close()
        return {line: (count[0], digest.hexdigest()) for line, (count, digest) in found.items()}


class JsonRig(Rig):
    """The line with a platform that takes single records as JSON."""

    def __init__(self, folder: Path, chips: int, broker: Broker | None = None) -> None:
        """As ``Rig``."""
        super().__init__(folder, chips, broker, _JSON)

    def start_consumer(self) -> None:
        """Start the consumer of JSON."""
        self._consumer = self._spawn("consumer", [
            sys.executable, "-m", "weldgate_simulator.json_consumer", "--broker",
            f"{self.broker.host}:{self.broker.port}", "--database", str(self.journal), "--collector", "line",
        ])  # fmt: skip


def sink_rate(chips_file: Path, load: Load) -> tuple[float, float]:
    """Send a load to a sink that only acks; return its frames a second, and the generator's CPU seconds for 100,000."""
    sink_command = [sys.executable, "-m", "weldgate_simulator.load_sink", "--chips-file", str(chips_file)]
    with subprocess.Popen(sink_command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as sink:
        port = pipes(sink)[1].readline().strip()
        command = [
            sys.executable, "-m", "weldgate_simulator.load_run", "--collector", f"{LOCAL}:{port}", "--chips-file",
            str(chips_file), "--frames", str(load.frames),
        ]  # fmt: skip
        with ready_program(command) as generator:
            generator.go()
            result = generator.result()
        pipes(sink)[0].close()
    return float(result["frames_per_s"]), float(result["cpu_s"]) * 100_000 / int(result["frames"])
