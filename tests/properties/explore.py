"""Every sequence of events that can happen to a chip, to a depth, with equal worlds merged.

    python tests/properties/explore.py [--depth N] [--seconds N] [--json]
"""

import argparse
import random
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from explored_state import digest
from explored_world import NOW_UNIX, Explored, Heard
from snapshots import Snapshot, put_back, take

from weldgate_firmware.clock import SYNCED

ALPHABET = tuple(sorted(name[3:] for name in vars(Explored) if name.startswith("do_")))
THEMES = {
    "start": ("token", "pressed", "released", "flash_done", "slice", "power_cut", "lock"),
    "limits": ("scan", "scan_used", "tick", "wait", "hours", "flash_done", "slice", "arc_on", "arc_off", "stop", "power_cut"),
    "holds": ("scan", "flash_done", "lock", "lock_soft", "release", "clear", "arc_on", "arc_off", "tick", "power_cut"),
    "flash": ("scan", "slice", "flash_done", "flash_failed", "power_cut", "lock", "tick"),
    "senses": ("scan", "flash_done", "arc_on", "arc_off", "tick", "sensor_fault", "sensor_back", "over_current", "clear"),
    "supply": ("scan", "scan_used", "other", "flash_done", "slice", "power_failing", "power_back", "power_cut", "hours"),
    "button": ("token", "pressed", "released", "tick", "blocked", "flash_done", "power_cut", "scan_used"),
}


class Explorer:
    """The worlds to go on from, and those seen."""

    def __init__(self, alphabet: tuple[str, ...], compare_one_in: int = 0) -> None:
        self.alphabet = alphabet
        self.world = Explored()
        self.world.driver.time_offered(NOW_UNIX, 0, SYNCED)
        self.world.run(15000)
        self.world.do_tick()
        self.fixed = frozenset((id(Heard.TABLE), id(self.world.posted)))
        self.seen: dict[Any, Any] = {}
        self.states: list[int] = []
        self.edges = self.compared = 0
        self.layer: list[tuple[Snapshot, tuple[str, ...]]] = []
        self._compare_one_in = compare_one_in
        self._rng = random.Random(1)
        self.mismatches: list[Any] = []
        begin = take(self.world, None, self.fixed)
        self._keep(begin, ())
        self.states.append(len(self.layer))

    def do(self, event: str) -> None:
        """Let one event happen and hold the promises against it."""
        getattr(self.world, "do_" + event)()
        self.world.check()

    def _keep(self, after: Snapshot, path: "tuple[str, ...]") -> None:
        here = digest(self.world)
        if here in self.seen:
            if self._compare_one_in and self._rng.randrange(self._compare_one_in) == 0 and self.seen[here] is not None:
                self._compare(self.seen[here], path)
            return
        taken = take(self.world, after, self.fixed)
        self.seen[here] = (taken, path) if self._compare_one_in else None
        self.layer.append((taken, path))

    def _compare(self, known: "tuple[Snapshot, tuple[str, ...]]", path: "tuple[str, ...]") -> None:
        """Hold a merged world against the one it was merged with: each next event must lead both to equal worlds."""
        mine = take(self.world, known[0], self.fixed)
        for event in self.alphabet:
            ends = []
            for one in (known[0], mine):
                put_back(one)
                self.do(event)
                ends.append(digest(self.world))
            self.compared += 1
            if ends[0] != ends[1]:
                self.mismatches.append((known[1], path, event, ends))
        put_back(mine)

    def deeper(self) -> None:
        """One event more, from each world of the last layer."""
        layer, self.layer = self.layer, []
        for taken, path in layer:
            for event in self.alphabet:
                put_back(taken)
                story = (*path, event)
                try:
                    self.do(event)
                    self._keep(taken, story)
                except AssertionError as error:
                    raise AssertionError(f"after {' '.join(story)}: {error}") from error
                self.edges += 1
        self.states.append(len(self.layer))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--depth", type=int, default=4)
    parser.add_argument("--theme", default="")
    parser.add_argument("--seconds", type=int, default=100)
    parser.add_argument("--compare", type=int, default=0)
    got = parser.parse_args()
    t = time.time()
    e = Explorer(THEMES.get(got.theme, ALPHABET), got.compare)
    print(e.states, len(e.layer[0][0]), round(time.time() - t, 1), flush=True)
    for d in range(got.depth):
        if time.process_time() > got.seconds: break
        e.deeper()
        print(d + 1, e.states[-1], sum(e.states), e.edges, round(time.time() - t, 1), "pairs", len(e.world.posted), flush=True)
    print("compared", e.compared, "mismatches", len(e.mismatches))
    for a, b, ev, ends in e.mismatches[:8]:
        print(a, "|", b, "|", ev)
        for x, y in zip(*ends):
            if x != y: print("    ", x, "!=", y)
