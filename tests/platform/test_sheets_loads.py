"""A load from end to end: checked, refused, mended, applied whole, repeated, taken back."""

import io
from collections import Counter
from datetime import date

import pytest
from openpyxl import load_workbook

from weldgate_platform.accounts.models import User
from weldgate_platform.accounts.roles import Role
from weldgate_platform.audit.models import Entry
from weldgate_platform.registry.models import Enterprise, Machine, Site
from weldgate_platform.sheets import applying
from weldgate_platform.sheets.applying import undo
from weldgate_platform.sheets.loads import apply_load, bad_rows_file, check_file, kept_bad_rows, load_mappings
from weldgate_platform.sheets.mapping import shipped_mappings
from weldgate_platform.sheets.models import Change, Load, SavedMapping
from weldgate_platform.sheets.target import RowFault

MAPPINGS = {one.key: one for one in shipped_mappings()}
DAY = date(2026, 11, 24)
HEAD = "企业名称,统一社会信用代码,所属乡镇,行业领域,场所类型,焊机数量,联系电话\n"
GOOD = HEAD + "甲机械,91350100M000100Y43,火龙镇,工贸,工矿企业,3台,13800000000\n乙门窗,,411081101,,修理安装店,1,\n"


@pytest.fixture(autouse=True)
def _mappings() -> None:
    load_mappings()


@pytest.fixture
def officer(county) -> User:
    return county.user(Role.COUNTY, area=county.county)


def check(text: str, user: User, mapping: str = "enterprises"):
    """Check a CSV file."""
    return check_file(text.encode(), "list.csv", MAPPINGS[mapping], user, DAY, full=False)


def load(text: str, user: User, mapping: str = "enterprises") -> Load:
    """Check and apply a CSV file."""
    done, report = check(text, user, mapping)
    assert not report.bad, report.bad
    apply_load(done, user)
    return done


def test_dry_run_writes_nothing_and_keeps_the_file_sealed(officer) -> None:
    """What it would do is counted."""
    before = Enterprise.objects.count()

    done, report = check(GOOD, officer)

    assert Enterprise.objects.count() == before
    assert (done.state, done.rows, done.bad_rows) == ("checked", 2, 0)
    assert done.counts == {"enterprise_new": 2, "site_new": 2}
    assert "甲机械".encode() not in bytes(done.content)
    assert not report.bad


def test_applied_rows_are_there_and_the_file_is_dropped(officer) -> None:
    """With sector, kind, declared machines and a sealed phone; the log has it."""
    done = load(GOOD, officer)

    one = Enterprise.objects.get(uscc="91350100M000100Y43")
    site = one.sites.get()
    assert (one.area.name, one.sector.key, one.phone) == ("火龙镇", "industry-trade", "13800000000")
    assert (site.name, site.kind.key, site.declared, site.sector) == ("甲机械", "mine-factory", 3, one.sector)
    assert Enterprise.objects.get(name="乙门窗").area.name == "顺店镇"
    done.refresh_from_db()
    assert (done.state, bytes(done.content)) == ("applied", b"")
    assert Entry.objects.filter(action="sheet.apply").count() == 1


def test_repeating_is_a_no_op(officer) -> None:
    """Not a row is changed."""
    load(GOOD, officer)

    done = load(GOOD, officer)

    assert Counter(done.counts) == Counter({"enterprise_same": 2, "site_same": 2})
    assert not done.changes.exists()


def test_changed_row_changes_what_differs_and_empty_cells_leave_what_is_there(officer) -> None:
    """A list without phone numbers takes none away."""
    load(GOOD, officer)

    done = load("企业名称,统一社会信用代码,所属乡镇,焊机数量,联系电话\n甲机械,91350100M000100Y43,火龙镇,5,\n", officer)

    one = Enterprise.objects.get(uscc="91350100M000100Y43")
    assert (one.phone, one.sites.get().declared) == ("13800000000", 5)
    assert [(change.model, change.before is None) for change in done.changes.all()] == [("registry.Site", False)]


BAD = (
    HEAD + "甲机械,,火龙镇,工贸,工矿企业,3,\n,,火龙镇,,,,\n丙,,某镇,,,,\n"
    "丁,,火龙镇,养蜂,,,\n戊,,火龙镇,,,很多,\n己,=A1,火龙镇,,,,\n"
)


def test_every_bad_row_is_named_and_nothing_is_applied(officer) -> None:
    """By its number, its column and what is wrong; the good row is not written either."""
    before = Enterprise.objects.count()
    done, report = check(BAD, officer)

    assert [(row.number, row.faults[0][0]) for row in report.bad] == [
        (3, "企业名称"), (4, "所属乡镇"), (5, "行业领域"), (6, "电焊机数量"), (7, "统一社会信用代码"),
    ]  # fmt: skip
    with pytest.raises(RowFault):
        apply_load(done, officer)
    assert Enterprise.objects.count() == before
    assert Load.objects.get(pk=done.pk).state == "checked"


def test_bad_rows_come_back_for_mending_as_text_without_formulas(officer) -> None:
    """Under the file's own headers, so that it can be imported as it is once it is mended."""
    done, report = check(BAD, officer)

    sheet = load_workbook(io.BytesIO(kept_bad_rows(done))).active

    rows = [[cell.value for cell in row] for row in sheet.iter_rows()]
    assert rows[0][:2] == ["企业名称", "统一社会信用代码"]
    assert rows[0][-1] == "错误原因"
    assert len(rows) == 6
    assert rows[5][1] == "'=A1"
    assert "公式" in rows[5][-1]
    assert {cell.data_type for row in sheet.iter_rows(min_row=2) for cell in row if cell.value} == {"s"}
    mended = check_file(bad_rows_file(report), "x.xlsx", MAPPINGS["enterprises"], officer, DAY, full=False)[1]
    assert mended.rows == 5


def test_two_rows_of_one_enterprise_agree_or_are_told(officer) -> None:
    """Two sites of one enterprise do; another phone number is a fault in the second."""
    two = "企业名称,所属乡镇,场所名称,联系电话\n甲,火龙镇,一车间,1\n甲,火龙镇,二车间,1\n"
    _, report = check(two, officer)
    assert report.target.plan.counts == {"enterprise_new": 1, "enterprise_same": 1, "site_new": 2}

    _, report = check(two.replace("二车间,1", "二车间,2"), officer)

    assert [row.number for row in report.bad] == [3]


def test_rows_outside_ones_scope_are_refused(county) -> None:
    """A township officer loads his own township alone; a role that may not import, nothing."""
    township = county.user(Role.TOWNSHIP)
    _, report = check(GOOD, township)
    assert [row.number for row in report.bad] == [3]

    _, report = check(GOOD, county.user(Role.PROVINCE, area=county.county))

    assert [row.number for row in report.bad] == [2, 3]


def test_failure_half_way_leaves_nothing(officer, monkeypatch: pytest.MonkeyPatch) -> None:
    """All or nothing, whatever fails."""
    done, _ = check(GOOD, officer)
    before = (Enterprise.objects.count(), Site.objects.count())

    def fail(*_args: object, **_rest: object) -> None:
        raise RuntimeError("disk")

    monkeypatch.setattr(applying, "record", fail)
    with pytest.raises(RuntimeError):
        apply_load(done, officer)

    assert (Enterprise.objects.count(), Site.objects.count()) == before
    assert not Change.objects.exists()


def test_undo_restores_what_was(officer) -> None:
    """What was made is gone, what was changed is as before, and it is done once."""
    load(GOOD, officer)
    kept = sorted(Enterprise.objects.values_list("name", "uscc", "sector"))
    done = load(GOOD.replace("13800000000", "13900000000") + "新厂,,梁北镇,,,2,\n", officer)
    assert Enterprise.objects.get(uscc="91350100M000100Y43").phone == "13900000000"

    undo(done, officer)

    assert sorted(Enterprise.objects.values_list("name", "uscc", "sector")) == kept
    assert Enterprise.objects.get(uscc="91350100M000100Y43").phone == "13800000000"
    with pytest.raises(RowFault):
        undo(done, officer)


def test_undo_waits_for_later_loads_and_for_what_refers(officer, county) -> None:
    """The later one goes first; a machine that stands on a site by now keeps it."""
    first = load(GOOD, officer)
    second = load(GOOD.replace("3台", "4台"), officer)
    with pytest.raises(RowFault):
        undo(first, officer)
    undo(second, officer)
    site = Site.objects.get(enterprise__uscc="91350100M000100Y43")
    machine = Machine.objects.create(site=site, process="mma", supply="380", gate="mains")
    with pytest.raises(RowFault):
        undo(first, officer)
    assert Enterprise.objects.filter(name="乙门窗").exists()
    machine.delete()

    undo(first, officer)

    assert not Enterprise.objects.filter(name__in=["甲机械", "乙门窗"]).exists()


def test_machines_are_loaded_with_the_words_of_the_field(officer, county) -> None:
    """Gas and engine machines get no gate; repeating is a no-op; another's machines are out of reach."""
    rows = (
        "企业名称,焊机编号,设备类型,额定电流（A）,供电\n"
        "火龙建安,2号,二保焊,350A,380V\n火龙建安,3号,气割,,无\n火龙建安,4号,手工焊,,柴油\n火龙建安,5号,氩弧焊,200,\n"
    )
    done = load(rows, officer, "machines")

    found = {one.label: (one.process, one.supply, one.gate) for one in Machine.objects.filter(label__gt="1号")}
    assert found["2号"] == ("mig", "380", "mains")
    assert found["3号"] == ("gas", "none", "none")
    assert found["4号"] == ("mma", "engine", "none")
    assert found["5号"] == ("tig", "380", "mains")
    assert load(rows, officer, "machines").counts == {"machine_same": 4}
    _, report = check(rows.replace("火龙建安", "顺店铸造"), county.user(Role.TOWNSHIP), "machines")
    assert len(report.bad) == 4
    assert done.counts == {"machine_new": 4}


def test_load_mappings_leaves_the_operators(officer) -> None:
    """A mapping that he changed stays."""
    SavedMapping.objects.filter(key="people").update(document="{}")

    assert load_mappings() == 0
    assert SavedMapping.objects.get(key="people").document == "{}"
