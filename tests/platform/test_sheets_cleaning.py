"""Cells as the field's spreadsheets have them."""

from datetime import date, datetime, timedelta

import pytest

from weldgate_platform.sheets.cleaning import CellFault, count, day, flag, identity, plain_cell, text

NUMBER = "411099190001010008"


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        (None, ""), ("  火龙 镇 ", "火龙 镇"), ("ＺＸ７－４００", "ZX7-400"), ("a\u200bb\ufeff", "ab"),
        ("第一行\n第二行", "第一行 第二行"),
        ('="007"', "007"), (12.0, "12"), (0.5, "0.5"), (True, "1"), (datetime(2026, 1, 2, 3), "2026-01-02"),
    ],
)  # fmt: skip
def test_words_come_in_one_form(cell, words: str) -> None:
    """Half-width, single spaces, nothing invisible."""
    assert text(cell) == words


@pytest.mark.parametrize("cell", ["=A1+1", "＝SUM(A1)", " =HYPERLINK(1)", "x" * 201, timedelta(hours=1)])
def test_formula_and_essay_are_no_words(cell) -> None:
    """In full width too."""
    with pytest.raises(CellFault):
        text(cell)


@pytest.mark.parametrize(
    "cell",
    [
        NUMBER, f" {NUMBER} ", f"'{NUMBER}", f'="{NUMBER}"', "４１１０９９１９０００１０１０００８",
        "411099 19000101 0008",
        f"{NUMBER}.0",
    ],
)  # fmt: skip
def test_identity_number_is_read_as_it_was_meant(cell: str) -> None:
    """However it was kept from becoming a number."""
    assert identity(cell) == NUMBER


@pytest.mark.parametrize("cell", [411099190001010008, 4.11099190001010e17, "4.11099E+17", "4.11099190001010E17"])
def test_identity_number_that_became_a_number_is_told(cell) -> None:
    """Its last digits are lost: they are not guessed."""
    with pytest.raises(CellFault, match="末尾几位已丢失"):
        identity(cell)


def test_check_character_is_upper_case() -> None:
    """x and X are one."""
    assert identity("11010519491231002x") == "11010519491231002X"


@pytest.mark.parametrize(
    "cell",
    [
        "2026-11-30", "2026/11/30", "2026.11.30", "2026年11月30日", "20261130", "２０２６－１１－３０",
        "2026-11-30 08:00",
        date(2026, 11, 30), datetime(2026, 11, 30, 8), 46356, 46356.25, "46356",
    ],
)  # fmt: skip
def test_day_in_every_form(cell) -> None:
    """Also as the number that a spreadsheet makes of it."""
    assert day(cell) == date(2026, 11, 30)


@pytest.mark.parametrize("cell", [None, "", "长期", "/"])
def test_no_day_is_none(cell) -> None:
    """Nor is a certificate that holds for ever given an end."""
    assert day(cell) is None


@pytest.mark.parametrize("cell", ["2026-02-30", "30.11.2026", "soon", "1899-01-01", 99999, "202611"])
def test_wrong_day_is_told(cell) -> None:
    """And not made into another."""
    with pytest.raises(CellFault):
        day(cell)


@pytest.mark.parametrize(
    ("cell", "number"), [("3台", 3), (" 12 ", 12), (400.0, 400), ("400A", 400), ("", None), (0, 0)]
)
def test_counts(cell, number) -> None:
    """With the unit that people write behind them."""
    assert count(cell) == number


@pytest.mark.parametrize("cell", ["-1", "1.5", "many", "1000000", 100_001])
def test_what_is_no_count(cell) -> None:
    """Is told."""
    with pytest.raises(CellFault):
        count(cell)


def test_flags() -> None:
    """Yes, no, and neither."""
    assert [flag(cell) for cell in ("是", "√", True, "否", "", None)] == [True, True, True, False, False, False]
    with pytest.raises(CellFault):
        flag("也许")


def test_what_was_quoted_on_the_way_out_is_itself_again_on_the_way_in() -> None:
    """A file of bad rows is mended and imported: a formula that nobody mended is still one, a dash is still no day."""
    assert day(plain_cell("-")) is None
    assert text(plain_cell("+86 138")) == "+86 138"
    assert text("'24") == "'24"
    for formula in ("=A1", "＝SUM(A1)", "  =A1"):
        with pytest.raises(CellFault):
            text(plain_cell(formula))
