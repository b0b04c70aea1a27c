"""What is missing: for each line (chip and epoch) the numbers that no stored frame has, and why.

A line's numbers are whole: from what it had reached when the oldest segment that is still held was begun, to its
high-water, each one is stored or declared (DESIGN §2.6). What is not stored is told with its *state*:

    missing    neither stored nor declared: the store is damaged; ``salvage`` declares it
    lost       it was here, or should be, and is gone: a restore from an older backup, a damaged segment
    chip       the chip itself declared it: its flash lost it, or never admitted it
    elsewhere  the chip had been told that it is safe, and no longer holds it: another collector has it
    waiting    beyond the high-water, and the chip's last heartbeat says that it holds it: it comes with the next link

Only the first two are holes. A chip that is silent, that roams, or that begins a new epoch makes none.
"""

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from weldgate_protocol import messages
from weldgate_protocol.collector_record import RECORD_GAP, RECORD_PRESENCE, decode_record
from weldgate_protocol.errors import WeldgateError
from weldgate_protocol.frame import parse

from .reader import Reader
from .schema import FRAME, OWN

__all__ = ["CHIP", "ELSEWHERE", "LOST", "MISSING", "WAITING", "Gap", "find_gaps", "subtract"]

MISSING, LOST, CHIP, ELSEWHERE, WAITING = "missing", "lost", "chip", "elsewhere", "waiting"

_CHIPS = 10_000  # chips looked at together

Ranges = list[tuple[int, int]]
_Line = tuple[int, int]


class Gap(NamedTuple):
    """Numbers of one line that no stored frame has.

    Attributes:
        device, epoch: the line.
        first, last: both included.
        since_ms: Unix milliseconds since when it is known, 0 when it can't be told.
        state: MISSING, LOST, CHIP, ELSEWHERE or WAITING.
        held: whether the chip still holds it; None when it can't be told.
    """

    device: int
    epoch: int
    first: int
    last: int
    since_ms: int
    state: str
    held: bool | None

    @property
    def is_hole(self) -> bool:
        """Whether it is a loss of this store, rather than something that is known to be elsewhere or gone."""
        return self.state in (MISSING, LOST)


class _Declared(NamedTuple):
    idx: int
    received_ms: int
    first: int
    last: int
    state: str


class _Book:
    """What one pass over the segments finds of some chips."""

    def __init__(self) -> None:
        self.high: dict[_Line, int] = {}
        self.base: dict[_Line, int] = {}
        self.stored: dict[_Line, Ranges] = defaultdict(list)
        self.declared: dict[_Line, list[_Declared]] = defaultdict(list)
        self.holds: dict[_Line, tuple[int, int]] = {}  # line: highest the chip has, when it said so


def find_gaps(reader: Reader, device: int | None = None) -> Iterator[Gap]:
    """Yield every gap, by chip and epoch, in order; memory is bounded, however many chips and segments there are.

    Args:
        reader: the store.
        device: one chip only.
    """
    restored = [last for kind, _, _, last, _ in reader.marks() if kind == "restored"]
    devices = array("q", [device] if device is not None else _devices(reader))
    for start in range(0, len(devices), _CHIPS):
        part = devices[start : start + _CHIPS]
        book = _read(reader, part[0], part[-1])
        for line in sorted(book.high.keys() | book.stored.keys()):
            yield from _line_gaps(reader, line, book, restored)


def _devices(reader: Reader) -> list[int]:
    found = reader.connection.execute("SELECT device FROM highs UNION SELECT device FROM records WHERE seq > 0")
    return sorted(device for (device,) in found)


def subtract(first: int, last: int, ranges: Iterable[tuple[int, int]]) -> Ranges:
    """Return what of ``first`` to ``last`` is in none of the ranges."""
    left: Ranges = []
    for start, end in sorted(ranges):
        if end < first:
            continue
        if start > last:
            break
        if start > first:
            left.append((first, start - 1))
        first = end + 1
    if first <= last:
        left.append((first, last))
    return left


def _line_gaps(reader: Reader, line: _Line, book: _Book, restored: list[int]) -> Iterator[Gap]:
    high, base, stored = book.high.get(line, 0), book.base.get(line, 0), book.stored[line]
    for first, last in subtract(base + 1, high, stored):
        rest: Ranges = [(first, last)]
        for told in book.declared[line]:
            for part in _cut(rest, told.first, told.last):
                state = told.state
                if state == ELSEWHERE and _after_restore(reader, line, told, restored):
                    state = LOST
                yield Gap(*line, *part, told.received_ms, state, False)
            rest = [left for start, end in rest for left in subtract(start, end, [(told.first, told.last)])]
        for start, end in rest:
            following = reader.find(*line, end + 1, end + 1)
            yield Gap(*line, start, end, following[0].received_ms if following else 0, MISSING, None)
    holds, since_ms = book.holds.get(line, (0, 0))
    if holds > high:
        yield Gap(*line, high + 1, holds, since_ms, WAITING, True)


def _cut(ranges: Ranges, first: int, last: int) -> Ranges:
    return [(max(start, first), min(end, last)) for start, end in ranges if max(start, first) <= min(end, last)]


def _after_restore(reader: Reader, line: _Line, told: _Declared, restored: list[int]) -> bool:
    """Tell whether the store was set back between the line's row before the gap and the gap."""
    if not restored:
        return False
    before = reader.find(*line, told.first - 1, told.first - 1)
    reached = before[0].idx if before else 0
    return any(reached <= last < told.idx for last in restored)


def _read(reader: Reader, first: int, last: int) -> _Book:
    """Read what concerns the chips ``first`` to ``last``; in sealed segments the index alone answers, but for gaps."""
    book = _Book()
    chips = f"device BETWEEN {first:d} AND {last:d}"
    segments = reader.segments()
    for segment in segments:
        connection = reader.segment(segment)
        if connection is None:
            continue
        if segment is segments[0]:
            rows = connection.execute(f"SELECT device, epoch, high FROM highs WHERE {chips}")  # noqa: S608 - numbers
            book.base = {(chip, epoch): high for chip, epoch, high in rows}
        # Numbers that follow one another differ from their rank by the same amount.
        for chip, epoch, start, end in connection.execute(
            "SELECT device, epoch, min(seq), max(seq) FROM (SELECT device, epoch, seq, seq - dense_rank()"  # noqa: S608
            f" OVER (PARTITION BY device, epoch ORDER BY seq) AS island FROM records WHERE kind = {FRAME} AND {chips})"
            " GROUP BY device, epoch, island ORDER BY 1, 2, 3"
        ):
            stored = book.stored[chip, epoch]
            if stored and stored[-1][1] + 1 == start:
                stored[-1] = (stored[-1][0], end)
            else:
                stored.append((start, end))
        for idx, received_ms, kind, chip, epoch, raw in connection.execute(
            f"SELECT idx, received_ms, kind, device, epoch, raw FROM records WHERE {chips} AND ((kind = {OWN} AND"  # noqa: S608
            f" type = {RECORD_GAP}) OR (kind = {FRAME} AND type = {messages.GAP}))"
        ):
            (_own if kind == OWN else _chip)(book, idx, received_ms, chip, epoch, raw)
    _latest(reader, chips, book)
    return book


def _latest(reader: Reader, chips: str, book: _Book) -> None:
    """Read the high-waters, and the latest presence of each line, which is in the newest segments most often."""
    newest = reader.connection
    rows = newest.execute(
        f"SELECT device, epoch, max(high) FROM (SELECT device, epoch, high FROM highs WHERE {chips} UNION ALL"  # noqa: S608
        f" SELECT device, epoch, seq FROM records WHERE seq > 0 AND {chips}) GROUP BY 1, 2"
    )
    book.high = {(chip, epoch): high for chip, epoch, high in rows}
    seen: set[_Line] = set()
    for segment in reversed(reader.segments()):
        connection = reader.segment(segment)
        if connection is None:
            continue
        for chip, epoch, idx in connection.execute(
            f"SELECT device, epoch, max(idx) FROM records WHERE {chips} AND kind = {OWN} AND type = {RECORD_PRESENCE}"  # noqa: S608
            " GROUP BY 1, 2"
        ).fetchall():
            if (chip, epoch) not in seen:
                seen.add((chip, epoch))
                row = connection.execute(
                    "SELECT idx, received_ms, device, epoch, raw FROM records WHERE idx = ?", (idx,)
                )
                _own(book, *row.fetchone())


def _own(book: _Book, idx: int, received_ms: int, device: int, epoch: int, raw: bytes) -> None:
    try:
        record = decode_record(raw)
        if record.kind == RECORD_GAP:
            state = LOST if record.reason else ELSEWHERE
            book.declared[device, epoch].append(_Declared(idx, received_ms, record.first, record.last, state))
        elif record.kind == RECORD_PRESENCE and record.frame:
            frame = parse(record.frame)
            highest = messages.decode(frame.type, frame.payload).get("highest")
            if isinstance(highest, int):
                book.holds[device, int.from_bytes(frame.epoch, "big")] = (highest, received_ms)
    except WeldgateError:
        return  # evidence that can't be read proves nothing, either way


def _chip(book: _Book, idx: int, received_ms: int, device: int, epoch: int, raw: bytes) -> None:
    frame = parse(raw)
    try:
        fields = messages.decode(frame.type, frame.payload)
    except WeldgateError:
        return
    about, first, last = fields.get("epoch"), fields["first"], fields.get("last")
    line = (device, int.from_bytes(about, "big") if isinstance(about, bytes) else epoch)
    # A chip's word comes before what a collector made of it.
    book.declared[line].insert(0, _Declared(idx, received_ms, first, first if last is None else last, CHIP))
