"""What the rows of a file become: the contract between the engine and the apps that take rows."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, ClassVar

from django.db import models
from django.utils.functional import Promise

from weldgate_platform.accounts.models import User
from weldgate_platform.accounts.roles import Capability
from weldgate_platform.sheets.cleaning import Cell
from weldgate_platform.sheets.plan import Plan

__all__ = ["Field", "Purpose", "RowFault", "Target", "register", "target_named"]


@dataclass(frozen=True)
class Field:
    """One field of a target.

    Attributes:
        clean: makes a value of a cell, or raises `CellFault`.
        required: a row without it is bad.
    """

    clean: Callable[[Cell], object]
    required: bool = False


@dataclass(frozen=True)
class Purpose:
    """Who loads what.

    Attributes:
        user: whose scope the rows must lie in.
        as_of: the day of the data.
        source: the issuer, where there is one.
        full: whether what is not in the file is gone from the source.
    """

    user: User
    as_of: date
    source: str = ""
    full: bool = False


class RowFault(ValueError):  # noqa: N818 - a fault of the file, told to its owner, and no error of ours
    """A row that cannot be taken.

    Attributes:
        field: whose cell is wrong, "" for the row as a whole.
        said: why, translated when it is shown.
    """

    def __init__(self, field: str, said: "str | Promise") -> None:
        super().__init__(field, said)
        self.field, self.said = field, said


class Target(ABC):
    """Takes rows and plans what becomes of them. Reads all that it needs at once, before the first row.

    Attributes:
        name: in mappings.
        needs: capabilities of whoever loads it, at every row's place.
        fields: by name.
        models: what it makes and changes, the referred to first.
    """

    name: ClassVar[str]
    needs: ClassVar[Sequence[Capability]] = (Capability.SHEETS_IMPORT,)
    fields: ClassVar[Mapping[str, Field]]
    models: ClassVar[Sequence[type[models.Model]]]

    def __init__(self, purpose: Purpose) -> None:
        self.purpose = purpose
        self.plan = Plan()

    @abstractmethod
    def take(self, number: int, values: dict[str, Any]) -> None:
        """Plan one row.

        Args:
            number: of the row in its file.
            values: cleaned; a field whose column the file lacks is not in it.

        Raises:
            RowFault: the row is bad; then nothing of it is planned.
        """

    def finish(self) -> None:  # noqa: B027 - most targets have nothing to add
        """Plan what follows from the file as a whole, such as rows of ours that it no longer has."""


_TARGETS: dict[str, type[Target]] = {}


def register(target: type[Target]) -> type[Target]:
    """Make a target known under its name; a decorator."""
    _TARGETS[target.name] = target
    return target


def target_named(name: str) -> type[Target] | None:
    """Return a target, None for a name that no app has."""
    return _TARGETS.get(name)
