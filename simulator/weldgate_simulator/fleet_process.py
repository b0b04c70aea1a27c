"""A fleet in a process of its own, so that its ticks take nothing from anybody else's, and the handle on it.

``python -m weldgate_simulator.fleet_process --site DIR --collector HOST:PORT --devices N,N,… --flash DIR``

One JSON object a line on standard input asks, one on standard output answers; the end of the input ends the process.
``{"do": "status"}``, ``begin``, ``stop``, ``marks``, ``halt`` (and save the images); with ``"device"``: ``bypass``
(``current_ma``), ``cut``, ``restore``, ``scan`` (``text``).
"""

import argparse
import asyncio
import contextlib
import json
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

from weldgate_issuer import Issuer
from weldgate_protocol.errors import LocalError
from weldgate_protocol.reasons import TOOL_BAD_INPUT, TOOL_TIMEOUT
from weldgate_simulator.fleet import Fleet, Plan

__all__ = ["FleetProcess", "main"]

_ANSWER_S = 60.0
_END_S = 10.0


class FleetProcess:
    """The handle. Use it in ``with``; the process ends with it."""

    def __init__(self, site: Path, key_set: Path, plan: Plan, flash: Path, log: Path) -> None:
        """Remember what to start.

        Args:
            site: the issuer's folder.
            key_set: the signed key set, a file.
            plan: as `Fleet` takes it.
            flash: folder for the images.
            log: its standard error.
        """
        self._command = [
            sys.executable, "-m", "weldgate_simulator.fleet_process", "--site", str(site), "--key-set", str(key_set),
            "--collector", f"{plan.host}:{plan.port}", "--devices", ",".join(map(str, plan.devices)),
            "--seed", str(plan.seed), "--rounds", str(plan.rounds), "--arcs", str(plan.arcs),
            "--telemetry-s", str(plan.telemetry_s), "--flash", str(flash), *(["--watched"] if plan.watched else []),
        ]  # fmt: skip
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, start_new_session=True
            )
        return self

    def __exit__(self, *_: object) -> None:
        process = self._process
        if process is None:
            return
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._process = None

    def ask(self, do: str, **rest: Any) -> dict[str, Any]:
        """Ask and return the answer.

        Raises:
            LocalError: it refused, it has ended, or it does not answer.
        """
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise LocalError(TOOL_TIMEOUT, "the fleet does not run")
        line = b""
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(json.dumps({"do": do, **rest}).encode() + b"\n")
            process.stdin.flush()
            if not select.select([process.stdout], [], [], _ANSWER_S)[0]:
                raise LocalError(TOOL_TIMEOUT, f"the fleet did not answer {do} in {_ANSWER_S:.0f} s")
            line = process.stdout.readline()
        if not line:
            raise LocalError(TOOL_TIMEOUT, f"the fleet ended; see {self._log}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise LocalError(TOOL_BAD_INPUT, f"the fleet could not {do}: {answer['error']}")
        return answer


async def _answer(fleet: Fleet, asked: dict[str, Any], flash: Path) -> dict[str, Any]:
    """Do what is asked."""
    do = asked.get("do")
    if do == "begin":
        fleet.begin()
    elif do == "stop":
        fleet.stop_welding()
    elif do == "marks":
        return {"marks": {member.device: member.mark() for member in fleet.members.values()}}
    elif do == "halt":
        await fleet.halt()
        fleet.save(flash)
    elif do in ("bypass", "cut", "restore", "scan"):
        board = fleet.members[asked["device"]].board
        if do == "bypass":
            board.bypass(asked["current_ma"])
        elif do == "cut":
            board.cut_power()
        elif do == "restore":
            board.restore_power()
        else:
            board.scanner.put(asked["text"].encode() + b"\r")
    elif do != "status":
        return {"error": f"{do!r} is not known"}
    return {"wall_ms": time.time_ns() // 1_000_000, **fleet.status()}


async def _serve(fleet: Fleet, flash: Path) -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        try:
            answer = await _answer(fleet, json.loads(line), flash)
        except (KeyError, ValueError, TimeoutError) as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


async def _run(issuer: Issuer, key_set: bytes, plan: Plan, flash: Path) -> None:
    """Run until the input ends."""
    fleet = Fleet(issuer, key_set, plan)
    running = asyncio.create_task(fleet.run())
    serving = asyncio.create_task(_serve(fleet, flash))
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, serving.cancel)
    done, _ = await asyncio.wait({running, serving}, return_when=asyncio.FIRST_COMPLETED)
    if running in done and not running.cancelled() and running.exception() is None:
        done, _ = await asyncio.wait({serving})  # all halted; questions are still answered
    running.cancel()
    serving.cancel()
    results = await asyncio.gather(running, serving, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, asyncio.CancelledError):
            raise result


def main(arguments: list[str] | None = None) -> int:
    """Run the program and return its exit code."""
    parser = argparse.ArgumentParser(prog="weldgate_simulator.fleet_process")
    parser.add_argument("--site", required=True, type=Path)
    parser.add_argument("--key-set", required=True, type=Path)
    parser.add_argument("--collector", required=True, help="HOST:PORT")
    parser.add_argument("--devices", required=True, help="chip numbers, comma between")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=0)
    parser.add_argument("--arcs", type=int, default=2)
    parser.add_argument("--telemetry-s", type=int, default=0)
    parser.add_argument("--watched", action="store_true", help="the last chip has no welder")
    parser.add_argument("--flash", required=True, type=Path, help="folder for images")
    options = parser.parse_args(arguments)
    host, _, port = options.collector.rpartition(":")
    devices = tuple(int(number) for number in options.devices.split(","))
    plan = Plan(
        devices, host, int(port), options.seed, options.rounds, options.arcs, options.telemetry_s, options.watched
    )
    asyncio.run(_run(Issuer.open(options.site), options.key_set.read_bytes(), plan, options.flash))
    return 0


if __name__ == "__main__":
    sys.exit(main())
