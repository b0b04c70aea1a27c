"""Pages of imports: a file is checked, seen, applied, taken back; nobody sees another's."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from weldgate_platform.accounts.roles import Role
from weldgate_platform.registry.models import Enterprise
from weldgate_platform.sheets.loads import load_mappings
from weldgate_platform.sheets.models import Load

GOOD = "企业名称,所属乡镇\n甲机械,火龙镇\n"


@pytest.fixture
def officer(county, signed_in) -> Client:
    load_mappings()
    return signed_in(county.user(Role.COUNTY, area=county.county))


def _upload(client: Client, text: str, mapping: str = "enterprises"):
    file = SimpleUploadedFile("list.csv", text.encode("gbk"))
    return client.post("/imports", {"mapping": mapping, "as_of": "2026-11-24", "file": file})


def test_file_is_checked_seen_applied_and_taken_back(officer) -> None:
    """Each by a button of its own, and nothing before it is pressed."""
    address = _upload(officer, GOOD)["Location"]
    page = officer.get(address).content.decode()
    assert "已检查 1 行，没有错误" in page
    assert "新增企业" in page
    assert not Enterprise.objects.filter(name="甲机械").exists()

    officer.post(f"{address}/apply")
    assert Enterprise.objects.filter(name="甲机械").exists()
    assert "已生效" in officer.get(address).content.decode()
    officer.post(f"{address}/apply")  # a second click does nothing
    officer.post(f"{address}/undo")

    assert not Enterprise.objects.filter(name="甲机械").exists()
    assert Load.objects.get().state == "undone"


def test_bad_rows_are_shown_and_handed_out(officer) -> None:
    """In the language of the one who asks; they cannot be applied."""
    address = _upload(officer, GOOD + "乙,某镇\n")["Location"]

    page = officer.get(address).content.decode()
    assert "共 2 行，1 行有错" in page
    assert "没有这个名称或编码的区域" in page
    assert "/apply" not in page
    assert officer.get(f"{address}/bad-rows.xlsx").content.startswith(b"PK")
    officer.post(f"{address}/apply")
    assert not Enterprise.objects.filter(name="甲机械").exists()


@pytest.mark.parametrize(("text", "told"), [("a,b\n1,2\n", "headers"), ("企业名称\n甲\n", "所属乡镇")])
def test_file_of_another_kind_is_told_on_the_form(officer, text: str, told: str) -> None:
    """And nothing is kept."""
    response = _upload(officer, text)

    assert response.status_code == 400
    assert told in response.content.decode()
    assert not Load.objects.exists()


def test_only_what_one_may_load_is_offered(officer, county, signed_in) -> None:
    """A township loads enterprises and machines, and no certificates."""
    township = signed_in(county.user(Role.TOWNSHIP))

    page = township.get("/imports").content.decode()

    assert 'value="enterprises"' in page
    assert "certificates-mem" not in page
    assert _upload(township, GOOD, "certificates-mem").status_code == 400
    assert "certificates-mem" in officer.get("/imports").content.decode()


def test_loads_are_ones_own(officer, county, signed_in) -> None:
    """A file may hold more than another may see."""
    address = _upload(officer, GOOD)["Location"]
    other = signed_in(county.user(Role.COUNTY, area=county.county))

    assert other.get(address).status_code == 404
    for act in ("apply", "undo"):
        assert other.post(f"{address}/{act}").status_code == 404
    assert other.get(f"{address}/bad-rows.xlsx").status_code == 404
