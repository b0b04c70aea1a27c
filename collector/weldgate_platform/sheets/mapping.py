"""Which column of a file is which of our fields: data, one mapping a source, several side by side.

A mapping is a JSON document (`Mapping`), so that a county that gets other columns changes no code. Headers are looked
for in the first rows: titles above them, cells merged over two rows, line breaks and full-width letters are all met.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

import msgspec

from weldgate_platform.sheets.cleaning import Cell, CellFault, text
from weldgate_protocol import reasons
from weldgate_protocol.errors import LocalError

__all__ = ["HEADER_ROWS_MAX", "Column", "Header", "Mapping", "MappingError", "find_header", "shipped_mappings"]

HEADER_ROWS_MAX = 12  # rows in which the headers are looked for


class MappingError(LocalError):
    """A mapping that is none, or a file that it does not fit; `code` is TOOL_BAD_INPUT or TOOL_CONFIG."""


class Column(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One of our fields and what the file calls it.

    Attributes:
        field: ours.
        headers: texts of the header, any of which will do.
        default: the cell where the file has none.
        values: words of the file -> ours; a word that is not in it stays as it is.
    """

    field: str
    headers: list[str]
    default: str = ""
    values: dict[str, str] = {}


class Mapping(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A kind of file.

    Attributes:
        key: its name.
        title_zh, title_en: as it is offered.
        target: what the rows become: enterprises, machines, people, certificates.
        source: of certificates, the issuer.
        guess: our guess of columns that nobody has published.
        columns: in any order.
    """

    key: str
    title_zh: str
    title_en: str
    target: str
    columns: list[Column]
    source: str = ""
    guess: bool = False

    @classmethod
    def parse(cls, document: str | bytes) -> Mapping:
        """Read a mapping's JSON.

        Raises:
            MappingError: TOOL_CONFIG, with the key that is wrong.
        """
        try:
            return msgspec.json.decode(document, type=cls)
        except msgspec.DecodeError as error:
            raise MappingError(reasons.TOOL_CONFIG, f"mapping: {error}") from error


@dataclass(frozen=True)
class Header:
    """Where a file has what.

    Attributes:
        first: number of the first row below the headers, from 1.
        names: the file's headers, one a column.
        places: field -> column, from 0.
        unknown: headers that no field has.
    """

    first: int
    names: list[str]
    places: dict[str, int]
    unknown: list[str]


def find_header(mapping: Mapping, rows: Sequence[list[Cell]], required: set[str]) -> Header:
    """Find the header among the first rows.

    Args:
        mapping: of the file.
        rows: its first rows, at most HEADER_ROWS_MAX.
        required: fields that a file must have, unless they have a default.

    Raises:
        MappingError: TOOL_BAD_INPUT, no header, or columns that are missing or stand twice.
    """
    known = {_normal(name): column.field for column in mapping.columns for name in column.headers}
    plain = [[_header_text(cell) for cell in row] for row in rows]
    hits = [sum(name in known for name in row) for row in plain]
    if not hits or not max(hits):
        raise MappingError(reasons.TOOL_BAD_INPUT, "none of the first rows holds the headers of this kind of file")
    at = hits.index(max(hits))
    names, first = list(plain[at]), at + 2
    # Cells merged over two rows: the name stands in the upper one, the parts of a group in the lower one.
    for other in (at - 1, at + 1):
        if 0 <= other < len(plain) and hits[other]:
            both = plain[other] + [""] * len(names)
            names += [""] * (len(plain[other]) - len(names))
            names = [
                mine if mine in known else both[column] if both[column] in known else mine
                for column, mine in enumerate(names)
            ]
            first = max(first, other + 2)
    places: dict[str, int] = {}
    for column, name in enumerate(names):
        field = known.get(name)
        if field is not None:
            if field in places:
                told = f"two columns are {field}: {name} and {names[places[field]]}"
                raise MappingError(reasons.TOOL_BAD_INPUT, told)
            places[field] = column
    defaults = {column.field for column in mapping.columns if column.default}
    missing = required - set(places) - defaults
    if missing:
        told = "、".join(column.headers[0] for column in mapping.columns if column.field in missing)
        raise MappingError(reasons.TOOL_BAD_INPUT, f"columns are missing: {told or ', '.join(sorted(missing))}")
    return Header(first, names, places, [name for name in names if name and name not in known])


def shipped_mappings() -> list[Mapping]:
    """Return the mappings that come with the package."""
    folder = files("weldgate_platform.sheets").joinpath("data")
    return [Mapping.parse(one.read_bytes()) for one in sorted(folder.iterdir(), key=lambda one: one.name)]


def _normal(name: str) -> str:
    return text(name).replace(" ", "").rstrip("*:").casefold()


def _header_text(cell: Cell) -> str:
    try:
        return _normal(text(cell))
    except CellFault:  # a formula or an essay is no header
        return ""
