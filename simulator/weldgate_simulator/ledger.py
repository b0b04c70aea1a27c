"""The ledger: what the chips emitted, the collector stored and the consumer was delivered, identity by identity.

``python -m weldgate_simulator.ledger --flash DIR --store DIR --consumer FILE [--trace …] [--json]``

Three sets of identities (chip, epoch, sequence number) with their bytes, each read from where it lies: the images of
the chips' flash, the collector's SQLite and the consumer's. No counter of the product is asked and no code of it is
run; messages are read with ``cbor2``. Exit 0 when all holds, 1 when anything does not, 2 when something can't be read.
"""

import argparse
import json
import sqlite3
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cbor2

from weldgate_simulator import ledger_arc
from weldgate_simulator.ledger_flash import Identity, Row, identity_of, read_image

__all__ = ["balance", "covered", "main", "read_consumer", "read_flash", "read_store", "segment_files", "uncovered"]

_START, _ARC, _REFUSAL, _ALARM, _GAP = 0x40, 0x44, 0x46, 0x47, 0x48  # SPEC, message types
_OWN_GAP, _OWN_CONFLICT = 1, 2  # SPEC, collector's own records
_RAISED = 1
_SHOWN = 5  # identities named in a report at most

Own = tuple[bytes, int, bytes]  # store id, index, record


def read_flash(folder: Path) -> list[Row]:
    """Return every record that the chips emitted, from the images ``<chip>.flash`` in a folder."""
    return [row for path in sorted(folder.glob("*.flash")) for row in read_image(path.read_bytes())]


def segment_files(path: Path) -> list[Path]:
    """Return a store's files, oldest first: those in its ``segments``, or the one that is named."""
    return sorted((path / "segments").glob("*.sqlite3")) if path.is_dir() else [path]


def read_store(path: Path) -> tuple[list[Row], list[Own]]:
    """Return the frames and own records in the collector's store: a segment, or the folder that has ``segments``."""
    paths = segment_files(path)
    if not paths:
        raise ValueError(f"{path}: no segments are there")
    store_id = _query(paths[-1], "SELECT value FROM meta WHERE key = 'store_id'")[0][0]
    frames: list[Row] = []
    own: list[Own] = []
    for each in paths:
        rows = _query(each, "SELECT device, epoch, seq, raw FROM records WHERE kind = 1 ORDER BY idx")
        frames += [_checked(row, each) for row in rows]
        own += [(store_id, *row) for row in _query(each, "SELECT idx, raw FROM records WHERE kind = 2")]
    return frames, own


def read_consumer(path: Path) -> tuple[list[Row], list[Own]]:
    """Return the frames and own records that the consumer committed."""
    frames = _query(path, "SELECT device, epoch, seq, raw FROM frames")
    conflicts = _query(path, "SELECT device, epoch, seq, raw FROM conflicts")
    return [_checked(row, path) for row in frames + conflicts], _query(
        path, "SELECT store_id, idx, raw FROM own_records"
    )


def _rows_gone(path: Path) -> int:
    """Return how many numbers of the store's own count, which has no hole, hold no row; own records have no other."""
    files = segment_files(path)
    counts: list[tuple[int, int]] = [
        _query(each, "SELECT count(*), coalesce(max(idx), 0) FROM records")[0] for each in files
    ]
    first: int = _query(files[0], "SELECT first FROM segment")[0][0]
    return max(0, max(last for _, last in counts) - first + 1) - sum(count for count, _ in counts)


def _came_again(path: Path) -> int:
    """Return how often a row came to the consumer that it held already: it keeps each once, whatever came."""
    return int(_query(path, "SELECT coalesce(sum(value), 0) FROM counts WHERE name = 'doubled'")[0][0])


def _query(path: Path, query: str) -> list[Any]:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def _checked(row: tuple[int, int, int, bytes], path: Path) -> Row:
    """Take a row whose columns say the same as its bytes."""
    device, epoch, seq, raw = row
    if identity_of(raw) != (device, epoch, seq):
        raise ValueError(f"{path}: row {device}/{epoch:08x}/{seq} holds the bytes of another record")
    return Row((device, epoch, seq), raw)


def covered(rows: Iterable[Row], own: Iterable[Own]) -> dict[tuple[int, int], set[int]]:
    """Return (chip, epoch) -> the numbers that are there or declared lost."""
    there: dict[tuple[int, int], set[int]] = {}
    for (device, epoch, seq), raw in rows:
        there.setdefault((device, epoch), set()).add(seq)
        if raw[1] == _GAP:
            fields = _payload(raw)
            named = int.from_bytes(fields[1], "big") if 1 in fields else epoch
            if 3 in fields:  # without an end it speaks of an epoch that nobody knows
                there.setdefault((device, named), set()).update(range(fields[2], fields[3] + 1))
    for _, _, record in own:
        fields = cbor2.loads(record)
        if fields[1] == _OWN_GAP:
            key = int.from_bytes(fields[2], "big"), int.from_bytes(fields[3], "big")
            there.setdefault(key, set()).update(range(fields[4], fields[5] + 1))
    return there


def uncovered(rows: Iterable[Row], own: Iterable[Own]) -> list[str]:
    """Return the numbers that are neither there nor declared lost, for every chip and epoch; empty is contiguous."""
    return [
        _text((device, epoch, seq))
        for (device, epoch), seqs in sorted(covered(rows, own).items())
        for seq in range(1, max(seqs) + 1)
        if seq not in seqs
    ]


def balance(flash: list[Row], stored: list[Row], delivered: list[Row]) -> dict[str, list[str]]:
    """Compare the three sets; every list is empty when all holds.

    Returns:
        ``lost``: in a set before but not in one behind; ``invented``: the other way round; ``duplicates``: an
        identity that one set holds twice; ``changed``: one whose bytes are not the same everywhere.
    """
    sets = {"flash": flash, "store": stored, "consumer": delivered}
    found: dict[str, list[str]] = {"lost": [], "invented": [], "duplicates": [], "changed": []}
    versions: dict[Identity, set[bytes]] = {}
    for name, rows in sets.items():
        times = Counter(row.identity for row in rows)
        found["duplicates"] += [f"{_text(key)} in {name} {n} times" for key, n in sorted(times.items()) if n > 1]
        for identity, raw in rows:
            versions.setdefault(identity, set()).add(raw)
    found["changed"] = [_text(identity) for identity, raws in sorted(versions.items()) if len(raws) > 1]
    known = {name: {row.identity for row in rows} for name, rows in sets.items()}
    for before, behind in (("flash", "store"), ("store", "consumer")):
        found["lost"] += [f"{_text(key)} not in {behind}" for key in sorted(known[before] - known[behind])]
        found["invented"] += [f"{_text(key)} not in {before}" for key in sorted(known[behind] - known[before])]
    return found


def report(folder: Path, store: Path, consumer: Path, trace: tuple[Path, str, int] | None) -> dict[str, Any]:
    """Make the ledger.

    Args:
        folder: images of the chips' flash.
        store: the collector's data folder, or one segment.
        consumer: the consumer's.
        trace: the file, the run, and the chip that played it; None for none.

    Returns:
        The document; ``troubles`` is empty when all holds.
    """
    flash = read_flash(folder)
    stored, own = read_store(store)
    delivered, own_delivered = read_consumer(consumer)
    found = balance(flash, stored, delivered)
    found["duplicates"] += ["a row delivered again"] * _came_again(consumer)
    gaps = uncovered(stored, own) + uncovered(delivered, own_delivered)
    troubles = [f"{len(items)} {name}: {', '.join(items[:_SHOWN])}" for name, items in found.items() if items]
    if gaps:
        troubles.append(f"{len(gaps)} numbers neither there nor declared: {', '.join(gaps[:_SHOWN])}")
    if sorted(own) != sorted(own_delivered):
        troubles.append(f"{len(own)} own records of the collector, {len(own_delivered)} delivered, or not the same")
    if gone := _rows_gone(store):
        troubles.append(f"{gone} rows of the store are gone")
    conflicts = sum(cbor2.loads(record)[1] == _OWN_CONFLICT for _, _, record in own)
    if conflicts:
        troubles.append(f"{conflicts} conflicts on record")
    if not flash:
        troubles.append("no chip emitted anything")
    document: dict[str, Any] = {
        "chips": len({row.identity[0] for row in flash}),
        "emitted": len(flash), "stored": len(stored), "delivered": len(delivered),
        "lost": len(found["lost"]), "invented": len(found["invented"]),
        "duplicates": len(found["duplicates"]), "changed": len(found["changed"]),
        "own_records": len(own),
        "gaps_declared": sum(row.raw[1] == _GAP for row in stored),
        "gaps_contiguous": not gaps,
        "refusals": _refusals(delivered),
        "alarms": _alarms(delivered),
    }  # fmt: skip
    if trace is not None:
        troubles += _arc(document, delivered, *trace)
    document["troubles"] = troubles
    return document


def _refusals(rows: list[Row]) -> dict[str, int]:
    """Count refusals by reason number; a record stands for as many as it says."""
    counted: Counter[int] = Counter()
    for row in rows:
        if row.raw[1] == _REFUSAL:
            fields = _payload(row.raw)
            counted[fields[1]] += fields[6]
    return {str(reason): counted[reason] for reason in sorted(counted)}


def _alarms(rows: list[Row]) -> list[dict[str, Any]]:
    """Return which alarms were raised, by how many chips, and whether they latched."""
    raised: dict[tuple[int, bool], set[int]] = {}
    for row in rows:
        fields = _payload(row.raw) if row.raw[1] == _ALARM else {}
        if fields.get(3) == _RAISED:
            raised.setdefault((fields[1], fields[4]), set()).add(row.identity[0])
    return [{"alarm": alarm, "latched": held, "chips": len(raised[alarm, held])} for alarm, held in sorted(raised)]


def _arc(document: dict[str, Any], rows: list[Row], file: Path, run: str, device: int) -> list[str]:
    """Hold the arcs of one chip's sessions against the trace's own; add both to the document, return what differs."""
    expected = ledger_arc.expected_run(file, run)
    mine = [row.raw for row in rows if row.identity[0] == device]
    first = next((_payload(raw)[1] for raw in sorted(mine, key=_seq) if raw[1] == _START), None)
    arcs = [fields for raw in mine if raw[1] == _ARC for fields in [_payload(raw)] if fields.get(1) == first]
    seconds = sum(fields[3] for fields in arcs) / 1000
    document |= {
        "arc_seconds": round(seconds, 3), "arc_seconds_expected": round(expected.arc_s, 3),
        "arc_tolerance_s": ledger_arc.TOLERANCE_S, "arcs": len(arcs), "arcs_expected": len(expected.arcs),
    }  # fmt: skip
    if first is not None and len(arcs) == len(expected.arcs):
        if abs(seconds - expected.arc_s) <= ledger_arc.TOLERANCE_S:
            return []
        return [f"{seconds:.2f} s of arc on record, {expected.arc_s:.2f} s in the trace"]
    return [f"{len(arcs)} arcs on record for chip {device}'s first session, {len(expected.arcs)} in the trace"]


def _payload(raw: bytes) -> dict[int, Any]:
    """Return a frame's payload by numbered key."""
    found: dict[int, Any] = cbor2.loads(raw[26:-8])
    return found


def _seq(raw: bytes) -> int:
    return identity_of(raw)[2]


def _text(identity: Identity) -> str:
    return f"{identity[0]}/{identity[1]:08x}/{identity[2]}"


def main(arguments: list[str] | None = None) -> int:
    """Run the program and return its exit code."""
    parser = argparse.ArgumentParser(prog="weldgate_simulator.ledger", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--flash", required=True, type=Path, help="folder of flash images, <chip>.flash")
    parser.add_argument("--store", required=True, type=Path, help="the collector's data folder")
    parser.add_argument("--consumer", required=True, type=Path, help="the consumer's database")
    parser.add_argument("--trace", type=Path, help="the trace file that one chip's welder played")
    parser.add_argument("--run", help="which run of it")
    parser.add_argument("--device", type=int, help="which chip")
    options = parser.parse_args(arguments)
    trace = (options.trace, options.run, options.device) if options.trace is not None else None
    try:
        document = report(options.flash, options.store, options.consumer, trace)
    except (OSError, ValueError, KeyError, sqlite3.Error, cbor2.CBORDecodeError) as error:
        sys.stderr.write(f"ledger: {type(error).__name__}: {error}\n")
        return 2
    sys.stdout.write(json.dumps(document, indent=2) + "\n")
    return 1 if document["troubles"] else 0


if __name__ == "__main__":
    sys.exit(main())
