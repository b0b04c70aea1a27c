"""``weldgate init``: a site with its keys, its collector's configuration and a few demo chips."""

import secrets
import sys
import time
from pathlib import Path

import click

from weldgate_collector import Chip, add_chips, parse_config, write_secret
from weldgate_issuer import Issuer, read_backup, write_backup
from weldgate_protocol.cose import ES256, SM2_SM3
from weldgate_protocol.errors import LocalError
from weldgate_protocol.reasons import TOOL_BAD_INPUT, TOOL_EXISTS
from weldgate_simulator.provision import GENERATION, identity_of, new_flash, provision
from weldgate_tools.output import print_json
from weldgate_tools.site import Site, config_text

__all__ = ["init"]

SUITES = {"es256": ES256, "sm2": SM2_SM3}
FIRST_CHIP = 410811001  # any number will do: the county's code and a counter


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=Path("site"))
@click.option("--chips", type=click.IntRange(0, 1000), default=3, show_default=True, help="Demo chips to make.")
@click.option("--area", default="411081", show_default=True, help="Administrative code the keys are for.")
@click.option(
    "--suite", type=click.Choice(list(SUITES)), default="es256", show_default=True, help="What new keys sign by."
)
@click.option("--name", default="site", show_default=True, help="The collector's name.")
@click.option("--port", type=click.IntRange(1, 65535), default=7460, show_default=True, help="TCP port for chips.")
@click.option("--mqtt-port", type=click.IntRange(1, 65535), default=1883, show_default=True, help="The broker's.")
@click.option("--metrics-port", type=click.IntRange(1, 65535), default=9464, show_default=True, help="Of /metrics.")
@click.option("--backup", type=click.Path(path_type=Path, dir_okay=False), help="Write the site's keys, encrypted.")
@click.option(
    "--restore", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="Take the keys from a backup."
)
@click.option("--passphrase-file", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="Of the backup.")
@click.option("--json", "as_json", is_flag=True, help="Print one document.")
def init(
    folder: Path,
    chips: int,
    area: str,
    suite: str,
    name: str,
    port: int,
    mqtt_port: int,
    metrics_port: int,
    backup: Path | None,
    restore: Path | None,
    passphrase_file: Path | None,
    as_json: bool,
) -> None:
    """Make a site in FOLDER: keys, configuration, known chips and the demo chips' flash.

    Nothing that is there is overwritten. The keys decide who may start a machine: keep the backup in a safe, and move
    root-offline.pem and key-emergency.pem out of issuer/ to where only the duty officer gets at them.

    \b
    Examples:
      weldgate init
      weldgate init county --area 411081 --chips 10 --backup county-keys.backup
      weldgate init county --suite sm2
      weldgate init county --restore county-keys.backup --chips 0
      weldgate init --json
    """
    site = Site(folder)
    for path in (site.config, site.issuer, site.chips_file):
        if path.exists():
            raise LocalError(TOOL_EXISTS, f"{path} exists already; nothing was changed")
    if backup is not None and restore is not None:
        raise click.UsageError("--backup or --restore: the backup that is restored is one")
    if backup is not None and backup.exists():
        raise LocalError(TOOL_EXISTS, f"{backup} exists already; nothing was changed")
    text = config_text(name, port, mqtt_port, metrics_port)
    parse_config(text, str(site.config), folder)  # what can be wrong is told before anything is made
    phrase = "" if backup is None and restore is None else _passphrase(passphrase_file, twice=restore is None)
    now_s = int(time.time())
    issuer = Issuer.generate(now_s, area, SUITES[suite]) if restore is None else read_backup(restore, phrase)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if backup is not None:
        write_backup(issuer, backup, phrase)
    issuer.save(site.issuer)
    key_set = issuer.issue_key_set(issued_s=now_s)
    write_secret(site.key_set, key_set)
    devices = [FIRST_CHIP + k for k in range(chips)]
    write_secret(site.key, secrets.token_hex(32).encode() + b"\n")
    add_chips(site.chips_file, [_chip(issuer, device) for device in devices])
    _write_images(site, issuer, key_set, devices, port)
    write_secret(site.config, text.encode())  # last: now it is a site
    if as_json:
        print_json(
            {
                "folder": str(folder),
                "chips": [str(device) for device in devices],
                "port": port,
                "mqtt_port": mqtt_port,
                "backup": str(backup) if backup is not None else None,
            }
        )
        return
    click.echo(f"{folder}: a site for area {_area(issuer) or 'everywhere'} with {chips} demo chips")
    if backup is None and restore is None:
        click.echo(
            "  no backup of the keys was made; whoever loses them must fit every chip anew: use --backup", err=True
        )
    click.echo("next:", err=True)
    click.echo(f"  weldgate serve {folder} --demo-chips", err=True)
    if devices:
        click.echo(f"  weldgate token issue --site {folder} --chip {devices[0]} --holder zhang3 --qr", err=True)
    click.echo(f"  weldgate doctor {folder}", err=True)


def _area(issuer: Issuer) -> str:
    """Return the area of a site's keys."""
    return next((key.area for key in issuer.index.keys.values()), "")


def _passphrase(path: Path | None, twice: bool) -> str:
    """Return the backup's passphrase from a file or from the terminal, a new one twice."""
    if path is None:
        if not _at_terminal():
            raise LocalError(
                TOOL_BAD_INPUT,
                "the backup has a passphrase and there is no terminal to ask for it: name a file that has it in its"
                " first line with --passphrase-file; nothing was changed",
            )
        return str(click.prompt("passphrase of the backup", hide_input=True, confirmation_prompt=twice, err=True))
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise LocalError(TOOL_BAD_INPUT, f"{path} is no text in UTF-8; its first line is the passphrase") from None
    if not lines:
        raise LocalError(TOOL_BAD_INPUT, f"{path} is empty; its first line is the passphrase")
    return lines[0]


def _at_terminal() -> bool:
    """Tell whether somebody can be asked; without a terminal the answer could be read by others."""
    return sys.stdin is not None and sys.stdin.isatty()


def _chip(issuer: Issuer, device: int) -> Chip:
    keys = issuer.chip_secrets(device.to_bytes(8, "big"), GENERATION)
    return Chip(str(device), GENERATION, keys.up.hex(), keys.down.hex())


def _write_images(site: Site, issuer: Issuer, key_set: bytes, devices: list[int], port: int) -> None:
    """Lay identity and key set into the demo chips' flash, as a bench would; images hold keys, so mode 0600."""
    site.images.mkdir(mode=0o700, exist_ok=True)
    for device in devices:
        flash = new_flash(seed=device)
        identity = identity_of(issuer, device.to_bytes(8, "big"), "127.0.0.1", port)
        provision(flash, identity, key_set)
        write_secret(site.images / f"{device}.flash", bytes(flash.data))
