"""Rows of a store as documents, lines of a terminal, and comma-separated values."""

import csv
import io
import json
from typing import IO, TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table

from weldgate_protocol.errors import RemoteError
from weldgate_tools.annotate import frame_document, own_document
from weldgate_tools.units import moment_text

if TYPE_CHECKING:
    from weldgate_collector import Record

__all__ = ["document", "short", "table", "write_csv"]

OWN = 2  # kind of a row: the collector's own record; 1 is a chip's frame


def document(record: "Record") -> dict[str, Any]:
    """Return a row taken apart; one that can't be read says why and keeps its bytes."""
    head = {"idx": record.idx, "received": moment_text(record.received_ms / 1000, milliseconds=True)}
    try:
        if record.kind == OWN:
            return {**head, "kind": "collector", **own_document(record.raw)}
        return {**head, "kind": "frame", **frame_document(record.raw)}
    except RemoteError as error:
        return {**head, "kind": "unreadable", "error": error.code, "message": error.message, "raw": record.raw.hex()}


def short(row: dict[str, Any]) -> dict[str, Any]:
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


def write_csv(out: IO[Any], rows: Any) -> None:
    """Write rows with one column a value; nested values as JSON in theirs."""
    writer: Any = None
    for row in rows:
        flat = {name: _cell(value) for name, value in row.items()}
        if writer is None:
            columns = list(dict.fromkeys([*flat, "message", "fields", "raw"])) if "idx" in flat else list(flat)
            writer = csv.DictWriter(out, columns, extrasaction="ignore", restval="")
            writer.writeheader()
        writer.writerow(flat)


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value


def table(rows: list[dict[str, Any]], empty: str) -> None:
    """Print rows as a table, or what their absence means."""
    if not rows:
        click.echo(empty)
        return
    out = io.StringIO()
    made = Table(box=None, pad_edge=False)
    for name in rows[0]:
        made.add_column(name)
    for row in rows:
        made.add_row(*("-" if value is None or value == [] else str(value) for value in row.values()))
    Console(file=out, width=200, markup=False, highlight=False).print(made)
    click.echo(out.getvalue().rstrip())
