"""A file to rows of cells: xlsx by openpyxl, CSV in UTF-8 or GBK. Bounded: no file makes us read without end."""

import csv
import io
import zipfile
from collections.abc import Iterator
from typing import cast

from openpyxl import load_workbook

from weldgate_platform.sheets.cleaning import Cell
from weldgate_protocol import reasons
from weldgate_protocol.errors import LocalError

__all__ = ["FileError", "read_rows"]

ROWS_MAX = 200_000
COLUMNS_MAX = 200
SIZE_MAX = 60_000_000  # bytes of the file
UNPACKED_MAX = 1_000_000_000  # bytes of an xlsx's parts: a bomb has more
_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"


class FileError(LocalError):
    """A file that cannot be read as a table; `code` is TOOL_BAD_INPUT."""


def read_rows(data: bytes) -> Iterator[list[Cell]]:
    """Yield a table's rows, the empty ones too, so that the n-th is row n of the file.

    Args:
        data: the file; its content decides, not its name.

    Raises:
        FileError: an old .xls, neither table nor text, or larger than the bounds.
    """
    if len(data) > SIZE_MAX:
        raise FileError(reasons.TOOL_BAD_INPUT, f"file of {len(data)} bytes, at most {SIZE_MAX}")
    if data.startswith(_OLE):
        raise FileError(reasons.TOOL_BAD_INPUT, "an old .xls file: save it as .xlsx or .csv")
    rows = _xlsx(data) if data.startswith(_ZIP) else _csv(data)
    for number, row in enumerate(rows, 1):
        if number > ROWS_MAX:
            raise FileError(reasons.TOOL_BAD_INPUT, f"more than {ROWS_MAX} rows")
        if any(cell is not None and cell != "" for cell in row[COLUMNS_MAX:]):
            raise FileError(reasons.TOOL_BAD_INPUT, f"row {number} has more than {COLUMNS_MAX} columns")
        yield row[:COLUMNS_MAX]


def _xlsx(data: bytes) -> Iterator[list[Cell]]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(part.file_size for part in archive.infolist()) > UNPACKED_MAX:
                raise FileError(reasons.TOOL_BAD_INPUT, f"unpacks to more than {UNPACKED_MAX} bytes")
        book = load_workbook(io.BytesIO(data), read_only=True)  # formulas as such: their values may be years old
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise FileError(reasons.TOOL_BAD_INPUT, f"no readable .xlsx: {error}") from error
    try:
        sheet = book.worksheets[0]
        sheet.reset_dimensions()  # what the file claims of its size may be wrong
        for row in sheet.iter_rows(values_only=True):
            yield cast("list[Cell]", list(row))
    finally:
        book.close()


def _csv(data: bytes) -> Iterator[list[Cell]]:
    if b"\0" in data[:4096]:
        raise FileError(reasons.TOOL_BAD_INPUT, "neither .xlsx nor text")
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            content = data.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    else:
        raise FileError(reasons.TOOL_BAD_INPUT, "text neither in UTF-8 nor in GBK")
    first = content.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    try:
        yield from cast("Iterator[list[Cell]]", csv.reader(io.StringIO(content), delimiter=delimiter))
    except csv.Error as error:
        raise FileError(reasons.TOOL_BAD_INPUT, f"no readable CSV: {error}") from error
