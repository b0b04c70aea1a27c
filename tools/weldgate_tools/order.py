"""``weldgate order``: signed orders for chips, and what the collector hands over."""

import re
import secrets
from pathlib import Path
from typing import Any

import click

from weldgate_firmware.config import SETTINGS, Config
from weldgate_protocol import messages
from weldgate_protocol import order as orders
from weldgate_protocol.errors import ConfigError
from weldgate_tools.asking import ask
from weldgate_tools.order_delivery import CHIP_OPTION, JSON_OPTION, LIFE_S, SITE_OPTION, common, issue, tell
from weldgate_tools.order_keys import key_set, rekey
from weldgate_tools.output import print_json
from weldgate_tools.token_input import read_token
from weldgate_tools.units import DURATION, device_text

__all__ = ["order"]

_NUMBER = re.compile(r"-?[0-9]{1,10}")


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


@order.command()
@click.argument("lock", type=_Hex8())
@common
def release(lock: bytes, **given: Any) -> None:
    """Take the lock LOCK away; nothing is energised by it.

    \b
    Examples:
      weldgate order release 8f3b1c2d4e5f6071 --chip 410811001 --send
    """
    issue(orders.RELEASE, messages.RELEASE, given, lock=lock)


@order.command("clear-alarm")
@click.argument("alarms", type=_Hex8(), nargs=-1, required=True)
@common
def clear_alarm(alarms: tuple[bytes, ...], **given: Any) -> None:
    """Clear the latched alarms named ALARMS; their ids are in `store frames --type alarm` and on the console.

    \b
    Examples:
      weldgate order clear-alarm 2e0a7cadff9898b9 --chip 410811001 --send
    """
    issue(orders.CLEAR_ALARM, messages.CLEAR_ALARM, given, alarms=alarms)


@order.command()
@click.argument("settings", nargs=-1, required=True)
@common
def config(settings: tuple[str, ...], **given: Any) -> None:
    """Send settings as NAME=VALUE; what is not named goes back to its default.

    \b
    Examples:
      weldgate order config telemetry_s=10 heartbeat_s=15 --chip 410811001 --send
    """
    issue(orders.CONFIG, messages.CONFIG, given, settings=_settings(settings))


@order.command()
@click.option("--token", "tokens", type=_Hex8(), multiple=True, help="A token's id.")
@click.option("--key", "kids", type=_Hex8(), multiple=True, help="An issuer key's id.")
@common
def revoke(tokens: tuple[bytes, ...], kids: tuple[bytes, ...], **given: Any) -> None:
    """Replace the revocation list: tokens and issuer keys that are not believed any more.

    \b
    Examples:
      weldgate order revoke --token 07f0045ef24a5404 --chip 410811001 --send
    """
    issue(orders.REVOCATIONS, messages.REVOCATIONS, given, tokens=tokens, kids=kids)


@order.command("planned-removal")
@click.option("--for", "leave_s", type=DURATION, default=8 * 3600, show_default="8h", help="How long leave holds.")
@common
def planned_removal(leave_s: int, **given: Any) -> None:
    """Give leave to open the box, unplug its sensor and take it off, for a time; the machine is locked until released.

    What would be alarms of case, sensor and supply are removal records meanwhile. The order's id, which the record and
    the chip's heartbeat name, is the lock's: `order release` with it puts the machine back to work and ends the leave.

    \b
    Examples:
      weldgate order planned-removal --for 4h --chip 410811001 --send
    """
    issue(orders.PLANNED_REMOVAL, messages.PLANNED_REMOVAL, given, leave_s=leave_s)


@order.command()
@click.option("--now", "mode", flag_value=2, type=int, help="Open at once, in mid-arc too.")
@click.option("--soft", "mode", flag_value=1, type=int, help="Open at the arc's next pause, 120 s later at the latest.")
@click.option("--signed", is_flag=True, help="Print a signed lock in hex, for whoever reaches the chip otherwise.")
@CHIP_OPTION
@SITE_OPTION
@JSON_OPTION
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
        given = {"site": site, "device": device, "life": LIFE_S, "send": False, "as_json": as_json}
        issue(orders.LOCK, messages.LOCK, given, lock=secrets.token_bytes(8), mode=mode)
        return
    tell(ask(site, {"do": "lock", "device": device_text(device), "mode": mode}), as_json)


@order.command()
@click.argument("source", nargs=-1, required=True)
@CHIP_OPTION
@SITE_OPTION
@JSON_OPTION
def token(source: tuple[str, ...], device: bytes, site: Path, as_json: bool) -> None:
    """Hand a token to a chip; somebody must still press the button at the machine.

    \b
    Examples:
      weldgate order token 'WG1:…' --chip 410811001
    """
    data = read_token(" ".join(source))
    tell(ask(site, {"do": "token", "device": device_text(device), "token": data.hex()}), as_json)


@order.command("live-code")
@click.argument("source", nargs=-1, required=True)
@CHIP_OPTION
@SITE_OPTION
@JSON_OPTION
def live_code(source: tuple[str, ...], device: bytes, site: Path, as_json: bool) -> None:
    """Hand a holder's live code (WGA:…, in quotes) to a chip that asked for it; the act at the machine is still needed.

    \b
    Examples:
      weldgate order live-code 'WGA:…' --chip 410811001
    """
    answer = ask(site, {"do": "live-code", "device": device_text(device), "token": " ".join(source)})
    if as_json:
        print_json({"sent": answer["sent"]})
    else:
        click.echo("sent" if answer["sent"] else "not sent: the chip is not online")


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


for _command in (key_set, rekey):
    order.add_command(_command)
