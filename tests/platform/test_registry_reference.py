"""The reference data that comes with the package."""

from hashlib import sha256
from importlib.resources import files

from weldgate_platform.registry.models import Area, SiteType
from weldgate_platform.registry.reference import load_reference


def test_county_has_its_townships_and_the_zone_without_a_code() -> None:
    """26 township-level units by code, and 高新区 by a key of its own, under one path."""
    below = Area.objects.filter(path__startswith="41/4110/411081/", level="township")

    assert below.filter(code__isnull=False).count() == 26
    assert [one.name for one in below.filter(code__isnull=True)] == ["禹州高新技术产业开发区"]


def test_loading_again_changes_nothing() -> None:
    """What an operator changed stays."""
    Area.objects.filter(key="411081100").update(name="火龙")
    SiteType.objects.filter(key="mall").update(crowded=False)

    assert load_reference() == 0

    assert Area.objects.get(key="411081100").name == "火龙"
    assert not SiteType.objects.get(key="mall").crowded


def test_townships_are_the_file_that_the_page_beside_it_names() -> None:
    """Digit for digit."""
    data = files("weldgate_platform.registry").joinpath("data")

    digest = sha256(data.joinpath("townships-411081.csv").read_bytes()).hexdigest()
    assert digest in data.joinpath("README.md").read_text(encoding="utf-8")
