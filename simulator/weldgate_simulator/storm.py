"""A storm: as many chips as the limit of open files allows call a collector within a second, and again after a cut.

Each caller is the protocol's own chip side without a chip around it, from an address of its own among 127.0.0.x where
the machine has them. It is *served* when its heartbeat was answered: hello, welcome, proof and answer are through.
Strangers, who connect and say nothing, may stand at the door first.

``python -m weldgate_simulator.storm --chips N`` starts a collector in a folder of its own and prints JSON.
"""

import argparse
import asyncio
import json
import random
import resource
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from weldgate_collector import Chip, add_chips, load_config, request
from weldgate_protocol import messages
from weldgate_protocol.conversation_chip import ACKED, WELCOMED, WELCOMED_AHEAD, ChipConversation
from weldgate_protocol.errors import LocalError, WeldgateError
from weldgate_protocol.keys import HmacKey
from weldgate_protocol.reasons import TOOL_CONNECTION
from weldgate_protocol.stream import FrameStream

from . import tether
from .line import cpu_s, memory_mb
from .load import HEARTBEAT, HELLO, make_chips, percentile, stamp, ticks
from .load_media import raise_limit

__all__ = ["Caller", "Storm", "chips_allowed", "main", "play", "running_collector"]

_SOURCES = 200  # 127.0.0.2 and on
_FILES_SPARE = 200  # descriptors that a process needs besides its connections
_RETRY_S = (0.2, 1.0)
_START_S = 30.0


def chips_allowed(wanted: int) -> int:
    """Raise this process's own limit of open files as far as it goes; return how many chips fit below it."""
    hard = raise_limit()
    return wanted if hard == resource.RLIM_INFINITY else min(wanted, hard - _FILES_SPARE)


class Caller(asyncio.Protocol):
    """One chip that calls, is served, and stays.

    Attributes:
        connections: how often it connected.
    """

    def __init__(self, chip: Chip, source: str) -> None:
        """Take the chip's keys, and the local address that it calls from ("" for any)."""
        self._device = int(chip.device).to_bytes(8, "big")
        self._up = HmacKey(bytes.fromhex(chip.up))
        self._down = bytes.fromhex(chip.down)
        self._generation = chip.generation
        self._epoch = secrets.token_bytes(4)
        self._source = source
        self._transport: asyncio.Transport | None = None
        self._abandoned: asyncio.Transport | None = None
        self._stream = FrameStream()
        self._conversation: ChipConversation | None = None
        self._turn: asyncio.Future[bool] | None = None  # of one connection: True when served, False when it ended
        self.connections = 0

    async def call(self, host: str, port: int, delay_s: float) -> float:
        """Connect after a delay, as often as it takes, until served; return the monotonic second of that."""
        loop = asyncio.get_running_loop()
        local = (self._source, 0) if self._source else None
        await asyncio.sleep(delay_s)
        while True:
            self._turn = loop.create_future()
            self._stream = FrameStream()
            self._conversation = ChipConversation(self._device, self._up, self._down, self._generation)
            try:
                await loop.create_connection(lambda: self, host, port, local_addr=local)
            except OSError:
                self._settle(False)
            if await self._turn:
                return time.monotonic()
            await asyncio.sleep(random.uniform(*_RETRY_S))  # noqa: S311 - jitter

    def _settle(self, served: bool) -> None:
        if self._turn is not None and not self._turn.done():
            self._turn.set_result(served)

    def cut(self) -> None:
        """Lose the connection, without a goodbye."""
        if self._transport is not None:
            self._transport.abort()

    def abandon(self) -> None:
        """Lose the power: the connection stands on the collector's side, and nothing is said on it any more."""
        if self._transport is not None:
            self._transport.pause_reading()
            self._transport.set_protocol(asyncio.Protocol())
            self._abandoned, self._transport = self._transport, None

    def forget(self) -> None:
        """Let go of the connection that was abandoned."""
        if self._abandoned is not None:
            self._abandoned.abort()
            self._abandoned = None

    @property
    def connected(self) -> bool:
        """Whether its connection stands."""
        return self._transport is not None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say hello."""
        if not isinstance(transport, asyncio.Transport) or self._conversation is None:
            raise TypeError("a stream transport is needed")
        self._transport = transport
        self.connections += 1
        hello = {**HELLO, "highest": 0}
        transport.write(self._conversation.start(secrets.token_bytes(16), hello, self._epoch, stamp(), ticks()))

    def data_received(self, data: bytes) -> None:
        """Answer the welcome, note the answer to that."""
        conversation, transport = self._conversation, self._transport
        if conversation is None or transport is None:
            return
        self._stream.feed(data)
        while (raw := self._stream.take()) is not None:
            event = conversation.receive(raw, ticks())
            if event in (WELCOMED, WELCOMED_AHEAD):
                transport.write(conversation.volatile(messages.HEARTBEAT, HEARTBEAT, stamp()))
            elif event == ACKED or raw[1] == messages.ACK:
                self._settle(True)
            elif conversation.closed:
                transport.close()

    def connection_lost(self, _exc: Exception | None) -> None:
        """Note the end."""
        self._transport = None
        if self._conversation is not None:
            self._conversation.end()
        self._settle(False)


class Storm:
    """All callers of one storm."""

    def __init__(self, chips: Sequence[Chip], sources: int = _SOURCES) -> None:
        """Make the callers.

        Args:
            chips: who calls.
            sources: how many addresses they come from; 0 for the machine's own choice.
        """
        self.callers = [
            Caller(chip, f"127.0.0.{2 + number % sources}" if sources else "") for number, chip in enumerate(chips)
        ]

    async def rage(self, host: str, port: int, within_s: float = 1.0) -> list[float]:
        """Let everybody call within some seconds; return the seconds from each call to its answer, ascending."""
        count = len(self.callers)
        delays = [within_s * number / count for number in range(count)]
        started_s = time.monotonic()
        calls = (caller.call(host, port, delay) for caller, delay in zip(self.callers, delays, strict=True))
        served = await asyncio.gather(*calls)
        return sorted(at_s - started_s - delay for at_s, delay in zip(served, delays, strict=True))

    def abandon(self) -> None:
        """Let every chip lose its power."""
        for caller in self.callers:
            caller.abandon()

    async def cut(self) -> None:
        """Cut every connection."""
        for caller in self.callers:
            caller.cut()
            caller.forget()
        while any(caller.connected for caller in self.callers):
            await asyncio.sleep(0)


def play(
    folder: Path, wanted: int, strangers: int = 0, within_s: float = 1.0, half_open: bool = False
) -> dict[str, Any]:
    """Start a collector, let the storm rage, cut all, let it rage again; return what was measured.

    Args:
        folder: empty; the collector's files go there.
        wanted: chips; fewer where the limit of open files is lower.
        strangers: connections that say nothing, made before the second storm.
        within_s: seconds within which all call.
        half_open: the cut is a power cut: the collector does not learn of it, and every chip comes a second time.

    Raises:
        LocalError: TOOL_CONNECTION, the collector did not start or did not last.
    """
    count = chips_allowed(wanted * (1 + half_open) + strangers) - strangers
    count = min(wanted, count // 2 if half_open else count)
    chips = make_chips(count, secrets.token_bytes(32))
    add_chips(folder / "chips.jsonl", chips)
    with running_collector(folder) as (port, pid, control):
        result = asyncio.run(_play(Storm(chips), port, strangers, within_s, pid, control, half_open))
    return {"chips": count, "wanted": wanted, "strangers": strangers, "half_open": half_open, **result}


@contextmanager
def running_collector(folder: Path, extra: str = "") -> Iterator[tuple[int, int, Path]]:
    """Run a collector of its own process without an upstream; yield its port, process id and control socket.

    Args:
        folder: has a `chips.jsonl`; configuration, store and log come beside it.
        extra: more lines of the configuration.

    Raises:
        LocalError: TOOL_CONNECTION, it did not start.
    """
    config_file = folder / "collector.toml"
    config_file.write_text(f'[collector]\nname = "storm"\n\n[tcp]\nhost = "127.0.0.1"\nport = 0\n{extra}', "utf-8")
    control = load_config(config_file).control_socket
    command = tether.tethered([sys.executable, "-m", "weldgate_collector", str(config_file)])
    with (folder / "collector.log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        yield _port(folder / "collector.log", control, process), process.pid, control
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


async def _play(
    storm: Storm, port: int, strangers: int, within_s: float, pid: int, control: Path, half_open: bool
) -> dict[str, Any]:
    host = "127.0.0.1"
    before_mb, before_s = memory_mb(pid), cpu_s(pid)
    own_cpu_s = time.process_time()
    first = await storm.rage(host, port, within_s)
    first_cpu_s = cpu_s(pid) - before_s
    connected_mb = memory_mb(pid)
    if half_open:
        storm.abandon()
    else:
        await storm.cut()
    silent = [await asyncio.open_connection(host, port) for _ in range(strangers)]
    before_s = cpu_s(pid)
    second = await storm.rage(host, port, within_s)
    result = {
        "first": _told(first), "first_cpu_s": round(first_cpu_s, 2), "again": _told(second),
        "again_cpu_s": round(cpu_s(pid) - before_s, 2),
        "load_cpu_s": round(time.process_time() - own_cpu_s, 2),
        "connections": sum(one.connections for one in storm.callers),
        "rss_before_mb": before_mb, "rss_connected_mb": connected_mb, "rss_again_mb": memory_mb(pid),
        "online": (await asyncio.to_thread(request, control, {"do": "status"}))["chips_online"],
    }  # fmt: skip
    for _, writer in silent:
        writer.transport.abort()
    await storm.cut()
    await asyncio.sleep(0)
    return result


def _told(seconds: list[float]) -> dict[str, float]:
    return {name: round(percentile(seconds, percent), 3) for name, percent in (("p50", 50), ("p99", 99), ("max", 100))}


def _port(log: Path, socket_path: Path, process: "subprocess.Popen[bytes]") -> int:
    """Wait until the collector listens, and return its port from its log."""
    deadline_s = time.monotonic() + _START_S
    while time.monotonic() < deadline_s and process.poll() is None:
        for line in log.read_text("utf-8").splitlines():
            if '"tcp_listening"' in line and socket_path.exists():
                return int(json.loads(line)["port"])
        time.sleep(0.02)
    raise LocalError(TOOL_CONNECTION, f"the collector did not start: {log.read_text('utf-8')[-300:]}")


def main(arguments: list[str] | None = None) -> int:
    """Run the program; prints one JSON object.

    Returns:
        The exit code: 0, or 1 when it could not be played or not everybody was served in 30 s.
    """
    parser = argparse.ArgumentParser(prog="weldgate_simulator.storm", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--chips", type=int, default=10_000)
    parser.add_argument("--strangers", type=int, default=0, help="who connect and say nothing")
    parser.add_argument("--within", type=float, default=1.0, help="seconds within which all call")
    parser.add_argument("--half-open", action="store_true", help="the cut is a power cut that the collector can't see")
    parser.add_argument("--folder", type=Path, help="kept; a temporary one otherwise")
    options = parser.parse_args(arguments)
    try:
        if options.folder is not None:
            options.folder.mkdir(parents=True, exist_ok=True)
            result = play(options.folder, options.chips, options.strangers, options.within, options.half_open)
        else:
            with tempfile.TemporaryDirectory() as name:
                result = play(Path(name), options.chips, options.strangers, options.within, options.half_open)
    except (WeldgateError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    print(json.dumps(result), flush=True)
    return 0 if result["again"]["max"] <= 30 else 1


if __name__ == "__main__":
    sys.exit(main())
