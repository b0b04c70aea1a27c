"""``weldgate store seals``: whether a store's records are what the chips wrote, all of them and no others."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import click

from weldgate_collector import FRAME, MISSING, Reader, prove_lines
from weldgate_protocol import messages
from weldgate_protocol.errors import RemoteError
from weldgate_protocol.frame import parse
from weldgate_tools.output import print_json
from weldgate_tools.places import issuer_folder, store_file
from weldgate_tools.store_print import table
from weldgate_tools.units import CHIP, device_text

__all__ = ["seals"]

_READ = 4096  # records read at a time
NO_EPOCH = b"\0\0\0\0"


@click.command()
@click.argument("place", type=click.Path(path_type=Path), default=Path("site"))
@click.option("--chip", "device", type=CHIP, help="This chip only.")
@click.option(
    "--keys", type=click.Path(path_type=Path), help="The site whose issuer made the chips' keys; PLACE when absent."
)
@click.option(
    "--generation", type=click.IntRange(0, 1000), default=8, show_default=True, help="Newest key generation there is."
)
@click.option("--json", "as_json", is_flag=True, help="Print one document.")
def seals(place: Path, device: bytes | None, keys: Path | None, generation: int, as_json: bool) -> None:
    """Verify the chips' seals, with keys that no collector has. Exit 1 when a stretch is broken.

    \b
    proven      as the chip wrote it: nothing changed, missing or put in
    unprovable  numbers of it are declared lost, or the chip lost its chain: nothing can be proved
    broken      numbers are missing that nobody declared, or a seal is missing or wrong: somebody has meddled
    open        after the last seal, at most 255 numbers: the next seal will tell

    Run it where the issuer's keys are, on a copy of the store, not on the collector.

    \b
    Examples:
      weldgate store seals site
      weldgate store seals copy --keys site --chip 410811001 --json
    """
    from weldgate_issuer import (
        BROKEN,
        UNPROVABLE,
        Issuer,
        judge_seals,
        seal_keys,
    )  # here, so that a collector needs no issuer

    secret = Issuer.open(issuer_folder(keys or place)).root_secret
    number = int.from_bytes(device, "big") if device is not None else None
    rows: list[dict[str, Any]] = []
    with Reader(store_file(place)) as reader:
        highs = {(chip, epoch): high for chip, epoch, high in reader.highs()}
        whole = reader.first_index() == 1
        for line in prove_lines(reader, number):
            frames = _frames(reader, line.device, line.epoch, highs.get((line.device, line.epoch), 0))
            opening = next(frames, b"")
            if not opening:
                continue
            first = 1 if whole else int.from_bytes(opening[14:18], "big")
            declared = [(gap.first, gap.last) for gap in line.gaps if gap.state != MISSING]
            judged = judge_seals(
                chain((opening,), frames),
                seal_keys(secret, line.device.to_bytes(8, "big"), generation),
                declared,
                first,
            )
            found = [
                {"first": one.first, "last": one.last, "state": one.state, "why": one.why} for one in _merged(judged)
            ]
            lost = _epoch_before(opening)
            if whole and lost is not None and (line.device, lost) not in highs:
                why = f"epoch {lost:08x} before it is not here: another collector has it, or somebody took it away"
                found.insert(0, {"first": 0, "last": 0, "state": UNPROVABLE, "why": why})
            rows += [{"device": device_text(line.device), "epoch": f"{line.epoch:08x}", **one} for one in found]
    broken = sum(row["state"] == BROKEN for row in rows)
    if as_json:
        print_json({"sound": not broken, "stretches": rows})
    else:
        table(rows, "no records")
    if broken:
        raise SystemExit(1)


def _frames(reader: Reader, device: int, epoch: int, last: int) -> Iterator[bytes]:
    """Yield a line's stored frames by number, each number once."""
    for start in range(1, last + 1, _READ):
        found = {
            record.seq: record.raw
            for record in reversed(reader.find(device, epoch, start, min(start + _READ - 1, last)))
            if record.kind == FRAME
        }
        for seq in sorted(found):
            yield found[seq]


def _merged(stretches: Any) -> list[Any]:
    """Join neighbours of which the same is said."""
    merged: list[Any] = []
    for one in stretches:
        if merged and (merged[-1].state, merged[-1].why, merged[-1].last + 1) == (one.state, one.why, one.first):
            merged[-1] = replace(merged[-1], last=one.last)
        else:
            merged.append(one)
    return merged


def _epoch_before(raw: bytes) -> int | None:
    """Return the epoch that the first record of one says went before, None where there was none or nobody knows."""
    try:
        frame = parse(raw)
        fields = messages.decode(frame.type, frame.payload)
    except RemoteError:
        return None
    before = fields.get("epoch")
    if frame.type != messages.GAP or frame.seq != 1 or not isinstance(before, bytes) or before == NO_EPOCH:
        return None
    return int.from_bytes(before, "big")
