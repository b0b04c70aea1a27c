"""Three issuers' data: by difference, lenient where it must be, and what cannot be true is queued for a person."""

import json
from datetime import date

import pytest
from django.db import connection

from weldgate_platform.accounts.models import User
from weldgate_platform.accounts.roles import Role
from weldgate_platform.people.identity import identity_hash
from weldgate_platform.people.models import Certificate, CertificateItem, Conflict, Person
from weldgate_platform.people.validity import Standing
from weldgate_platform.registry.models import Sector
from weldgate_platform.sheets.applying import undo
from weldgate_platform.sheets.loads import apply_load, check_file, load_mappings
from weldgate_platform.sheets.mapping import shipped_mappings
from weldgate_platform.sheets.target import RowFault

MAPPINGS = {one.key: one for one in shipped_mappings()}
DAY = date(2026, 11, 24)
# Right by their check digits, and nobody's: there is no county 411099.
ONE, TWO, THREE = "411099190001010008", "411099190001010016", "411099190001010024"
HEAD = "姓名,证号,准操项目,初领日期,有效期至,应复审日期,实际复审日期,状态\n"


def row(number: str, name: str = "张试", ends: str = "2030-01-01", due: str = "2027-06-01", **rest: str) -> str:
    """Return a row of the first issuer's data."""
    word, begins, reviewed = rest.get("word", "有效"), rest.get("begins", "2024-01-01"), rest.get("reviewed", "")
    return f"{name},T{number},熔化焊接与热切割作业,{begins},{ends},{due},{reviewed},{word}\n"


@pytest.fixture(autouse=True)
def _mappings() -> None:
    load_mappings()


@pytest.fixture
def officer(county) -> User:
    return county.user(Role.COUNTY, area=county.county)


def load(rows: str, user: User, *, full: bool = True, day: date = DAY, key: str = "certificates-mem", head: str = HEAD):
    """Check and apply rows."""
    done, report = check_file((head + rows).encode("gbk"), "x.csv", MAPPINGS[key], user, day, full)
    assert not report.bad, [[str(said) for _, said in one.faults] for one in report.bad]
    apply_load(done, user)
    return done


def standing(number: str) -> Standing:
    """Return what the certificate of a number is worth."""
    return next(one for one in Certificate.objects.all() if one.number == f"T{number}").standing


def test_certificates_are_sealed_and_stand_as_their_issuer_says(officer) -> None:
    """New, suspended, revoked, expired, overdue: counted, and nobody's number lies open."""
    done = load(
        row(ONE) + row(TWO, word="暂扣") + row(THREE, word="吊销"),
        officer,
    )

    assert done.counts == {"certificate_new": 3, "suspended": 1, "revoked": 1}
    assert [standing(one) for one in (ONE, TWO, THREE)] == [Standing.VALID, Standing.SUSPENDED, Standing.REVOKED]
    with connection.cursor() as cursor:
        cursor.execute("SELECT number, holder FROM people_certificate")
        assert ONE.encode() not in b"".join(bytes(part) for found in cursor.fetchall() for part in found)


def test_difference_is_told_and_repeating_is_a_no_op(officer) -> None:
    """Changed, unchanged, gone; the second time nothing."""
    load(row(ONE) + row(TWO) + row(THREE), officer)
    changed = row(ONE) + row(TWO, ends="2025-01-01")

    done = load(changed, officer, day=date(2026, 11, 25))

    assert done.counts == {
        "certificate_same": 1, "certificate_changed": 2, "expired": 1, "gone": 1,
    }  # fmt: skip
    assert [standing(one) for one in (ONE, TWO, THREE)] == [Standing.VALID, Standing.EXPIRED, Standing.GONE]
    again = load(changed, officer, day=date(2026, 11, 26))
    assert again.counts == {"certificate_same": 2, "expired": 1}
    assert not again.changes.exists()


def test_part_of_the_data_makes_nothing_gone_and_what_is_back_is_back(officer) -> None:
    """Dynamic update: a file of changes alone."""
    load(row(ONE) + row(TWO), officer)
    load(row(ONE, due="2027-07-01"), officer, full=False)
    assert standing(TWO) == Standing.VALID
    load(row(ONE), officer)
    assert standing(TWO) == Standing.GONE

    load(row(TWO), officer, full=False)

    assert standing(TWO) == Standing.VALID


def test_undone_load_leaves_what_was(officer) -> None:
    """Also what it had marked as gone."""
    load(row(ONE) + row(TWO), officer)
    done = load(row(ONE, word="吊销"), officer)
    assert [standing(one) for one in (ONE, TWO)] == [Standing.REVOKED, Standing.GONE]

    undo(done, officer)

    assert [standing(one) for one in (ONE, TWO)] == [Standing.VALID, Standing.VALID]


def test_what_cannot_be_true_is_imported_and_queued_once(officer, county) -> None:
    """A check digit, days that cannot be, another name than the registered one; not again on the next load."""
    wrong = ONE[:-1] + "9"
    Person.objects.create(name="李试", identity=TWO, identity_hash=identity_hash(TWO), area=county.here.area)
    rows = row(wrong) + row(TWO) + row(THREE, begins="2031-01-01")

    load(rows, officer)
    load(rows, officer)

    assert sorted(Conflict.objects.values_list("kind", flat=True)) == ["check_digit", "dates", "name"]
    assert Certificate.objects.count() == 3
    shown = str([one.shown for one in Conflict.objects.all()])
    assert wrong not in shown
    assert "4110************09" in shown


def test_one_number_with_two_people_is_not_applied_but_queued(officer) -> None:
    """The certificate stays whose it was, until somebody has decided."""
    head = "姓名,证号,身份证号,有效期至\n"
    load(f"张试,豫A001,{ONE},2030-01-01\n", officer, key="certificates-mohurd", head=head)

    done = load(f"李试,豫A001,{TWO},2031-01-01\n", officer, key="certificates-mohurd", head=head)

    one = Certificate.objects.get()
    assert (one.holder, one.valid_to, one.gone_since) == (ONE, date(2030, 1, 1), None)
    assert done.counts == {"conflict_new": 1, "not_applied": 1}
    assert json.loads(Conflict.objects.get().evidence)["holders"] == [ONE, TWO]


def test_same_number_twice_in_a_file(officer) -> None:
    """A row that repeats is nothing; one that says otherwise is bad."""
    assert load(row(ONE) + row(ONE), officer).counts["repeated"] == 1

    data = (HEAD + row(ONE) + row(ONE, ends="2031-01-01")).encode()
    _, report = check_file(data, "x.csv", MAPPINGS["certificates-mem"], officer, DAY, full=True)

    assert [one.number for one in report.bad] == [3]


def test_items_of_the_third_issuer_come_and_go(officer) -> None:
    """Each with its raw text; one that is no longer listed ends."""
    head = "姓名,证书编号,作业项目,有效期至\n"
    key = "certificates-samr"
    load(f'张试,{ONE},"SMAW-FeⅡ-6G-12-Fef3J，自定项目",2030-01-01\n', officer, key=key, head=head)
    assert sorted(CertificateItem.objects.values_list("code", "method")) == [
        ("SMAW-FeII-6G-12-Fef3J", "SMAW"),
        ("自定项目", "自定项目"),
    ]

    load(f"张试,{ONE},SMAW-FeⅡ-6G-12-Fef3J,2030-01-01\n", officer, key=key, head=head)

    assert CertificateItem.objects.get(raw="自定项目").valid_to == DAY
    assert CertificateItem.objects.get(method="SMAW").valid_to is None


def test_issuers_data_is_loaded_by_its_own_department(county) -> None:
    """Market regulation does not load emergency management's; a township loads none."""

    def department(sector: str) -> User:
        return county.user(Role.DEPARTMENT, area=county.county, sector=Sector.objects.get(key=sector))

    load(row(ONE), department("industry-trade"))
    for user in (department("special-equipment"), county.user(Role.TOWNSHIP), county.user(Role.DEPARTMENT)):
        with pytest.raises(RowFault):
            check_file((HEAD + row(ONE)).encode(), "x.csv", MAPPINGS["certificates-mem"], user, DAY, full=True)


PEOPLE = "姓名,身份证号码,手机号,乡镇,工作单位,是否流动\n"


def test_people_are_loaded_by_their_identity_number(officer) -> None:
    """With employer and phone; repeating is a no-op; another name under the number is bad."""
    rows = f"张试,{ONE},13800000000,火龙镇,火龙建安,否\n李试,{TWO},,顺店镇,,是\n"
    done = load(rows, officer, key="people", head=PEOPLE, full=False)

    assert done.counts == {"person_new": 2}
    one = Person.objects.get(identity_hash=identity_hash(ONE))
    assert (one.identity, str(one), one.enterprise.name, one.phone) == (ONE, "张*", "火龙建安", "13800000000")
    assert Person.objects.get(identity_hash=identity_hash(TWO)).itinerant
    assert load(rows, officer, key="people", head=PEOPLE, full=False).counts == {"person_same": 2}
    bad = (
        f"王试,{ONE},,火龙镇,,\n张试,{THREE[:-1]}X,,火龙镇,,\n张试,{THREE},,火龙镇,没有这家,\n张试,{ONE},1,火龙镇,,\n"
        f"张试,{ONE},2,火龙镇,,\n"
    )
    _, report = check_file((PEOPLE + bad).encode(), "x.csv", MAPPINGS["people"], officer, DAY, full=False)
    assert [found.number for found in report.bad] == [2, 3, 4, 6]
