"""Pages of people: masked lists, one number with a purpose, look-ups that tell whose data, conflicts decided once."""

from datetime import date

import pytest
from django.test import Client
from django.utils import timezone

from weldgate_platform.accounts.models import User
from weldgate_platform.accounts.roles import Role
from weldgate_platform.audit.models import Entry
from weldgate_platform.people.deciding import decide
from weldgate_platform.people.identity import certificate_hash, identity_hash
from weldgate_platform.people.models import Certificate, Conflict, Person
from weldgate_platform.registry.models import Sector
from weldgate_platform.sheets.models import Load

NUMBER = "411099190001010008"


@pytest.fixture
def welder(county) -> Person:
    """Return a welder of the enterprise here, with a certificate of the first issuer."""
    Certificate.objects.create(
        source="mem", number=f"T{NUMBER}", number_hash=certificate_hash("mem", f"T{NUMBER}"), holder_name="张小试",
        holder=NUMBER, holder_hash=identity_hash(NUMBER), valid_to=date(2030, 1, 1), review_due=date(2020, 1, 1),
        as_of=date(2026, 11, 1),
    )  # fmt: skip
    return Person.objects.create(
        name="张小试", identity=NUMBER, identity_hash=identity_hash(NUMBER), phone="13800000000",
        area=county.here.area, enterprise=county.here.enterprise,
    )  # fmt: skip


def _text(client: Client, address: str, data: dict[str, str] | None = None) -> str:
    response = client.get(address) if data is None else client.post(address, data)
    assert response.status_code == 200
    return response.content.decode()


def test_people_are_masked_and_found_by_name_or_whole_number(county, welder, signed_in) -> None:
    """Half a number finds nobody; what was searched for stands in no address."""
    client = signed_in(county.user(Role.TOWNSHIP))

    for wanted in ("小试", NUMBER):
        page = _text(client, "/people", {"q": wanted})
        assert "张*试" in page
        assert "4110************08" in page
    assert "张*试" not in _text(client, "/people", {"q": NUMBER[:17]})
    everything = _text(client, "/people") + _text(client, f"/people/{welder.pk}")
    assert NUMBER not in everything
    assert "张小试" not in everything
    assert "13800000000" not in everything
    assert "逾期未复审" in everything


def test_people_of_another_township_do_not_exist(county, welder, signed_in) -> None:
    """Neither their page nor their number."""
    client = signed_in(county.user(Role.TOWNSHIP, area=county.there.area))

    assert client.get(f"/people/{welder.pk}").status_code == 404
    assert client.post(f"/people/{welder.pk}/identity", {"purpose": "执法检查"}).status_code == 404


def test_number_is_shown_in_full_with_a_purpose_and_on_record(county, welder, signed_in) -> None:
    """Not without one; never from a cache; the log has who and why, and no number."""
    client = signed_in(county.user(Role.TOWNSHIP))

    assert client.post(f"/people/{welder.pk}/identity", {"purpose": "x"}).status_code == 302
    assert not Entry.objects.filter(action="identity.reveal").exists()
    response = client.post(f"/people/{welder.pk}/identity", {"purpose": "执法检查"})

    assert NUMBER in response.content.decode()
    assert response["Cache-Control"] == "no-store"
    entry = Entry.objects.get(action="identity.reveal")
    assert "执法检查" in entry.detail
    assert NUMBER not in entry.detail


def test_reveal_needs_the_right_at_the_persons_place(county, welder, signed_in) -> None:
    """Who may reveal there and look here does not reveal here."""
    user = county.user(Role.TOWNSHIP, area=county.there.area)
    user.assignments.create(role=Role.SAFETY_MANAGER, enterprise=county.here.enterprise)
    client = signed_in(user)

    assert client.get(f"/people/{welder.pk}").status_code == 200
    assert client.post(f"/people/{welder.pk}/identity", {"purpose": "执法检查"}).status_code == 302
    assert not Entry.objects.filter(action="identity.reveal").exists()


def test_certificate_is_looked_up_by_either_number(county, welder, signed_in) -> None:
    """Masked, with what it is worth; the look-up is on record."""
    client = signed_in(county.user(Role.INSPECTOR))

    for number in (NUMBER, f"T{NUMBER}", f" t{NUMBER} "):
        page = _text(client, "/certificates/check", {"number": number})
        assert "逾期未复审" in page
        assert "张*试" in page
        assert f"T{NUMBER}" not in page
    assert Entry.objects.filter(action="certificate.check").count() == 3


def test_not_found_tells_whose_data_of_what_day_and_is_no_forgery(county, signed_in) -> None:
    """Two of the three issuers have sent nothing."""
    user = county.user(Role.INSPECTOR)
    Load.objects.create(
        mapping="x", target="certificates", source="mem", as_of=date(2026, 11, 20), file_name="x", digest="", by=user,
        state="applied",
    )  # fmt: skip

    page = _text(signed_in(user), "/certificates/check", {"number": "411099190001010016"})

    assert "查不到不等于假证" in page
    assert "应急管理：数据截至 2026-11-20" in page
    assert page.count("还没有数据") == 2


@pytest.fixture
def conflict(welder) -> Conflict:
    return Conflict.objects.create(
        kind="check_digit", source="mem", fingerprint="x", evidence='{"holder": "411099190001010009"}',
        certificate=Certificate.objects.get(),
    )  # fmt: skip


def test_conflict_is_decided_by_its_issuers_officers_with_a_note(county, conflict, signed_in) -> None:
    """Nobody else sees it; without a note nothing is decided; the log has it."""
    sector = Sector.objects.get(key="special-equipment")
    stranger = signed_in(county.user(Role.DEPARTMENT, area=county.county, sector=sector))
    officer = signed_in(county.user(Role.COUNTY, area=county.county))
    address, good = f"/conflicts/{conflict.pk}", {"outcome": "suspected_forged", "note": "卡面与官网不一致"}

    assert "校验码" not in _text(stranger, "/conflicts")
    assert stranger.post(address, good).status_code == 404
    page = _text(officer, "/conflicts")
    assert "4110************09" in page
    assert "411099190001010009" not in page
    officer.post(address, {**good, "note": " "})
    assert Conflict.objects.waiting().exists()
    officer.post(address, good)

    conflict.refresh_from_db()
    assert (conflict.outcome, conflict.note) == ("suspected_forged", "卡面与官网不一致")
    assert Entry.objects.filter(action="conflict.decide").count() == 1


def test_conflict_is_decided_once(county, conflict) -> None:
    """Of two officers the first; the second is told."""
    one, other = county.user(Role.COUNTY, area=county.county), county.user(Role.COUNTY, area=county.county)

    assert decide(conflict, one, "harmless", "核对无误")
    assert not decide(conflict, other, "suspected_forged", "x")

    conflict.refresh_from_db()
    assert (conflict.outcome, conflict.decided_by) == ("harmless", one)
    assert conflict.since == timezone.localdate()


def test_operator_speaks_for_all(conflict, signed_in) -> None:
    """He sees what waits."""
    assert "校验码" in _text(signed_in(User.objects.create_superuser("operator")), "/conflicts")
