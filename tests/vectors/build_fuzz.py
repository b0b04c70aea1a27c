"""Build the fuzzer's vectors: for each parser one input of every verdict that was met, and every find ever kept.

Finds are added to `fuzz_finds.json` by `python -m weldgate_simulator.fuzz --keep`; once the fault is mended, this
script writes down what the parser says now. `--check` writes nothing.
"""

import json
import sys
from pathlib import Path
from typing import Any

from weldgate_simulator.fuzz_batch import Batch, cases_of, targets
from weldgate_simulator.fuzz_forge import WORLD
from weldgate_simulator.fuzz_parsers import World, judge

HERE = Path(__file__).resolve().parent
SEED = 1
CASES = 160  # of each parser that one is chosen from
TAKEN = 2  # a verdict "taken" has many meanings: so many of them


def build() -> dict[str, Any]:
    """Return the world and the cases: parser, hex, verdict."""
    world = World(WORLD)
    cases: list[dict[str, str]] = []
    for target in targets():
        met: dict[str, int] = {}
        for case in cases_of(Batch(target.parser, SEED, 0, CASES)):
            verdict = judge(world, target.parser, case.data)[0]
            group = verdict if verdict.startswith("!") else "="
            met[group] = met.get(group, 0) + 1
            if met[group] <= (1 if verdict.startswith("!") else TAKEN):
                cases.append({"parser": target.parser, "hex": case.data.hex(), "verdict": verdict})
    for find in json.loads((HERE / "fuzz_finds.json").read_text(encoding="utf-8")):
        verdict = judge(world, find["parser"], bytes.fromhex(find["hex"]))[0]
        cases.append({"parser": find["parser"], "hex": find["hex"], "verdict": verdict})
    return {"world": WORLD, "cases": cases}


def main() -> int:
    """Write the file, or compare it with `--check`."""
    path = HERE / "fuzz.json"
    text = json.dumps(build(), indent=1) + "\n"
    if "--check" in sys.argv[1:]:
        if path.read_text(encoding="utf-8") != text:
            print("tests/vectors/fuzz.json is not what its script builds", file=sys.stderr)
            return 1
        return 0
    path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
