"""The same load through mosquitto's bridge and through the collector's line, in turn, for `bench`.

The bridge as somebody would set it up who wants to lose nothing: QoS 1 all the way, a session that is kept, a queue
without bound, persistence on both brokers. A consumer behind the second broker commits FULL before it acknowledges, as
the line's consumer does. What the bridge's own acknowledgement is worth is another question (docs/performance.md).
"""

import getpass
import sqlite3
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import NamedTuple

from weldgate_simulator import line as lines
from weldgate_simulator.broker import Broker, MosquittoBroker
from weldgate_simulator.line import wait_for
from weldgate_simulator.ready import Ready, ready_program
from weldgate_simulator.tether import tethered

__all__ = ["Compared", "bridge_rate", "compare_with_bridge"]

_DELIVERED_S = 120.0


class Compared(NamedTuple):
    """Rates of interleaved pairs, frames/s committed by the consumer.

    Attributes:
        ratio: the median of line against bridge.
        bridge, line: of each run.
        cpu_s: of the bridge's processes in the last run, by name.
    """

    ratio: float
    bridge: list[float]
    line: list[float]
    cpu_s: dict[str, float]


def compare_with_bridge(folder: Path, chips: int, frames: int, pairs: int, say: Callable[[str], None]) -> Compared:
    """Send the same load through both, in turn.

    Args:
        folder: empty.
        chips, frames: who sends, and how many each.
        pairs: how often.
        say: told each pair.

    Raises:
        LocalError: TOOL_BROKER, mosquitto is not installed; TOOL_TIMEOUT, something did not get through.
    """
    bridge: list[float] = []
    line: list[float] = []
    used: dict[str, float] = {}
    for pair in range(pairs):
        rate, used = bridge_rate(folder / f"bridge-{pair}", chips, frames)
        bridge.append(rate)
        line.append(lines.bench(folder / f"line-{pair}", chips, frames)["delivered_per_s"])
        say(f"  bridge {bridge[-1]:,.0f}, line {line[-1]:,.0f} frames/s")
    ratio = statistics.median(ours / theirs for ours, theirs in zip(line, bridge, strict=True))
    return Compared(ratio, bridge, line, used)


def bridge_rate(folder: Path, chips: int, frames: int) -> tuple[float, dict[str, float]]:
    """Return how many frames a second came through two mosquittos to a consumer's commit, and CPU seconds by process.

    Args:
        folder: made; the brokers' files and the consumer's database go there.
        chips, frames: who sends, and how many each.

    Raises:
        BrokerError: mosquitto is not installed, or does not start.
        LocalError: not everything arrived.
    """
    upstream = MosquittoBroker(folder / "upstream", extra=_persistent(folder / "upstream"))
    edge = MosquittoBroker(
        folder / "edge",
        extra=[
            *_persistent(folder / "edge"),
            "connection bridge",
            f"address {upstream.host}:{upstream.port}",
            "topic # out 1",
            "cleansession false",
            "bridge_protocol_version mqttv311",
        ],
    )
    database = folder / "consumer.sqlite3"
    with ExitStack() as stack:
        for broker in (upstream, edge):
            broker.tethered = True
            stack.enter_context(broker)
        consumer = stack.enter_context(_end("consume", upstream, "--database", str(database)))
        publisher = stack.enter_context(_end("publish", edge, "--chips", str(chips), "--frames", str(frames)))
        started_s = time.perf_counter()
        publisher.go()
        told = publisher.result()
        wait_for(
            "the bridge's consumer to commit every frame", lambda: _count(database) == chips * frames, _DELIVERED_S
        )
        seconds = time.perf_counter() - started_s
        pids = {"edge": edge.pid, "upstream": upstream.pid, "consumer": consumer.pid}
        used = {name: round(lines.cpu_s(pid), 2) for name, pid in pids.items()}
    return chips * frames / seconds, {**used, "load": told["cpu_s"]}


def _persistent(folder: Path) -> list[str]:
    return [
        "persistence true",
        f"persistence_location {folder}/",
        "autosave_interval 1",
        "max_inflight_messages 1000",
        f"user {getpass.getuser()}",
    ]


def _end(end: str, broker: Broker, *rest: str) -> AbstractContextManager[Ready]:
    """Run an end of the bridge, once it is ready."""
    command = [
        sys.executable, "-m", "weldgate_simulator.big_bridge_ends", end, "--broker", f"{broker.host}:{broker.port}",
    ]  # fmt: skip
    return ready_program(tethered([*command, *rest]))


def _count(database: Path) -> int:
    connection = sqlite3.connect(database, timeout=20)
    try:
        return int(connection.execute("SELECT count(*) FROM frames").fetchone()[0])
    finally:
        connection.close()
