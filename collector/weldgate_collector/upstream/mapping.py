"""From the documented JSON document to whatever a platform wants, told by configuration alone. Pure.

A value of ``[upstream.record.map]`` is

    "$.fields.mean_ma"                      what stands at that place, with its type
    "{device:020}/{received_ms:%Y-%m-%d}"   text with places in it; a time in ms takes strftime's format, any place
                                            a width that it is filled up to with zeros
    { "$from" = "$.message", "$values" = { arc = 1 }, "$else" = 0, "$times" = 0.001, "$as" = "integer" }
                                            a value translated, scaled, given another type, or replaced where it is
                                            not there
    any other text, number, boolean         as it is
    any other table or list                 the same for each of its values

A place that a document does not have leaves its key out. Each is compiled once; a mistake is told with its key.
"""

import datetime
import re
import string
from collections.abc import Callable
from typing import Any, Final

from .base import SettingError
from .document import NAMES, Document

__all__ = ["ABSENT", "Mapped", "compile_map", "compile_text", "compile_topic"]

ABSENT: Final = object()
Mapped = Callable[[Document], Any]

_DEPTH_MAX = 16
_TOPIC_MAX_BYTES = 1_000
_WORDS = frozenset({"$from", "$values", "$else", "$times", "$as"})
_WIDTH = re.compile(r"0[1-9]\d?")
_TYPES: dict[str, Callable[[Any], Any]] = {
    "integer": lambda value: int(value) if isinstance(value, str) else round(value),
    "number": float,
    "text": lambda value: _text(value, "", datetime.UTC),
}


def compile_map(value: dict[str, Any], utc_offset_min: int, key: str) -> Mapped:
    """Return a function that makes the mapped object of a document.

    Args:
        value: the configuration's table.
        utc_offset_min: minutes east of Greenwich that times in text are written for.
        key: the table's place in its section, for errors.

    Raises:
        SettingError: something in it has no meaning.
    """
    zone = datetime.timezone(datetime.timedelta(minutes=utc_offset_min))
    return _compile(value, zone, key, 0)


def compile_topic(template: str, collector: str, key: str) -> Callable[[Document], str]:
    """Return a function that makes a document's topic.

    Raises:
        SettingError: it is no topic, or a place in it is not there in every document.
    """
    if "+" in template or "#" in template or "\0" in template:
        raise SettingError(key, f"`{template}` is a filter, not a topic: no + and no # in it")
    fixed = template.replace("{collector}", collector)
    if "{" not in fixed and "}" not in fixed:
        if len(fixed.encode()) > _TOPIC_MAX_BYTES:
            raise SettingError(key, f"has {len(fixed.encode())} bytes, at most {_TOPIC_MAX_BYTES}")
        return lambda _document: fixed
    made = _template(fixed, datetime.UTC, key)

    def topic(document: Document) -> str:
        found = made(document)
        if found is ABSENT:
            raise ValueError(f"its topic `{template}` names what it does not have")
        if not found or len(found.encode()) > _TOPIC_MAX_BYTES or any(word in found for word in "+#\0"):
            raise ValueError(f"its topic would be {found[:100]!r}")
        text: str = found
        return text

    return topic


def compile_text(template: str, key: str) -> Callable[[Document], str]:
    """Return a function that makes the text of a document that an answer names it by.

    Raises:
        SettingError: a place in it has no meaning.
    """
    made = _template(template, datetime.UTC, key)

    def text(document: Document) -> str:
        found = made(document)
        if found is ABSENT:
            raise ValueError(f"its reference `{template}` names what it does not have")
        return str(found)

    return text


def _compile(value: Any, zone: datetime.tzinfo, key: str, depth: int) -> Mapped:
    if depth > _DEPTH_MAX:
        raise SettingError(key, "nested too deep")
    if isinstance(value, str):
        if value.startswith("$"):
            return _place(value, key)
        return _template(value, zone, key) if "{" in value or "}" in value else lambda _document: value
    if isinstance(value, list):
        items = [_compile(item, zone, key, depth + 1) for item in value]
        return lambda document: [found for item in items if (found := item(document)) is not ABSENT]
    if isinstance(value, dict):
        if any(name.startswith("$") for name in value):
            return _lookup(value, zone, key, depth)
        pairs = [(name, _compile(item, zone, f"{key}.{name}", depth + 1)) for name, item in value.items()]
        return lambda document: {name: found for name, item in pairs if (found := item(document)) is not ABSENT}
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        raise SettingError(key, f"is {value}, which no JSON number of 64 bits holds")
    if isinstance(value, datetime.date | datetime.time):
        value = value.isoformat()
    return lambda _document: value


def _place(path: str, key: str) -> Mapped:
    names = path.split(".")
    if names[0] != "$" or len(names) < 2 or names[1] not in NAMES or (len(names) > 2 and names[1] != "fields"):
        raise SettingError(key, f"`{path}` is no place in a document: `$.device`, `$.fields.NAME` and the like are")
    if len(names) == 2:
        name = names[1]
        return lambda document: document.get(name, ABSENT)
    below = names[2:]

    def place(document: Document) -> Any:
        found: Any = document.get("fields", ABSENT)
        for name in below:
            if not isinstance(found, dict):
                return ABSENT
            found = found.get(name, ABSENT)
        return found

    return place


def _template(text: str, zone: datetime.tzinfo, key: str) -> Mapped:
    pieces: list[tuple[str, Mapped | None, str]] = []
    try:
        parsed = list(string.Formatter().parse(text))
    except ValueError as error:
        raise SettingError(key, f"`{text}`: {error}") from error
    for literal, field, form, conversion in parsed:
        if field is None:
            pieces.append((literal, None, ""))
            continue
        if conversion or (form and not form.startswith("%") and not _WIDTH.fullmatch(form)):
            what = "a time's format, as in {time_ms:%Y-%m-%d}, or a width, as in {device:020}"
            raise SettingError(key, f"`{text}`: only {what}, may follow the colon")
        pieces.append((literal, _place(f"$.{field}", key), form or ""))

    def template(document: Document) -> Any:
        made: list[str] = []
        for literal, place, form in pieces:
            made.append(literal)
            if place is not None:
                found = place(document)
                if found is ABSENT:
                    return ABSENT
                made.append(_text(found, form, zone))
        return "".join(made)

    return template


def _text(value: Any, form: str, zone: datetime.tzinfo) -> str:
    if form.startswith("0"):
        return str(value).zfill(int(form))
    if form:
        moment = datetime.datetime.fromtimestamp(value / 1000, zone)
        return moment.strftime(form)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _lookup(value: dict[str, Any], zone: datetime.tzinfo, key: str, depth: int) -> Mapped:
    unknown = sorted(set(value) - _WORDS)
    if unknown or "$from" not in value:
        raise SettingError(key, f"`{unknown[0]}` stands beside $from" if unknown else "`$from` is missing")
    source = _compile(value["$from"], zone, f"{key}.$from", depth + 1)
    values, factor = value.get("$values"), value.get("$times")
    if values is not None and not isinstance(values, dict):
        raise SettingError(f"{key}.$values", "is no table")
    if factor is not None and (isinstance(factor, bool) or not isinstance(factor, int | float)):
        raise SettingError(f"{key}.$times", "is no number")
    kind = value.get("$as", "")
    if kind and (not isinstance(kind, str) or kind not in _TYPES):
        raise SettingError(f"{key}.$as", f"is none of {', '.join(_TYPES)}")
    other: Mapped = _compile(value["$else"], zone, f"{key}.$else", depth + 1) if "$else" in value else _absent

    def lookup(document: Document) -> Any:
        found = source(document)
        if found is not ABSENT and values is not None:
            found = values.get(_text(found, "", zone), ABSENT)
        if found is ABSENT:
            return other(document)
        if factor is not None:
            found = found * factor
        return _TYPES[kind](found) if kind else found

    return lookup


def _absent(_document: Document) -> Any:
    return ABSENT
