"""The soak's judge: acknowledged ⊆ stored ∪ declared, stored ⊆ delivered ∪ declared, each identity once.

It reads the chips' ledger, the collector's segments and the consumer's database where they lie, and asks no counter
and runs no code of the product. Two moments are looked at:

- ``kept``: nobody speaks to the collector, and all that was ever acknowledged is in its store now. A chip that sends
  again what its ring still holds would hide a loss, so this is asked before any chip may.
- ``settled``: everything has calmed down, and the three sets are as they must be for good.
"""

import shutil
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from .ledger import Own, covered, read_consumer, read_store, segment_files
from .ledger_flash import Row
from .soak_chips import RingChip

__all__ = ["Settled", "Trouble", "came_again", "kept", "settled"]

_Line = tuple[int, int]
_Numbers = dict[_Line, set[int]]
_TAG_BYTES = 8
_TRIES, _TRY_S = 20, 0.1
_SHOWN = 5  # numbers named of one line


class Trouble(NamedTuple):
    """Something that must not be: to how many identities, and what."""

    identities: int
    text: str


class Settled(NamedTuple):
    """What was found.

    Attributes:
        acknowledged, stored, delivered, declared: how many identities; declared: lost to the store, and said so.
        lost: what is missing where it must be, or is there with other bytes; or declared though it is not lost.
        doubled: what is there, or came, more than once.
    """

    acknowledged: int
    stored: int
    delivered: int
    declared: int
    lost: list[Trouble]
    doubled: list[Trouble]


def kept(chips: Sequence[RingChip], store: Path, may_declare: int = 0, *, running: bool = False) -> list[Trouble]:
    """Return what was acknowledged and is not in the store, or not as it was sent.

    Args:
        chips: their ledgers; nobody may be connected.
        store: the collector's data folder.
        may_declare: how many numbers were declared lost before, of files that were damaged or copied back.
        running: whether the collector runs.
    """
    frames, own = _read_running(store) if running else _read_stopped(store)
    declared = covered([], own)
    if _count(declared) > may_declare:
        declared = {}
    return _missing(chips, _union(_intact(chips, frames), declared), "acknowledged and not stored")


def settled(
    chips: Sequence[RingChip], store: Path, journal: Path, again: int = 0, may_declare: int = 0, held: bool = False
) -> Settled:
    """Judge the three sets.

    Args:
        chips: their ledgers, as they were when no more was recorded.
        store: the collector's data folder.
        journal: the consumer's database.
        again: how many rows came to the consumer once more though nothing explains it.
        may_declare: how many numbers the collector may have declared: those of before, or any where files were
            damaged or copied back.
        held: a chip may hold what is declared: where a file in the middle is gone, a high-water does not go back.
    """
    frames, own = read_store(store)
    delivered, own_delivered = read_consumer(journal)
    intact, there = _intact(chips, frames), _intact(chips, delivered)
    declared = covered([], own)
    oldest = {(chip.device, chip.epoch): chip.oldest for chip in chips}
    lost = _missing(chips, _union(intact, declared), "acknowledged, and neither stored nor declared")
    lost += _changed(chips, frames, "stored")
    # A flipped bit may have gone upstream before it was found; then its number is declared lost.
    trusted = [row for row in delivered if row.identity[2] not in declared.get(row.identity[:2], set())]
    lost += _changed(chips, trusted, "delivered")
    for line, seqs in declared.items():
        if there_still := sorted(seqs & intact.get(line, set())):
            lost.append(_trouble(line, there_still, "declared lost though it is stored"))
        if not held and (early := sorted(seq for seq in seqs if seq >= oldest.get(line, 0))):
            lost.append(_trouble(line, early, "declared lost though the chip holds it"))
    if (told := _count(declared)) > may_declare:
        lost.append(Trouble(told - may_declare, f"{told} numbers are declared lost, though nothing was"))
    known = _union(there, covered([], own_delivered))
    for line, seqs in intact.items():
        if missing := sorted(seqs - known.get(line, set())):
            lost.append(_trouble(line, missing, "stored, and neither delivered nor declared"))
    if missing_own := set(own) - set(own_delivered):
        lost.append(Trouble(len(missing_own), f"{len(missing_own)} own records are stored and not delivered"))
    doubled = _twice(frames, "stored") + _twice(trusted, "delivered")
    if again:
        doubled.append(Trouble(again, f"{again} rows came to the consumer again"))
    return Settled(sum(chip.acknowledged for chip in chips), _count(intact), _count(there), told, lost, doubled)


def came_again(journal: Path) -> int:
    """Return how many rows a consumer was sent that it held already; 0 while it has not begun."""
    if not journal.exists():
        return 0
    connection = sqlite3.connect(f"file:{journal}?mode=ro", uri=True, timeout=20)
    try:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'counts'").fetchone():
            return 0
        found = connection.execute("SELECT coalesce(sum(value), 0) FROM counts WHERE name = 'doubled'").fetchone()
        return int(found[0])
    finally:
        connection.close()


def _read_running(store: Path) -> tuple[list[Row], list[Own]]:
    """Read beside the collector, which may be changing files just now; on a full disk SQLite can only read a copy."""
    for _ in range(_TRIES):
        try:
            return read_store(store)
        except (sqlite3.Error, OSError, ValueError):
            time.sleep(_TRY_S)  # a file is sealed or removed at this moment
    return _read_stopped(store)


def _read_stopped(store: Path) -> tuple[list[Row], list[Own]]:
    """Read a copy, in which the log is played back as at a start; the files stay as the kill left them."""
    with tempfile.TemporaryDirectory(prefix="soak-look-") as name:
        looked = Path(name)
        shutil.copytree(store / "segments", looked / "segments", ignore=shutil.ignore_patterns("*-shm"))
        for path in segment_files(looked):
            connection = sqlite3.connect(path)
            connection.execute("SELECT count(*) FROM records").fetchone()
            connection.close()
        return read_store(looked)


def _intact(chips: Sequence[RingChip], rows: Iterable[Row]) -> _Numbers:
    """Return the numbers, by chip and epoch, whose bytes are the ones that the chip recorded."""
    known = {(chip.device, chip.epoch): chip for chip in chips}
    found: _Numbers = {line: set() for line in known}
    for (device, epoch, seq), raw in rows:
        chip = known.get((device, epoch))
        if chip is not None and raw[-_TAG_BYTES:] == chip.tag(seq):
            found[device, epoch].add(seq)
    return found


def _missing(chips: Sequence[RingChip], there: _Numbers, what: str) -> list[Trouble]:
    found = []
    for chip in chips:
        line = chip.device, chip.epoch
        if missing := sorted(set(range(1, chip.acknowledged + 1)) - there.get(line, set())):
            found.append(_trouble(line, missing, what))
    return found


def _changed(chips: Sequence[RingChip], rows: Iterable[Row], where: str) -> list[Trouble]:
    known = {(chip.device, chip.epoch): chip for chip in chips}
    return [
        _trouble((device, epoch), [seq], f"{where} with bytes that no chip sent")
        for (device, epoch, seq), raw in rows
        if (device, epoch) not in known or raw[-_TAG_BYTES:] != known[device, epoch].tag(seq)
    ]


def _twice(rows: Iterable[Row], where: str) -> list[Trouble]:
    times = Counter(row.identity for row in rows)
    return [_trouble(key[:2], [key[2]], f"{where} {n} times") for key, n in sorted(times.items()) if n > 1]


def _union(one: _Numbers, other: _Numbers) -> _Numbers:
    return {line: one.get(line, set()) | other.get(line, set()) for line in one.keys() | other.keys()}


def _count(numbers: _Numbers) -> int:
    return sum(len(seqs) for seqs in numbers.values())


def _trouble(line: _Line, seqs: Sequence[int], what: str) -> Trouble:
    """Name a few numbers of a line."""
    shown = ", ".join(str(seq) for seq in seqs[:_SHOWN]) + (" …" if len(seqs) > _SHOWN else "")
    return Trouble(len(seqs), f"chip {line[0]} epoch {line[1]:08x}, {len(seqs)} numbers, {shown}: {what}")
