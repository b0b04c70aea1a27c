"""``weldgate demo``: the whole line in about a minute, each step ticked when it has been seen."""

import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import click
from rich.console import Console
from rich.markup import escape
from rich.status import Status

from weldgate_protocol.reason_texts import TEXTS
from weldgate_simulator.demo import DemoError, Options, perform
from weldgate_tools.output import language, print_json

__all__ = ["demo"]


class _Ticks:
    """Ticked lines on standard error, with the present wait below them on a terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status: Status | None = None
        self._step = ""

    def begin(self, text: str) -> None:
        self._step = text
        if self._console.is_terminal:
            self._status = self._console.status(escape(text))
            self._status.start()

    def waiting(self, text: str) -> None:
        if self._status is not None:
            self._status.update(f"{escape(self._step)} [dim]· waiting for {escape(text)}[/dim]")
        elif not self._step:
            self._console.print(text, soft_wrap=True, highlight=False, markup=False)

    def done(self, text: str) -> None:
        self.close()
        self._console.print(f"[green]✓[/green] {escape(text)}", soft_wrap=True, highlight=False)

    def close(self) -> None:
        """Take the line of the present wait away."""
        if self._status is not None:
            self._status.stop()
            self._status = None


@click.command()
@click.option("--seconds", type=click.IntRange(1, 3600), default=60, show_default=True, help="About how long.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Of welders, boards and noise.")
@click.option(
    "--chips", type=click.IntRange(1, 500), default=50, show_default=True, help="On CPython, beside the first."
)
@click.option("--json", "as_json", is_flag=True, help="Print one document.")
@click.option("--keep", type=click.Path(path_type=Path, file_okay=False), help="Keep databases, flash and logs here.")
def demo(seconds: int, seed: int, chips: int, as_json: bool, keep: Path | None) -> None:
    """Show the whole line: chips, collector, broker and consumer, through cuts and kills, and the ledger at the end.

    One chip runs in the real MicroPython and plays a recorded weld, the others run on CPython. Exit 0 when everything
    held, 1 when anything did not.

    \b
    Examples:
      weldgate demo
      weldgate demo --seconds 30 --json
      weldgate demo --seed 7 --keep demo-files
    """
    signal.signal(signal.SIGTERM, _terminated)
    console = Console(stderr=True)
    ticks = _Ticks(console)
    try:
        document = perform(Options(seconds, seed, chips, keep), ticks)
    except DemoError as error:
        ticks.close()
        document = error.document
        if error.logs:
            console.print(error.logs, markup=False, highlight=False, soft_wrap=True)
        console.print(f"[red]✗[/red] {error.code}: {escape(error.message)}", highlight=False, soft_wrap=True)
    finally:
        ticks.close()
    _print(document, as_json)
    if keep is not None and keep.exists():
        store = keep / "line" / "data"
        console.print(f"kept in {keep}; look with: weldgate store summary {store}", soft_wrap=True, highlight=False)
    if not document["ok"]:
        sys.exit(1)


def _terminated(_number: int, _frame: FrameType | None) -> NoReturn:
    """End as on Ctrl-C, so that every process ends with this one."""
    sys.exit(143)


def _print(document: dict[str, Any], as_json: bool) -> None:
    """Print the document, or what a person wants of it."""
    if as_json:
        print_json(document)
    elif "emitted" in document:
        click.echo(_report(document))


def _report(document: dict[str, Any]) -> str:
    """Return the ledger as a few lines of text."""
    column = 1 if language() == "zh" else 2
    lines = [
        f"interpreter    {document['interpreter']}",
        f"chips          {document['chips']}",
        f"records        {document['emitted']} emitted, {document['stored']} stored, {document['delivered']} delivered",
        f"               {document['lost']} lost, {document['duplicates']} doubled, {document['changed']} changed",
        f"gaps           {document['gaps_declared']} declared, contiguous: {_yes(document['gaps_contiguous'])}",
        f"arc            {document['arc_seconds']:.2f} s, in the trace {document['arc_seconds_expected']:.2f} s"
        f" (± {document['arc_tolerance_s']} s)",
        "refusals",
    ]
    lines += [
        f"  {count:5d}  {number:>3} {TEXTS[int(number)][column]}" for number, count in document["refusals"].items()
    ]
    lines.append("alarms")
    for alarm in document["alarms"]:
        held = ", latched" if alarm["latched"] else ""
        lines.append(f"  {alarm['chips']:5d}  {alarm['alarm']:>3} {TEXTS[alarm['alarm']][column]}{held}")
    lines += [f"trouble        {trouble}" for trouble in document["troubles"]]
    return "\n".join(lines)


def _yes(value: bool) -> str:
    return "yes" if value else "NO"
