"""Item codes on `samr` certificates, read leniently: `SMAW-FeⅡ-6G-12-Fef3J`.

method - base metal group - position - thickness[/pipe diameter] - filler - further factors. The field writes them
with full-width hyphens, Unicode or ASCII numerals and spaces; parts that are unknown stay as they are and never fail
an import (DOMAIN: the grammar's details are unverified, so nothing is refused for it).
"""

import re
import unicodedata
from dataclasses import dataclass

__all__ = ["Item", "parse_item", "split_items"]

_HYPHENS = re.compile(r"[‐‑‒–—―－﹣−﹘]")
_BREAKS = re.compile(r"[,，;；、\n]+")
_POSITION = re.compile(r"[1-6](G|F|GX|FG|FRG)")
_METAL = re.compile(r"(Fe|Cu|Al|Ti|Ni|Zr)", re.IGNORECASE)
_THICKNESS = re.compile(r"[0-9.]+(/[0-9.]+)?")
_FILLER = re.compile(r"[A-Za-z]")
_ROMAN = {"Ⅰ": "I", "Ⅱ": "II", "Ⅲ": "III", "Ⅳ": "IV"}


@dataclass(frozen=True)
class Item:
    """One item code.

    Attributes:
        raw: as it came.
        method, metal, position, thickness, filler: its parts, "" where they are not there or not understood.
        rest: what follows.
    """

    raw: str
    method: str = ""
    metal: str = ""
    position: str = ""
    thickness: str = ""
    filler: str = ""
    rest: str = ""

    @property
    def code(self) -> str:
        """Return the normal form."""
        parts = (self.method, self.metal, self.position, self.thickness, self.filler, self.rest)
        return "-".join(part for part in parts if part)


def split_items(text: str) -> list[str]:
    """Return the item codes of a cell that lists several."""
    return [part.strip() for part in _BREAKS.split(text) if part.strip()]


def parse_item(raw: str) -> Item:
    """Take an item code apart as far as it is understood."""
    text = raw
    for sign, letters in _ROMAN.items():
        text = text.replace(sign, letters)
    text = _HYPHENS.sub("-", unicodedata.normalize("NFKC", text)).replace(" ", "")
    parts = [part for part in text.split("-") if part]
    if not parts:
        return Item(raw)
    method, rest = parts[0].upper(), parts[1:]
    metal = rest.pop(0) if rest and _METAL.match(rest[0]) else ""
    position = rest.pop(0).upper() if rest and _POSITION.fullmatch(rest[0].upper()) else ""
    thickness = rest.pop(0) if rest and _THICKNESS.fullmatch(rest[0]) else ""
    filler = rest.pop(0) if rest and _FILLER.match(rest[0]) else ""
    return Item(raw, method, metal, position, thickness, filler, "-".join(rest))
