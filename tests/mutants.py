"""Plant faults one by one; each must turn a test red (`make mutants`).

    .venv/bin/python tests/mutants.py [--quick] [--only NAME …] [--jobs N] [--list] [--file mutants.toml]

The faults are lines of `tests/mutants.toml`. Each is planted in a copy of the tree, never in the checkout, and only
the tests it names are run there. Exit codes: 0 every fault was noticed, 1 one survived, its line is no longer there,
or its tests are not green without it; in CI also when there is no MicroPython for those that need it.
"""

import argparse
import compileall
import os
import py_compile
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from weldgate_simulator import interpreter

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("protocol", "firmware", "collector", "simulator", "tools")
COPIED = (*PACKAGES, "tests", "pyproject.toml", "README.md", "README.zh-CN.md", "docs", "Makefile")
TIMEOUT_S = 120
PIECE = 6  # test files that are shown to be green in one run
KEYS = {"name", "rule", "file", "before", "after", "tests"}
EXTRA = {"within", "quick", "mpy"}


class MutantError(Exception):
    """The list is wrong, or a line that it names is no longer there."""


class Mutant(NamedTuple):
    """One fault.

    Attributes:
        name: what is wrong then. rule: which rule it breaks. file: below the root.
        before, after: the line as it is, and as it is planted, both without indentation.
        tests: what pytest runs; one of them must fail.
        within: a piece of an earlier line; the first match after it is meant.
        quick: belongs to the short run.
        mpy: the tests are run in the real MicroPython instead.
    """

    name: str
    rule: str
    file: str
    before: str
    after: str
    tests: tuple[str, ...]
    within: str = ""
    quick: bool = False
    mpy: bool = False


class Outcome(NamedTuple):
    """What became of one."""

    mutant: Mutant
    verdict: str  # "red", "SURVIVED", or what went wrong
    seconds: float

    @property
    def held(self) -> bool:
        """Whether the fault was noticed."""
        return self.verdict == "red"


def read_list(path: Path) -> list[Mutant]:
    """Read the list.

    Raises:
        MutantError: not TOML, a missing or unknown key, a name twice.
    """
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8")).get("mutant", [])
    except tomllib.TOMLDecodeError as error:
        raise MutantError(f"{path.name}: {error}") from None
    mutants = []
    for entry in found:
        keys = set(entry)
        if not keys >= KEYS or not keys <= KEYS | EXTRA:
            raise MutantError(f"{path.name}: {entry.get('name', '?')}: keys {sorted(keys ^ KEYS)} missing or unknown")
        mutants.append(Mutant(**{**entry, "tests": tuple(entry["tests"])}))
    names = [mutant.name for mutant in mutants]
    if len(set(names)) != len(names):
        raise MutantError(f"{path.name}: a name is there twice: {min(n for n in names if names.count(n) > 1)}")
    return mutants


def plant(mutant: Mutant, root: Path) -> str:
    """Return the file's text with the fault in it.

    Raises:
        MutantError: the line is not there, is there more than once, or is the same afterwards.
    """
    path = root / mutant.file
    if not path.is_file():
        raise MutantError(f"{mutant.name}: {mutant.file} is not there")
    lines = path.read_text(encoding="utf-8").split("\n")
    start = 0
    if mutant.within:
        starts = [number for number, line in enumerate(lines) if mutant.within in line]
        if len(starts) != 1:
            raise MutantError(f"{mutant.name}: {len(starts)} lines of {mutant.file} hold {mutant.within!r}, need one")
        start = starts[0]
    places = [number for number in range(start, len(lines)) if lines[number].strip() == mutant.before]
    if not places or (len(places) > 1 and not mutant.within):
        raise MutantError(f"{mutant.name}: {len(places)} lines of {mutant.file} are {mutant.before!r}, need one")
    line = lines[places[0]]
    lines[places[0]] = line[: len(line) - len(line.lstrip())] + mutant.after
    if mutant.after == mutant.before:
        raise MutantError(f"{mutant.name}: the line stays as it is")
    return "\n".join(lines)


def copy_tree(root: Path, target: Path) -> None:
    """Copy what the tests need, compiled so that a changed line is always noticed."""
    for name in COPIED:
        source = root / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("__pycache__", ".hypothesis"))
        elif source.is_file():
            shutil.copy2(source, target / name)
    compileall.compile_dir(target, quiet=2, invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH)


def run_tests(tree: Path, tests: Sequence[str], mpy: bool) -> tuple[str, str]:
    """Run tests in a copy of the tree; return ("green" | "red" | what went wrong, the output's end)."""
    variables = {**os.environ, "PYTHONPATH": ":".join(str(tree / name) for name in PACKAGES)}
    variables["PYTHONDONTWRITEBYTECODE"] = "1"
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", *tests]
    if mpy:
        command = [sys.executable, "tests/mpy/run.py", "--no-reference", *tests]
    try:
        done = subprocess.run(
            command, cwd=tree, env=variables, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return f"not done after {TIMEOUT_S} s", ""
    output = (done.stdout + done.stderr)[-3000:]
    if done.returncode in (0, 1):
        return ("green", "red")[done.returncode], output
    return f"the tests did not run (exit code {done.returncode})", output


class Nursery:
    """Copies of the tree, each used by one thread at a time."""

    def __init__(self, root: Path, folder: Path, jobs: int) -> None:
        self._root = root
        self._trees: queue.Queue[Path] = queue.Queue()
        for number in range(jobs):
            tree = folder / str(number)
            tree.mkdir()
            copy_tree(root, tree)
            self._trees.put(tree)

    def green(self, tests: Sequence[str], mpy: bool) -> str:
        """Return "" when the tests are green as the tree is, else what they said."""
        tree = self._trees.get()
        try:
            verdict, output = run_tests(tree, tests, mpy)
            return "" if verdict == "green" else f"{verdict}: {' '.join(tests)}\n{output}"
        finally:
            self._trees.put(tree)

    def try_one(self, mutant: Mutant) -> Outcome:
        """Plant one fault, run its tests, and mend the copy again."""
        begun_s = time.monotonic()
        tree = self._trees.get()
        path = tree / mutant.file
        whole = path.read_text(encoding="utf-8")
        try:
            path.write_text(plant(mutant, tree), encoding="utf-8")
            verdict, _ = run_tests(tree, mutant.tests, mutant.mpy)
        finally:
            path.write_text(whole, encoding="utf-8")
            self._trees.put(tree)
        return Outcome(mutant, "SURVIVED" if verdict == "green" else verdict, time.monotonic() - begun_s)


def run(mutants: Sequence[Mutant], root: Path, jobs: int) -> tuple[list[Outcome], list[str]]:
    """Try all.

    Returns:
        What became of each, and what was not green to begin with (then nothing is tried).
    """
    with tempfile.TemporaryDirectory(prefix="mutants-") as name, ThreadPoolExecutor(jobs) as pool:
        nursery = Nursery(root, Path(name), jobs)
        groups = {(test, mutant.mpy) for mutant in mutants for test in mutant.tests}
        pieces = []  # each small enough for the time that one run has
        for mpy in (False, True):
            tests = sorted(test for test, where in groups if where == mpy)
            parts = -(-len(tests) // PIECE)
            pieces += [(tests[part::parts], mpy) for part in range(parts)]
        not_green = [said for said in pool.map(lambda piece: nursery.green(*piece), pieces) if said]
        if not_green:
            return [], not_green
        said = threading.Lock()

        def one(mutant: Mutant) -> Outcome:
            outcome = nursery.try_one(mutant)
            with said:
                print(f"{outcome.verdict:9} {mutant.name}", file=sys.stderr, flush=True)
            return outcome

        return list(pool.map(one, mutants)), []


def report(outcomes: Sequence[Outcome]) -> None:
    """Print the table."""
    table = Table(box=None)
    for name in ("verdict", "s", "rule", "fault"):
        table.add_column(name, overflow="fold")
    for outcome in outcomes:
        mutant = outcome.mutant
        table.add_row(outcome.verdict, f"{outcome.seconds:.1f}", mutant.rule, mutant.name)
    Console().print(table)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for and return its exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--file", type=Path, default=ROOT / "tests" / "mutants.toml")
    parser.add_argument("--root", type=Path, default=ROOT, help="the tree to copy")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", nargs="+", metavar="NAME")
    parser.add_argument("--quick", action="store_true", help="only those that a short run tries")
    parser.add_argument("--list", action="store_true", help="say what there is and whether each line is still there")
    options = parser.parse_args(arguments)
    try:
        mutants = read_list(options.file)
        for mutant in mutants:
            plant(mutant, options.root)
    except MutantError as error:
        print(error, file=sys.stderr)
        return 1
    chosen = [m for m in mutants if (m.quick or not options.quick) and (not options.only or m.name in options.only)]
    if options.list:
        report([Outcome(mutant, "-", 0) for mutant in chosen])
        return 0
    unfit = [mutant for mutant in chosen if mutant.mpy]
    if unfit and interpreter.find(lambda sentence: print(sentence, file=sys.stderr)) is not None:
        unfit = []
    if unfit:
        print(f"NO MICROPYTHON: not tried: {', '.join(mutant.name for mutant in unfit)}", file=sys.stderr)
        chosen = [mutant for mutant in chosen if mutant not in unfit]
    outcomes, not_green = run(chosen, options.root, options.jobs)
    for said in not_green:
        print(f"not green before anything was planted: {said}", file=sys.stderr)
    report(outcomes)
    survived = [outcome for outcome in outcomes if not outcome.held]
    print(f"{len(outcomes)} faults, {len(outcomes) - len(survived)} noticed", file=sys.stderr)
    return 1 if survived or not_green or not chosen or (unfit and os.environ.get("CI")) else 0


if __name__ == "__main__":
    sys.exit(main())
