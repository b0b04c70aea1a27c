"""A fleet against a collector that runs already, for so many seconds, with a report read from the chips' flash.

Chips are spread over processes: 100 welding chips at 100 ticks a second took 0.56 of a core (measured, CPython 3.11).
"""

import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from weldgate_issuer import Issuer
from weldgate_protocol import messages
from weldgate_protocol.errors import LocalError
from weldgate_protocol.reasons import TOOL_CONNECTION
from weldgate_simulator.fleet import Plan
from weldgate_simulator.fleet_process import FleetProcess
from weldgate_simulator.ledger import read_flash
from weldgate_simulator.line import LineError, wait_for
from weldgate_simulator.passing import passing_folder

__all__ = ["CHIPS_A_PROCESS", "Request", "run_fleet"]

CHIPS_A_PROCESS = 100
_THROUGH_S = 120.0
_LOOK_S = 0.5


class Request(NamedTuple):
    """What is asked for.

    Attributes:
        site: the issuer's folder.
        devices: chip numbers; the collector must know them.
        host, port: the collector's.
        seconds: how long welders go on starting.
        seed: of welders, boards and noise.
        telemetry_s: seconds that one telemetry record sums up.
        arcs: electrodes in one session.
        patience_s: how long the chips may take to get online.
    """

    site: Path
    devices: tuple[int, ...]
    host: str
    port: int
    seconds: int
    seed: int
    telemetry_s: int
    arcs: int = 2
    patience_s: float = 60.0


def run_fleet(request: Request, tell: Callable[[str], None]) -> dict[str, Any]:
    """Run the fleet; all its processes have ended when this returns or raises.

    Args:
        request: who, where, how long.
        tell: told how far it has come.

    Returns:
        The report; ``troubles`` is empty when all went well.

    Raises:
        LocalError: the chips did not get online (TOOL_CONNECTION), or a process ended.
        IssuerError: the site's keys can't be read.
    """
    with passing_folder("weldgate-fleet-") as folder, ExitStack() as stack:
        key_set = folder / "key-set.cose"
        key_set.write_bytes(Issuer.open(request.site).issue_key_set(issued_s=int(time.time())))
        fleets = [stack.enter_context(fleet) for fleet in _spread(request, key_set, folder)]
        total = len(request.devices)

        def count(name: str) -> int:
            return sum(int(fleet.ask("status")[name]) for fleet in fleets)

        began_s = time.monotonic()
        try:
            wait_for("every chip to be online", lambda: count("online") == total, request.patience_s)
        except LineError as error:
            text = f"{count('online')} of {total} chips got online at {request.host}:{request.port}; does it know them?"
            raise LocalError(TOOL_CONNECTION, text) from error
        online_s = time.monotonic() - began_s
        tell(f"{total} chips online after {online_s:.1f} s")
        for fleet in fleets:
            fleet.ask("begin")
        _pass(request.seconds, lambda left_s: tell(f"{count('sessions')} sessions so far, {left_s:.0f} s left"))
        for fleet in fleets:
            fleet.ask("stop")
        wait_for("the welders to finish", lambda: not count("busy"), _THROUGH_S)
        troubles = [text for fleet in fleets for text in fleet.ask("status")["troubles"]]
        report: dict[str, Any] = {
            "chips": total, "online_after_s": round(online_s, 2), "sessions": count("sessions"),
            "refused": count("refused"), "restarts": count("restarts"),
            "cpu_s": round(sum(float(fleet.ask("status")["cpu_s"]) for fleet in fleets), 1),
        }  # fmt: skip
        for fleet in fleets:
            fleet.ask("halt")  # each chip at a moment when all it emitted is acknowledged
        seconds = time.monotonic() - began_s
        types = Counter(row.raw[1] for row in read_flash(folder))
        emitted = sum(types.values())
        report |= {
            "seconds": round(seconds, 1), "acknowledged": emitted, "per_s": round(emitted / seconds, 1),
            "records": {messages.MESSAGES[number][0]: types[number] for number in sorted(types)},
            "troubles": troubles,
        }  # fmt: skip
        return report


def _spread(request: Request, key_set: Path, folder: Path) -> list[FleetProcess]:
    """Divide the chips into processes."""
    parts = []
    for first in range(0, len(request.devices), CHIPS_A_PROCESS):
        devices = request.devices[first : first + CHIPS_A_PROCESS]
        plan = Plan(
            devices, request.host, request.port, request.seed + first, 0, request.arcs, request.telemetry_s, False
        )
        parts.append(FleetProcess(request.site, key_set, plan, folder, folder / f"fleet-{first}.log"))
    return parts


def _pass(seconds: int, tell: Callable[[float], None]) -> None:
    """Let the time pass that was asked for."""
    deadline_s = time.monotonic() + seconds
    told_s = time.monotonic()
    while (left_s := deadline_s - time.monotonic()) > 0:
        time.sleep(min(_LOOK_S, left_s))
        if time.monotonic() - told_s > 5:
            told_s = time.monotonic()
            tell(deadline_s - told_s)
