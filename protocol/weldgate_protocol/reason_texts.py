"""What the numbered reasons say to a person, in Chinese and English, and what to do next. Host only.

The texts stand in `reason_texts.toml`, so that a translator needs no Python; the numbers in `reasons`.

    TEXTS[6] -> ("TOKEN_EXPIRED", zh, en, next_zh, next_en)
    describe(6, "en") -> "6: The start code has expired. Ask for a new start code on your phone."
"""

import tomllib
from importlib.resources import files
from typing import Any

__all__ = ["TEXTS", "by_number", "describe", "name"]


Row = tuple[str, str, str, str, str]


def by_number(tables: dict[str, Any]) -> dict[int, Row]:
    """Return (name, zh, en, next_zh, next_en) by number.

    Args:
        tables: number and texts by name, as the file has them.

    Raises:
        ValueError: two reasons claim one number.
    """
    texts: dict[int, Row] = {}
    for key, table in tables.items():
        if table["number"] in texts:
            raise ValueError(f"reason {table['number']} is given out twice: {texts[table['number']][0]} and {key}")
        texts[table["number"]] = (key, table["zh"], table["en"], table["next_zh"], table["next_en"])
    return texts


TEXTS = by_number(tomllib.loads(files("weldgate_protocol").joinpath("reason_texts.toml").read_text(encoding="utf-8")))


def name(number: int) -> str:
    """Return a reason's name, or `REASON_<number>` for one that a newer peer sent."""
    return TEXTS[number][0] if number in TEXTS else f"REASON_{number}"


def describe(number: int, language: str = "zh") -> str:
    """Return number, what happened and what to do, in one line.

    Args:
        number: a number of the register; an unknown one is told as such.
        language: "zh" or "en".
    """
    chinese = language == "zh"
    if number not in TEXTS:
        return f"{number}：这个编号比本程序新，请升级" if chinese else f"{number}: newer than this program, update it"
    _, zh, en, next_zh, next_en = TEXTS[number]
    return f"{number}：{zh}。{next_zh}。" if chinese else f"{number}: {en}. {next_en}."
