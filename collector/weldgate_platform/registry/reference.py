"""Loads the reference data that comes with the package; see `data/README.md`. Repeating changes nothing."""

import csv
from collections.abc import Iterator
from importlib.resources import files

from django.db import transaction

from weldgate_platform.registry.models import Area, Sector, SiteType

__all__ = ["load_reference"]


def load_reference() -> int:
    """Add what is missing: areas, sectors, kinds of workplace. Rows that are there stay as an operator left them.

    Returns:
        How many rows were added.
    """
    added = 0
    with transaction.atomic():
        areas = {area.key: area for area in Area.objects.all()}
        townships = (
            {"key": row["code"], "code": row["code"], "name": row["name"], "level": "township", "parent": "411081"}
            for row in _rows("townships-411081.csv")
        )
        for row in (*_rows("areas.csv"), *townships):
            if row["key"] not in areas:
                parent = areas[row["parent"]] if row["parent"] else None
                areas[row["key"]] = Area.objects.create(
                    key=row["key"], code=row["code"] or None, name=row["name"], level=row["level"], parent=parent
                )
                added += 1
        for row in _rows("sectors.csv"):
            added += Sector.objects.get_or_create(key=row.pop("key"), defaults=row)[1]
        for row in _rows("site_types.csv"):
            flags = {name: row.pop(name) == "1" for name in ("crowded", "itinerant")}
            added += SiteType.objects.get_or_create(key=row.pop("key"), defaults={**row, **flags})[1]
    return added


def _rows(name: str) -> Iterator[dict[str, str]]:
    text = files("weldgate_platform.registry").joinpath("data", name).read_text(encoding="utf-8")
    yield from csv.DictReader(text.splitlines())
