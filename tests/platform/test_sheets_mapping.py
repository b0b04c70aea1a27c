"""Mappings: data that is checked, and headers found where the field puts them."""

import json

import pytest
from django.core.exceptions import ValidationError

from weldgate_platform.sheets.mapping import Mapping, MappingError, find_header, shipped_mappings
from weldgate_platform.sheets.models import SavedMapping
from weldgate_platform.sheets.target import target_named

MAPPING = Mapping.parse(
    json.dumps(
        {
            "key": "x", "title_zh": "x", "title_en": "x", "target": "people",
            "columns": [
                {"field": "name", "headers": ["姓名"]},
                {"field": "identity", "headers": ["身份证号", "公民身份号码"]},
                {"field": "area", "headers": ["乡镇（街道）"], "default": "411081"},
            ],
        }
    )
)  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "first", "places"),
    [
        ([["姓名", "身份证号"]], 2, {"name": 0, "identity": 1}),
        ([["焊工名单", None], ["单位：火龙", None], ["序号", "姓 名*", "身份证\n号"]], 4, {"name": 1, "identity": 2}),
        ([["姓名", "证件", None], [None, "类型", "公民身份号码"]], 3, {"name": 0, "identity": 2}),
        ([["姓名", "身份证号", "乡镇(街道)"]], 2, {"name": 0, "identity": 1, "area": 2}),
    ],
)
def test_headers_are_found(rows, first: int, places: dict[str, int]) -> None:
    """Below titles, with line breaks and stars, merged over two rows, in brackets of either width."""
    header = find_header(MAPPING, rows, {"name", "identity", "area"})

    assert (header.first, header.places) == (first, places)


def test_unknown_headers_are_told() -> None:
    """They are left out, and named."""
    assert find_header(MAPPING, [["姓名", "备注", "身份证号"]], {"name"}).unknown == ["备注"]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([["a", "b"]], "headers"),
        ([], "headers"),
        ([["姓名"]], "身份证号"),
        ([["姓名", "身份证号", "公民身份号码"]], "two columns"),
    ],
)
def test_file_of_another_kind_is_told(rows, told: str) -> None:
    """By what is missing, or stands twice."""
    with pytest.raises(MappingError, match=told):
        find_header(MAPPING, rows, {"name", "identity"})


def test_shipped_mappings_fit_their_targets_and_are_marked_as_guesses() -> None:
    """Nobody has published the columns; each of the three issuers has its own."""
    found = shipped_mappings()

    assert {one.source for one in found if one.target == "certificates"} == {"mem", "mohurd", "samr"}
    for one in found:
        target = target_named(one.target)
        assert target is not None
        assert {column.field for column in one.columns} <= set(target.fields), one.key
        assert one.guess
        assert "推测" in one.title_zh


@pytest.mark.parametrize(
    "document",
    [
        "",
        "{}",
        '{"key": "x", "columns": 1}',
        '{"key": "y", "title_zh": "", "title_en": "", "target": "", "columns": []}',
    ],
)
def test_wrong_mapping_is_refused_where_it_is_entered(document: str) -> None:
    """With the key that is wrong; also one that is another's."""
    with pytest.raises(ValidationError):
        SavedMapping(key="x", document=document).clean()
