"""When signing in must wait: failures are counted by name and by address, and both are forgotten again.

A name is locked by few failures, an address by many (a whole office shares one). Whether a name exists makes no
difference, so that a lock tells nobody which names there are. A right password does not open a lock.
"""

from datetime import datetime, timedelta

from weldgate_platform.accounts.models import Try, User
from weldgate_platform.sealed import keyed_hash

__all__ = ["WINDOW", "forget", "note_failure", "wait_s"]

WINDOW = timedelta(minutes=15)
NAME_MAX = 5  # failures of one name in WINDOW
ADDRESS_MAX = 50  # failures of one address in WINDOW
_KEPT = timedelta(days=1)


def wait_s(username: str, address: str | None, now: datetime) -> int:
    """Return how many seconds a sign-in must wait, 0 for none.

    Args:
        username: as typed.
        address: where it comes from, None where that is not known.
        now: the time.
    """
    since = now - WINDOW
    tries = Try.objects.filter(at__gt=since).order_by("-at")
    locks = [(tries.filter(who=_who(username)), NAME_MAX)]
    if address:
        locks.append((tries.filter(address=address), ADDRESS_MAX))
    # The failure that fills the limit, counted back from now: the lock ends when it leaves the window.
    ends = [found[limit - 1].at + WINDOW for found, limit in locks if found.count() >= limit]
    return max((int((end - now).total_seconds()) + 1 for end in ends), default=0)


def note_failure(username: str, address: str | None, now: datetime) -> None:
    """Count a failure, and drop those that count no more."""
    Try.objects.filter(at__lt=now - _KEPT).delete()
    Try.objects.create(who=_who(username), address=address, at=now)


def forget(username: str) -> None:
    """Forget a name's failures after it has signed in."""
    Try.objects.filter(who=_who(username)).delete()


def _who(username: str) -> str:
    return keyed_hash(User.normalize_username(username), "sign-in")
