"""``weldgate frame``: frames taken apart, from hex, a file or a capture, with what stands between them."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from weldgate_protocol import reason_texts
from weldgate_protocol.errors import FrameError, LocalError
from weldgate_protocol.frame import RAW_MAX, from_wire, parse
from weldgate_protocol.reasons import TOOL_BAD_INPUT
from weldgate_tools.annotate import frame_document
from weldgate_tools.frame_keys import Keys, listed_keys, site_keys
from weldgate_tools.output import print_json

__all__ = ["decode_capture", "frame", "read_input"]

DELIMITER = 0x7E
_PATH_MAX = 250  # the longest name a file may have is 255 bytes; what is longer is hex
_HEX = frozenset(b"0123456789abcdefABCDEF \t\r\n:,")


def read_input(source: str) -> bytes:
    """Return the bytes meant by an argument: hex, the name of a file (hex or binary), or `-`.

    Raises:
        LocalError: TOOL_BAD_INPUT; neither a file nor hex.
    """
    if source == "-":
        data = sys.stdin.buffer.read()
    elif len(source) <= _PATH_MAX and Path(source).is_file():
        data = Path(source).read_bytes()
    else:
        data = source.encode("utf-8", "replace")
        if not _HEX.issuperset(data):
            raise LocalError(TOOL_BAD_INPUT, f"{source[:40]!r} is neither a file nor hex")
    if data and _HEX.issuperset(data):
        digits = "".join(data.decode().replace(":", " ").replace(",", " ").split())
        if len(digits) % 2:
            raise LocalError(TOOL_BAD_INPUT, f"{len(digits)} hex digits, an even number is needed")
        return bytes.fromhex(digits)
    return data


def decode_capture(data: bytes, keys: Keys) -> Iterator[dict[str, Any]]:
    """Yield one document for each frame and for each stretch that is none.

    Args:
        data: a stream as it went over the wire, or one frame without delimiters as a store keeps it.
        keys: what tags are checked with.
    """
    if _is_stored(data) or (DELIMITER not in data and len(data) <= RAW_MAX):
        yield _one(data, 0, stored=True, keys=keys)
        return
    start = 0
    for end in [*(at for at, byte in enumerate(data) if byte == DELIMITER), len(data)]:
        if end > start:
            yield _one(data[start:end], start, stored=False, keys=keys)
        start = end + 1


def _is_stored(data: bytes) -> bool:
    """Tell a frame as a store keeps it, which may hold a delimiter's byte anywhere, from a stretch of a stream."""
    try:
        parse(data)
    except FrameError:
        return False
    return True


def _one(piece: bytes, offset: int, *, stored: bool, keys: Keys) -> dict[str, Any]:
    place = {"offset": offset, "bytes": len(piece)}
    try:
        raw, crc = _raw(piece, stored)
        return {**place, "crc": crc, **frame_document(raw), "tag_state": keys.judge(raw)}
    except FrameError as error:
        return {
            **place,
            "error": error.code,
            "name": reason_texts.name(error.code),
            "message": error.message,
            "hex": piece[:64].hex(),
        }


def _raw(piece: bytes, stored: bool) -> tuple[bytes, str]:
    """Return a frame's raw bytes and what its CRC says; a stored frame has none."""
    if stored:
        try:
            parse(piece)
        except FrameError:
            return from_wire(piece), "right"
        return piece, "none"
    return from_wire(piece), "right"


@click.group()
def frame() -> None:
    """Take frames apart."""


@frame.command("decode")
@click.argument("source")
@click.option("--site", type=click.Path(path_type=Path, exists=True, file_okay=False), help="Check tags with its keys.")
@click.option(
    "--key-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Or with a collector's chips.jsonl.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one document.")
def decode(source: str, site: Path | None, key_file: Path | None, as_json: bool) -> None:
    """Print every frame in SOURCE with names, units and meanings.

    SOURCE is hex, the name of a file (hex or a binary capture), or - for standard input. What is no frame is printed
    with its place and the reason. Exit 1 when nothing in it was a frame.

    \b
    Examples:
      weldgate frame decode 7e2202112210f47d01e9…7e
      weldgate frame decode capture.bin --site site
      weldgate frame decode capture.bin --key-file site/chips.jsonl
      xxd -p capture.bin | weldgate frame decode - --json
    """
    if site is not None and key_file is not None:
        raise click.UsageError("--site or --key-file: one of them says whose keys")
    find = site_keys(site) if site is not None else listed_keys(key_file) if key_file is not None else None
    found = list(decode_capture(read_input(source), Keys(find)))
    if as_json:
        print_json(found)
    else:
        for document in found:
            _print(document)
    if not any("message" in document and "error" not in document for document in found):
        click.echo("no frame in it", err=True)
        raise SystemExit(1)


def _print(document: dict[str, Any]) -> None:
    if "error" in document:
        click.echo(f"@{document['offset']} {document['bytes']} bytes: no frame, {document['error']} {document['name']}")
        click.echo(f"    {document['message']}: {document['hex']}")
        return
    flags = document["flags"]
    words = [
        "down" if flags["down"] else "up",
        "durable" if flags["durable"] else "volatile",
        f"key parity {int(flags['parity'])}",
        f"time {flags['time_quality']}",
    ]
    click.echo(f"@{document['offset']} {document['type']:02x} {document['message']}  ({', '.join(words)})")
    click.echo(f"    device {document['device']}  epoch {document['epoch']}  seq {document['seq']}")
    click.echo(f"    time   {document['time']}  payload {document['length']} bytes")
    click.echo(f"    crc    {document['crc']}  tag {document['tag']} ({document['tag_state']})")
    if "payload_error" in document:
        click.echo(f"    payload can't be read: {document['payload_error']['message']}: {document['payload']}")
        return
    width = max((len(name) for name in document["fields"]), default=0)
    for name, field in document["fields"].items():
        text = f" = {field['text']}" if "text" in field else ""
        note = f"   # {field['meaning']}" if "meaning" in field else ""
        click.echo(f"    {name:{width}}  {field['value']}{text}{note}")
