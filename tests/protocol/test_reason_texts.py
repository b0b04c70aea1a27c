"""The register's texts: complete, in both languages, and each says what to do next."""

import re

import pytest

from weldgate_protocol import reason_texts, reasons
from weldgate_protocol.reason_texts import TEXTS

NUMBERS = {name: value for name, value in vars(reasons).items() if name.isupper() and not name.startswith("_")}
HAN = re.compile("[\u4e00-\u9fff]")


def test_every_constant_has_its_text_and_every_text_its_constant() -> None:
    """M-REASON-02: the register and its texts name the same reasons under the same numbers."""
    assert {row[0]: number for number, row in TEXTS.items()} == NUMBERS


def test_numbers_are_given_once_and_those_of_hosts_keep_to_their_ranges() -> None:
    """M-REASON-01: 300 to 499 are the platform's, 500 and up the tools', and none of them is on the chip."""
    assert len(set(NUMBERS.values())) == len(NUMBERS)
    assert {name for name, number in NUMBERS.items() if 300 <= number < 500} == {
        name for name in NUMBERS if name.startswith("PLATFORM_")
    }
    assert {name for name, number in NUMBERS.items() if number >= 500} == {
        name for name in NUMBERS if name.startswith("TOOL_")
    }


@pytest.mark.parametrize("number", sorted(TEXTS))
def test_texts_speak_both_languages(number: int) -> None:
    """M-REASON-02: each reason says in Chinese and in English what happened and what to do."""
    _, zh, en, next_zh, next_en = TEXTS[number]

    for text in (zh, next_zh):
        assert HAN.search(text)
        assert not text.endswith(("。", "."))
    for text in (en, next_en):
        assert text.isascii()
        assert text[0].isupper() or text.startswith("weldgate")
        assert not text.endswith(".")
    assert len(zh) <= 32, "too long for a display"
    assert len(en) <= 80, "too long for a display"


def test_texts_differ() -> None:
    """Two reasons never say the same in the same language: whoever reads one knows which it is."""
    for column in (1, 2):
        said = [row[column] for row in TEXTS.values()]
        assert len(set(said)) == len(said)


def test_a_number_given_out_twice_is_noticed() -> None:
    """M-REASON-01: two texts under one number stop the import, naming both."""
    row = {"number": 6, "zh": "x", "en": "x", "next_zh": "x", "next_en": "x"}

    with pytest.raises(ValueError, match="reason 6 is given out twice: A and B"):
        reason_texts.by_number({"A": row, "B": row})


def test_describe() -> None:
    """A reason is told in one line, in the language asked for; an unknown number is told as newer."""
    assert reason_texts.describe(6, "en") == ("6: The start code has expired. Ask for a new start code on your phone.")
    assert reason_texts.describe(6) == "6：开机码过期了。在手机上重新申请开机码。"
    assert "499" in reason_texts.describe(499, "en")
    assert "499" in reason_texts.describe(499)
    assert reason_texts.name(6) == "TOKEN_EXPIRED"
    assert reason_texts.name(499) == "REASON_499"
