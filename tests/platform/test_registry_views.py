"""Pages of the registry: figures that lead to their rows, a public label without a person, typed codes, exports."""

import csv
import io

import pytest
from django.test import Client

from weldgate_platform.accounts.roles import Role
from weldgate_platform.audit.models import Entry
from weldgate_platform.registry.models import Machine
from weldgate_platform.sheets.cleaning import plain_cell


@pytest.fixture
def officer(county, signed_in) -> Client:
    return signed_in(county.user(Role.COUNTY, area=county.county))


def _page(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200
    return response.content.decode()


def test_overview_tells_the_gap_between_declared_and_registered(officer, fitted) -> None:
    """Six were declared, two are registered, one has a chip."""
    page = _page(officer, "/")

    assert "申报 6 台，已登记 2 台。" in page
    assert "<b>1</b>已加芯赋码" in page


def test_area_counts_all_below_it(officer, fitted) -> None:
    """The county both townships, a township its own; kinds of workplace with what they declared."""
    county, here = _page(officer, "/areas/411081"), _page(officer, "/areas/411081100")

    assert "<b>6</b>申报台数" in county
    assert "<b>3</b>申报台数" in here
    assert "工矿企业" in here
    assert "火龙镇" in county


@pytest.mark.parametrize(
    ("query", "found"),
    [("q=火龙", 1), ("q=1号", 2), ("area=411081101", 1), ("area=none", 0), ("chip=1", 1), ("chip=0", 1), ("q=zzz", 0)],
)
def test_machines_are_narrowed_by_the_address(officer, fitted, query: str, found: int) -> None:
    """What is asked for stands in the address, so that it can be shared."""
    assert f"共 {found} 条" in _page(officer, f"/machines?{query}")


def test_enterprises_are_found_by_name_or_code(officer, county) -> None:
    """The code in any case."""
    county.here.enterprise.uscc = "91350100M000100Y43"
    county.here.enterprise.save()

    for query in ("q=火龙", "q=91350100m000100y43", "area=411081100"):
        assert "共 1 条" in _page(officer, f"/enterprises?{query}")


def test_machine_shows_every_chip_it_had(officer, fitted) -> None:
    """Who fitted it, and its seal."""
    page = _page(officer, f"/machines/{fitted.machine_id}")

    assert "0000000000000010" in page
    assert "铅封0001" in page


def test_label_is_public_and_shows_no_person(county, fitted) -> None:
    """Neither who fitted the chip nor whose the machine is."""
    page = _page(Client(), f"/m/{county.here.machine.code}")

    assert county.here.machine.plain_code in page
    assert "在用" in page
    for hidden in ("火龙建安", str(fitted.fitted_by), "0000000000000010"):
        assert hidden not in page


def test_locked_machine_says_so_on_its_label(county) -> None:
    """In red, with whom to call."""
    Machine.objects.filter(pk=county.here.machine.pk).update(status="locked")

    assert "已锁定" in _page(Client(), f"/m/{county.here.machine.code}")


def test_typed_code_leads_to_the_machine(county) -> None:
    """In lower case and with a hyphen; one that is not there is told, with what to look at."""
    code = county.here.machine.code

    for typed in (f"{code[:4]}-{code[4:]}".lower(), code):
        assert Client().get("/m/", {"code": typed})["Location"] == f"/m/{code}"
    assert Client().get(f"/m/{code.lower()}-")["Location"] == f"/m/{code}"
    missing = Client().get("/m/", {"code": "ZZZZ-ZZZZ"})
    assert missing.status_code == 404
    assert "ZZZZZZZZ" in missing.content.decode()


def test_english_is_one_button_away(county) -> None:
    """Chinese comes first; the choice stays."""
    client = Client()
    assert "登录" in _page(client, "/sign-in")

    client.post("/language", {"language": "en", "next": "/sign-in"})

    assert "Sign in" in _page(client, "/sign-in")


def test_export_has_all_that_one_sees_and_is_logged(officer, county) -> None:
    """A byte order mark for Excel, a row for each, and an entry in the audit log."""
    county.here.enterprise.name = "=HYPERLINK(1)"
    county.here.enterprise.save()

    text = b"".join(officer.get("/enterprises.csv")).decode("utf-8-sig")

    rows = list(csv.reader(io.StringIO(text)))
    assert [row[0] for row in rows[1:]] == ["'=HYPERLINK(1)", "顺店铸造"]
    assert Entry.objects.get(action="export.enterprises").detail == '{"rows": 2}'


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@x", "\t=1", "\r=1"])
def test_cell_is_no_formula(text: str) -> None:
    """Whatever a spreadsheet would take for one is quoted; other text is left alone."""
    assert plain_cell(text) == f"'{text}"
    assert plain_cell("ZX7-400") == "ZX7-400"
    assert plain_cell(None) == ""
