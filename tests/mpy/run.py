"""Run the suites of protocol and firmware in the real MicroPython and hold them against CPython's.

    .venv/bin/python tests/mpy/run.py [--interpreter PATH | --all] [--json] [tests/protocol/test_frame.py …]

What the chip runs is compiled with mpy-cross first; none of its sources is ever interpreted. Each file gets a process
of its own. CPython runs the same file with the same stand-in for unittest; a test that pytest collects or CPython runs
and MicroPython does not, or one with fewer subtests there, is a failure. Exit codes: 0 all held, 1 something did not,
3 no MicroPython.
"""

import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from weldgate_simulator import build, interpreter
from weldgate_simulator.interpreter import Interpreter

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SUITES = ("protocol", "firmware")
HEAP = "1024wk"  # the tests and their vectors are not on the chip; `make bench` proves the chip's own budget
TIMEOUT_S = 240  # a file
NAMED = 3  # missing tests named for each file
# A suite that imports one of these needs sockets, and does not run in an interpreter without.
NETWORKED = re.compile(
    r"^\s*(from weldgate_firmware\.(app|link|main)\b|from weldgate_firmware import .*\b(app|link|main)\b)", re.MULTILINE
)
BOOT = """
import {before}unittest, {module}
unittest.run({module}, "{prefix}")
import sys
for name, module in sys.modules.items():
    if name.startswith("weldgate_") and not getattr(module, "__file__", "").endswith("{suffix}"):
        print("@source " + name)
print("@end")
"""
# Stand-ins of the simulator that are written for both interpreters, so that the chip's own suites can use them.
PORTABLE = {
    "weldgate_simulator": "weldgate_simulator/__init__.py",
    "weldgate_simulator.flash": "weldgate_simulator/flash.py",
    "weldgate_simulator.fuzz_parsers": "weldgate_simulator/fuzz_parsers.py",
}


class Outcome:
    """What one interpreter made of one file."""

    def __init__(self) -> None:
        self.cases: dict[str, int] = {}
        self.failures: dict[str, list[str]] = {}

    def fail(self, id_: str, error: str) -> None:
        """Note a failure."""
        self.failures.setdefault(id_, []).append(error)


def prefix_of(path: Path) -> str:
    """Return the first part of a file's test ids, for instance `protocol.test_frame`."""
    return f"{path.parent.name}.{path.stem}"


def host_only() -> dict[str, str]:
    """Return the suites that do not run on the chip, `protocol/test_cddl.py` → why.

    Raises:
        SystemExit: a line without a reason, or for a file that is not there.
    """
    found = {}
    for line in (HERE / "host_only.txt").read_text(encoding="utf-8").splitlines():
        name, _, reason = line.partition(" ")
        if line.startswith("#") or not line:
            continue
        if not reason.strip() or not (ROOT / "tests" / name).is_file():
            raise SystemExit(f"tests/mpy/host_only.txt: {line!r} needs a suite that is there, and a reason")
        found[name] = reason.strip()
    return found


def chip_suites() -> list[Path]:
    """Return every suite that must run on the chip's interpreter."""
    excused = host_only()
    paths = [path for suite in SUITES for path in sorted((ROOT / "tests" / suite).glob("test_*.py"))]
    return [path for path in paths if f"{path.parent.name}/{path.name}" not in excused]


def read_output(text: str, code: int, prefix: str) -> Outcome:
    """Read what the stand-in printed, and tell a run that did not reach its end."""
    outcome = Outcome()
    started, ended, other = "", False, []
    for line in text.splitlines():
        mark, _, rest = line.partition(" ")
        if mark == "@start":
            started = rest
        elif mark == "@test":
            result = json.loads(rest)
            outcome.cases[result["id"]] = result["cases"]
            for error in result["errors"]:
                outcome.fail(result["id"], error)
        elif mark == "@source":
            outcome.fail(prefix, f"{rest} was run from its source, not from what mpy-cross made")
        elif mark == "@end":
            ended = True
        else:
            other.append(line)
    if not ended or code != 0:
        last = "\n".join(other[-20:])
        outcome.fail(prefix, f"ended early with {code} in or after {started or 'its import'}:\n{last}")
    return outcome


def run_on_chip(chip: Interpreter, path: Path, folders: list[Path]) -> Outcome:
    """Run one compiled suite in MicroPython."""
    prefix = prefix_of(path)
    boot = BOOT.format(before="ticks, ", module=path.stem, prefix=prefix, suffix=".mpy")
    environment = {
        "WELDGATE_VECTORS": str(ROOT / "tests" / "vectors"),
        "WELDGATE_DATA": str(ROOT / "tests" / "data"),  # of one that sees only the folders that it is told of
    }
    try:
        done = chip.run(["-c", boot], heap=HEAP, paths=folders, environment=environment, timeout_s=TIMEOUT_S)
    except subprocess.TimeoutExpired as e:
        return read_output((e.stdout or b"").decode(errors="replace") + f"\nkilled after {TIMEOUT_S} s", 1, prefix)
    text = (done.stdout + done.stderr).decode(errors="replace")
    return read_output(text.replace("\r\n", "\n"), done.returncode, prefix)


def run_on_host(path: Path) -> Outcome:
    """Run one suite on CPython with the stand-in for unittest."""
    prefix = prefix_of(path)
    boot = BOOT.format(before="", module=path.stem, prefix=prefix, suffix="")
    variables = {
        **os.environ,
        "PYTHONPATH": f"{HERE}:{path.parent}",
        "WELDGATE_VECTORS": str(ROOT / "tests" / "vectors"),
    }
    command = [sys.executable, "-c", boot]
    done = subprocess.run(command, env=variables, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    return read_output(done.stdout + done.stderr, done.returncode, prefix)


def collect(paths: list[Path]) -> tuple[set[str], str]:
    """Return the ids that pytest collects, whatever they are written as, and what it said if it failed."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *map(str, paths)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    ids = set()
    for line in done.stdout.splitlines():
        file, mark, rest = line.partition("::")
        for path in paths:
            if mark and str(path).endswith("/" + file):
                ids.add(f"{prefix_of(path)}.{rest.replace('::', '.')}")
    return ids, "" if done.returncode == 0 else done.stdout + done.stderr


def reference(paths: list[Path]) -> tuple[dict[str, int], dict[str, list[str]]]:
    """Return what MicroPython must match: id → cases, and the failures on CPython itself."""
    cases: dict[str, int] = {}
    failures: dict[str, list[str]] = {}
    for path in paths:
        outcome = run_on_host(path)
        cases.update(outcome.cases)
        failures.update({f"CPython {id_}": errors for id_, errors in outcome.failures.items()})
    collected, complaint = collect(paths)
    for id_ in collected:
        cases.setdefault(id_, 1)
    if complaint:
        failures["pytest --collect-only"] = [complaint]
    return cases, failures


def compile_all(arch: str, paths: list[Path]) -> tuple[list[Path], dict[str, list[str]]]:
    """Compile the chip's modules and every suite; return the import path for each suite's folder and the refusals."""
    app = build.build_app(arch, suites=True)
    refused = {"mpy-cross": app.errors} if app.errors else {}
    folders = [app.folder]
    excused = host_only()
    for suite in SUITES:
        helpers = [HERE / "unittest.py", HERE / "ticks.py"]
        files = [f for f in sorted((ROOT / "tests" / suite).glob("*.py")) if f"{suite}/{f.name}" not in excused]
        sources = {f.stem: f for f in [*helpers, *files] if f.stem != "conftest"}
        sources |= {name: ROOT / "simulator" / path for name, path in PORTABLE.items()}
        made = build.build_files(sources, ROOT / "build" / "mpy" / f"{arch}-tests" / suite, arch)
        wanted = {path.stem for path in paths if path.parent.name == suite}
        errors = [error for error in made.errors if any(f"refuses {stem}:" in error for stem in wanted)]
        if errors:
            refused[f"mpy-cross {suite}"] = errors
        folders.append(made.folder)
    return folders, refused


def run_suites(chip: Interpreter, paths: list[Path], expected: dict[str, int]) -> dict[str, Any]:
    """Run suites in one interpreter and return its summary; what needs sockets only where there are any."""
    if not chip.has_sockets:
        without = {prefix_of(path) for path in paths if NETWORKED.search(path.read_text(encoding="utf-8"))}
        paths = [path for path in paths if prefix_of(path) not in without]
        expected = {id_: count for id_, count in expected.items() if ".".join(id_.split(".")[:2]) not in without}
    folders, failures = compile_all(chip.arch, paths)
    cases: dict[str, int] = {}
    for path in paths:
        suite_folder = folders[1 + SUITES.index(path.parent.name)]
        outcome = run_on_chip(chip, path, [suite_folder, folders[0]])
        cases.update(outcome.cases)
        failures.update(outcome.failures)
    missing = sorted(set(expected) - set(cases))
    fewer = sorted(id_ for id_, count in cases.items() if count < expected.get(id_, 0))
    return {
        "interpreter": chip.name,
        "version": ".".join(map(str, chip.version)),
        "bits": chip.bits,
        "arch": chip.arch,
        "origin": chip.origin,
        "files": len(paths),
        "tests": sorted(cases),
        "cases": sum(cases.values()),
        "expected_tests": len(expected),
        "expected_cases": sum(expected.values()),
        "failures": failures,
        "missing": missing,
        "fewer_cases": fewer,
        "ok": not (failures or missing or fewer),
    }


def choose(arguments: argparse.Namespace) -> list[Interpreter]:
    """Return the interpreters that were asked for."""
    if arguments.interpreter:
        found, sentence = interpreter.probe([arguments.interpreter], "environment")
        if found is None:
            print(sentence, file=sys.stderr)
        return [found] if found else []
    say = lambda sentence: print(sentence, file=sys.stderr)  # noqa: E731
    if arguments.all:
        return interpreter.find_all(say)
    first = interpreter.find(say)
    return [first] if first else []


def report(summary: dict[str, Any]) -> None:
    """Tell a person how it went; of many missing tests of one file only the first are named."""
    for id_, errors in summary["failures"].items():
        for error in errors:
            print(f"FAILED {id_}\n{error}", file=sys.stderr)
    for word, why in (("missing", "CPython has it"), ("fewer_cases", "fewer subtests than on CPython")):
        files: dict[str, list[str]] = {}
        for id_ in summary[word]:
            files.setdefault(".".join(id_.split(".")[:2]), []).append(id_)
        for file, ids in files.items():
            for id_ in ids[:NAMED]:
                print(f"{word.upper()} {id_}: {why}", file=sys.stderr)
            if len(ids) > NAMED:
                print(f"{word.upper()} {len(ids) - NAMED} more of {file}", file=sys.stderr)
    print(
        f"{summary['interpreter']}: {summary['files']} files, {len(summary['tests'])} tests, {summary['cases']} cases; "
        f"{len(summary['failures'])} failed, {len(summary['missing'])} missing, {len(summary['fewer_cases'])} short",
        file=sys.stderr,
    )


def main(arguments: list[str]) -> int:
    """Run what the command line asks for and return its exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path, help="suites to run; all when none is named")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--interpreter", help="path of a MicroPython to run them in")
    which.add_argument("--all", action="store_true", help="run in every MicroPython to be had")
    parser.add_argument("--json", action="store_true", help="print the summaries as one JSON document")
    parser.add_argument("--no-reference", action="store_true", help="do not hold it against CPython (quicker)")
    options = parser.parse_args(arguments)
    paths = [path.resolve() for path in options.files] or chip_suites()
    chips = choose(options)
    if not chips:
        print("NO MICROPYTHON: the suites of protocol and firmware did not run as the chip runs them.", file=sys.stderr)
        return 3
    expected, failures = ({}, {}) if options.no_reference else reference(paths)
    summaries = [run_suites(chip, paths, expected) for chip in chips]
    for summary in summaries:
        summary["failures"].update(failures)
        summary["ok"] = summary["ok"] and not failures
        report(summary)
    if options.json:
        print(json.dumps({"interpreters": summaries}, indent=1))
    return 0 if all(summary["ok"] for summary in summaries) else 1


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except build.BuildError as e:
        sys.exit(f"{e}")
