"""Mutual recognition: a table that a county edits."""

from datetime import date

import pytest

from weldgate_platform.people.models import Issuer, Recognition, Verdict
from weldgate_platform.people.recognition import DEFAULT, load_default, verdict_for
from weldgate_platform.registry.domains import Domain

DAY = date(2026, 11, 24)
HERE = "41/4110/411081/411081100/"


@pytest.fixture(autouse=True)
def _default() -> None:
    load_default(date(2023, 11, 30))


def test_default_is_domains_table() -> None:
    """Every cell is there; loading again adds none."""
    assert set(DEFAULT) == {(domain, issuer) for domain in Domain for issuer in Issuer}
    assert load_default(DAY) == 0
    for (domain, issuer), verdict in DEFAULT.items():
        assert verdict_for(domain, issuer, HERE, DAY) == verdict
    assert verdict_for(Domain.SPECIAL, Issuer.MEM, HERE, DAY) == Verdict.DENY


def test_youngest_row_that_has_begun_decides(county) -> None:
    """A change is a new row from a day on."""
    Recognition.objects.create(
        domain=Domain.GENERAL, issuer=Issuer.SAMR, verdict=Verdict.DENY, reason="会议纪要", begins=date(2026, 12, 1)
    )

    assert verdict_for(Domain.GENERAL, Issuer.SAMR, HERE, DAY) == Verdict.NOTE
    assert verdict_for(Domain.GENERAL, Issuer.SAMR, HERE, date(2026, 12, 1)) == Verdict.DENY


def test_nearest_area_decides_even_by_an_older_row(county) -> None:
    """And only for what lies below it."""
    Recognition.objects.create(
        domain=Domain.GENERAL, issuer=Issuer.MEM, verdict=Verdict.DENY, reason="x", begins=DAY, area=county.county
    )
    Recognition.objects.create(
        domain=Domain.GENERAL, issuer=Issuer.MEM, verdict=Verdict.NOTE, reason="x", begins=date(2026, 1, 1),
        area=county.here.area,
    )  # fmt: skip

    assert verdict_for(Domain.GENERAL, Issuer.MEM, HERE, DAY) == Verdict.NOTE
    assert verdict_for(Domain.GENERAL, Issuer.MEM, "41/4110/411081/411081101/", DAY) == Verdict.DENY
    assert verdict_for(Domain.GENERAL, Issuer.MEM, "41/4103/", DAY) == Verdict.ACCEPT


def test_what_no_row_tells_is_denied() -> None:
    """Before the plan there was no recognition."""
    assert verdict_for(Domain.GENERAL, Issuer.MEM, HERE, date(2023, 1, 1)) == Verdict.DENY
