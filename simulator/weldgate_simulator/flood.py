"""One chip that floods its collector while others work: what the flood may take, and what the others feel of it.

Kinds: ``frames``, new durable frames as fast as they are taken; ``heartbeats``; ``repeats``, one durable frame for
ever; ``noise``, bytes that are no frame. The others send one frame each tenth of a second and measure its ack.

``python -m weldgate_simulator.flood --kind KIND`` starts a collector in a folder of its own and prints JSON.
"""

import argparse
import asyncio
import json
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from weldgate_collector import Chip, add_chips, request
from weldgate_protocol import messages
from weldgate_protocol.errors import WeldgateError
from weldgate_protocol.frame import FLAG_DURABLE, FLAG_PARITY, QUALITY_SYNCED, encode_body, seal, to_wire

from .load import HEARTBEAT, make_chips, percentile, stamp, telemetry
from .storm import Caller, running_collector

__all__ = ["KINDS", "Flooder", "Worker", "main", "play"]

KINDS = ("frames", "heartbeats", "repeats", "noise")
_PERIOD_S = 0.1
_PIECE_BYTES = 65_536
_PAYLOAD = telemetry(mean_ma=1, peak_ma=2)


class Worker(Caller):
    """A chip that sends a frame now and then. Attribute ``waits_s``: how long each ack took."""

    def __init__(self, chip: Chip, source: str) -> None:
        super().__init__(chip, source)
        self.waits_s: list[float] = []
        self._sent_s: dict[int, float] = {}
        self._seq = 0

    def frame(self, seq: int) -> bytes:
        """Return a durable frame on the wire."""
        flags = FLAG_DURABLE | QUALITY_SYNCED | (FLAG_PARITY if self._generation & 1 else 0)
        body = encode_body(flags, messages.TELEMETRY, self._device, self._epoch, seq, int(time.time()), 0, _PAYLOAD)
        return to_wire(seal(body, self._up))

    async def work(self, until_s: float) -> None:
        """Send a frame each tenth of a second until a monotonic second."""
        while time.monotonic() < until_s:
            self._seq += 1
            if self._transport is not None and self._conversation is not None:
                self._conversation.sent(self._seq)
                self._sent_s[self._seq] = time.monotonic()
                self._transport.write(self.frame(self._seq))
            await asyncio.sleep(_PERIOD_S)

    def data_received(self, data: bytes) -> None:
        """Note acks."""
        super().data_received(data)
        if self._conversation is not None:
            now_s, acked = time.monotonic(), self._conversation.acked
            for seq in [seq for seq in self._sent_s if seq <= acked]:
                self.waits_s.append(now_s - self._sent_s.pop(seq))


class Flooder(Worker):
    """A chip that sends as fast as its collector takes it. Attribute ``bytes_taken``: by the socket."""

    def __init__(self, chip: Chip, source: str) -> None:
        super().__init__(chip, source)
        self.bytes_taken = 0
        self._room = asyncio.Event()
        self._room.set()

    async def flood(self, kind: str, until_s: float) -> None:
        """Send until a monotonic second, or until it is cut off."""
        for piece in self._pieces(kind):
            try:
                async with asyncio.timeout_at(asyncio.get_running_loop().time() + until_s - time.monotonic()):
                    await self._room.wait()
            except TimeoutError:
                return
            if self._transport is None or time.monotonic() >= until_s:
                return
            self._transport.write(piece)
            self.bytes_taken += len(piece)
            await asyncio.sleep(0)

    def pause_writing(self) -> None:
        """The collector takes no more for now."""
        self._room.clear()

    def resume_writing(self) -> None:
        """It takes more."""
        self._room.set()

    def _pieces(self, kind: str) -> Iterator[bytes]:
        """Yield pieces without an end."""
        seq = 0
        while True:
            piece = b""
            while len(piece) < _PIECE_BYTES:
                seq += 1
                if kind == "frames":
                    piece += self.frame(seq)
                elif kind == "repeats":
                    piece += self.frame(1) * 100
                elif kind == "noise":
                    piece += secrets.token_bytes(1_000)
                elif self._conversation is None or self._conversation.closed:
                    return
                else:
                    piece += self._conversation.volatile(messages.HEARTBEAT, HEARTBEAT, stamp())
            yield piece


def play(folder: Path, kind: str, workers: int = 50, seconds: float = 5.0) -> dict[str, Any]:
    """Let some chips work, first undisturbed, then beside a flood; return what was measured.

    Args:
        folder: empty; the collector's files go there.
        kind: of `KINDS`.
        workers: how many others.
        seconds: of each half.

    Raises:
        LocalError: TOOL_CONNECTION, the collector did not start or did not last.
    """
    chips = make_chips(workers + 1, secrets.token_bytes(32))
    add_chips(folder / "chips.jsonl", chips)
    limits = "[links]\nchip_bytes_s = 131072\nchip_burst_bytes = 1048576\n"
    with running_collector(folder, limits) as (port, _pid, control):
        result = asyncio.run(_play(chips, port, kind, seconds))
        health = request(control, {"do": "status"})
    lines = [json.loads(line) for line in (folder / "collector.log").read_text("utf-8").splitlines()]
    return {
        "kind": kind, **result, "online": health["chips_online"], "slowed": health["chips_slowed"],
        "lines": sum(line["event"] == "chip_flooding" for line in lines), "log_lines": len(lines),
    }  # fmt: skip


async def _play(chips: list[Chip], port: int, kind: str, seconds: float) -> dict[str, Any]:
    host = "127.0.0.1"
    flooder, workers = Flooder(chips[0], "127.0.0.2"), [Worker(chip, "127.0.0.3") for chip in chips[1:]]
    await asyncio.gather(*(one.call(host, port, 0.0) for one in (flooder, *workers)))
    undisturbed = await _work(workers, seconds)
    flood = asyncio.create_task(flooder.flood(kind, time.monotonic() + seconds))
    beside = await _work(workers, seconds)
    await flood
    sent = sum(worker._seq for worker in workers)
    deadline_s = time.monotonic() + 10
    while any(worker._sent_s for worker in workers) and time.monotonic() < deadline_s:
        await asyncio.sleep(0.01)
    unanswered = sum(len(worker._sent_s) for worker in workers)
    connections = sum(worker.connections for worker in workers)
    for one in (flooder, *workers):
        one.cut()
    await asyncio.sleep(0.1)
    return {
        "undisturbed_ms": undisturbed, "beside_ms": beside, "sent": sent, "unanswered": unanswered,
        "connections": connections, "flood_bytes_per_s": round(flooder.bytes_taken / seconds),
    }  # fmt: skip


async def _work(workers: list[Worker], seconds: float) -> dict[str, float]:
    for worker in workers:
        worker.waits_s.clear()
    until_s = time.monotonic() + seconds
    await asyncio.gather(*(worker.work(until_s) for worker in workers))
    waits = sorted(wait_s for worker in workers for wait_s in worker.waits_s)
    return {name: round(percentile(waits, percent) * 1000, 1) for name, percent in (("p50", 50), ("p99", 99))}


def main(arguments: list[str] | None = None) -> int:
    """Run the program; prints one JSON object.

    Returns:
        The exit code: 0, or 1 when it could not be played.
    """
    parser = argparse.ArgumentParser(prog="weldgate_simulator.flood", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--kind", choices=KINDS, default="frames")
    parser.add_argument("--workers", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory() as name:
            result = play(Path(name), options.kind, options.workers, options.seconds)
    except (WeldgateError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    print(json.dumps(result), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
