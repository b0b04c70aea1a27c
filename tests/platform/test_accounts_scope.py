"""Who sees what: area × sector, enterprise, several roles, time, and nobody."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import IntegrityError, transaction
from django.utils import timezone

from weldgate_platform.accounts.models import Assignment, User
from weldgate_platform.accounts.roles import Capability, Role
from weldgate_platform.accounts.scope import capabilities_of
from weldgate_platform.registry.models import Area, Enterprise, Install, Machine, Site

MODELS = (Area, Enterprise, Site, Machine)


def _names(user, model=Enterprise) -> set[str]:
    return {str(one) for one in model.objects.visible_to(user)}


def test_area_holds_for_all_below_it(county) -> None:
    """The province sees all, a township its own."""
    province = county.user(Role.PROVINCE, area=Area.objects.get(key="41"))

    assert _names(province) == {"火龙建安", "顺店铸造"}
    assert _names(county.user(Role.TOWNSHIP)) == {"火龙建安"}


def test_key_that_begins_another_key_opens_nothing_more(county) -> None:
    """`411081` is not above `4110812`."""
    parent = Area.objects.get(key="4110")
    other = Area.objects.create(key="4110812", name="别处", level="county", parent=parent)
    Enterprise.objects.create(name="别处机械", area=other)

    assert "别处机械" not in _names(county.user(Role.COUNTY, area=county.county))


def test_department_sees_its_sector_alone(county) -> None:
    """Across the townships of its area; and no areas' list of others' rows."""
    user = county.user(Role.DEPARTMENT, area=county.county, sector=county.here.sector)

    assert _names(user) == {"火龙建安"}
    assert _names(user, Site) == {"火龙建安一车间"}
    assert Machine.objects.visible_to(user).get() == county.here.machine
    assert not Area.objects.visible_to(user).exists()


def test_enterprise_role_sees_its_own(county, fitted) -> None:
    """Its sites, machines and install records."""
    user = county.user(Role.SAFETY_MANAGER)

    assert _names(user) == {"火龙建安"}
    assert Install.objects.visible_to(user).get() == fitted
    assert not Area.objects.visible_to(user).exists()


def test_several_roles_add_up(county) -> None:
    """What either sees, once."""
    user = county.user(Role.TOWNSHIP)
    Assignment.objects.create(user=user, role=Role.PRINCIPAL, enterprise=county.there.enterprise)

    assert _names(user) == {"火龙建安", "顺店铸造"}
    assert Enterprise.objects.visible_to(user).count() == 2
    assert Capability.MACHINE_START in capabilities_of(user)


@pytest.mark.parametrize(("begins", "ends", "sees"), [(0, 0, True), (1, None, False), (None, -1, False)])
def test_role_holds_from_and_until(county, begins, ends, sees: bool) -> None:
    """Both days included."""
    today = timezone.localdate()
    user = county.user(Role.TOWNSHIP)
    Assignment.objects.filter(user=user).update(
        begins=None if begins is None else today + timedelta(days=begins),
        ends=None if ends is None else today + timedelta(days=ends),
    )

    assert bool(_names(user)) is sees
    assert bool(capabilities_of(user)) is sees


def test_operator_sees_everything_and_nobody_sees_nothing(county) -> None:
    """Nobody: not signed in, without a role, or inactive, were he an operator."""
    operator = User.objects.create_superuser("operator")
    gone = User.objects.create_superuser("gone", is_active=False)

    assert Machine.objects.visible_to(operator).count() == 2
    assert capabilities_of(operator) == set(Capability)
    for user in (AnonymousUser(), User.objects.create_user("newcomer"), gone):
        assert not any(model.objects.visible_to(user).exists() for model in MODELS)
        assert not capabilities_of(user)


def test_role_holds_in_an_area_or_in_an_enterprise(county) -> None:
    """In one of them, and a sector only with an area."""
    user = User.objects.create_user("x")
    place = {"area": county.here.area, "sector": county.here.sector, "enterprise": county.here.enterprise}

    for names in ((), ("area", "enterprise"), ("sector",), ("sector", "enterprise")):
        with pytest.raises(IntegrityError), transaction.atomic():
            Assignment.objects.create(user=user, role=Role.WELDER, **{name: place[name] for name in names})
