"""What all ``weldgate order`` commands have in common: their options, and handing an order over or printing it."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from weldgate_issuer import Issuer
from weldgate_tools.asking import ask
from weldgate_tools.output import print_json
from weldgate_tools.places import issuer_folder
from weldgate_tools.units import CHIP, DURATION, device_text

__all__ = [
    "CHIP_OPTION",
    "JSON_OPTION",
    "LIFE_S",
    "SEND_OPTION",
    "SITE_OPTION",
    "STATES",
    "common",
    "deliver",
    "issue",
    "tell",
]

SITE_OPTION = click.option(
    "--site", type=click.Path(path_type=Path), default=Path("site"), show_default=True, help="The site's folder."
)
JSON_OPTION = click.option("--json", "as_json", is_flag=True, help="Print one document.")
SEND_OPTION = click.option("--send", is_flag=True, help="Hand it to the site's running collector.")
CHIP_OPTION = click.option("--chip", "device", type=CHIP, required=True, help="The chip, decimal.")
LIFE_S = 7 * 86_400
_LIFE = click.option("--life", type=DURATION, default=LIFE_S, show_default="7d", help="Time to reach the chip.")
STATES = {1: "waiting", 2: "sent", 3: "applied", 4: "refused", 5: "expired"}


def common(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that every order has."""
    options: tuple[Callable[..., Callable[..., Any]], ...] = (
        JSON_OPTION,
        SEND_OPTION,
        SITE_OPTION,
        _LIFE,
        CHIP_OPTION,
    )
    for option in options:
        command = option(command)
    return command


def issue(kind: bytes, type_: int, given: dict[str, Any], **claims: Any) -> None:
    """Sign an order and print it, or hand it over.

    Args:
        kind: of order.
        type_: the message that carries it.
        given: the common options' values.
        claims: of this kind.
    """
    issuer = Issuer.open(issuer_folder(given["site"]))
    data = issuer.issue_order(kind, issued_s=int(time.time()), device=given["device"], life_s=given["life"], **claims)
    deliver(type_, data, given["device"], given["send"], given["site"], given["as_json"])


def deliver(type_: int, data: bytes, device: bytes, send: bool, site: Path, as_json: bool) -> None:
    """Print an order, or hand it to the collector."""
    if send:
        tell(ask(site, {"do": "order", "device": device_text(device), "type": type_, "object": data.hex()}), as_json)
    elif as_json:
        print_json({"type": type_, "object": data.hex(), "bytes": len(data)})
    else:
        click.echo(data.hex())


def tell(answer: dict[str, Any], as_json: bool) -> None:
    """Say where an order is now."""
    state = STATES.get(int(answer["state"]), str(answer["state"]))
    if as_json:
        print_json({"order": answer["order"], "state": state, "online": answer["online"]})
        return
    where = "the chip is online" if answer["online"] else "the chip is not online, it gets it when it is"
    click.echo(f"order {answer['order']} {state}: {where}")
