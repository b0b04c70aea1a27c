"""What a load would do: rows to make, rows to change, and how many stay as they are. Touches no database."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from django.db import models

__all__ = ["Plan"]


class Plan:
    """Collected while rows are checked, written by `applying`.

    Attributes:
        made: new objects, in the order in which they were found.
        changed: objects that exist -> (field -> value before).
        counts: what happened, by name, for the one who decides.
    """

    def __init__(self) -> None:
        self.made: list[models.Model] = []
        self.changed: dict[models.Model, dict[str, Any]] = {}
        self.counts: Counter[str] = Counter()

    def make(self, new: models.Model) -> None:
        """Plan a new row."""
        self.made.append(new)
        self.counts[f"{new._meta.model_name}_new"] += 1

    def change(self, known: models.Model, values: Mapping[str, Any]) -> bool:
        """Set what differs; return whether anything did.

        Args:
            known: an object of the database, or one that `make` has.
            values: attribute -> value; a foreign key by its `_id`.
        """
        differing = {name: value for name, value in values.items() if getattr(known, name) != value}
        if known.pk is not None and differing:
            if known not in self.changed:
                self.changed[known] = {}
                self.counts[f"{known._meta.model_name}_changed"] += 1
            before = self.changed[known]
            for name in differing:
                before.setdefault(name, getattr(known, name))
        for name, value in differing.items():
            setattr(known, name, value)
        return bool(differing)
