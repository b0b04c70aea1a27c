"""Looking at seals: which of a chip's stored records are proved, which can't be, and where somebody has meddled.

A collector holds K_up, so it can tag what it likes; it does not hold K_seal. Here is the judge that does: it folds the
stored records of one chip and epoch into the chain (SPEC, Seals) and compares each seal. A stretch runs from one seal
to the next, and is

    proven      each of its records is as the chip wrote it, none is missing, none was put in
    unprovable  numbers of it are declared lost, or the chip itself began its chain anew, so nothing can be proved
    broken      numbers are missing that nobody declared, a seal is absent where one is due, or a seal does not match
    open        after the last seal: at most 255 numbers, and no session-stop; the next seal will tell

What a number that is missing is declared by is for who reads the store to say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from weldgate_issuer.keys import ChipSecrets
from weldgate_protocol import seal
from weldgate_protocol.frame import FLAG_PARITY
from weldgate_protocol.keys import HmacKey

__all__ = ["BROKEN", "OPEN", "PROVEN", "UNPROVABLE", "Stretch", "judge_seals", "seal_keys"]

PROVEN, UNPROVABLE, BROKEN, OPEN = "proven", "unprovable", "broken", "open"

Keys = Callable[[int], Sequence[HmacKey]]


@dataclass(frozen=True)
class Stretch:
    """Numbers first to last, both included, and what can be said of their records.

    Attributes:
        first, last: numbers of one epoch.
        state: PROVEN, UNPROVABLE, BROKEN or OPEN.
        why: in English, empty where proven.
    """

    first: int
    last: int
    state: str
    why: str = ""


def seal_keys(root_secret: bytes, device: bytes, generation: int) -> Keys:
    """Return what gives K_seal by parity bit: of every generation up to this one, the newest first.

    Args:
        root_secret: the site's, 32 bytes.
        device: chip id, 8 bytes.
        generation: the newest that the chip may have.
    """
    by_parity: list[list[HmacKey]] = [[], []]
    for number in range(generation, -1, -1):
        by_parity[number & 1].append(HmacKey(ChipSecrets.derive(root_secret, device, number).seal))
    return lambda parity: by_parity[parity]


def judge_seals(
    records: Iterable[bytes], keys: Keys, declared: Sequence[tuple[int, int]] = (), first: int = 1
) -> Iterator[Stretch]:
    """Judge the stored records of one chip and epoch.

    Args:
        records: raw frames by ascending number, each number once.
        keys: gives the K_seal that may be meant by a parity bit.
        declared: ranges of numbers whose loss is declared, by chip or collector.
        first: the number that the stored records begin with, where older ones were deleted.

    Yields:
        Stretches without overlap, by ascending number.
    """
    judge = _Judge(keys, declared, first)
    for raw in records:
        yield from judge.take(raw)
    yield from judge.end()


class _Judge:
    """The stretch that is being read.

    The chain is None where it is not known: before the first seal of a store that begins in the middle, after a hole.
    """

    def __init__(self, keys: Keys, declared: Sequence[tuple[int, int]], first: int) -> None:
        self._keys = keys
        self._declared = sorted(declared)
        self._first = first
        self._whole = first == 1  # nothing of the epoch was deleted
        self._before = first - 1
        self._chain: bytes | None = seal.CHAIN_START if self._whole else None
        self._chains: dict[int, bytes] = {}
        self._holes: list[tuple[int, int]] = []
        self._count = 0

    def take(self, raw: bytes) -> Iterator[Stretch]:
        """Take the next record; yield what it ends."""
        seq = int.from_bytes(raw[14:18], "big")
        never = seal.never_given(raw)
        if never:
            self._forget(never, seq)
        elif seq != self._before + 1:
            self._holes.append((self._before + 1, seq - 1))
        self._before = seq
        borne = seal.seal_of(raw)
        if borne:
            yield from self._sealed(raw, seq, borne)
            return
        # The chip's record before this one, here or not: numbers are missing only where they were given.
        if seal.due(raw[1], seq, (never or seq) - 1):
            yield Stretch(self._first, seq, BROKEN, f"record {seq} bears no seal")
            self._begin(seq + 1, None)
            return
        self._count += 1
        if self._chain is not None:
            self._chain = self._chains[seq] = seal.fold(self._chain, raw)

    def _forget(self, first: int, seq: int) -> None:
        """Take numbers out of the chain that the gap record `seq` says were never used, those before it excepted."""
        if first > self._before + 1:
            self._holes.append((self._before + 1, first - 1))
        elif first <= self._before and self._chain is not None:
            earlier = [number for number in self._chains if number < first]
            self._chain = self._chains[max(earlier)] if earlier else None
        self._before = max(self._before, seq - 1)

    def _sealed(self, raw: bytes, seq: int, borne: bytes) -> Iterator[Stretch]:
        anew = seal.fold(seal.CHAIN_START, raw)
        missing = [hole for hole in self._holes if not self._is_declared(hole)]
        opening = self._whole and not self._count and not self._holes
        if self._matches(raw, borne, seal.CHAIN_START):
            # The chip's own word that it began here: the first of its epoch, or one that lost its chain.
            if not opening and self._first < seq:
                state = BROKEN if missing else UNPROVABLE
                yield Stretch(self._first, seq - 1, state, self._loss(missing) or "the chip began its chain anew")
                self._first = seq
            yield Stretch(self._first, seq, PROVEN)
            self._begin(seq + 1, anew, seq)
        elif self._holes:
            yield Stretch(self._first, seq - 1, BROKEN if missing else UNPROVABLE, self._loss(missing))
            self._begin(seq, anew, seq)
        elif self._chain is None:
            if self._first < seq:
                yield Stretch(self._first, seq - 1, UNPROVABLE, "what stood before is not here")
            self._begin(seq, anew, seq)
        elif self._matches(raw, borne, self._chain):
            yield Stretch(self._first, seq, PROVEN)
            self._begin(seq + 1, anew, seq)
        else:
            yield Stretch(self._first, seq, BROKEN, f"the seal of record {seq} does not match")
            self._begin(seq + 1, anew, seq)

    def end(self) -> Iterator[Stretch]:
        """Yield what stands behind the last seal."""
        if self._before < self._first:
            return
        missing = [hole for hole in self._holes if not self._is_declared(hole)]
        state = BROKEN if missing else OPEN
        yield Stretch(self._first, self._before, state, self._loss(missing) if missing else "no seal yet")

    def _begin(self, first: int, chain: bytes | None, sealed: int = 0) -> None:
        """Begin a stretch behind a sealed record, or with it where it is itself not proved yet."""
        self._first = first
        self._chain = chain
        self._chains = {sealed: chain} if chain is not None else {}
        self._holes = []
        self._count = 0
        self._whole = False

    def _matches(self, raw: bytes, borne: bytes, chain: bytes) -> bool:
        head = seal.head_of(raw)
        parity = 1 if raw[0] & FLAG_PARITY else 0
        return any(seal.make(key, chain, head) == borne for key in self._keys(parity))

    def _is_declared(self, hole: tuple[int, int]) -> bool:
        at = hole[0]
        for first, last in self._declared:
            if first <= at <= last:
                at = last + 1
        return at > hole[1]

    def _loss(self, missing: list[tuple[int, int]]) -> str:
        shown = missing or self._holes
        ranges = ", ".join(f"{first}-{last}" for first, last in shown[:4]) + (" and more" if len(shown) > 4 else "")
        if not shown:
            return ""
        return f"{ranges} missing, declared by nobody" if missing else f"{ranges} declared lost"
