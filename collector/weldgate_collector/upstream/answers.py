"""What a platform's answer says: which record it is about, whether that is taken, and why not. Pure.

Platforms answer in words of their own, such as ``{"data": {"msgId": "7"}, "code": 0, "msg": "ok"}``; where the three
stand and which values mean yes is told by configuration.
"""

from typing import Any, NamedTuple

import msgspec

from .base import SettingError
from .settings import JsonSection

__all__ = ["Answer", "Answers"]

_WORDS_MAX = 200


class Answer(NamedTuple):
    """One answer: what it names the record by, whether the platform has it, and its words."""

    reference: str
    good: bool
    words: str


class Answers:
    """Reads the answers of one platform."""

    def __init__(self, settings: JsonSection) -> None:
        """Take where things stand.

        Raises:
            SettingError: a place that can't be one.
        """
        self._id = _path(settings.answer_id, "answer_id")
        self._ok = _path(settings.answer_ok, "answer_ok")
        self._reason = _path(settings.answer_reason, "answer_reason")
        self._good = {_typed(value) for value in settings.answer_good}

    def read(self, data: bytes) -> list[Answer]:
        """Return what an answer says, or each of a list of answers; what is somebody else's word is left out."""
        try:
            came: Any = msgspec.json.decode(data)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return []
        read = (self._read(answer) for answer in (came if isinstance(came, list) else (came,)))
        return [answer for answer in read if answer is not None]

    def _read(self, answer: Any) -> Answer | None:
        reference, verdict = _at(answer, self._id), _at(answer, self._ok)
        if not isinstance(reference, str | int) or not isinstance(verdict, str | int | bool):
            return None
        words = _at(answer, self._reason)
        return Answer(str(reference), _typed(verdict) in self._good, "" if words is None else str(words)[:_WORDS_MAX])


def _path(text: str, key: str) -> list[str]:
    names = text.split(".")
    if not all(names):
        raise SettingError(key, f"`{text}` is no place: a name, or names with dots between them")
    return names


def _at(answer: Any, names: list[str]) -> Any:
    for name in names:
        answer = answer.get(name) if isinstance(answer, dict) else None
    return answer


def _typed(value: bool | int | str) -> tuple[bool, bool | int | str]:
    """Return a value that false and 0, true and 1 do not share."""
    return isinstance(value, bool), value
