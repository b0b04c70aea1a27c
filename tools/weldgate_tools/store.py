"""``weldgate store``: what a collector has stored, by chip and time, for people and for programs."""

import json
import sys
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

from weldgate_collector import Reader, Record
from weldgate_protocol import messages
from weldgate_protocol.errors import LocalError
from weldgate_protocol.reasons import TOOL_NOT_FOUND
from weldgate_tools.output import print_json
from weldgate_tools.places import store_file
from weldgate_tools.store_aside import aside
from weldgate_tools.store_care import COMMANDS
from weldgate_tools.store_print import document, short, table, write_csv
from weldgate_tools.store_view import sessions, summarise
from weldgate_tools.units import CHIP, MOMENT

__all__ = ["store"]

FRAME = 1
_LIMIT_MAX = 1_000_000  # what is printed at once; `export` knows no limit
_TYPES = {row[0]: type_ for type_, row in messages.MESSAGES.items()}
_PLACE = click.argument("place", type=click.Path(path_type=Path), default=Path("site"))
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one document.")
_CSV = click.option("--csv", "as_csv", is_flag=True, help="Print comma-separated values.")


_TYPE = click.option("--type", "types", type=click.Choice(sorted(_TYPES)), multiple=True, help="These messages only.")


def _selection(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that choose rows."""
    options: tuple[Callable[..., Callable[..., Any]], ...] = (
        click.option("--until", type=MOMENT, help="Received before this time."),
        click.option("--since", type=MOMENT, help="Received at or after this time: a date, a time, or 2h for ago."),
        click.option("--chip", "device", type=CHIP, help="This chip only."),
    )
    for option in options:
        command = option(command)
    return command


def _rows(reader: Reader, chosen: dict[str, Any], kind: int | None = None) -> Iterator[Record]:
    device, since, until = chosen["device"], chosen["since"], chosen["until"]
    return reader.records(
        int.from_bytes(device, "big") if device is not None else None,
        since * 1000 if since is not None else None,
        until * 1000 if until is not None else None,
        tuple(_TYPES[name] for name in chosen.get("types", ())),
        kind,
    )


@click.group()
def store() -> None:
    """Look into what a collector has stored. PLACE is a store, a data folder or a site; it may be in use meanwhile."""


@store.command()
@_PLACE
@_TYPE
@_selection
@_JSON
@_CSV
def summary(place: Path, as_json: bool, as_csv: bool, **chosen: Any) -> None:
    """Count frames by chip.

    \b
    Examples:
      weldgate store summary site
      weldgate store summary site/data --since 2h --json
      weldgate store summary site --type refusal --csv
    """
    with Reader(store_file(place)) as reader:
        chips = summarise(_rows(reader, chosen))
        upstreams = [{"name": name, "through": through, "rows": rows} for name, through, rows in reader.cursors()]
        found: dict[str, Any] = {
            "store_id": reader.store_id().hex(),
            "rows": reader.last_index(),
            "frames": sum(chip["frames"] for chip in chips),
            "upstreams": upstreams,
            "chips": chips,
        }
    if as_json:
        print_json(found)
        return
    if as_csv:
        write_csv(sys.stdout, chips)
        return
    table(chips, "no such rows: is the collector running, and are chips online?")
    click.echo(f"{found['frames']} frames; {found['rows']} rows in store {found['store_id']}")
    for one in upstreams:
        click.echo(f"upstream {one['name']}: {one['rows']} rows receipted, pack {one['through']}")


@store.command()
@_PLACE
@_TYPE
@_selection
@click.option(
    "--limit", type=click.IntRange(1, _LIMIT_MAX), default=100, show_default=True, help="At most so many rows."
)
@_JSON
@_CSV
def frames(place: Path, limit: int, as_json: bool, as_csv: bool, **chosen: Any) -> None:
    """Print frames in order of arrival, taken apart.

    \b
    Examples:
      weldgate store frames site --chip 410811001 --since 2h
      weldgate store frames site --type refusal --type alarm --json
    """
    with Reader(store_file(place)) as reader:
        rows = [document(record) for record in islice(_rows(reader, chosen), limit)]
    if as_json:
        print_json(rows)
    elif as_csv:
        write_csv(sys.stdout, rows)
    else:
        table([short(row) for row in rows], "no such rows")


@store.command("sessions")
@_PLACE
@_selection
@_JSON
@_CSV
def sessions_(place: Path, as_json: bool, as_csv: bool, **chosen: Any) -> None:
    """Join starts, arcs and stops into sessions.

    \b
    Examples:
      weldgate store sessions site --since 2026-11-24
      weldgate store sessions site --chip 410811001 --csv
    """
    with Reader(store_file(place)) as reader:
        found = sessions(_rows(reader, chosen, FRAME))
    if as_json:
        print_json(found)
    elif as_csv:
        write_csv(sys.stdout, found)
    else:
        table(found, "no sessions")


@store.command()
@_PLACE
@click.argument("target", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True), default=Path("-"))
@_TYPE
@_selection
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines, as without it.")
@_CSV
def export(place: Path, target: Path, as_json: bool, as_csv: bool, **chosen: Any) -> None:
    """Write rows to TARGET as JSON lines, or as CSV with --csv; - is standard output.

    The raw bytes come along in hex, so nothing is lost; chip numbers are text.

    \b
    Examples:
      weldgate store export site rows.jsonl --since 2026-11-01
      weldgate store export site --chip 410811001 --csv > chip.csv
    """
    if as_json and as_csv:
        raise click.UsageError("--json or --csv: one of them says how")
    if not target.parent.is_dir():
        raise LocalError(TOOL_NOT_FOUND, f"{target}: there is no folder {target.parent}")
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.completed} rows"))
    with (
        Reader(store_file(place)) as reader,
        Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress,
        click.open_file(str(target), "w", encoding="utf-8", atomic=not target.exists() or target.is_file()) as out,
    ):
        task = progress.add_task("export", total=None)

        def documents() -> Iterator[dict[str, Any]]:
            for record in _rows(reader, chosen):
                progress.advance(task)
                yield {**document(record), "raw": record.raw.hex()}

        if as_csv:
            write_csv(out, documents())
        else:
            for row in documents():
                out.write(json.dumps(row, ensure_ascii=False) + "\n")
        count = int(progress.tasks[0].completed)
    click.echo(f"{count} rows", err=True)


for _command in (aside, *COMMANDS):
    store.add_command(_command)
