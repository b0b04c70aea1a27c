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
from weldgate_protocol.errors import RemoteError
from weldgate_tools.annotate import frame_document, own_document
from weldgate_tools.output import print_json, print_table, write_csv
from weldgate_tools.places import store_file
from weldgate_tools.store_care import COMMANDS
from weldgate_tools.store_view import sessions, summarise
from weldgate_tools.units import CHIP, MOMENT, moment_text

__all__ = ["store"]

FRAME, OWN = 1, 2
_TYPES = {row[0]: type_ for type_, row in messages.MESSAGES.items()}
_PLACE = click.argument("place", type=click.Path(path_type=Path), default=Path("site"))
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one document.")
_CSV = click.option("--csv", "as_csv", is_flag=True, help="Print comma-separated values.")


def _selection(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that choose rows."""
    options: tuple[Callable[..., Callable[..., Any]], ...] = (
        click.option("--type", "types", type=click.Choice(sorted(_TYPES)), multiple=True, help="These messages only."),
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
@_selection
@_JSON
@_CSV
def summary(place: Path, as_json: bool, as_csv: bool, **chosen: Any) -> None:
    """Count frames by chip.

    \b
    Examples:
      weldgate store summary site
      weldgate store summary site/data/store.sqlite3 --since 2h --json
      weldgate store summary site --type refusal --csv
    """
    with Reader(store_file(place)) as reader:
        chips = summarise(_rows(reader, chosen))
        upstreams = [{"name": name, "through": through, "rows": rows} for name, through, rows in reader.cursors()]
        document: dict[str, Any] = {
            "store_id": reader.store_id().hex(),
            "rows": reader.last_index(),
            "frames": sum(chip["frames"] for chip in chips),
            "upstreams": upstreams,
            "chips": chips,
        }
    if as_json:
        print_json(document)
        return
    if as_csv:
        write_csv(sys.stdout, chips)
        return
    print_table(chips, "no such rows: is the collector running, and are chips online?")
    click.echo(f"{document['frames']} frames; {document['rows']} rows in store {document['store_id']}")
    for one in upstreams:
        click.echo(f"upstream {one['name']}: {one['rows']} rows receipted, pack {one['through']}")


@store.command()
@_PLACE
@_selection
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="At most so many rows.")
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
        rows = [_document(record) for record in islice(_rows(reader, chosen), limit)]
    if as_json:
        print_json(rows)
    elif as_csv:
        write_csv(sys.stdout, rows)
    else:
        print_table([_short(row) for row in rows], "no such rows")


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
        found = sessions(_rows(reader, {**chosen, "types": ()}, FRAME))
    if as_json:
        print_json(found)
    elif as_csv:
        write_csv(sys.stdout, found)
    else:
        print_table(found, "no sessions")


@store.command()
@_PLACE
@click.argument("target", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True), default=Path("-"))
@_selection
@_CSV
def export(place: Path, target: Path, as_csv: bool, **chosen: Any) -> None:
    """Write rows to TARGET as JSON lines, or as CSV with --csv; - is standard output.

    The raw bytes come along in hex, so nothing is lost; chip numbers are text.

    \b
    Examples:
      weldgate store export site rows.jsonl --since 2026-11-01
      weldgate store export site --chip 410811001 --csv > chip.csv
    """
    console = Console(stderr=True)
    with (
        Reader(store_file(place)) as reader,
        Progress(SpinnerColumn(), TextColumn("{task.completed} rows"), console=console, transient=True) as progress,
        click.open_file(str(target), "w", encoding="utf-8", atomic=str(target) != "-") as out,
    ):
        task = progress.add_task("export", total=None)

        def documents() -> Iterator[dict[str, Any]]:
            for record in _rows(reader, chosen):
                progress.advance(task)
                yield {**_document(record), "raw": record.raw.hex()}

        if as_csv:
            write_csv(out, documents())
        else:
            for document in documents():
                out.write(json.dumps(document, ensure_ascii=False) + "\n")
        count = int(progress.tasks[0].completed)
    click.echo(f"{count} rows", err=True)


def _document(record: Record) -> dict[str, Any]:
    """Return a row taken apart; one that can't be read says why and keeps its bytes."""
    head = {"idx": record.idx, "received": moment_text(record.received_ms / 1000, milliseconds=True)}
    try:
        if record.kind == OWN:
            return {**head, "kind": "collector", **own_document(record.raw)}
        return {**head, "kind": "frame", **frame_document(record.raw)}
    except RemoteError as error:
        return {**head, "kind": "unreadable", "error": error.code, "message": error.message, "raw": record.raw.hex()}


def _short(row: dict[str, Any]) -> dict[str, Any]:
    """Return what fits a line of a terminal."""
    fields = row.get("fields", {})
    words = [f"{name}={field.get('text', field['value'])}" for name, field in fields.items()]
    if row["kind"] == "collector":
        words = [f"{name}={row[name]}" for name in ("first", "last", "online", "reason_name", "text") if row.get(name)]
    return {
        "idx": row["idx"],
        "device": row.get("device", ""),
        "seq": row.get("seq", ""),
        "time": row.get("time", row["received"]),
        "message": row.get("message") or f"[{row.get('record', row['kind'])}]",
        "fields": " ".join(words),
    }


for _command in COMMANDS:
    store.add_command(_command)
