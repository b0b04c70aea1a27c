"""Deciding a conflict: a person does, with a note; the log has it, and what was decided stays decided."""

from django.db import transaction
from django.utils import timezone

from weldgate_platform.accounts.models import User
from weldgate_platform.accounts.roles import Capability
from weldgate_platform.audit.log import record
from weldgate_platform.people.models import Conflict, ConflictQuerySet, Issuer
from weldgate_platform.people.sources import speaks_for

__all__ = ["decidable_by", "decide"]


def decidable_by(user: User) -> ConflictQuerySet:
    """Return what waits and is the user's to decide: the conflicts in the data of issuers that he speaks for."""
    own = [source for source in Issuer.values if speaks_for(user, Capability.CONFLICT_DECIDE, source)]
    return Conflict.objects.waiting().filter(source__in=own)


def decide(conflict: Conflict, by: User, outcome: str, note: str) -> bool:
    """Put a decision on a conflict.

    Args:
        conflict: that waits.
        by: who decides.
        outcome: a `Conflict.Outcome`.
        note: why.

    Returns:
        Whether it was put there: not where somebody was faster, or no note is given.
    """
    if outcome not in Conflict.Outcome.values or not note.strip():
        return False
    with transaction.atomic():
        done = Conflict.objects.waiting().filter(pk=conflict.pk)
        if not done.update(outcome=outcome, note=note.strip()[:400], decided_by=by, decided=timezone.now()):
            return False
        record(by, "conflict.decide", conflict, outcome=outcome, note=note.strip()[:400])
    return True
