"""`make soak`: one seeded fault after another against real processes, and after each the three sets are counted.

    python -m weldgate_simulator.soak [--seconds N] [--seed N] [--json] [--only FAULT …]

The real collector process, a real broker (nats-server, and mosquitto where it is installed, in turn), a consumer that
commits FULL, and chips with a ledger of what was acknowledged. After each fault: acknowledged ⊆ stored ⊆ delivered ∪
declared, once per identity. *lost* counts what is not so, *doubled* what is there twice; either makes the exit code 1.
The faults: ``soak_faults``, ``soak_files``; the judge: ``soak_audit``. Every process it starts ends with it.
"""

import argparse
import ctypes
import json
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from weldgate_protocol.errors import WeldgateError

from .broker import MosquittoBroker
from .soak_audit import Settled, Trouble
from .soak_faults import FAULTS, Fault, needs_nothing
from .soak_files import FILE_FAULTS
from .soak_site import Site, Size

__all__ = ["ALL_FAULTS", "Outcome", "main", "platform_late", "run"]

ALL_FAULTS = {**FAULTS, **FILE_FAULTS}
LATE = "platform-late"
_SITE_FAULTS = 8  # on one site, before another one is built
_NEW_NAMESPACE = 0x00020000  # CLONE_NEWNS, unshare(2)
_PRIVATE = 0x44000  # MS_REC | MS_PRIVATE, mount(2)


class Outcome:
    """What a run has found so far.

    Attributes:
        faults: how often each was done.
        troubles: (fault, text) of each, lost or doubled.
    """

    def __init__(self) -> None:
        self.faults: Counter[str] = Counter()
        self.troubles: list[tuple[str, str]] = []
        self.lost = self.doubled = 0
        self._done = Counter[str]()
        self._now = Counter[str]()

    def add(self, name: str, lost: Sequence[Trouble], found: Settled) -> None:
        """Take what one fault came to."""
        self.faults[name] += 1
        self.lost += sum(each.identities for each in [*lost, *found.lost])
        self.doubled += sum(each.identities for each in found.doubled)
        self.troubles += [(name, each.text) for each in [*lost, *found.lost, *found.doubled]]
        for key in ("acknowledged", "stored", "delivered", "declared"):
            self._now[key] = getattr(found, key)

    def failed(self, name: str, error: Exception) -> None:
        """Take a fault that something did not come back from: whatever it was, it is a loss."""
        self.faults[name] += 1
        self.lost += 1
        self.troubles.append((name, f"{type(error).__name__}: {error}"))

    def next_site(self) -> None:
        """Add up what a site came to."""
        self._done += self._now
        self._now.clear()

    def told(self) -> dict[str, int]:
        """Return the counts; those of the sets are sums over sites."""
        total = self._done + self._now
        sets = {key: total[key] for key in ("acknowledged", "stored", "delivered", "declared")}
        return {"faults": self.faults.total(), **sets, "lost": self.lost, "doubled": self.doubled}


def run(
    seconds: float, seed: int, names: Sequence[str], size: Size, outcome: Outcome, folder: Path, pragma: str = ""
) -> None:
    """Do faults until the time is over; the one that is under way is finished.

    Args:
        seconds: at least one fault is done.
        seed: of their order and of everything drawn in them.
        names: which.
        size: of a site.
        outcome: gets the results.
        folder: for the sites.
        pragma: planted on the collector's connections.
    """
    draw = random.Random(seed)  # noqa: S311 - repeatable by its seed
    until_s = time.monotonic() + seconds
    waiting: list[str] = []
    number = 0
    while number == 0 or time.monotonic() < until_s:
        number += 1
        late = LATE in names and (number % 2 == 1 or names == [LATE])
        mosquitto = MosquittoBroker.find() is not None and number % 2 == 0
        with (
            tempfile.TemporaryDirectory(prefix="soak-", dir=folder, ignore_cleanup_errors=True) as place,
            Site(
                Path(place), draw.getrandbits(32), size, consumer=not late, mosquitto=mosquitto, pragma=pragma
            ) as site,
        ):
            told = f"site {number}, {'mosquitto' if mosquitto else 'nats-server'}"
            _say(f"{told}, seed {seed}: {size.chips} chips, {size.rate:.0f} frames/s")
            if late:
                _one(site, LATE, Fault(platform_late, needs_nothing), outcome)
            for _ in range(_SITE_FAULTS):
                if names == [LATE] or (outcome.faults and time.monotonic() >= until_s):
                    break
                if not waiting:
                    waiting = [name for name in names if name != LATE]
                    draw.shuffle(waiting)
                name = waiting.pop()
                if not _one(site, name, ALL_FAULTS[name], outcome):
                    break
            outcome.next_site()


def _one(site: Site, name: str, fault: Fault, outcome: Outcome) -> bool:
    """Do one fault and judge; False when the site is not fit for another one."""
    began_s = time.monotonic()
    try:
        lost = fault.do(site)
        found = site.settle()
    except (WeldgateError, OSError, ValueError, sqlite3.Error, subprocess.SubprocessError) as error:
        outcome.failed(name, error)
        _say(f"  {name}: {error}")
        return False
    outcome.add(name, lost, found)
    counts = f"{found.acknowledged} acknowledged, {found.stored} stored, {found.delivered} delivered"
    troubles = [*lost, *found.lost, *found.doubled]
    _say(f"  {name}: {counts}, {found.declared} declared, {len(troubles)} troubles, {time.monotonic() - began_s:.1f} s")
    for trouble in troubles:
        _say(f"    {trouble.text}")
    if troubles:
        _say(f"    the collector says {json.dumps(site.line.health())}")
    return not troubles


def platform_late(site: Site) -> list[Trouble]:
    """Start the platform for the first time after a long while of traffic."""
    site.flow(4)
    site.line.start_consumer()
    return []


def _own_mounts() -> None:
    """Keep what is mounted to this process and its children, so that it is gone with them."""
    if os.geteuid() != 0 or sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEW_NAMESPACE) == 0:
        libc.mount(b"none", b"/", None, _PRIVATE, None)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program.

    Returns:
        0; 1 when something was lost or doubled.
    """
    every = [LATE, *ALL_FAULTS]
    parser = argparse.ArgumentParser(prog="weldgate_simulator.soak", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seconds", type=float, default=120.0, help="then it ends with the fault under way; 120")
    parser.add_argument("--seed", type=int, default=1, help="of the faults, their order and their moments")
    parser.add_argument("--json", action="store_true", help="print the counts as one JSON document")
    parser.add_argument("--only", nargs="+", default=every, choices=every, metavar="FAULT", help=", ".join(every))
    parser.add_argument("--chips", type=int, default=12, help="on a site")
    parser.add_argument("--rate", type=float, default=500.0, help="frames recorded a second, by all together")
    parser.add_argument("--pause", type=float, default=1.5, help="seconds of traffic at a step of a fault, about")
    parser.add_argument("--plant", default="", metavar="PRAGMA", help="an SQLite pragma that spoils the store: found?")
    options = parser.parse_args(arguments)
    _own_mounts()
    skipped = {name: why for name in options.only if (why := ALL_FAULTS[name].lacking() if name != LATE else "")}
    for name, why in skipped.items():
        _say(f"SKIPPED {name}: {why}")
    names = [name for name in options.only if name not in skipped]
    if not names:
        return 1
    outcome = Outcome()
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="weldgate-soak-", ignore_cleanup_errors=True) as folder:
        size = Size(options.chips, options.rate, options.pause)
        run(options.seconds, options.seed, names, size, outcome, Path(folder), options.plant)
    told: dict[str, Any] = outcome.told()
    if options.json:
        told |= {
            "seed": options.seed, "seconds": round(time.monotonic() - began_s, 1),
            "by_fault": dict(outcome.faults), "skipped": skipped,
            "troubles": [{"fault": name, "text": text} for name, text in outcome.troubles[:100]],
        }  # fmt: skip
        print(json.dumps(told, indent=1))
    else:
        print(", ".join(f"{key} {value:,}" for key, value in told.items()))
    return 1 if outcome.lost or outcome.doubled else 0


if __name__ == "__main__":
    sys.exit(main())
