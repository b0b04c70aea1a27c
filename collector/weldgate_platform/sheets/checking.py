"""A dry run: every row cleaned and planned, every bad row named, nothing written."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain, islice

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from weldgate_platform.sheets.cleaning import Cell, CellFault
from weldgate_platform.sheets.mapping import HEADER_ROWS_MAX, Column, Header, Mapping, MappingError, find_header
from weldgate_platform.sheets.reading import read_rows
from weldgate_platform.sheets.target import Purpose, RowFault, Target, target_named
from weldgate_protocol import reasons

__all__ = ["BadRow", "Report", "check"]

Progress = Callable[[int], None]
_STEP = 1000


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be taken.

    Attributes:
        number: in the file, from 1.
        cells: as they came.
        faults: (header of the column, or "" for the row; what is wrong).
    """

    number: int
    cells: list[Cell]
    faults: list[tuple[str, "str | Promise"]]


@dataclass(frozen=True)
class Report:
    """What a dry run found.

    Attributes:
        header: of the file.
        rows: how many there are, empty ones left out.
        bad: those that cannot be taken.
        target: with its plan.
    """

    header: Header
    rows: int
    bad: list[BadRow]
    target: Target


def check(data: bytes, mapping: Mapping, purpose: Purpose, progress: Progress | None = None) -> Report:
    """Check a file.

    Args:
        data: the file.
        mapping: its columns.
        purpose: who loads what.
        progress: is told how many rows are done, now and then.

    Raises:
        FileError: not readable as a table.
        MappingError: it has no such columns, or the mapping's target is unknown.
    """
    kind = target_named(mapping.target)
    if kind is None:
        raise MappingError(reasons.TOOL_CONFIG, f"mapping {mapping.key}: no target {mapping.target}")
    unknown = {column.field for column in mapping.columns} - set(kind.fields)
    if unknown:
        raise MappingError(reasons.TOOL_CONFIG, f"mapping {mapping.key}: no field {', '.join(sorted(unknown))}")
    rows = read_rows(data)
    top = list(islice(rows, HEADER_ROWS_MAX))
    header = find_header(mapping, top, {name for name, field in kind.fields.items() if field.required})
    target = kind(purpose)
    columns = {column.field: column for column in mapping.columns}
    bad: list[BadRow] = []
    count = 0
    for number, row in enumerate(chain(top[header.first - 1 :], rows), header.first):
        if all(cell is None or cell == "" for cell in row):
            continue
        count += 1
        faults = _take(target, columns, header, number, row)
        if faults:
            bad.append(BadRow(number, row, faults))
        if progress is not None and count % _STEP == 0:
            progress(count)
    if not bad:
        target.finish()
    return Report(header, count, bad, target)


def _take(
    target: Target, columns: dict[str, Column], header: Header, number: int, row: list[Cell]
) -> list[tuple[str, "str | Promise"]]:
    """Clean and plan one row; return what is wrong with it."""
    values: dict[str, object] = {}
    faults: list[tuple[str, str | Promise]] = []
    for name, field in target.fields.items():
        place, column = header.places.get(name), columns.get(name)
        if column is None or (place is None and not column.default):
            continue
        title = column.headers[0]
        cell = row[place] if place is not None and place < len(row) else None
        try:
            value = field.clean(_word(cell, column))
        except CellFault as fault:
            faults.append((title, fault.said))
            continue
        if field.required and value in ("", None):
            faults.append((title, _("missing")))
        values[name] = value
    if faults:
        return faults
    try:
        target.take(number, values)
    except RowFault as fault:
        title = columns[fault.field].headers[0] if fault.field in columns else ""
        return [(title, fault.said)]
    return []


def _word(cell: Cell, column: Column) -> Cell:
    """Return the cell, its default, or our word for what the file says."""
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        cell = column.default or cell
    if column.values and isinstance(cell, (str, int)):
        plain = str(cell).replace(" ", "").strip()
        return column.values.get(plain, column.values.get(plain.upper(), cell))
    return cell
