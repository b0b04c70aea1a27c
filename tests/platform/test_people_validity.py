"""What a certificate is worth on a day."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from weldgate_platform.people.validity import EXPIRING_DAYS, REASONS, Dates, Said, Standing, standing_on
from weldgate_protocol import reasons
from weldgate_protocol.reason_texts import TEXTS

DAY = date(2026, 11, 24)
GOOD = Dates(date(2024, 1, 1), date(2030, 1, 1), date(2027, 6, 1), None)


@pytest.mark.parametrize(
    ("change", "standing"),
    [
        ({}, Standing.VALID),
        ({"valid_to": DAY}, Standing.EXPIRING),
        ({"valid_to": DAY - timedelta(1)}, Standing.EXPIRED),
        ({"valid_to": None}, Standing.EXPIRED),
        ({"valid_from": DAY}, Standing.VALID),
        ({"valid_from": DAY + timedelta(1)}, Standing.NOT_YET),
        ({"valid_from": None}, Standing.VALID),
        ({"review_due": DAY}, Standing.EXPIRING),
        ({"review_due": DAY - timedelta(1)}, Standing.REVIEW_OVERDUE),
        ({"review_due": DAY - timedelta(9), "reviewed_at": DAY - timedelta(1)}, Standing.VALID),
        ({"review_due": DAY - timedelta(9), "reviewed_at": DAY - timedelta(99)}, Standing.REVIEW_OVERDUE),
        ({"review_due": None}, Standing.VALID),
        ({"review_due": DAY + timedelta(EXPIRING_DAYS)}, Standing.EXPIRING),
        ({"review_due": DAY + timedelta(EXPIRING_DAYS + 1)}, Standing.VALID),
        ({"said": Said.SUSPENDED}, Standing.SUSPENDED),
        ({"said": Said.REVOKED, "valid_to": DAY - timedelta(1), "gone": True}, Standing.REVOKED),
        ({"gone": True}, Standing.GONE),
    ],
)
def test_standing(change, standing: Standing) -> None:
    """By its dates and its issuer's word; last days count, and the worst is told."""
    assert standing_on(replace(GOOD, **change), DAY) == standing


def test_each_standing_has_its_reason() -> None:
    """And only two of them let a machine start."""
    assert set(REASONS) == set(Standing)
    assert {one for one, number in REASONS.items() if not number} == {Standing.VALID, Standing.EXPIRING}
    assert REASONS[Standing.REVIEW_OVERDUE] == reasons.PLATFORM_CERT_REVIEW_OVERDUE
    assert set(REASONS.values()) - {0} <= set(TEXTS)
