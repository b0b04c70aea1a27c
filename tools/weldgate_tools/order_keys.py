"""``weldgate order key-set`` and ``rekey``: the keys that chips trust, and the chips' own."""

import time
from pathlib import Path
from typing import Any

import click

from weldgate_collector import Chip, add_chips, list_chips, read_chips, write_secret
from weldgate_issuer import Issuer
from weldgate_protocol import keyset, messages
from weldgate_protocol.errors import LocalError
from weldgate_protocol.reasons import TOOL_BAD_INPUT, TOOL_NOT_FOUND
from weldgate_tools.order_delivery import JSON_OPTION, SEND_OPTION, SITE_OPTION, common, deliver
from weldgate_tools.output import print_json
from weldgate_tools.places import issuer_folder
from weldgate_tools.site import Site
from weldgate_tools.units import CHIP, DURATION, device_text

__all__ = ["key_set", "rekey"]

_DAY_S = 86_400


@click.command("key-set")
@click.option("--chip", "device", type=CHIP, help="The chip, decimal.")
@click.option("--all", "every", is_flag=True, help="Every chip of the site's list.")
@click.option("--due", type=DURATION, help="Only if the site's set ends within this time; else do nothing.")
@SEND_OPTION
@SITE_OPTION
@JSON_OPTION
def key_set(device: bytes | None, every: bool, due: int | None, send: bool, site: Path, as_json: bool) -> None:
    """Sign the site's key set anew with the online root, for chips whose set ends soon; the site keeps a copy.

    Chips raise an alarm 30 days before their set ends; past it only emergency codes start a machine. Let a timer run
    the last example once a day: it signs 60 days before the end, and does nothing until then.

    \b
    Examples:
      weldgate order key-set --chip 410811001 --send
      weldgate order key-set --all --due 60d --send
    """
    if every == (device is not None):
        raise click.UsageError("--chip or --all: one of them says for whom")
    now_s = int(time.time())
    kept = Site(site).key_set
    if due is not None and kept.exists():
        left_s = keyset.decode(kept.read_bytes()).expires_s - now_s
        if left_s > due:
            click.echo(f"not due: {left_s // _DAY_S} days left", err=True)
            return
    devices = [device] if device is not None else _known(site)
    data = Issuer.open(issuer_folder(site)).issue_key_set(issued_s=now_s)
    if kept.exists():  # what new chips are born with
        write_secret(kept, data)
    if not send:
        devices = devices[:1]  # one set for all of them
    for one in devices:
        deliver(messages.KEY_SET, data, one, send, site, as_json)


def _known(site: Path) -> list[bytes]:
    """Return the chips of a site's list.

    Raises:
        LocalError: TOOL_NOT_FOUND.
    """
    found = [int(device).to_bytes(8, "big") for device, _generation in list_chips(Site(site).chips_file)]
    if not found:
        raise LocalError(TOOL_NOT_FOUND, f"{site}: its list names no chips")
    return found


@click.command()
@click.option("--forget", is_flag=True, help="Take the old keys out of the collector's list: all old records are in.")
@common
def rekey(forget: bool, **given: Any) -> None:
    """Give a chip the keys of its next generation, wrapped so that the collector that carries them learns nothing.

    Needs the site's root secret. The collector's list gets the new keys and keeps the old ones beside them: until the
    chip has taken the order it speaks under the old, and what it had stored by then keeps its old tag for ever. When
    all of that is in (`weldgate store gaps`), --forget takes the old keys out. The next rekey needs that first.

    \b
    Examples:
      weldgate order rekey --chip 410811001 --send
      weldgate order rekey --chip 410811001 --forget
    """
    path = Site(given["site"]).chips_file
    name = device_text(given["device"])
    held = next((chip for chip in read_chips(path) if chip.device == name), None)
    if held is None:
        raise LocalError(TOOL_NOT_FOUND, f"{path}: chip {name} is not known")
    if forget:
        add_chips(path, [Chip(name, held.generation, held.up, held.down)])
        _say(name, held.generation, given["as_json"])
        return
    if held.previous_down:
        raise LocalError(
            TOOL_BAD_INPUT, f"chip {name} is between generations {held.generation - 1} and {held.generation}"
        )
    issuer = Issuer.open(issuer_folder(given["site"]))
    now_s = int(time.time())
    data = issuer.issue_rekey(given["device"], held.generation, issued_s=now_s, life_s=given["life"])
    new = issuer.chip_secrets(given["device"], held.generation + 1)
    # First the collector, then the chip: it must be able to read whichever of the two the chip speaks.
    add_chips(path, [Chip(name, new.generation, new.up.hex(), new.down.hex(), held.up, held.down)])
    deliver(messages.REKEY, data, given["device"], given["send"], given["site"], given["as_json"])


def _say(device: str, generation: int, as_json: bool) -> None:
    if as_json:
        print_json({"device": device, "generation": generation})
    else:
        click.echo(f"chip {device}: keys of generation {generation} alone")
