"""Appending to the audit log, and finding out whether it is whole.

Entry n holds SHA-256 over the digest of entry n-1 and the entry's own fields as JSON with sorted keys, so that a
changed, dropped or swapped entry breaks the chain from there on. Whoever can rewrite the whole table can rewrite the
chain as well: its head is therefore kept somewhere else (`head`; `weldgate platform audit verify` prints it).

An entry is written in the transaction of the act it tells of. Appenders wait for one another: on SQLite a writer
holds the file from its `BEGIN IMMEDIATE`, on PostgreSQL an advisory lock is held until the commit.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

from django.db import connection, models, transaction

from weldgate_platform.accounts.models import User
from weldgate_platform.audit.models import Entry

__all__ = ["Fault", "digest_after", "head", "record", "verify"]

FIRST = "0" * 64  # stands for the entry before the first
_LOCK = 0x77656C64  # of pg_advisory_xact_lock; any number that nobody else uses
_PAGE = 2000


@dataclass(frozen=True)
class Fault:
    """Where the chain breaks."""

    number: int
    what: str


def record(actor: User | None, action: str, subject: models.Model | None, **detail: object) -> Entry:
    """Append an entry.

    Args:
        actor: who did it; None for nobody known.
        action: `noun.verb`.
        subject: what it was done to.
        detail: more, as JSON; never an identity number, key or password.
    """
    with transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        last = Entry.objects.order_by("-number").first()
        entry = Entry(
            number=1 if last is None else last.number + 1,
            at_ms=time.time_ns() // 1_000_000,
            actor="" if actor is None else actor.username,
            action=action,
            object="" if subject is None else f"{subject._meta.label}:{subject.pk}",
            detail=json.dumps(detail, sort_keys=True, ensure_ascii=False, default=str),
        )
        entry.digest = digest_after(FIRST if last is None else last.digest, entry)
        Entry.objects.bulk_create([entry])
    return entry


def head() -> tuple[int, str]:
    """Return number and digest of the newest entry; 0 and zeros where there is none."""
    last = Entry.objects.order_by("-number").first()
    return (0, FIRST) if last is None else (last.number, last.digest)


def verify(known: tuple[int, str] | None = None) -> Fault | None:
    """Read the whole log.

    Args:
        known: number and digest of an entry as somebody else has kept them.

    Returns:
        Where the chain breaks first, None where it is whole.
    """
    digest, number = FIRST, 0
    for entry in _entries():
        number += 1
        if entry.number != number:
            return Fault(number, f"entry {number} is missing, {entry.number} follows")
        digest = digest_after(digest, entry)
        if entry.digest != digest:
            return Fault(number, f"entry {number} was changed, or one before it")
        if known is not None and known[0] == number and known[1] != digest:
            return Fault(number, f"entry {number} is not the one that was told: the log was written anew")
    if known is not None and known[0] > number:
        return Fault(number + 1, f"the log ends at {number}, and {known[0]} was told")
    return None


def _entries() -> Iterator[Entry]:
    yield from Entry.objects.order_by("number").iterator(_PAGE)


def digest_after(previous: str, entry: Entry) -> str:
    """Return the digest of an entry that follows one of a digest."""
    fields = [entry.number, entry.at_ms, entry.actor, entry.action, entry.object, entry.detail]
    return sha256(f"{previous}\n{json.dumps(fields, ensure_ascii=False)}".encode()).hexdigest()
