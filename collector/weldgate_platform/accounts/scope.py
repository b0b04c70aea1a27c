"""What a user sees: the one place where area × sector and enterprise become a filter.

A model that is shown says by `SCOPE` which of its columns hold the place; its manager gives `visible_to(user)`.
A role sees where it holds; several roles see the union, each of them only what its own capabilities open: who may
look at one enterprise and start machines in another does not look at the other. A department sees its sector in its
area, an operator everything. What a role may do at all is told by `roles`.
"""

from dataclasses import dataclass
from typing import ClassVar, Protocol, Self, TypeVar, cast

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import Q
from django.utils import timezone

from weldgate_platform.accounts.models import Assignment, User
from weldgate_platform.accounts.roles import CAPABILITIES, Capability, Role

__all__ = ["Scope", "ScopedQuerySet", "Viewer", "capabilities_of", "covers", "visible_q"]

Viewer = User | AnonymousUser
_M = TypeVar("_M", bound=models.Model)


@dataclass(frozen=True)
class Scope:
    """Where a model keeps the place of a row, as look-ups from the model; empty where it has none.

    Attributes:
        area: to the path of its area.
        sector: to the id of its sector.
        enterprise: to the id of its enterprise.
        needs: the capability without which a role shows no such row.
    """

    area: str
    sector: str = ""
    enterprise: str = ""
    needs: Capability = Capability.REGISTRY_VIEW


class _Scoped(Protocol):
    SCOPE: ClassVar[Scope]


def capabilities_of(user: Viewer) -> frozenset[Capability]:
    """Return what a user may do somewhere; an operator may do all, nobody unknown may do anything."""
    if not isinstance(user, User) or not user.is_active:
        return frozenset()
    if user.is_superuser:
        return frozenset(Capability)
    return frozenset().union(*(CAPABILITIES[Role(one.role)] for one in _assignments(user)))


def visible_q(user: Viewer, scope: Scope) -> Q:
    """Return the filter that keeps what a user may see.

    Args:
        user: who asks; nobody unknown or inactive sees anything.
        scope: the model's.
    """
    nothing = Q(pk__in=[])
    if not isinstance(user, User) or not user.is_active:
        return nothing
    if user.is_superuser:
        return Q()
    seen = nothing
    for one in _assignments(user):
        if scope.needs not in CAPABILITIES[Role(one.role)]:
            continue
        if one.area is not None:
            part = Q(**{f"{scope.area}__startswith": one.area.path})
            if one.sector_id is not None:
                if not scope.sector:
                    continue  # a row without a sector belongs to no department
                part &= Q(**{scope.sector: one.sector_id})
            seen |= part
        elif scope.enterprise:
            seen |= Q(**{scope.enterprise: one.enterprise_id})
    return seen


def covers(user: Viewer, needs: Capability, area_path: str, sector: int | None, enterprise: int | None) -> bool:
    """Say whether a user may do something at a place: the rule of `visible_q`, for what is not in the database yet.

    Args:
        user: who asks.
        needs: what he wants to do.
        area_path: of the area.
        sector: its id.
        enterprise: its id.
    """
    if not isinstance(user, User) or not user.is_active:
        return False
    return user.is_superuser or any(
        needs in CAPABILITIES[Role(one.role)]
        and (
            (one.area is not None and area_path.startswith(one.area.path) and one.sector_id in (None, sector))
            or (one.enterprise_id is not None and one.enterprise_id == enterprise)
        )
        for one in _assignments(user)
    )


class ScopedQuerySet(models.QuerySet[_M]):
    """Rows that know who may see them."""

    def visible_to(self, user: Viewer) -> Self:
        """Return those that a user may see."""
        return self.filter(visible_q(user, cast(_Scoped, self.model).SCOPE))


def _assignments(user: User) -> list[Assignment]:
    """Return the roles that a user holds today, read once for each object of the user (which is: each request)."""
    held: list[Assignment] | None = getattr(user, "_assignments_held", None)
    if held is None:
        today = timezone.localdate()
        held = list(Assignment.objects.filter(user=user).valid_on(today).select_related("area"))
        user._assignments_held = held  # type: ignore[attr-defined]  # a cache of this request's user alone
    return held
