"""`make fuzz`: throw forged and malformed input at every parser the chip has, and count what must never happen.

    python -m weldgate_simulator.fuzz [--cases N] [--seed N] [--json] [--jobs N] [--only PARSER …] [--keep FILE]

*accepted*: something forged or malformed was taken as valid. *untyped*: an exception that is not one of our errors.
*hangs*: a case that used too many steps or too much of the processor. *differs*: MicroPython judged otherwise than
CPython. Any of them fails the run. Cases repeat with the seed, whatever the number of processes. How cases are made:
`fuzz_wire`, `fuzz_talk`, `fuzz_signed`, `fuzz_store`; the parsers: `fuzz_parsers`; one batch: `fuzz_batch`.
"""

import argparse
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from weldgate_protocol.errors import WeldgateError
from weldgate_simulator import fuzz_interpreter
from weldgate_simulator.fuzz_batch import BATCH_CASES, Batch, Counts, Find, run_batch, start_worker, targets

__all__ = ["Outcome", "keep", "main", "plan", "run"]

_CASES = 200_000
_INTERPRETED = 100  # one case of so many also runs in the real interpreter,
_INTERPRETED_MAX = 20_000  # and no more than these
_FAULTS = ("accepted", "untyped", "hangs", "differs")


class Outcome:
    """What a run has found so far."""

    def __init__(self) -> None:
        self.parsers: dict[str, Counts] = {}
        self.finds: list[Find] = []
        self.interpreter = "not asked for"
        self.interpreted = 0

    def add(self, parser: str, counts: Counts, finds: Sequence[Find]) -> None:
        """Take the results of one batch."""
        held = self.parsers.setdefault(parser, Counts())
        held.add(counts)
        self.finds += finds

    def total(self, name: str) -> int:
        """Return the sum of one count over all parsers."""
        return sum(getattr(counts, name) for counts in self.parsers.values())

    def told(self, seed: int, seconds: float) -> dict[str, Any]:
        """Return what `--json` prints."""
        names = ("cases", *_FAULTS, "taken", "reached_signature")
        return {
            **{name: self.total(name) for name in names},
            "seed": seed,
            "seconds": round(seconds, 1),
            "cases_per_s": round(self.total("cases") / max(seconds, 0.001)),
            "interpreter": {"name": self.interpreter, "cases": self.interpreted},
            "parsers": {name: counts.told() for name, counts in sorted(self.parsers.items())},
            "finds": [find._asdict() for find in self.finds[:100]],
        }

    @property
    def faults(self) -> int:
        """How much of what must never happen has happened."""
        return sum(self.total(name) for name in _FAULTS)


def plan(cases: int, seed: int, only: Sequence[str] = ()) -> list[Batch]:
    """Divide cases among the parsers by their shares, at least one each, and into batches.

    Args:
        cases: how many in all.
        seed: of everything.
        only: the parsers to be fed; all when empty.
    """
    chosen = [one for one in targets() if not only or one.parser in only]
    whole = sum(one.share for one in chosen)
    batches = []
    for one in chosen:
        left = max(1, cases * one.share // whole)
        if one is chosen[0]:  # what rounding leaves over
            left += cases - sum(max(1, cases * other.share // whole) for other in chosen)
        index = 0
        while left > 0:
            batches.append(Batch(one.parser, seed, index, min(left, BATCH_CASES)))
            left -= BATCH_CASES
            index += 1
    return sorted(batches, key=lambda batch: (batch.number, batch.parser))


def run(batches: Sequence[Batch], jobs: int, say: Callable[[Outcome], None], interpreted: int = 0) -> Outcome:
    """Run batches, and some of their cases in the real interpreter as well.

    Args:
        batches: of `plan`.
        jobs: processes.
        say: called after each batch.
        interpreted: how many cases go through MicroPython, 0 for none.
    """
    outcome = Outcome()
    context = multiprocessing.get_context("spawn")
    with context.Pool(jobs, start_worker) as pool:
        for parser, counts, finds in pool.imap_unordered(run_batch, batches):
            outcome.add(parser, counts, finds)
            say(outcome)
    if interpreted:
        try:
            found = fuzz_interpreter.compare(batches, interpreted)
        except WeldgateError as error:
            outcome.interpreter = str(error)
        else:
            outcome.interpreter, outcome.interpreted = found.name, found.cases
            for parser, counts in found.counts.items():
                outcome.add(parser, counts, ())
            outcome.finds += found.finds
    return outcome


def keep(finds: Sequence[Find], path: Path) -> int:
    """Add finds to a file of them; return how many were new."""
    held = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    known = {(one["parser"], one["hex"]) for one in held}
    new = [find._asdict() for find in finds if (find.parser, find.hex) not in known]
    path.write_text(json.dumps([*held, *new], indent=1) + "\n", encoding="utf-8")
    return len(new)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program.

    Returns:
        0; 1 when something was accepted, untyped, hung or judged differently, or, in CI, without an interpreter.
    """
    parser = argparse.ArgumentParser(prog="weldgate_simulator.fuzz", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--cases", type=int, default=_CASES, help=f"inputs in all, {_CASES:,} unless told")
    parser.add_argument("--seed", type=int, default=1, help="cases repeat with it")
    parser.add_argument("--json", action="store_true", help="print the counts as one JSON document")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument(
        "--only", nargs="+", default=[], choices=sorted(one.parser for one in targets()), metavar="PARSER"
    )
    parser.add_argument("--keep", type=Path, metavar="FILE", help="add what was found to this file")
    parser.add_argument("--interpreted", type=int, help="cases that go through MicroPython too; one of 100 unless told")
    options = parser.parse_args(arguments)
    begun = time.monotonic()
    batches = plan(options.cases, options.seed, options.only)
    share = min(options.cases // _INTERPRETED, _INTERPRETED_MAX)
    interpreted = share if options.interpreted is None else options.interpreted
    outcome = run(batches, options.jobs, _progress(options.cases, begun), interpreted)
    told = outcome.told(options.seed, time.monotonic() - begun)
    if options.keep and outcome.finds:
        print(f"{keep(outcome.finds, options.keep)} finds added to {options.keep}", file=sys.stderr)
    if options.json:
        print(json.dumps(told, indent=1))
    else:
        _print(told)
    missing = interpreted > 0 and not outcome.interpreted
    if missing:
        print(f"nothing ran in MicroPython: {outcome.interpreter}", file=sys.stderr)
    return 1 if outcome.faults or (missing and os.environ.get("CI")) else 0


def _progress(cases: int, begun: float) -> Callable[[Outcome], None]:
    """Return what writes one line over and over on a terminal, and nothing elsewhere."""
    if not sys.stderr.isatty():
        return lambda _: None

    def say(outcome: Outcome) -> None:
        done = outcome.total("cases")
        rate = done / max(time.monotonic() - begun, 0.001)
        left = (cases - done) / max(rate, 1)
        end = "\n" if done >= cases else ""
        text = f"\r{done:,} of {cases:,} cases, {rate:,.0f}/s, {outcome.faults} faults, {left:,.0f} s left  "
        print(text, end=end, file=sys.stderr, flush=True)

    return say


def _print(told: dict[str, Any]) -> None:
    for name, counts in told["parsers"].items():
        print(f"{name:13} " + ", ".join(f"{what} {count:,}" for what, count in counts.items() if count))
    for find in told["finds"]:
        print(f"{find['why']}: {find['parser']} {find['hex']}")
    ran = told["interpreter"]
    print(f"{ran['cases']:,} cases also in {ran['name']}")
    sums = ", ".join(f"{name} {told[name]:,}" for name in ("cases", *_FAULTS, "reached_signature"))
    print(f"{sums}; seed {told['seed']}, {told['seconds']} s, {told['cases_per_s']:,} cases/s")


if __name__ == "__main__":
    sys.exit(main())
