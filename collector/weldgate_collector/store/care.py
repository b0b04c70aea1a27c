"""Looking a store over: is each segment sound, are rows without a hole, do columns say what their frames say?

Reads only, beside a running collector. ``salvage`` mends what is found; ``completeness`` is about chips' numbers.
"""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from weldgate_protocol.errors import WeldgateError

from ..errors import StoreError
from .schema import FRAME, READABLE, Connect, connect, open_store
from .segments import LEGACY_NAME, Segment, list_segments, store_folder

__all__ = ["Finding", "SegmentReport", "TagCheck", "check_store"]

_FINDINGS_MAX = 20  # of one kind in one segment; more say nothing new


class Finding(NamedTuple):
    """Something that is not as it should be.

    Attributes:
        kind: ``unreadable``, ``damaged``, ``hole``, ``misfiled``, ``tag`` or ``missing-segment``.
        text: what exactly.
    """

    kind: str
    text: str


class SegmentReport(NamedTuple):
    """One segment as it was found; ``missing_from``: first row of those before it that are in no file, 0 for none."""

    path: Path
    first: int
    last: int
    rows: int
    sealed: bool
    findings: list[Finding]
    missing_from: int = 0


TagCheck = Callable[[bytes], bool | None]


def check_store(
    place: Path, tag_matches: TagCheck | None = None, open_connection: Connect = connect
) -> Iterator[SegmentReport]:
    """Yield a report of each segment, oldest first.

    Args:
        place: the store.
        tag_matches: raw frame → whether its tag verifies, None for a chip whose key isn't known; without it no tag is
            looked at.
        open_connection: the ``connect`` seam.
    """
    expected: int | None = None
    lost: list[tuple[int, int]] = []
    folder = store_folder(place)
    segments = list_segments(folder)
    if not segments and (folder / LEGACY_NAME).exists():
        yield _check_single(Segment(1, folder / LEGACY_NAME), open_connection)
    if segments:
        try:
            with_marks = open_store(segments[-1].path, open_connection, may_migrate=False)
            lost = with_marks.execute("SELECT first, last FROM marks WHERE kind = 'lost'").fetchall()
            # Those before the newest, less what retention took: the oldest file may be gone as well.
            expected = with_marks.execute("SELECT min(first) FROM segments").fetchone()[0]
            with_marks.close()
        except (sqlite3.Error, StoreError):
            lost = []  # the newest segment's own report says so
    for segment in segments:
        report = _check(segment, tag_matches, open_connection, lost)
        if expected is not None and segment.first > expected and not _told(lost, expected, segment.first - 1):
            report = report._replace(missing_from=expected)
            report.findings.insert(
                0, Finding("missing-segment", f"rows {expected} to {segment.first - 1} are in no file")
            )
        if any(finding.kind in ("unreadable", "damaged") for finding in report.findings):
            expected = None  # nobody knows where it ended; salvage takes it to reach to the next one
        elif report.last:
            expected = report.last + 1
        yield report


def _check_single(segment: Segment, open_connection: Connect) -> SegmentReport:
    """Look at a store of one file, of the earlier release, as far as that goes before it is taken over."""
    try:
        connection = open_connection(f"{segment.path.absolute().as_uri()}?mode=rw")
        try:
            texts = [str(text) for (text,) in connection.execute(f"PRAGMA integrity_check({_FINDINGS_MAX})")]
            rows, last = connection.execute("SELECT count(*), coalesce(max(idx), 0) FROM records").fetchone()
        finally:
            connection.close()
    except sqlite3.Error as error:
        return SegmentReport(segment.path, 1, 0, 0, False, [Finding("unreadable", str(error))])
    found = [Finding("damaged", text) for text in texts if text != "ok"]
    return SegmentReport(segment.path, 1, last, rows, False, found)


def _check(
    segment: Segment, tag_matches: TagCheck | None, open_connection: Connect, lost: list[tuple[int, int]]
) -> SegmentReport:
    findings: list[Finding] = []
    last = rows = 0
    sealed = False
    try:
        connection = open_store(segment.path, open_connection, may_migrate=False, oldest=READABLE)
    except (sqlite3.Error, StoreError) as error:
        return SegmentReport(segment.path, segment.first, 0, 0, False, [Finding("unreadable", str(error))])
    try:
        connection.execute("PRAGMA query_only=ON")
        for (text,) in connection.execute(f"PRAGMA integrity_check({_FINDINGS_MAX})"):
            if text != "ok":
                findings.append(Finding("damaged", str(text)))
        sealed = bool(connection.execute("SELECT sealed FROM segment").fetchone()[0])
        expected = segment.first
        for idx, kind, device, epoch, seq, type_, raw in connection.execute(
            "SELECT idx, kind, device, epoch, seq, type, raw FROM records ORDER BY idx"
        ):
            if idx != expected and not _told(lost, expected, idx - 1):
                _add(findings, "hole", f"row {expected} to {idx - 1}")
            expected, last, rows = idx + 1, idx, rows + 1
            if kind != FRAME:
                continue
            if not misfiled(device, epoch, seq, type_, raw):
                if tag_matches is not None and tag_matches(raw) is False:
                    _add(findings, "tag", f"row {idx}, chip {device}, number {seq}: the tag does not verify")
            else:
                _add(findings, "misfiled", f"row {idx}: its columns are not those of its frame")
        last = max(last, segment.first - 1)
    except (sqlite3.Error, WeldgateError) as error:
        findings.append(Finding("damaged", str(error)))
    finally:
        connection.close()
    return SegmentReport(segment.path, segment.first, last, rows, sealed, findings)


def misfiled(device: int, epoch: int, seq: int, type_: int, raw: bytes) -> bool:
    """Tell whether a frame's columns differ from its header (offsets 1, 2, 10 and 14)."""
    return not (
        isinstance(raw, bytes)
        and len(raw) > 18
        and raw[1] == type_
        and raw[2:18] == device.to_bytes(8, "big") + epoch.to_bytes(4, "big") + seq.to_bytes(4, "big")
    )


def _told(lost: list[tuple[int, int]], first: int, last: int) -> bool:
    return any(start <= first and last <= end for start, end in lost)


def _add(findings: list[Finding], kind: str, text: str) -> None:
    if sum(finding.kind == kind for finding in findings) < _FINDINGS_MAX:
        findings.append(Finding(kind, text))
