"""``weldgate store`` for whoever looks after one: proof of completeness, check, salvage, backup, restore, join."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from weldgate_collector import (
    Chips,
    Gap,
    Line,
    Reader,
    backup_store,
    check_store,
    join_store,
    prove_lines,
    restore_store,
    salvage_store,
)
from weldgate_protocol.errors import LocalError
from weldgate_protocol.frame import FLAG_PARITY, tag_matches
from weldgate_tools.output import print_json
from weldgate_tools.places import store_file
from weldgate_tools.store_print import table, write_csv
from weldgate_tools.store_seals import seals
from weldgate_tools.units import CHIP, MOMENT, device_text, moment_text

__all__ = ["COMMANDS"]

_PLACE = click.argument("place", type=click.Path(path_type=Path), default=Path("site"))
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one document.")
_CSV = click.option("--csv", "as_csv", is_flag=True, help="Print comma-separated values.")
_CHIPS = click.option(
    "--chips-file", type=click.Path(path_type=Path, exists=True), help="With the chips' keys, every tag is verified."
)
_YES = click.option("--yes", is_flag=True, help="Do not ask.")


@click.command()
@_PLACE
@click.option("--chip", "device", type=CHIP, help="This chip only.")
@click.option("--since", type=MOMENT, help="Who was heard at or after this time: a date, a time, or 2h for ago.")
@click.option("--until", type=MOMENT, help="As it was at this time.")
@_JSON
@_CSV
def gaps(place: Path, device: bytes | None, since: int | None, until: int | None, as_json: bool, as_csv: bool) -> None:
    """Prove that stored and declared numbers leave no hole, for every chip and epoch. Exit 1 when one does.

    \b
    missing    neither stored nor declared: the store is damaged, salvage declares it
    lost       it was here once: lost by damage, or after a restore from an older backup
    chip       the chip itself declared it: its flash lost it, or had no room for it
    elsewhere  the chip was told that it is safe, and no longer holds it: another collector has it
    waiting    the chip still holds it, and sends it when it is connected

    Missing and lost numbers are holes; the others are accounted for. A proof begins with what the oldest file that is
    kept opens with, whatever the time: --until ends it there, --since leaves out who was not heard since.

    \b
    Examples:
      weldgate store gaps site
      weldgate store gaps site --chip 410811001 --json
      weldgate store gaps site --since 24h
    """
    number = int.from_bytes(device, "big") if device is not None else None
    until_ms = until * 1000 if until is not None else None
    with Reader(store_file(place)) as reader:
        lines = [
            line for line in prove_lines(reader, number, until_ms) if since is None or line.last_ms >= since * 1000
        ]
    bad = sum(any(gap.is_hole for gap in line.gaps) for line in lines)
    rows = (_row(gap) for line in lines for gap in line.gaps)
    if as_json:
        print_json({"complete": not bad, "lines": [_line(line) for line in lines]})
    elif as_csv:
        write_csv(sys.stdout, rows)
    else:
        table(list(rows), "nothing missing and nothing declared")
        click.echo(f"{len(lines)} chips and epochs, {bad} with holes")
    if bad:
        raise SystemExit(1)


def _row(gap: Gap) -> dict[str, Any]:
    return {
        "device": device_text(gap.device),
        "epoch": f"{gap.epoch:08x}",
        "first": gap.first,
        "last": gap.last,
        "state": gap.state,
        "since": moment_text(gap.since_ms / 1000) if gap.since_ms else None,
        "held": gap.held,
    }


def _line(line: Line) -> dict[str, Any]:
    return {
        "device": device_text(line.device),
        "epoch": f"{line.epoch:08x}",
        "stored": line.stored,
        "declared": [f"{gap.first}-{gap.last}" for gap in line.gaps if not gap.is_hole and not gap.held],
        "missing": [f"{gap.first}-{gap.last}" for gap in line.gaps if gap.is_hole],
        "last_heard": moment_text(line.last_ms / 1000) if line.last_ms else None,
        "gaps": [_row(gap) for gap in line.gaps],
    }


def _tag_check(chips_file: Path | None) -> Callable[[bytes], bool | None] | None:
    """Return what verifies a frame's tag with a collector's own list of chips."""
    if chips_file is None:
        return None
    chips = Chips(chips_file)

    def verifies(raw: bytes) -> bool | None:
        keys = chips.lookup(raw[2:10])
        if keys is None:
            return None
        key = keys.up((raw[0] & FLAG_PARITY) // FLAG_PARITY)
        return None if key is None else tag_matches(raw, key)

    return verifies


@click.command()
@_PLACE
@_CHIPS
@_JSON
def check(place: Path, chips_file: Path | None, as_json: bool) -> None:
    """Look every file of a store over, beside a running collector. Exit 1 when something is wrong.

    \b
    Examples:
      weldgate store check site
      weldgate store check site --chips-file site/chips.jsonl --json
    """
    rows: list[dict[str, Any]] = [
        {
            "file": report.path.name,
            "first": report.first,
            "last": report.last,
            "rows": report.rows,
            "sealed": report.sealed,
            "findings": [f"{finding.kind}: {finding.text}" for finding in report.findings],
        }
        for report in check_store(store_file(place), _tag_check(chips_file))
    ]
    bad = [row for row in rows if row["findings"]]
    if as_json:
        print_json({"sound": not bad, "segments": rows})
    else:
        table([{**row, "findings": len(row["findings"])} for row in rows], "no files")
        for row in bad:
            for finding in row["findings"]:
                click.echo(f"{row['file']}: {finding}")
    if bad:
        raise SystemExit(1)


@click.command()
@_PLACE
@_CHIPS
@_YES
@_JSON
def salvage(place: Path, chips_file: Path | None, yes: bool, as_json: bool) -> None:
    """Mend a damaged store: keep what can be read, declare the rest, set damaged files aside. Stop the collector first.

    A frame whose tag does not verify counts as one that can't be read, where the chips' keys are given. Run `store
    check` with them first: frames under a key that the list no longer has look wrong as well.

    \b
    Examples:
      weldgate store salvage site
      weldgate store salvage site --chips-file site/chips.jsonl
    """
    folder = store_file(place)
    if not yes:
        click.confirm(
            f"mend the store in {folder}? damaged files are set aside, nothing is removed", abort=True, err=True
        )
    rows = [
        {**one._asdict(), "aside": str(one.aside) if one.aside is not None else None}
        for one in salvage_store(folder, tag_matches=_tag_check(chips_file))
    ]
    if as_json:
        print_json(rows)
    else:
        table(rows, "the store is sound, nothing was done")


@click.command()
@_PLACE
@click.argument("target", type=click.Path(path_type=Path, file_okay=False))
@_JSON
def backup(place: Path, target: Path, as_json: bool) -> None:
    """Copy a store to the folder TARGET, also while the collector runs; a second time copies only what is new.

    \b
    Examples:
      weldgate store backup site /media/usb/weldgate
    """
    done = backup_store(store_file(place), target)
    if as_json:
        print_json(done._asdict())
    else:
        click.echo(f"{done.copied} of {done.segments} files copied, rows through {done.last}")


@click.command()
@click.argument("source", type=click.Path(path_type=Path, exists=True, file_okay=False))
@_PLACE
@_YES
@_JSON
def restore(source: Path, place: Path, yes: bool, as_json: bool) -> None:
    """Put the backup SOURCE in a store's place. Stop the collector first; what is there now is set aside.

    Chips send again what they still hold; what they don't is declared by the collector (`weldgate store gaps`).

    \b
    Examples:
      weldgate store restore /media/usb/weldgate site
    """
    folder = _data_folder(place)
    if not yes:
        click.confirm(f"restore {source} to {folder}? the store that is there is set aside", abort=True, err=True)
    done = restore_store(source, folder)
    if as_json:
        print_json(done._asdict())
    else:
        click.echo(f"{done.segments} files restored, rows through {done.last}")


def _data_folder(place: Path) -> Path:
    """Return where a store is, or is to be: a site's ``data``, or the folder itself."""
    try:
        return store_file(place)
    except LocalError:
        return place / "data" if (place / "collector.toml").exists() else place


@click.command()
@_PLACE
@click.argument("target", type=click.Path(path_type=Path, dir_okay=False))
@_JSON
def join(place: Path, target: Path, as_json: bool) -> None:
    """Write all segments as one SQLite file, indexed by chip and by time, for datasette and the like.

    \b
    Examples:
      weldgate store join site all.sqlite3
      datasette all.sqlite3
    """
    done = join_store(store_file(place), target)
    if as_json:
        print_json(done._asdict())
    else:
        click.echo(f"{done.segments} files joined, rows through {done.last}")


COMMANDS = (gaps, seals, check, salvage, backup, restore, join)
