"""Identity numbers: right by check digit, masked, found by hash."""

import pytest

from weldgate_platform.people.identity import (
    certificate_hash,
    identity_fault,
    identity_hash,
    mask_name,
    mask_number,
    mask_phone,
)


@pytest.mark.parametrize("number", ["11010519491231002X", "411099190001010008"])
def test_right_numbers(number: str) -> None:
    """DOMAIN's examples; the second cannot be a person's."""
    assert identity_fault(number) == ""


@pytest.mark.parametrize(
    ("number", "fault"),
    [
        ("110105194912310021", "check"),
        ("41109919000101000", "form"),
        ("41109919000101000x", "form"),
        ("４１１０９９１９０００１０１０００８", "form"),
        ("", "form"),
        ("411099190002300007", "date"),
    ],
)
def test_wrong_numbers(number: str, fault: str) -> None:
    """By form, check digit, or a day that no calendar has."""
    assert identity_fault(number) == fault


def test_every_wrong_digit_shows() -> None:
    """One digit changed is always found: 11 is prime, and the weights are none of its multiples."""
    right = "411099190001010008"
    for place in range(17):
        for digit in "0123456789":
            if digit != right[place]:
                assert identity_fault(right[:place] + digit + right[place + 1 :])


def test_masks() -> None:
    """As DOMAIN has them; too short a number is hidden altogether."""
    assert mask_name("张小三") == "张*三"
    assert mask_name("张三") == "张*"
    assert mask_name("买买提艾力") == "买***力"
    assert mask_number("411099190001010008") == "4110************08"
    assert mask_number("T411099190001010008") == "T4110************08"
    assert mask_number("12345") == "*****"
    assert mask_phone("13800000000") == "138****0000"
    assert mask_phone("12345") == "*****"


def test_hashes_tell_sources_apart_and_case_not() -> None:
    """The same number in two sources is two certificates."""
    assert identity_hash("11010519491231002x ") == identity_hash("11010519491231002X")
    assert certificate_hash("mem", "1") != certificate_hash("samr", "1")
