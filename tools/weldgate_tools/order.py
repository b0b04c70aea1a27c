"""``weldgate order``: signed orders for chips, and what the collector hands over."""

import re
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from weldgate_collector import write_secret
from weldgate_firmware.config import SETTINGS, Config
from weldgate_issuer import Issuer
from weldgate_protocol import messages
from weldgate_protocol import order as orders
from weldgate_protocol.errors import ConfigError
from weldgate_tools.collector import ask
from weldgate_tools.output import print_json
from weldgate_tools.places import issuer_folder
from weldgate_tools.site import Site
from weldgate_tools.token_input import read_token
from weldgate_tools.units import CHIP, DURATION, device_text

__all__ = ["order"]

_SITE = click.option(
    "--site", type=click.Path(path_type=Path), default=Path("site"), show_default=True, help="The site's folder."
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one document.")
_SEND = click.option("--send", is_flag=True, help="Hand it to the site's running collector.")
_CHIP = click.option("--chip", "device", type=CHIP, required=True, help="The chip, decimal.")
_LIFE_S = 7 * 86_400
_LIFE = click.option("--life", type=DURATION, default=_LIFE_S, show_default="7d", help="Time to reach the chip.")
_NUMBER = re.compile(r"-?[0-9]{1,10}")
STATES = {1: "waiting", 2: "sent", 3: "applied", 4: "refused", 5: "expired"}


class _Hex8(click.ParamType[bytes]):
    """An id: 16 hex digits -> 8 bytes."""

    name = "id"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> bytes:
        """Return 8 bytes."""
        if isinstance(value, bytes):
            return value
        try:
            data = bytes.fromhex(str(value))
        except ValueError:
            data = b""
        if len(data) != 8:
            self.fail(f"{value!r} is no id of 16 hex digits", param, ctx)
        return data


@click.group()
def order() -> None:
    """Issue signed orders and hand them to chips.

    An order that is not sent is printed in hex. A chip that is not connected gets it when it is.
    """


def _common(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that every order has."""
    options: tuple[Callable[..., Callable[..., Any]], ...] = (_JSON, _SEND, _SITE, _LIFE, _CHIP)
    for option in options:
        command = option(command)
    return command


@order.command()
@click.argument("lock", type=_Hex8())
@_common
def release(lock: bytes, **common: Any) -> None:
    """Take the lock LOCK away; nothing is energised by it.

    \b
    Examples:
      weldgate order release 8f3b1c2d4e5f6071 --chip 410811001 --send
    """
    _issue(orders.RELEASE, messages.RELEASE, common, lock=lock)


@order.command("clear-alarm")
@click.argument("alarms", type=_Hex8(), nargs=-1, required=True)
@_common
def clear_alarm(alarms: tuple[bytes, ...], **common: Any) -> None:
    """Clear the latched alarms named ALARMS; their ids are in `store frames --type alarm` and on the console.

    \b
    Examples:
      weldgate order clear-alarm 2e0a7cadff9898b9 --chip 410811001 --send
    """
    _issue(orders.CLEAR_ALARM, messages.CLEAR_ALARM, common, alarms=alarms)


@order.command()
@click.argument("settings", nargs=-1, required=True)
@_common
def config(settings: tuple[str, ...], **common: Any) -> None:
    """Send settings as NAME=VALUE; what is not named goes back to its default.

    \b
    Examples:
      weldgate order config telemetry_s=10 heartbeat_s=15 --chip 410811001 --send
    """
    _issue(orders.CONFIG, messages.CONFIG, common, settings=_settings(settings))


@order.command()
@click.option("--token", "tokens", type=_Hex8(), multiple=True, help="A token's id.")
@click.option("--key", "kids", type=_Hex8(), multiple=True, help="An issuer key's id.")
@_common
def revoke(tokens: tuple[bytes, ...], kids: tuple[bytes, ...], **common: Any) -> None:
    """Replace the revocation list: tokens and issuer keys that are not believed any more.

    \b
    Examples:
      weldgate order revoke --token 07f0045ef24a5404 --chip 410811001 --send
    """
    _issue(orders.REVOCATIONS, messages.REVOCATIONS, common, tokens=tokens, kids=kids)


@order.command("key-set")
@_CHIP
@_SEND
@_SITE
@_JSON
def key_set(device: bytes, send: bool, site: Path, as_json: bool) -> None:
    """Sign the site's key set anew with the online root, for a chip whose set ends soon; the site keeps a copy.

    \b
    Examples:
      weldgate order key-set --chip 410811001 --send
    """
    issuer = Issuer.open(issuer_folder(site))
    data = issuer.issue_key_set(issued_s=int(time.time()))
    kept = Site(site).key_set
    if kept.exists():  # what new chips are born with
        write_secret(kept, data)
    _deliver(messages.KEY_SET, data, device, send, site, as_json)


@order.command()
@click.option("--now", "mode", flag_value=2, type=int, help="Open at once, in mid-arc too.")
@click.option("--soft", "mode", flag_value=1, type=int, help="Open at the arc's next pause, 120 s later at the latest.")
@click.option("--signed", is_flag=True, help="Print a signed lock in hex, for whoever reaches the chip otherwise.")
@_CHIP
@_SITE
@_JSON
def lock(mode: int | None, signed: bool, device: bytes, site: Path, as_json: bool) -> None:
    """Lock a machine as the collector's operator; who did it goes into the store. Only a signed release unlocks.

    \b
    Examples:
      weldgate order lock --soft --chip 410811001
      weldgate order lock --now --chip 410811001
    """
    if mode is None:
        raise click.UsageError("--now or --soft: say how the machine is to end")
    if signed:
        common = {"site": site, "device": device, "life": _LIFE_S, "send": False, "as_json": as_json}
        _issue(orders.LOCK, messages.LOCK, common, lock=secrets.token_bytes(8), mode=mode)
        return
    _tell(ask(site, {"do": "lock", "device": device_text(device), "mode": mode}), as_json)


@order.command()
@click.argument("source", nargs=-1, required=True)
@_CHIP
@_SITE
@_JSON
def token(source: tuple[str, ...], device: bytes, site: Path, as_json: bool) -> None:
    """Hand a token to a chip; somebody must still press the button at the machine.

    \b
    Examples:
      weldgate order token 'WG1:…' --chip 410811001
    """
    data = read_token(" ".join(source))
    _tell(ask(site, {"do": "token", "device": device_text(device), "token": data.hex()}), as_json)


def _settings(words: tuple[str, ...]) -> dict[int, object]:
    """Return settings by key; each is checked as the chip would."""
    keys = {row[1]: row[0] for row in SETTINGS}
    found: dict[int, object] = {}
    for word in words:
        name, _, value = word.partition("=")
        if name not in keys:
            raise click.BadParameter(f"{name!r} is no setting; there are {', '.join(keys)}")
        if not _NUMBER.fullmatch(value):
            raise click.BadParameter(f"{word!r}: write {name}=NUMBER")
        found[keys[name]] = int(value)
    try:
        Config(found)
    except ConfigError as error:
        raise click.BadParameter(error.message) from error
    return found


def _issue(kind: bytes, type_: int, common: dict[str, Any], **claims: Any) -> None:
    issuer = Issuer.open(issuer_folder(common["site"]))
    data = issuer.issue_order(kind, issued_s=int(time.time()), device=common["device"], life_s=common["life"], **claims)
    _deliver(type_, data, common["device"], common["send"], common["site"], common["as_json"])


def _deliver(type_: int, data: bytes, device: bytes, send: bool, site: Path, as_json: bool) -> None:
    """Print an order, or hand it to the collector."""
    if send:
        _tell(ask(site, {"do": "order", "device": device_text(device), "type": type_, "object": data.hex()}), as_json)
    elif as_json:
        print_json({"type": type_, "object": data.hex(), "bytes": len(data)})
    else:
        click.echo(data.hex())


def _tell(answer: dict[str, Any], as_json: bool) -> None:
    """Say where an order is now."""
    state = STATES.get(int(answer["state"]), str(answer["state"]))
    if as_json:
        print_json({"order": answer["order"], "state": state, "online": answer["online"]})
        return
    where = "the chip is online" if answer["online"] else "the chip is not online, it gets it when it is"
    click.echo(f"order {answer['order']} {state}: {where}")
