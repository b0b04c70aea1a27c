"""Showing an identity number in full: with a purpose, logged, to whom may, and to nobody else."""

from weldgate_platform.accounts.models import User
from weldgate_platform.accounts.roles import Capability
from weldgate_platform.accounts.scope import covers
from weldgate_platform.audit.log import record
from weldgate_platform.people.models import Person

__all__ = ["PURPOSE_MIN", "reveal"]

PURPOSE_MIN = 4  # characters: 执法检查 is a purpose, x is none


def reveal(person: Person, by: User, purpose: str) -> str | None:
    """Return an identity number in full, after it is on record who asked and why.

    Args:
        person: whose.
        by: who asks; his role must have the capability at the person's place.
        purpose: why.

    Returns:
        The number; None where he may not, or gives no purpose.
    """
    sector = person.enterprise.sector_id if person.enterprise is not None else None
    if not covers(by, Capability.IDENTITY_REVEAL, person.area.path, sector, person.enterprise_id):
        return None
    if len(purpose.strip()) < PURPOSE_MIN:
        return None
    record(by, "identity.reveal", person, purpose=purpose.strip()[:200])
    return person.identity
