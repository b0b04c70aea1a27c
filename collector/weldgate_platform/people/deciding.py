"""Deciding a conflict: a person does, with a note; the log has it, and what was decided stays decided."""

from django.db import transaction
from django.utils import timezone

from weldgate_platform.accounts.models import User
from weldgate_platform.audit.log import record
from weldgate_platform.people.models import Conflict

__all__ = ["decide"]


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
