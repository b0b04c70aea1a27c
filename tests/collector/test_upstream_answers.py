"""What a platform's answer means, wherever it says so."""

from typing import Any

import pytest

from weldgate_collector.upstream.answers import Answer, Answers
from weldgate_collector.upstream.base import SettingError
from weldgate_collector.upstream.settings import JsonSection


def read(data: bytes, **settings: Any) -> list[Answer]:
    """Read what came on the topic."""
    return Answers(JsonSection(name="u", **settings)).read(data)


@pytest.mark.parametrize(
    ("data", "settings", "expected"),
    [
        (b'{"id": "a", "ok": true}', {}, Answer("a", True, "")),
        (b'{"id": 7, "ok": 1}', {}, Answer("7", True, "")),
        (b'{"id": "a", "ok": false, "reason": "no"}', {}, Answer("a", False, "no")),
        (b'{"id": "a", "ok": 0}', {"answer_good": (0,)}, Answer("a", True, "")),
        (b'{"id": "a", "ok": false}', {"answer_good": (0,)}, Answer("a", False, "")),
        (b'{"id": "a", "ok": "200"}', {"answer_good": (200,)}, Answer("a", False, "")),
        (b'{"id": "a", "ok": "200"}', {"answer_good": (200, "200")}, Answer("a", True, "")),
        (b'{"d": {"id": "a"}, "r": {"c": 0}}', {"answer_id": "d.id", "answer_ok": "r.c", "answer_good": (0,)},
         Answer("a", True, "")),
        (b'{"id": "a", "ok": 3, "reason": {"zh": "x"}}', {}, Answer("a", False, "{'zh': 'x'}")),
    ],
)  # fmt: skip
def test_answer(data: bytes, settings: dict[str, Any], expected: Answer) -> None:
    """Which record, yes or no, and why; false is not 0, and text is no number."""
    assert read(data, **settings) == [expected]


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff", b"[]", b"7", b"{}", b'{"id": "a"}', b'{"ok": true}', b'{"id": [], "ok": true}', b"[" * 5_000,
     b'{"id": "a", "ok": null}', b'{"id": "a", "ok": {}}'],
)  # fmt: skip
def test_somebody_else_s_word_is_none(data: bytes) -> None:
    """It moves nothing."""
    assert read(data) == []


def test_list_is_answer_after_answer() -> None:
    """What is none in it harms none of the others."""
    data = b'[{"id": "a", "ok": true}, 7, {"id": "b", "ok": false, "reason": "no"}, [{"id": "c", "ok": true}]]'

    assert read(data) == [Answer("a", True, ""), Answer("b", False, "no")]


@pytest.mark.parametrize("key", ["answer_id", "answer_ok", "answer_reason"])
def test_place_that_can_not_be_one(key: str) -> None:
    """Told with its key, before anything runs."""
    with pytest.raises(SettingError) as caught:
        read(b"", **{key: "a..b"})

    assert caught.value.key == key
