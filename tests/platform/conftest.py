"""A county with two townships' worth of everything, and somebody of every role in it.

Django is configured here and not in pyproject.toml, so that no other test needs it. Without a folder the settings
describe a platform in memory, under keys of its own.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import django
import pytest

os.environ["DJANGO_SETTINGS_MODULE"] = "weldgate_platform.settings"
django.setup()  # before anything below is imported: models need it
del os.environ["DJANGO_SETTINGS_MODULE"]  # the processes that other tests start must not find it

from django.test import Client
from django.utils import timezone

from weldgate_platform.accounts.models import Assignment, User
from weldgate_platform.accounts.roles import Role
from weldgate_platform.registry.fitting import fit
from weldgate_platform.registry.models import Area, Chip, Enterprise, Install, Machine, Sector, Site, SiteType
from weldgate_platform.registry.reference import load_reference

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the tests of this folder use both databases."""
    for item in items:
        if HERE in item.path.parents and item.get_closest_marker("django_db") is None:
            item.add_marker(pytest.mark.django_db(databases="__all__"))


PASSWORD = "arc-gap-three-hundred"


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker) -> None:  # pytest-django's own, and then ours
    """Load the reference data once, into the databases that every test starts from."""
    with django_db_blocker.unblock():
        load_reference()


@pytest.fixture(autouse=True)
def _plain_http(settings) -> None:
    """Ask over http, and hash passwords fast: what argon2 costs is not tested here."""
    settings.SECURE_SSL_REDIRECT = settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = False
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.ALLOWED_HOSTS = ["testserver"]


@dataclass
class Place:
    """One enterprise with a site and a machine."""

    area: Area
    sector: Sector
    enterprise: Enterprise
    site: Site
    machine: Machine


@dataclass
class County:
    """火龙镇 and 顺店镇 of 禹州, each with one enterprise; one in construction, one in industry and trade."""

    county: Area
    here: Place
    there: Place

    def user(self, role: Role | str, *, area: Area | None = None, **rest: object) -> User:
        """Make somebody of a role, at `here` where nothing else is said."""
        user = User.objects.create_user(f"{role}-{User.objects.count()}", PASSWORD)
        if not rest and area is None:
            if role in (Role.PRINCIPAL, Role.SAFETY_MANAGER, Role.GUARDIAN, Role.WELDER):
                rest = {"enterprise": self.here.enterprise}
            else:
                area = self.here.area
        Assignment.objects.create(user=user, role=role, area=area, **rest)
        return user


@pytest.fixture
def county() -> County:
    """Return the county."""

    def place(key: str, sector: str, name: str) -> Place:
        area, branch = Area.objects.get(key=key), Sector.objects.get(key=sector)
        kind = SiteType.objects.get(key="mine-factory")
        enterprise = Enterprise.objects.create(name=name, area=area, sector=branch)
        site = Site.objects.create(
            enterprise=enterprise, name=f"{name}一车间", kind=kind, area=area, sector=branch, declared=3
        )
        machine = Machine.objects.create(
            site=site, label="1号", process="mma", model="ZX7-400", supply="380", gate="mains"
        )
        return Place(area, branch, enterprise, site, machine)

    return County(
        Area.objects.get(key="411081"),
        place("411081100", "construction", "火龙建安"),
        place("411081101", "industry-trade", "顺店铸造"),
    )


@pytest.fixture
def signed_in() -> Callable[[User], Client]:
    """Return a function that signs somebody in."""

    def enter(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return enter


@pytest.fixture
def fitted(county: County) -> Install:
    """Return the record of a chip on the machine here."""
    installer = county.user(Role.INSTALLER)
    chip = Chip.objects.create(device=0x10)
    return fit(chip, county.here.machine, installer, timezone.now(), "铅封0001")
