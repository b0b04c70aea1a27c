"""Files: by their content and not their name, in the encodings of the field, bounded."""

import io
import zipfile

import pytest
from openpyxl import Workbook

from weldgate_platform.sheets import reading
from weldgate_platform.sheets.reading import FileError, read_rows
from weldgate_protocol import reasons


def xlsx(rows: list[list[object]]) -> bytes:
    """Return a workbook's bytes."""
    book = Workbook()
    for row in rows:
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_in_every_encoding(encoding: str, delimiter: str) -> None:
    """As Excel writes it here, and as everything else does."""
    data = f'姓名{delimiter}地址\r\n张三{delimiter}"禹州,市"\r\n'.encode(encoding)

    assert list(read_rows(data)) == [["姓名", "地址"], ["张三", "禹州,市"]]


def test_workbook_gives_values_and_formulas_as_such() -> None:
    """Empty rows are counted, so that the n-th is row n."""
    rows = list(read_rows(xlsx([["姓名", 1], [], ["=A1", 2.5]])))

    assert rows[0][:2] == ["姓名", 1]
    assert not any(rows[1])
    assert rows[2][:2] == ["=A1", 2.5]


def _bomb() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", b"0" * 2000)
    return out.getvalue()


@pytest.mark.parametrize(
    "data", [b"\xd0\xcf\x11\xe0old", b"PK\x03\x04torn", b"\x00\x01binary", b"\xff\xfe\xff\xff\xff,", b"a\n" * 6]
)
def test_what_is_no_table_is_told(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to do."""
    monkeypatch.setattr(reading, "ROWS_MAX", 5)

    with pytest.raises(FileError) as caught:
        list(read_rows(data))

    assert caught.value.code == reasons.TOOL_BAD_INPUT


def test_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor a file read that is larger than any of ours."""
    monkeypatch.setattr(reading, "UNPACKED_MAX", 1000)
    with pytest.raises(FileError, match="unpacks"):
        list(read_rows(_bomb()))
    monkeypatch.setattr(reading, "SIZE_MAX", 10)
    with pytest.raises(FileError, match="at most 10"):
        list(read_rows(b"x" * 11))


def test_columns_are_bounded() -> None:
    """Empty ones behind do not count."""
    assert len(next(iter(read_rows(b"," * 500)))) == reading.COLUMNS_MAX
    with pytest.raises(FileError, match="columns"):
        list(read_rows(b"x," * 500))
