"""A load's life: check a file and keep the outcome, apply it, take it back, and hand out the bad rows for mending."""

import io
import json
from collections.abc import Callable
from datetime import date
from hashlib import sha256

import msgspec
from django.utils.translation import gettext as _
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import PatternFill

from weldgate_platform.accounts.models import User
from weldgate_platform.sealed import open_sealed, seal
from weldgate_platform.sheets.applying import apply
from weldgate_platform.sheets.checking import BadRow, Report, check
from weldgate_platform.sheets.cleaning import Cell, plain_cell
from weldgate_platform.sheets.mapping import Mapping, shipped_mappings
from weldgate_platform.sheets.models import Load, SavedMapping
from weldgate_platform.sheets.target import Purpose, RowFault

__all__ = ["apply_load", "bad_rows_file", "check_file", "kept_bad_rows", "load_mappings", "recheck", "said_of"]

_COLUMN = "sheets.Load.content"
_BAD_COLUMN = "sheets.Load.bad_file"
BAD_SHOWN = 100


def load_mappings() -> int:
    """Add the shipped mappings that are missing; returns how many. One that is there is the operator's."""
    added = 0
    for mapping in shipped_mappings():
        document = msgspec.json.format(msgspec.json.encode(mapping), indent=1).decode()
        added += SavedMapping.objects.get_or_create(key=mapping.key, defaults={"document": document})[1]
    return added


def check_file(
    data: bytes,
    file_name: str,
    mapping: Mapping,
    by: User,
    as_of: date,
    full: bool,
    progress: Callable[[int], None] | None = None,
) -> tuple[Load, Report]:
    """Check a file and keep it, sealed, until somebody applies it.

    Raises:
        FileError, MappingError: see `checking.check`; then nothing is kept.
    """
    report = check(data, mapping, Purpose(by, as_of, mapping.source, full), progress)
    load = Load.objects.create(
        mapping=mapping.key,
        target=mapping.target,
        source=mapping.source,
        as_of=as_of,
        full=full,
        file_name=file_name[:200],
        digest=sha256(data).hexdigest(),
        content=seal(data, _COLUMN),
        rows=report.rows,
        bad_rows=len(report.bad),
        counts=dict(report.target.plan.counts),
        bad_file=seal(bad_rows_file(report), _BAD_COLUMN) if report.bad else b"",
        bad_list=json.dumps([[row.number, said_of(row)] for row in report.bad[:BAD_SHOWN]], ensure_ascii=False),
        by=by,
    )
    return load, report


def recheck(load: Load, by: User) -> Report:
    """Check a kept file again, against what the database holds now and in the scope of who asks.

    Raises:
        RowFault: the file is gone, since the load was applied.
        MappingError: its mapping is gone or does not fit any more.
    """
    if load.state != Load.State.CHECKED or not load.content:
        raise RowFault("", _("It was applied already."))
    mapping = SavedMapping.objects.get(key=load.mapping).mapping
    data = open_sealed(bytes(load.content), _COLUMN)
    return check(data, mapping, Purpose(by, load.as_of, load.source, load.full))


def apply_load(load: Load, by: User, checked: Report | None = None) -> Report:
    """Apply a checked load, if it has no bad row by now.

    Args:
        load: that was checked.
        by: who decided it.
        checked: the outcome of a check that was made just now, which is not repeated then.

    Raises:
        RowFault: it has bad rows, or was applied.
    """
    report = recheck(load, by) if checked is None else checked
    if report.bad:
        raise RowFault("", _("It has bad rows: nothing was applied."))
    load.counts = dict(report.target.plan.counts)
    load.save(update_fields=["counts"])
    apply(load, report.target, by)
    return report


def bad_rows_file(report: Report) -> bytes:
    """Return an xlsx of the bad rows under the file's own headers, and what is wrong with each in a last column.

    Mended, it can be imported as it is. Every cell is text: identity numbers stay whole, and nothing is a formula.
    """
    book = Workbook(write_only=True)
    sheet = book.create_sheet()
    mark = PatternFill("solid", fgColor="FFF2CC")
    width = len(report.header.names)
    sheet.append([*report.header.names, _("What is wrong")])
    for row in report.bad:
        cells = []
        for value in (*_padded(row, width), said_of(row)):
            cell = WriteOnlyCell(sheet, value=plain_cell(value))
            cell.data_type = "s"
            cell.number_format = "@"
            cells.append(cell)
        cells[-1].fill = mark
        sheet.append(cells)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def kept_bad_rows(load: Load) -> bytes:
    """Return the file of a load's bad rows, as it was made when the load was checked; empty where it has none."""
    return open_sealed(bytes(load.bad_file), _BAD_COLUMN) if load.bad_file else b""


def said_of(row: BadRow) -> str:
    """Return what is wrong with a row, in one line."""
    return "；".join(f"{title}：{fault}" if title else str(fault) for title, fault in row.faults)


def _padded(row: BadRow, width: int) -> list[Cell]:
    return (row.cells + [None] * width)[:width]
