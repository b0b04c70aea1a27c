"""How the command line speaks: data on standard output, talk and errors on standard error, texts in two languages."""

import csv
import io
import json
import os
from typing import IO, Any

import click
from rich.console import Console
from rich.table import Table

from weldgate_protocol.errors import WeldgateError
from weldgate_protocol.reason_texts import TEXTS

__all__ = ["language", "print_json", "print_table", "say_error", "write_csv"]


def language(wanted: str | None = None) -> str:
    """Return `zh` or `en`: the one that was asked for, else by the environment's locale."""
    if wanted in ("zh", "en"):
        return wanted
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(name, "")
        if value:
            return "zh" if value.lower().startswith("zh") else "en"
    return "en"


def print_json(document: Any) -> None:
    """Print one JSON document, Chinese as Chinese."""
    click.echo(json.dumps(document, ensure_ascii=False, indent=2))


def say_error(error: WeldgateError) -> None:
    """Print an error with its number and what to do next."""
    click.echo(f"error {error.code}: {error.message}", err=True)
    text = TEXTS.get(error.code)
    if text is not None:
        click.echo("  " + text[3 if language() == "zh" else 4], err=True)


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


def print_table(rows: list[dict[str, Any]], empty: str) -> None:
    """Print rows as a table, or what their absence means."""
    if not rows:
        click.echo(empty)
        return
    out = io.StringIO()
    table = Table(box=None, pad_edge=False)
    for name in rows[0]:
        table.add_column(name)
    for row in rows:
        table.add_row(*("-" if value is None or value == [] else str(value) for value in row.values()))
    Console(file=out, width=200, markup=False, highlight=False).print(table)
    click.echo(out.getvalue().rstrip())
