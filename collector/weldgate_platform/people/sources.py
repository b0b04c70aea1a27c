"""Whose data is whose: the sectors of the departments that issue certificates (the plan's table of who does what).

An officer speaks for an issuer where his role holds in the platform's whole area and in one of the issuer's sectors;
a county officer, whose role has no sector, for all three.
"""

from django.conf import settings

from weldgate_platform.accounts.models import User
from weldgate_platform.accounts.roles import Capability
from weldgate_platform.accounts.scope import covers
from weldgate_platform.people.models import Issuer
from weldgate_platform.registry.models import Area, Sector

__all__ = ["SECTORS", "speaks_for"]

SECTORS = {
    Issuer.MEM: ("hazchem", "industry-trade"),
    Issuer.MOHURD: ("construction", "city"),
    Issuer.SAMR: ("special-equipment",),
}


def speaks_for(user: User, needs: Capability, source: str) -> bool:
    """Say whether a user may do something with the data of an issuer."""
    home = Area.objects.filter(key=settings.PLATFORM_AREA).first()
    if home is None:
        return user.is_active and user.is_superuser
    sectors = Sector.objects.filter(key__in=SECTORS[Issuer(source)]).values_list("pk", flat=True)
    return any(covers(user, needs, home.path, sector, None) for sector in sectors)
