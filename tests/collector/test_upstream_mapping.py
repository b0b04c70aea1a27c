"""From the document to what a platform wants: places, text, translation, and mistakes told with their key."""

import datetime
from typing import Any

import pytest

from weldgate_collector.upstream.base import SettingError
from weldgate_collector.upstream.mapping import compile_map, compile_topic

DOCUMENT: dict[str, Any] = {
    "id": "9223372036854775807:a0000001:5", "device": 2**63 - 1, "message": "arc", "time_ms": 1_790_000_000_005,
    "collector": "site", "fields": {"mean_ma": 120_000, "token": "0102", "latched": True},
}  # fmt: skip


def mapped(value: Any, offset_min: int = 0) -> Any:
    """Map the document by one value."""
    return compile_map({"x": value}, offset_min, "map")(DOCUMENT)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("$.device", {"x": 2**63 - 1}),
        ("$.fields.mean_ma", {"x": 120_000}),
        ("$.fields", {"x": DOCUMENT["fields"]}),
        ("$.seq", {}),
        ("$.fields.nothing", {}),
        ("{device}/{message}", {"x": "9223372036854775807/arc"}),
        ("{fields.latched}", {"x": "true"}),
        ("{seq}", {}),
        ("{{}}", {"x": "{}"}),
        ("plain", {"x": "plain"}),
        (7, {"x": 7}),
        (False, {"x": False}),
        (datetime.date(2026, 1, 2), {"x": "2026-01-02"}),
        (["$.device", "$.seq", 1], {"x": [2**63 - 1, 1]}),
        ({"a": "$.message", "b": "$.seq"}, {"x": {"a": "arc"}}),
        ({"$from": "$.message", "$values": {"arc": 3}}, {"x": 3}),
        ({"$from": "$.message", "$values": {"alarm": 3}}, {}),
        ({"$from": "$.message", "$values": {"alarm": 3}, "$else": 0}, {"x": 0}),
        ({"$from": "$.fields.latched", "$values": {"true": 1}}, {"x": 1}),
        ({"$from": "$.seq", "$else": "$.device"}, {"x": 2**63 - 1}),
        ({"$from": "$.fields.mean_ma", "$times": 0.001}, {"x": 120.0}),
        ({"$from": "$.time_ms", "$times": 0.001, "$as": "integer"}, {"x": 1_790_000_000}),
        ({"$from": "$.device", "$as": "text"}, {"x": "9223372036854775807"}),
        ({"$from": "{device}", "$as": "integer"}, {"x": 2**63 - 1}),
        ({"$from": "$.fields.mean_ma", "$as": "number"}, {"x": 120_000.0}),
        ({"$from": "$.fields.latched", "$as": "integer"}, {"x": 1}),
        ("HN-{device:020}", {"x": "HN-09223372036854775807"}),
        ("{fields.mean_ma:03}", {"x": "120000"}),
    ],
)
def test_value_of_a_map(value: Any, expected: Any) -> None:
    """Each kind of value, and that a place that is not there leaves its key out."""
    assert mapped(value) == expected


def test_time_is_written_for_the_zone() -> None:
    """A province writes its own hours."""
    assert mapped("{time_ms:%Y-%m-%d %H:%M:%S}", 480) == {"x": "2026-09-21 22:13:20"}


@pytest.mark.parametrize(
    ("value", "key"),
    [
        ("$.nothing", "map.x"),
        ("$", "map.x"),
        ("$.device.x", "map.x"),
        ("{nothing}", "map.x"),
        ("{device", "map.x"),
        ("{device!r}", "map.x"),
        ("{device:>9}", "map.x"),
        ({"$from": "$.device", "other": 1}, "map.x"),
        ({"$values": {}}, "map.x"),
        ({"$from": "$.device", "$values": 1}, "map.x.$values"),
        ({"$from": "$.device", "$times": "2"}, "map.x.$times"),
        ({"$from": "$.device", "$as": "money"}, "map.x.$as"),
        ({"$from": "$.device", "$as": 1}, "map.x.$as"),
        ("{device:0}", "map.x"),
        ("{device:0999}", "map.x"),
        ({"a": {"b": "$.nothing"}}, "map.x.a.b"),
        (2**64, "map.x"),
    ],
)
def test_mistake_names_its_key(value: Any, key: str) -> None:
    """Before anything runs."""
    with pytest.raises(SettingError) as caught:
        mapped(value)

    assert caught.value.key == key


def test_too_deep_a_map_is_refused() -> None:
    """No recursion without an end."""
    value: Any = "$.device"
    for _ in range(50):
        value = [value]
    with pytest.raises(SettingError, match="deep"):
        mapped(value)


def test_topics() -> None:
    """A template by document; what would be a filter is refused before and while it runs."""
    assert compile_topic("w/{collector}/x", "site", "topic")(DOCUMENT) == "w/site/x"
    assert compile_topic("w/{device}/{message}", "site", "topic")(DOCUMENT) == "w/9223372036854775807/arc"
    for wrong in ("w/#", "w/+/x", "w/{nothing}", "x" * 2_000):
        with pytest.raises(SettingError):
            compile_topic(wrong, "site", "topic")
    with pytest.raises(ValueError, match="does not have"):
        compile_topic("w/{seq}", "site", "topic")(DOCUMENT)
    with pytest.raises(ValueError, match="would be"):
        compile_topic("{message}", "site", "topic")({"message": "a/#"})
