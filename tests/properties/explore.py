"""Every sequence of events that can happen to a chip, to a depth, with equal worlds merged.

    python tests/properties/explore.py [--depth N] [--all-depth N] [--compare N] [--theme NAME] [--json]

What belongs together is explored together, theme by theme, to depth 12; the whole alphabet at once to a smaller depth,
since themes multiply there. One in so many merged worlds is held against the one it was merged with: each next event
must lead both to equal worlds again.
"""

import argparse
import json
import random
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from explored_stand_ins import Heard
from explored_state import digest
from explored_world import Explored
from snapshots import Snapshot, put_back, take

from weldgate_firmware import gate

ALPHABET = tuple(sorted(name[3:] for name in vars(Explored) if name.startswith("do_")))
THEMES = {
    "start": ("token", "pressed", "released", "flash_done", "slice", "power_cut", "lock"),
    "button": ("token", "pressed", "released", "tick", "blocked", "flash_done", "power_cut", "scan_used"),
    "senses": (
        "scan",
        "flash_done",
        "arc_on",
        "arc_off",
        "tick",
        "sensor_fault",
        "sensor_back",
        "over_current",
        "clear",
    ),
    "supply": (
        "scan",
        "scan_used",
        "other",
        "flash_done",
        "slice",
        "power_failing",
        "power_back",
        "power_cut",
        "hours",
    ),
    "holds": (
        *("scan", "flash_done", "lock", "lock_soft", "release", "clear", "arc_on", "arc_off", "tick", "power_cut"),
    ),
    "limits": (
        *(
            "scan",
            "scan_used",
            "tick",
            "wait",
            "hours",
            "flash_done",
            "slice",
            "arc_on",
            "arc_off",
            "stop",
            "power_cut",
        ),
    ),
    "flash": ("scan", "slice", "flash_done", "flash_failed", "power_cut", "lock", "tick"),
}
DEPTH = 12
ALL_DEPTH = 4
PAIRS = frozenset(state << 8 | event for state, event, _, _ in gate.ROWS)

Path_ = tuple[str, ...]


class Explorer:
    """The worlds to go on from, and those seen.

    Attributes:
        states: worlds found, by the number of events that lead to them.
        edges: events tried. compared: merged worlds held against each other, once for each event.
        mismatches: merged worlds whose futures differ: how both came about, the event, what they became.
        by_state: one world of each gate state, to post to.
    """

    def __init__(self, alphabet: Path_, compare_one_in: int = 0) -> None:
        self.alphabet = alphabet
        self.world = Explored().ready()
        self.states: list[int] = []
        self.edges = self.compared = 0
        self.mismatches: list[tuple[Path_, Path_, str, Any]] = []
        self.by_state: dict[int, Snapshot] = {}
        self._fixed = frozenset((id(Heard.TABLE), id(self.world.posted)))
        self._seen: dict[Any, tuple[Snapshot, Path_] | None] = {}
        self._layer: list[tuple[Snapshot, Path_]] = []
        self._compare_one_in = compare_one_in
        self._random = random.Random(1)
        self._keep({}, ())
        self.states.append(len(self._layer))

    def _do(self, event: str) -> None:
        """Let one event happen and hold the promises against it."""
        getattr(self.world, "do_" + event)()
        self.world.check()

    def _keep(self, after: Snapshot, path: Path_) -> None:
        """Keep the world as it is now, unless an equal one is known."""
        here = digest(self.world)
        if here in self._seen:
            known = self._seen[here]
            if known is not None and not self._random.randrange(self._compare_one_in):
                self._compare(known, path)
            return
        taken = take(self.world, after, self._fixed)
        self._seen[here] = (taken, path) if self._compare_one_in else None
        self._layer.append((taken, path))
        self.by_state.setdefault(self.world.driver.state, taken)

    def _compare(self, known: tuple[Snapshot, Path_], path: Path_) -> None:
        """Hold a merged world against the one it was merged with."""
        mine = take(self.world, known[0], self._fixed)
        for event in self.alphabet:
            ends = []
            for one in (known[0], mine):
                put_back(one)
                self._do(event)
                ends.append(digest(self.world))
            self.compared += 1
            if ends[0] != ends[1]:
                apart = [pair for pair in zip(*ends, strict=True) if pair[0] != pair[1]]
                self.mismatches.append((known[1], path, event, apart))

    def deeper(self) -> None:
        """One event more, from each world of the last layer."""
        layer, self._layer = self._layer, []
        for taken, path in layer:
            for event in self.alphabet:
                put_back(taken)
                story = (*path, event)
                try:
                    self._do(event)
                    self._keep(taken, story)
                except AssertionError as error:
                    raise AssertionError(f"after {' '.join(story)}: {error}") from error
                self.edges += 1
        self.states.append(len(self._layer))

    def explore(self, depth: int) -> "Explorer":
        """Go as deep as that."""
        for _ in range(depth):
            self.deeper()
        return self

    def post(self, pairs: "set[int]") -> "set[int]":
        """Post to a world of each state what no input of the driver ever posts there; the promises must hold.

        Args:
            pairs: state << 8 | event.

        Returns:
            Those posted: of states that were found.
        """
        done = set()
        for pair in sorted(pairs):
            taken = self.by_state.get(pair >> 8)
            if taken is None:
                continue
            put_back(taken)
            core = self.world.driver.core
            core.post(pair & 255)
            core.settle()
            self.world.do_flash_done()
            self.world.do_tick()
            self.world.check()
            done.add(pair)
        return done


def names_of(pairs: "set[int]") -> "list[str]":
    """Return pairs of the table in words."""
    states = {value: name for name, value in vars(gate).items() if name in _STATES}
    events = {value: name for name, value in vars(gate).items() if name in _EVENTS}
    return [f"{states[pair >> 8]} {events[pair & 255]}" for pair in sorted(pairs)]


_STATES = ("LOCKED", "IDLE", "ARMED", "COMMITTING", "LIVE", "ENDING", "SUSPENDED", "LATCHED")
_EVENTS = (
    *("TOKEN_ACCEPTED", "LOCAL_ACT", "ARM_EXPIRED", "RECORDS_DURABLE", "FLASH_FAILED", "SOFT_END", "ARC_QUIET"),
    *("HARD_END", "LOCK_NOW", "LOCK_SOFT", "ALARM_LATCHED", "ALARMS_CLEARED", "FREED", "FAULT", "SESSION_FOUND"),
    "POWER_FAILING",
)


def main(arguments: "list[str] | None" = None) -> int:
    """Explore all themes and print what was found; 1 when merged worlds had different futures."""
    parser = argparse.ArgumentParser(description="Explore the composed driver.")
    parser.add_argument("--depth", type=int, default=DEPTH, help="of each theme")
    parser.add_argument("--all-depth", type=int, default=ALL_DEPTH, help="of all events together")
    parser.add_argument("--compare", type=int, default=200, help="hold one in so many merged worlds against its like")
    parser.add_argument("--theme", action="append", choices=sorted(THEMES), help="this theme alone; may be repeated")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    rows = []
    posted: set[int] = set()
    states: dict[int, Explorer] = {}
    plan = [(name, THEMES[name], given.depth) for name in given.theme or THEMES]
    if not given.theme:
        plan.append(("all events", ALPHABET, given.all_depth))
    wrong = 0
    for name, alphabet, depth in plan:
        begun = time.process_time()
        found = Explorer(alphabet, given.compare).explore(depth)
        posted |= found.world.posted
        for state in found.by_state:
            states.setdefault(state, found)
        row = {
            "theme": name,
            "events": len(alphabet),
            "depth": depth,
            "states": sum(found.states),
            "last_layer": found.states[-1],
            "edges": found.edges,
            "compared": found.compared,
            "mismatches": len(found.mismatches),
            "cpu_s": round(time.process_time() - begun, 1),
        }
        rows.append(row)
        wrong += len(found.mismatches)
        if not given.json:
            print(" ".join(f"{key} {value}" for key, value in row.items()), flush=True)
            for mismatch in found.mismatches[:3]:
                print("  different futures:", *mismatch)
    direct: set[int] = set()
    for state, found in () if given.theme else states.items():  # one theme alone says nothing of the whole table
        direct |= found.post({pair for pair in PAIRS - posted if pair >> 8 == state})
    answer = {
        "pairs": len(PAIRS),
        "posted_by_the_driver": len(PAIRS & posted),
        "posted_directly": names_of(direct),
        "missed": names_of(PAIRS - posted - direct),
    }
    print(json.dumps({"themes": rows, **answer}) if given.json else answer)
    return 1 if wrong or (answer["missed"] and not given.theme) else 0


if __name__ == "__main__":
    sys.exit(main())
