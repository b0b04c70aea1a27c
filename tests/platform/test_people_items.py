"""Item codes, read leniently."""

import pytest

from weldgate_platform.people.items import parse_item, split_items


@pytest.mark.parametrize(
    "raw",
    ["SMAW-FeⅡ-6G-12-Fef3J", "smaw－FeII－6g－12－Fef3J", "SMAW – FeⅡ – 6G – 12 – Fef3J", "ＳＭＡＷ-FeⅡ-6G-12-Fef3J"],
)
def test_one_code_in_every_spelling(raw: str) -> None:
    """Unicode numerals, full-width letters and hyphens, dashes, spaces."""
    item = parse_item(raw)

    assert item.code == "SMAW-FeII-6G-12-Fef3J"
    assert (item.method, item.metal, item.position, item.thickness, item.filler) == (
        "SMAW",
        "FeII",
        "6G",
        "12",
        "Fef3J",
    )
    assert item.raw == raw


def test_parts_that_are_missing_or_unknown_fail_nothing() -> None:
    """What is not understood stays at the end."""
    assert parse_item("GTAW-FeⅣ-6FG-10/57-FefS-02/11/12").rest == "02/11/12"
    assert parse_item("GTAW-FeⅣ-6FG-10/57-FefS").thickness == "10/57"
    assert parse_item("电阻焊").code == "电阻焊"
    assert parse_item("").code == ""
    assert parse_item("SMAW-??-9Z").rest == "??-9Z"


def test_cell_with_several() -> None:
    """By comma, semicolon, 、 or a new line."""
    assert split_items("a，b；c、d\ne,;f") == ["a", "b", "c", "d", "e", "f"]
