"""``weldgate fleet run``: many virtual chips with their welders against a collector that runs."""

import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import click
from rich.console import Console

from weldgate_collector import Chip, add_chips, list_chips
from weldgate_issuer import Issuer
from weldgate_simulator.fleet_run import Request, run_fleet
from weldgate_simulator.provision import GENERATION
from weldgate_simulator.stage import FIRST_DEVICE
from weldgate_tools.output import print_json

__all__ = ["fleet"]

_PLACES = ("", "issuer", "keys")  # where in a site's folder its keys may lie


@click.group()
def fleet() -> None:
    """Run virtual chips."""


@fleet.command()
@click.option("--chips", type=click.IntRange(1, 2000), default=50, show_default=True, help="How many.")
@click.option("--collector", default="127.0.0.1:7460", show_default=True, help="HOST:PORT.")
@click.option(
    "--site", type=click.Path(path_type=Path, exists=True, file_okay=False), required=True, help="Its folder."
)
@click.option("--chips-file", type=click.Path(path_type=Path, dir_okay=False), help="The collector's; else the site's.")
@click.option("--first", type=click.IntRange(1), default=FIRST_DEVICE, show_default=True, help="Number of the first.")
@click.option("--seconds", type=click.IntRange(1, 86_400), default=60, show_default=True, help="How long they weld.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Of welders, boards and noise.")
@click.option("--telemetry", type=click.IntRange(1, 3600), default=1, show_default=True, help="Seconds a record.")
@click.option("--json", "as_json", is_flag=True, help="Print one document.")
def run(
    chips: int,
    collector: str,
    site: Path,
    chips_file: Path | None,
    first: int,
    seconds: int,
    seed: int,
    telemetry: int,
    as_json: bool,
) -> None:
    """Let many virtual chips weld against a running collector, and report what they emitted.

    Numbers count up from --first. Those that the collector's file of chips does not name are added to it: the site's
    own, or the one that --chips-file names; a running collector takes them up within a second.

    \b
    Examples:
      weldgate fleet run --site site --chips 100 --seconds 30
      weldgate fleet run --site site --collector 127.0.0.1:7460 --json
    """
    signal.signal(signal.SIGTERM, _terminated)
    host, _, port = collector.rpartition(":")
    if not host or not port.isdigit():
        raise click.BadParameter(f"{collector!r} is no HOST:PORT", param_hint="--collector")
    keys = _keys(site)
    devices = tuple(range(first, first + chips))
    console = Console(stderr=True)
    _make_known(chips_file or _chips_file(site), Issuer.open(keys), devices)
    request = Request(keys, devices, host, int(port), seconds, seed, telemetry)
    report = run_fleet(request, lambda text: console.print(text, highlight=False, soft_wrap=True))
    if as_json:
        print_json(report)
    else:
        click.echo(_text(report))
    if report["troubles"]:
        sys.exit(1)


def _keys(site: Path) -> Path:
    """Return the folder with the issuer's keys."""
    for place in _PLACES:
        if (site / place / "issuer.json").exists():
            return site / place
    raise click.BadParameter(f"no issuer.json in {site}; make a site with: weldgate init {site}", param_hint="--site")


def _chips_file(site: Path) -> Path:
    """Return the site's file of known chips."""
    found = sorted([*site.glob("chips.jsonl"), *site.glob("*/chips.jsonl")])
    if not found:
        raise click.UsageError(f"no chips.jsonl in {site}; name the collector's with --chips-file")
    return found[0]


def _make_known(path: Path, issuer: Issuer, devices: tuple[int, ...]) -> None:
    """Add what the collector does not know yet."""
    known = {device for device, _ in list_chips(path)} if path.exists() else set()
    missing = []
    for device in devices:
        if str(device) not in known:
            secrets = issuer.chip_secrets(device.to_bytes(8, "big"), GENERATION)
            missing.append(Chip(str(device), GENERATION, secrets.up.hex(), secrets.down.hex()))
    if missing:
        add_chips(path, missing)


def _terminated(_number: int, _frame: FrameType | None) -> NoReturn:
    """End as on Ctrl-C, so that every process ends with this one."""
    sys.exit(143)


def _text(report: dict[str, Any]) -> str:
    """Return the report as a few lines of text."""
    lines = [
        f"chips      {report['chips']}, online after {report['online_after_s']} s",
        f"sessions   {report['sessions']}, and {report['refused']} tokens that had to be refused",
        f"records    {report['acknowledged']} acknowledged, {report['per_s']} a second over {report['seconds']} s",
    ]
    lines += [f"  {count:7d}  {name}" for name, count in report["records"].items()]
    return "\n".join(lines + [f"trouble    {trouble}" for trouble in report["troubles"]])
