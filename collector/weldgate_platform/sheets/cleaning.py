"""One cell to one value: what the field's spreadsheets do to numbers, dates and words, undone where nothing is lost.

Pure. A cell is what openpyxl or a CSV file gives: text, a number, a date, nothing. What cannot be undone is a
`CellFault` with a sentence for the one who must mend it: an 18-digit number that was stored as a number has lost its
last digits for good, and guessing them would make somebody else of him.
"""

import re
import unicodedata
from collections.abc import Callable
from datetime import date, datetime, timedelta

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

__all__ = ["Cell", "CellFault", "Clean", "count", "day", "flag", "identity", "number_text", "plain_cell", "text"]

Cell = str | int | float | bool | date | datetime | timedelta | None
Clean = Callable[[Cell], object]

TEXT_MAX = 200
_EXACT_MAX = 10**15  # a spreadsheet's number keeps 15 digits
_QUOTED = re.compile(r'^="([^"]*)"$')  # how CSV files keep Excel from making a number of it
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet takes for a formula (OWASP, CSV injection)
_INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2060\ufeff\x00-\x08\x0b\x0c\x0e-\x1f]")
_DAY = re.compile(r"^(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?:[ T]\d{1,2}:\d{2}(?::\d{2})?)?$")
_PACKED = re.compile(r"^(\d{4})(\d{2})(\d{2})$")
_SERIAL_BASE = date(1899, 12, 30)  # Excel's day 0; its wrong 1900-02-29 lies before any date of ours
_SERIALS = range(18264, 73051)  # 1950-01-01 to 2100-01-01
_FOREVER = ("长期", "永久", "无", "/", "-", "—")
_COUNT = re.compile(r"^(\d{1,6})(?:\.0+)?\s*(?:台|个|套|A|安|安培)?$")
_YES, _NO = ("1", "是", "有", "Y", "YES", "TRUE", "√"), ("", "0", "否", "无", "N", "NO", "FALSE", "×")


class CellFault(ValueError):  # noqa: N818 - a fault of the file, told to its owner, and no error of ours
    """A cell that cannot be taken as it is.

    Attributes:
        said: why, translated when it is shown.
    """

    def __init__(self, said: "str | Promise") -> None:
        super().__init__(said)
        self.said = said


def plain_cell(value: object) -> str:
    """Return a cell of ours that no spreadsheet takes for a formula; `text` takes it back."""
    words = "" if value is None else str(value)
    return f"'{words}" if words.startswith(_FORMULA) else words


def text(cell: Cell) -> str:
    """Return words in one form: half-width, without invisible characters, single spaces.

    Raises:
        CellFault: a formula, a duration, or longer than 200 characters.
    """
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "1" if cell else "0"
    if isinstance(cell, (int, float)):
        return number_text(cell)
    if isinstance(cell, datetime):
        return cell.date().isoformat()
    if isinstance(cell, date):
        return cell.isoformat()
    if not isinstance(cell, str):
        raise CellFault(_("a duration, where words belong"))
    quoted = _QUOTED.match(cell.strip())
    words = unicodedata.normalize("NFKC", quoted[1] if quoted else cell)
    words = " ".join(_INVISIBLE.sub("", words).split())
    if words.startswith("'") and words[1:].lstrip().startswith(_FORMULA):
        words = words[1:].lstrip()  # quoted by `plain_cell`, or by hand for the same reason
    if words.startswith("="):
        raise CellFault(_("a formula; put its value there"))
    if len(words) > TEXT_MAX:
        raise CellFault(_("longer than 200 characters"))
    return words


def number_text(value: float) -> str:
    """Return a number's digits.

    Raises:
        CellFault: more digits than a spreadsheet's number keeps, or no number at all.
    """
    if value != value or abs(value) >= _EXACT_MAX:
        raise CellFault(_("stored as a number, its last digits are lost; make the column text and type it again"))
    return str(int(value)) if value == int(value) else repr(value)


def identity(cell: Cell) -> str:
    """Return an identity or certificate number: upper case, without spaces and the like.

    Raises:
        CellFault: stored as a number that has lost digits, in either form.
    """
    words = text(cell).upper().replace(" ", "").replace("-", "").lstrip("'`’‘")
    if re.fullmatch(r"[0-9.]+E\+?[0-9]+", words):
        raise CellFault(_("stored as a number, its last digits are lost; make the column text and type it again"))
    return words.removesuffix(".0")


def day(cell: Cell) -> date | None:
    """Return a day; None for an empty cell and for 长期.

    Raises:
        CellFault: no day, or none between 1950 and 2100.
    """
    if isinstance(cell, datetime):
        found = cell.date()
    elif isinstance(cell, date):
        found = cell
    else:
        words = text(cell)
        if not words or words in _FOREVER:
            return None
        parts = _DAY.match(words) or _PACKED.match(words)
        if parts is not None:
            try:
                found = date(int(parts[1]), int(parts[2]), int(parts[3]))
            except ValueError as error:
                raise CellFault(_("a day that no calendar has")) from error
        elif re.fullmatch(r"[0-9]{5}(\.[0-9]+)?", words) and int(float(words)) in _SERIALS:
            found = _SERIAL_BASE + timedelta(days=int(float(words)))
        else:
            raise CellFault(_("no day, write 2026-11-30"))
    if not 1950 <= found.year <= 2100:
        raise CellFault(_("a day outside 1950 to 2100"))
    return found


def count(cell: Cell) -> int | None:
    """Return a whole number of 0 to 100,000; None for an empty cell. A unit behind it is left away: 3台, 400A.

    Raises:
        CellFault: anything else.
    """
    words = text(cell)
    if not words:
        return None
    parts = _COUNT.match(words)
    if parts is None or int(parts[1]) > 100_000:
        raise CellFault(_("no whole number of 0 to 100000"))
    return int(parts[1])


def flag(cell: Cell) -> bool:
    """Return yes or no.

    Raises:
        CellFault: neither.
    """
    words = text(cell).upper()
    if words in _YES:
        return True
    if words in _NO:
        return False
    raise CellFault(_("neither yes nor no"))
