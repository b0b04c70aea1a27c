"""``weldgate token``: start codes issued, shown and verified, with the chip's own routine as the judge."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click

from weldgate_protocol import claims, cose, keyset, reason_texts
from weldgate_protocol import token as tokens
from weldgate_protocol.cbor import decode as decode_cbor
from weldgate_protocol.errors import LocalError, RemoteError
from weldgate_protocol.message_docs import ENUMS
from weldgate_protocol.reasons import TOOL_BAD_INPUT
from weldgate_tools.output import print_json
from weldgate_tools.places import issuer_folder
from weldgate_tools.token_input import read_token
from weldgate_tools.units import CHIP, DURATION, MOMENT, device_text, moment_text, seconds_text

__all__ = ["token"]

PURPOSES = {"start": 1, "maintenance": 2, "emergency": 5}
_SITE = click.option(
    "--site", type=click.Path(path_type=Path), default=Path("site"), show_default=True, help="The site's folder."
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one document.")


class _Id(click.ParamType[bytes]):
    """8 bytes as 16 hex digits, or up to 8 characters of text, filled with zeros."""

    name = "id"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> bytes:
        """Return 8 bytes."""
        if isinstance(value, bytes):
            return value
        text = str(value)
        if len(text) == 16:
            try:
                return bytes.fromhex(text)
            except ValueError:
                self.fail(f"{value!r} is no id of 16 hex digits", param, ctx)
        data = text.encode()
        if not 1 <= len(data) <= 8:
            self.fail(f"{value!r}: 16 hex digits, or 1 to 8 characters", param, ctx)
        return data.ljust(8, b"\0")


@click.group()
def token() -> None:
    """Issue, show and verify start codes."""


@token.command()
@click.option("--chip", "device", type=CHIP, required=True, help="The machine's chip, decimal.")
@click.option("--holder", type=_Id(), required=True, help="The welder's pseudonym: 16 hex digits, or short text.")
@click.option("--life", type=DURATION, default=43200, show_default="12h", help="Until it expires; at most 24h.")
@click.option("--limit", type=DURATION, default=28800, show_default="8h", help="Longest session, powered time.")
@click.option("--offline", type=DURATION, default=3600, show_default="1h", help="Allowed without the collector.")
@click.option("--purpose", type=click.Choice(list(PURPOSES)), default="start", show_default=True, help="What for.")
@click.option("--domain", type=click.IntRange(0, 65535), default=0, help="Work domain.")
@click.option("--permit", type=_Id(), help="Hot-work permit; allows a life of 72h.")
@click.option("--permit-from", type=MOMENT, help="Begin of the permit's window.")
@click.option("--permit-to", type=MOMENT, help="End of the permit's window.")
@click.option("--holder-key", type=click.Path(path_type=Path, exists=True), help="PEM: he must prove himself by it.")
@click.option("--key-file", type=click.Path(path_type=Path, exists=True), help="Sign with this key, kept elsewhere.")
@click.option("--png", type=click.Path(path_type=Path, dir_okay=False), help="Write the QR code to a file.")
@click.option("--qr", is_flag=True, help="Draw the QR code in the terminal.")
@_SITE
@_JSON
def issue(
    site: Path,
    holder_key: Path | None,
    key_file: Path | None,
    png: Path | None,
    qr: bool,
    as_json: bool,
    **wanted: Any,
) -> None:
    """Sign leave to start one session on one chip and print it as text.

    What a chip would refuse is not issued.

    \b
    Examples:
      weldgate token issue --chip 410811001 --holder zhang3 --qr
      weldgate token issue --chip 410811001 --holder zhang3 --life 30m --png code.png
      weldgate token issue --chip 410811001 --holder zhang3 --permit p0000001 --life 72h --json
      weldgate token issue --chip 410811001 --holder duty --purpose emergency --life 4h --key-file emergency.pem --qr
    """
    from weldgate_issuer import (  # here, so that help and `show` need none
        Issuer,
        SigningKey,
        holder_proof,
        issue_token,
        terminal_qr,
        token_text,
        write_png,
    )

    if (wanted["permit_from"] or wanted["permit_to"]) and wanted["permit"] is None:
        raise click.UsageError("--permit-from and --permit-to belong to a --permit")
    folder = issuer_folder(site)
    proof = holder_proof(SigningKey.from_pem(holder_key.read_bytes()).public64) if holder_key is not None else None
    if key_file is not None:  # the safe's own: neither the root secret nor any other key has to be here
        sign: Callable[..., bytes] = partial(issue_token, Issuer.key_from(folder, key_file))
    else:
        sign = Issuer.open(folder).issue_token
    data = sign(
        device=wanted["device"],
        holder=wanted["holder"],
        issued_s=int(time.time()),
        life_s=wanted["life"],
        limit_s=wanted["limit"],
        offline_s=wanted["offline"],
        purpose=PURPOSES[wanted["purpose"]],
        domain=wanted["domain"],
        permit=wanted["permit"],
        permit_from_s=wanted["permit_from"],
        permit_to_s=wanted["permit_to"],
        proof=proof,
    )
    version = write_png(data, png) if png is not None else None
    if as_json:
        shown = _shown(data)
        print_json({"token": token_text(data), "bytes": len(data), "qr_version": version, **shown})
        return
    click.echo(token_text(data))
    if qr:
        click.echo(terminal_qr(data))
    if png is not None:
        click.echo(f"{png}: QR version {version}", err=True)


@token.command()
@click.argument("source", nargs=-1, required=True)
@_JSON
def show(source: tuple[str, ...], as_json: bool) -> None:
    """Say what a token claims, without judging it.

    SOURCE is the text (WG1:…, in quotes: it may hold spaces), hex, a file with either, an image of its QR code, or
    - for standard input.

    \b
    Examples:
      weldgate token show 'WG1:…'
      weldgate token show code.png --json
    """
    data = read_token(" ".join(source))
    shown = _shown(data)
    if as_json:
        print_json({"bytes": len(data), **shown})
        return
    click.echo(f"{len(data)} bytes, key {shown['kid']}, algorithm {shown['algorithm']}; not verified")
    for claim in shown["claims"]:
        text = f" = {claim['text']}" if "text" in claim else ""
        click.echo(f"  {claim['label']:3d}  {claim['name']:14s} {claim['value']}{text}")


@token.command()
@click.argument("source", nargs=-1, required=True)
@click.option("--chip", "device", type=CHIP, required=True, help="Judge as this chip would.")
@click.option("--area", default="", help="The chip's area code; the site's keys decide what it must begin with.")
@click.option("--at", type=MOMENT, help="Judge as at this time; now when absent.")
@click.option("--lang", type=click.Choice(["zh", "en"]), help="One language only.")
@_SITE
@_JSON
def verify(
    source: tuple[str, ...], device: bytes, area: str, at: int | None, lang: str | None, site: Path, as_json: bool
) -> None:
    """Judge a token with the chip's own routine against the site's key set. Exit 1 when it is refused.

    Whether it was used before only the chip knows.

    \b
    Examples:
      weldgate token verify 'WG1:…' --chip 410811001
      weldgate token verify code.png --chip 410811001 --at 2026-11-24T08:00 --json
    """
    from weldgate_issuer import Issuer

    now_s = at if at is not None else int(time.time())
    issuer = Issuer.open(issuer_folder(site))
    keys = list(issuer.index.keys.values())
    key_set = keyset.KeySet(1, min(now_s, *(key.not_before_s for key in keys)), claims.TIME_MAX_S, b"", b"", keys)
    context = claims.Context(
        device, area or keys[0].area, key_set, now_s, claims.QUALITY_SYNCED, lambda _: False, issuer.root_publics
    )
    reason = 0
    message = ""
    try:
        tokens.verify(read_token(" ".join(source)), context)
    except RemoteError as refused:
        reason, message = refused.code, refused.message
    if as_json:
        answer = {"accepted": not reason, "reason": reason, "chip": device_text(device), "at": moment_text(now_s)}
        print_json(
            {**answer, "name": reason_texts.name(reason) if reason else None, "message": message, **_said(reason)}
        )
    elif reason:
        click.echo(f"refused, reason {reason} {reason_texts.name(reason)}")
        for tongue in (lang,) if lang else ("zh", "en"):
            click.echo(f"  {reason_texts.describe(reason, tongue)}")
        click.echo(f"  {message}", err=True)
    else:
        click.echo("accepted")
    if reason:
        raise SystemExit(1)


def _said(reason: int) -> dict[str, str]:
    """Return what a reason says to people, empty for none."""
    if reason not in reason_texts.TEXTS:
        return {}
    _name, zh, en, next_zh, next_en = reason_texts.TEXTS[reason]
    return {"zh": zh, "en": en, "next_zh": next_zh, "next_en": next_en}


def _shown(data: bytes) -> dict[str, Any]:
    """Return what a token says of itself, unverified."""
    try:
        sign1 = cose.parse_sign1(data)
        pairs = decode_cbor(sign1.payload)
    except RemoteError as error:
        raise LocalError(TOOL_BAD_INPUT, f"this is no token: {error.message}") from error
    if not isinstance(pairs, dict):
        raise LocalError(TOOL_BAD_INPUT, "this is no token: its claims are no map")
    names = {row[0]: row[1] for row in tokens.TABLE}
    return {
        "kid": sign1.kid.hex(),
        "algorithm": sign1.alg,
        "claims": [_claim(label, names.get(label, "unknown"), value) for label, value in pairs.items()],
    }


def _claim(label: int, name: str, value: Any) -> dict[str, Any]:
    claim: dict[str, Any] = {"label": label, "name": name}
    if isinstance(value, bytes):
        claim["value"] = value.hex()
        if name == "device" and len(value) == 8:
            claim["value"] = device_text(value)
        return claim
    claim["value"] = value
    if not isinstance(value, int):
        return claim
    if name in ("limit_s", "offline_s"):
        claim["text"] = seconds_text(value)
    elif name.endswith("_s"):
        claim["text"] = moment_text(value)
    elif name == "purpose":
        claim["text"] = ENUMS["purpose"].get(value, "unknown")
    return claim
