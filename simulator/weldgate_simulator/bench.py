"""`make bench`: measure, print a table, write `build/bench.json`, a list of {"name", "value", "unit", "note"}.

    python -m weldgate_simulator.bench [--only NAME …] [--json] [--output FILE]

Only what was measured in this very run goes in. What cannot be measured here is named with one sentence on standard
error and left out; that fails the run only in CI (`CI` set), where everything is to be had.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from weldgate_protocol.errors import WeldgateError
from weldgate_simulator import files
from weldgate_simulator.big_figures import BIG_FIGURES
from weldgate_simulator.collector_figures import COLLECTOR_FIGURES
from weldgate_simulator.figures import FIGURES, Figure
from weldgate_simulator.storm_figures import STORM_FIGURES

__all__ = ["known", "main", "measure"]

_OUTPUT = files.build_folder() / "bench.json"


def known() -> dict[str, Callable[[Callable[[str], None]], Figure]]:
    """Return every figure by name."""
    return {**FIGURES, **COLLECTOR_FIGURES, **STORM_FIGURES, **BIG_FIGURES}


def measure(names: Sequence[str]) -> tuple[list[Figure], list[str]]:
    """Measure what is named.

    Args:
        names: of `known`.

    Returns:
        The figures, and a sentence for each that could not be had. Progress goes to standard error.
    """
    figures, missing = [], []
    for name in names:
        _say(f"measuring {name}")
        try:
            figures.append(known()[name](_say))
        except (WeldgateError, OSError) as error:
            missing.append(f"{name} was not measured: {error}")
            _say(missing[-1])
    return figures, missing


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program.

    Returns:
        0, or 1 when something could not be measured in CI.
    """
    parser = argparse.ArgumentParser(prog="weldgate_simulator.bench", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--only", nargs="+", choices=sorted(known()), metavar="NAME", help="measure these alone")
    parser.add_argument("--json", action="store_true", help="print the list instead of the table")
    parser.add_argument("--output", type=Path, default=_OUTPUT, help="where the list is written")
    options = parser.parse_args(arguments)
    wanted = options.only or list(known())
    figures, missing = measure([name for name in known() if name in wanted])
    text = json.dumps([figure._asdict() for figure in figures], indent=1)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(text + "\n", encoding="utf-8")
    if options.json:
        print(text)
    else:
        _print(figures)
    return 1 if missing and os.environ.get("CI") else 0


def _print(figures: Sequence[Figure]) -> None:
    table = Table(box=None)
    for name in ("figure", "value", "unit"):
        table.add_column(name, justify="right" if name == "value" else "left", no_wrap=True)
    for figure in figures:
        table.add_row(figure.name, f"{figure.value:,}", figure.unit)
    console = Console(highlight=False)
    console.print(table)
    for figure in figures:
        console.print(f"\n{figure.name}: {figure.note}", markup=False)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
