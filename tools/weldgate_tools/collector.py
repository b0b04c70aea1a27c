"""``weldgate collector``: run and check a collector, ask a running one, keep its list of chips."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import weldgate_collector
from weldgate_collector import Chip, add_chips, list_chips, load_config, remove_chips
from weldgate_protocol.errors import LocalError
from weldgate_protocol.reasons import TOOL_BAD_INPUT, TOOL_NOT_FOUND
from weldgate_tools.asking import ask
from weldgate_tools.bundle import bundle
from weldgate_tools.collector_replay import replay
from weldgate_tools.output import print_json
from weldgate_tools.places import issuer_folder
from weldgate_tools.shipped import dashboard, units
from weldgate_tools.site import config_file
from weldgate_tools.top import top
from weldgate_tools.units import CHIP, device_text

if TYPE_CHECKING:
    from weldgate_issuer import Issuer

__all__ = ["collector"]

_PLACE = click.argument("place", type=click.Path(path_type=Path), default=Path("site"))
_SITE = click.option(
    "--site", type=click.Path(path_type=Path), default=Path("site"), show_default=True, help="Site or collector.toml."
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one document.")


@click.group()
def collector() -> None:
    """Run and check a collector. PLACE is a site's folder or a collector.toml."""


for _command in (bundle, dashboard, replay, top, units):
    collector.add_command(_command)


@collector.command()
@_PLACE
@click.option("--record", type=click.Path(path_type=Path), help="Record what the links carry to a new file.")
def run(place: Path, record: Path | None) -> None:
    """Run a collector until SIGTERM or Ctrl-C; it commits what it has before it ends.

    \b
    Examples:
      weldgate collector run site
      weldgate collector run /etc/weldgate/collector.toml
      weldgate collector run site --record monday.wgr
    """
    weldgate_collector.run(config_file(place), record)


@collector.command()
@_PLACE
@_JSON
def check(place: Path, as_json: bool) -> None:
    """Check a configuration and the files it names, without starting anything.

    Errors name the key and the line.

    \b
    Examples:
      weldgate collector check site
      weldgate collector check collector.toml --json
    """
    found = weldgate_collector.check(config_file(place))
    if as_json:
        print_json({"ok": True, "found": found})
    else:
        click.echo("\n".join(found))


@collector.command()
@_PLACE
@_JSON
def status(place: Path, as_json: bool) -> None:
    """Ask a running collector how it is. Exit 1 when it says that something is wrong.

    \b
    Examples:
      weldgate collector status site
      weldgate collector status site --json
    """
    found = ask(place, {"do": "status"})
    if as_json:
        print_json(found)
    else:
        click.echo(f"store {found['store']}, {found['committed']} rows, {found['backlog_rows']} waiting")
        click.echo(f"{found['chips_online']} chips online")
        for name, link in found["links"].items():
            trouble = f": {link['trouble']}" if link["trouble"] else ""
            state = "up" if link["up"] else "down"
            click.echo(f"link {name} {state}, {link['connections']} connections, {link['refused']} refused{trouble}")
        for name, upstream in found["upstreams"].items():
            state = "connected" if upstream["connected"] else "not connected"
            trouble = f": {upstream['trouble']}" if upstream["trouble"] else ""
            aside = f", {upstream['aside']} set aside" if upstream["aside"] else ""
            where = f"at {upstream['through']}, {upstream['waiting_rows']} rows waiting{aside}"
            click.echo(f"upstream {name} {state}, {where}{trouble}")
    if not found["ok"]:
        raise SystemExit(1)


@collector.group()
def chips() -> None:
    """Keep the list of chips that a collector knows. A running one takes changes up within a second."""


@chips.command("list")
@_SITE
@_JSON
def list_(site: Path, as_json: bool) -> None:
    """Print the known chips and the generation of their keys; never the keys.

    \b
    Examples:
      weldgate collector chips list
      weldgate collector chips list --site county --json
    """
    found = list_chips(_file(site)) if _file(site).exists() else []
    if as_json:
        print_json([{"device": device, "generation": generation} for device, generation in found])
        return
    for device, generation in found:
        click.echo(f"{device}  generation {generation}")
    click.echo(f"{len(found)} chips", err=True)


@chips.command()
@click.argument("device", nargs=-1, required=True, type=CHIP)
@click.option("--generation", type=click.IntRange(0, 0xFFFFFFFF), default=0, show_default=True, help="Of the keys.")
@click.option("--issuer", type=click.Path(path_type=Path), help="Folder with the site's keys; the site's when absent.")
@_SITE
def add(device: tuple[bytes, ...], generation: int, issuer: Path | None, site: Path) -> None:
    """Make chips known, with keys derived from the site's root, those of the generation before among them.

    \b
    Examples:
      weldgate collector chips add 410811004 410811005
      weldgate collector chips add 410811004 --generation 1 --site county
    """
    from weldgate_issuer import Issuer  # here, since a collector's machine need not have the issuer

    keys = Issuer.open(issuer_folder(issuer if issuer is not None else site))
    made = []
    for one in device:
        secrets = keys.chip_secrets(one, generation)
        made.append(
            Chip(device_text(one), generation, secrets.up.hex(), secrets.down.hex(), *_before(keys, one, generation))
        )
    count = add_chips(_file(site), made)
    click.echo(f"{count} chips added or changed", err=True)


@chips.command("import")
@click.argument("source", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@_SITE
def import_(source: Path, site: Path) -> None:
    """Make the chips of a file known: CSV with the columns device, generation, up, down, or JSON lines.

    Either may have previous_up and previous_down, the keys of the generation before, for a chip that still has them.

    All or nothing: a bad row is named and changes nothing.

    \b
    Examples:
      weldgate collector chips import batch.csv
      weldgate collector chips import batch.jsonl --site county
    """
    found = list(_read_chips(source))
    if not found:
        raise LocalError(
            TOOL_BAD_INPUT, f"{source} names no chips: device,generation,up,down in its first line, or JSON"
        )
    count = add_chips(_file(site), found)
    click.echo(f"{count} chips added or changed", err=True)


@chips.command()
@click.argument("device", nargs=-1, required=True, type=CHIP)
@click.option("--yes", is_flag=True, help="Do not ask.")
@_SITE
def remove(device: tuple[bytes, ...], yes: bool, site: Path) -> None:
    """Forget chips: they are turned away from then on. What they have sent stays.

    \b
    Examples:
      weldgate collector chips remove 410811004 --yes
    """
    names = [device_text(one) for one in device]
    if not yes:
        click.confirm(f"forget {', '.join(names)}? they will be turned away", abort=True, err=True)
    count = remove_chips(_file(site), names)
    if count < len(names):
        raise LocalError(TOOL_NOT_FOUND, f"{len(names) - count} of {len(names)} chips were not known")
    click.echo(f"{count} chips forgotten", err=True)


def _before(keys: "Issuer", device: bytes, generation: int) -> tuple[str, str]:
    """Return up and down of the generation before, empty for the first: a chip has frames spooled under it."""
    if not generation:
        return "", ""
    secrets = keys.chip_secrets(device, generation - 1)
    return secrets.up.hex(), secrets.down.hex()


def _file(site: Path) -> Path:
    return load_config(config_file(site)).chips_file


def _read_chips(source: Path) -> Iterator[Chip]:
    """Yield the chips of a CSV file or of JSON lines.

    Raises:
        LocalError: TOOL_BAD_INPUT; the row is named, its keys are not.
    """
    try:
        text = source.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise LocalError(TOOL_BAD_INPUT, f"{source} is no text in UTF-8") from None
    rows: Any = (json.loads(line) for line in text.splitlines() if line.strip())
    if not text.lstrip().startswith("{"):
        rows = csv.DictReader(text.splitlines())
    number = 0
    try:
        for number, row in enumerate(rows, 1):  # noqa: B007 - told in the error
            # As the collector's own file has it: what is spooled under the generation before is refused without.
            before = [(row.get(name) or "").strip() for name in ("previous_up", "previous_down")]
            up, down = row["up"].strip(), row["down"].strip()
            yield Chip(str(row["device"]).strip(), int(row["generation"]), up, down, *before)
    except (KeyError, ValueError, AttributeError, TypeError, OverflowError, RecursionError, csv.Error) as error:
        what = f"no {error}" if isinstance(error, KeyError) else "not readable"
        row_number = number + isinstance(error, json.JSONDecodeError)  # a line that is no JSON was never counted
        raise LocalError(TOOL_BAD_INPUT, f"{source}, row {row_number}: {what}") from None
