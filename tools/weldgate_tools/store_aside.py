"""``weldgate store aside``: records that an upstream could not deliver, with the reason and their bytes."""

import sys
from pathlib import Path
from typing import Any

import click

from weldgate_collector import Reader, Record
from weldgate_tools.asking import ask
from weldgate_tools.output import print_json
from weldgate_tools.places import store_file
from weldgate_tools.store_print import document, table, write_csv
from weldgate_tools.units import moment_text

__all__ = ["aside"]


@click.command()
@click.argument("place", type=click.Path(path_type=Path), default=Path("site"))
@click.option("--upstream", help="Of this upstream only.")
@click.option("--forget", is_flag=True, help="Have the running collector forget those of --upstream; recorded.")
@click.option("--json", "as_json", is_flag=True, help="Print one document.")
@click.option("--csv", "as_csv", is_flag=True, help="Print comma-separated values.")
def aside(place: Path, upstream: str | None, forget: bool, as_json: bool, as_csv: bool) -> None:
    """Print records that were set aside, since an upstream's far end or its settings would not take them.

    They stay in the store as well. Exit 1 when there are any. Before --forget, save them: --json has their bytes.

    \b
    Examples:
      weldgate store aside site
      weldgate store aside site --upstream province --json
      weldgate store aside site --upstream province --forget
    """
    if forget:
        if upstream is None:
            raise click.UsageError("--forget needs --upstream")
        done = ask(place, {"do": "forget-aside", "upstream": upstream})
        if as_json:
            print_json({"forgotten": done["forgotten"]})
        else:
            click.echo(f"{done['forgotten']} records forgotten")
        return
    with Reader(store_file(place)) as reader:
        found = [one for one in reader.aside() if upstream in (None, one.upstream)]
    rows: list[dict[str, Any]] = [
        {
            "upstream": one.upstream,
            "index": one.idx,
            "since": moment_text(one.at_ms / 1000),
            "tries": one.tries,
            "reason": one.reason,
            "record": document(Record(one.idx, one.received_ms, one.kind, 0, 0, 0, 0, one.raw)),
            "raw": one.raw.hex(),
        }
        for one in found
    ]
    if as_json:
        print_json(rows)
    elif as_csv:
        write_csv(sys.stdout, rows)
    else:
        table([_short(row) for row in rows], "nothing is set aside")
    if rows:
        raise SystemExit(1)


def _short(row: dict[str, Any]) -> dict[str, Any]:
    """Return what fits a line of a terminal."""
    record = row["record"]
    what = record.get("message") or record.get("record") or record["kind"]
    return {
        **{name: row[name] for name in ("upstream", "index", "since", "tries")},
        "device": record.get("device", ""),
        "message": what,
        "reason": row["reason"],
    }
