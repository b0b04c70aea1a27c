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

import sqlite3
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from weldgate_protocol import messages
from weldgate_protocol.collector_record import RECORD_GAP, RECORD_PRESENCE, decode_record
from weldgate_protocol.errors import WeldgateError
from weldgate_protocol.frame import parse

from .reader import Reader
from .schema import FRAME, OWN
from .segments import Segment

__all__ = [
    "CHIP",
    "ELSEWHERE",
    "LOST",
    "MISSING",
    "STATES",
    "WAITING",
    "Gap",
    "Line",
    "find_gaps",
    "prove_lines",
    "subtract",
]

STATES = MISSING, LOST, CHIP, ELSEWHERE, WAITING = "missing", "lost", "chip", "elsewhere", "waiting"

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
        held: whether the chip still holds it, by its latest hello; None when it can't be told.
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


class Line(NamedTuple):
    """One chip's numbers in one epoch.

    Attributes:
        device, epoch: whose.
        stored: how many frames are stored, in what is kept.
        last_ms: when its last frame came, Unix milliseconds, 0 for never.
        gaps: the numbers that no stored frame has.
    """

    device: int
    epoch: int
    stored: int
    last_ms: int
    gaps: list[Gap]


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
        self.holds: dict[_Line, tuple[int, int]] = {}  # the highest number the chip has, when it said so
        self.oldest: dict[_Line, int] = {}  # the oldest number it had at its latest hello
        self.heard: dict[int, tuple[int, int]] = {}  # row and epoch of each chip's latest presence
        self.last_ms: dict[_Line, int] = {}

    def held(self, line: _Line, first: int, last: int) -> list[tuple[int, int, bool | None]]:
        """Cut missing numbers by whether the chip still holds them: (first, last, held)."""
        heard, oldest = self.heard.get(line[0]), self.oldest.get(line)
        if heard is not None and heard[1] != line[1]:
            return [(first, last, False)]  # its flash was formatted since
        if oldest is None or oldest <= first:
            return [(first, last, None if oldest is None else True)]
        if oldest > last:
            return [(first, last, False)]
        return [(first, oldest - 1, False), (oldest, last, True)]

    def lines(self) -> list[_Line]:
        """Return every line, in order."""
        return sorted(self.high.keys() | self.stored.keys())


def find_gaps(reader: Reader, device: int | None = None) -> Iterator[Gap]:
    """Yield every gap, by chip and epoch, in order; see ``prove_lines``."""
    for line in prove_lines(reader, device):
        yield from line.gaps


def prove_lines(
    reader: Reader,
    device: int | None = None,
    until_ms: int | None = None,
    breathe: Callable[[], None] = lambda: None,
) -> Iterator[Line]:
    """Yield every line with its gaps, in order; memory is bounded, however many chips and segments there are.

    Args:
        reader: the store.
        device: one chip only.
        until_ms: as if nothing had come since, Unix milliseconds.
        breathe: called before each segment, so that the caller may take its time; segments may come and go meanwhile.
    """
    restored = [last for kind, _, _, last, _ in reader.marks() if kind == "restored"]
    devices = array("q", [device] if device is not None else _devices(reader))
    for start in range(0, len(devices), _CHIPS):
        part = devices[start : start + _CHIPS]
        book = _read(reader, part[0], part[-1], until_ms, breathe)
        for line in book.lines():
            stored = sum(last - first + 1 for first, last in book.stored.get(line, ()))
            yield Line(*line, stored, book.last_ms.get(line, 0), list(_line_gaps(reader, line, book, restored)))


def _devices(reader: Reader) -> list[int]:
    found = reader.connection.execute(
        f"SELECT device FROM highs UNION SELECT device FROM records WHERE kind = {FRAME} OR type = {RECORD_GAP}"  # noqa: S608
    )
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
    high, base, stored = book.high.get(line, 0), book.base.get(line, 0), book.stored.get(line, [])
    for first, last in subtract(base + 1, high, stored):
        rest: Ranges = [(first, last)]
        for told in book.declared.get(line, ()):
            for part in _cut(rest, told.first, told.last):
                state = told.state
                if state == ELSEWHERE and _after_restore(reader, line, told, restored):
                    state = LOST
                yield Gap(*line, *part, told.received_ms, state, False)
            rest = [left for start, end in rest for left in subtract(start, end, [(told.first, told.last)])]
        for start, end in rest:
            following = reader.find(*line, end + 1, end + 1)
            since_ms = following[0].received_ms if following else 0
            for low, top, held in book.held(line, start, end):
                yield Gap(*line, low, top, since_ms, MISSING, held)
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


def _read(
    reader: Reader, first: int, last: int, until_ms: int | None, breathe: Callable[[], None] = lambda: None
) -> _Book:
    """Read what concerns the chips ``first`` to ``last``; in sealed segments the index alone answers, but for gaps."""
    book = _Book()
    chips = f"device BETWEEN {first:d} AND {last:d}"
    # Rows that come meanwhile are left out, lest a word in one of them be held against rows that were not read.
    rows_of = f"{chips} AND +idx <= {reader.last_index():d}"  # + keeps SQLite to the index by chip
    if until_ms is not None:
        rows_of += f" AND received_ms < {until_ms:d}"
    frames_of = f"{rows_of} AND kind = {FRAME}"
    segments = reader.segments()
    begun = False
    for segment in segments:
        breathe()
        connection = reader.segment(segment)
        if connection is None:  # retention took it, and what is older with it
            book, begun = _Book(), False
            continue
        if not begun:
            book.base, begun = _highs(connection, chips), True
        # Numbers that follow one another differ from their rank by the same amount.
        for chip, epoch, start, end in connection.execute(
            "SELECT device, epoch, min(seq), max(seq) FROM (SELECT device, epoch, seq, seq - dense_rank()"  # noqa: S608
            f" OVER (PARTITION BY device, epoch ORDER BY seq) AS island FROM records WHERE {frames_of})"
            " GROUP BY device, epoch, island ORDER BY 1, 2, 3"
        ):
            stored = book.stored[chip, epoch]
            if stored and stored[-1][1] + 1 == start:
                stored[-1] = (stored[-1][0], end)
            else:
                stored.append((start, end))
        for idx, received_ms, kind, chip, epoch, raw in connection.execute(
            f"SELECT idx, received_ms, kind, device, epoch, raw FROM records WHERE {rows_of} AND"  # noqa: S608
            f" ((kind = {OWN} AND type = {RECORD_GAP}) OR (kind = {FRAME} AND type = {messages.GAP}))"
        ):
            (_own if kind == OWN else _chip)(book, idx, received_ms, chip, epoch, raw)
    # Of the newest segment that was read: one that came after it knows of rows that were not.
    newest = reader.segment(segments[-1])
    book.high = {} if until_ms is not None or newest is None else _highs(newest, chips)
    for line, stored in book.stored.items():
        book.high[line] = max(book.high.get(line, 0), stored[-1][1])
    for line, declared in book.declared.items():
        told = [one.last for one in declared if one.state != CHIP]
        if told:
            book.high[line] = max(book.high.get(line, 0), *told)
    _latest(reader, segments, rows_of, book, breathe)
    return book


def _highs(connection: sqlite3.Connection, chips: str) -> dict[_Line, int]:
    rows = connection.execute(f"SELECT device, epoch, high FROM highs WHERE {chips}")  # noqa: S608 - numbers
    return {(device, epoch): high for device, epoch, high in rows}


def _latest(reader: Reader, segments: list[Segment], rows_of: str, book: _Book, breathe: Callable[[], None]) -> None:
    """Read each line's latest presence and the time of its latest frame; most are in the newest segments."""
    seen: set[tuple[int, int, int]] = set()
    for segment in reversed(segments):
        breathe()
        connection = reader.segment(segment)
        if connection is None:
            continue
        for chip, epoch, kind, idx in connection.execute(
            f"SELECT device, epoch, kind, max(idx) FROM records WHERE {rows_of} AND (kind = {FRAME} OR"  # noqa: S608
            f" type = {RECORD_PRESENCE}) GROUP BY 1, 2, 3"
        ).fetchall():
            if (chip, epoch, kind) not in seen:
                seen.add((chip, epoch, kind))
                received_ms, raw = connection.execute(
                    "SELECT received_ms, raw FROM records WHERE idx = ?", (idx,)
                ).fetchone()
                if kind == OWN:
                    _own(book, idx, received_ms, chip, epoch, raw)
                else:
                    book.last_ms[chip, epoch] = received_ms


def _own(book: _Book, idx: int, received_ms: int, device: int, epoch: int, raw: bytes) -> None:
    try:
        record = decode_record(raw)
        if record.kind == RECORD_GAP:
            state = LOST if record.reason else ELSEWHERE
            book.declared[device, epoch].append(_Declared(idx, received_ms, record.first, record.last, state))
            return
        if record.kind != RECORD_PRESENCE:
            return
        if record.first:
            book.oldest[device, epoch] = record.first
        if record.frame or record.first:  # an alarm for a chip that was never heard names no epoch
            book.heard[device] = max(book.heard.get(device, (0, 0)), (idx, epoch))
        if record.frame:
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
