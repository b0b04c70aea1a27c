"""``weldgate collector units`` and ``dashboard``: print what is shipped for those who operate a collector."""

import getpass
import shutil
import sys
from pathlib import Path

import click

from weldgate_tools.site import config_file

__all__ = ["dashboard", "units"]


@click.command()
@click.argument("place", type=click.Path(path_type=Path), default=Path("site"))
@click.option("--user", default=getpass.getuser, show_default="you", help="Whom the collector runs as.")
@click.option("--program", type=click.Path(path_type=Path), help="The weldgate command; this one when absent.")
def units(place: Path, user: str, program: Path | None) -> None:
    """Print a systemd unit for a collector: notify and watchdog, reload, hardening.

    The data folder has to be there before it starts, and belong to the user.

    \b
    Examples:
      weldgate collector units site > /etc/systemd/system/weldgate-collector.service
      weldgate collector units /etc/weldgate/collector.toml --user welding
    """
    from weldgate_collector import load_config, unit_text

    path = config_file(place)
    found = program or Path(shutil.which("weldgate") or sys.argv[0])
    click.echo(unit_text(load_config(path), path, found, user), nl=False)


@click.command()
def dashboard() -> None:
    """Print a Grafana dashboard, to be imported there; it asks for the Prometheus that scrapes /metrics.

    \b
    Examples:
      weldgate collector dashboard > weldgate.json
    """
    from weldgate_collector import dashboard_text

    click.echo(dashboard_text(), nl=False)
