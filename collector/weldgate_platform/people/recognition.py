"""Mutual recognition: which issuer's certificate counts for which work. The rule is a table that a county edits.

The default comes from the plan's 相互认同有效性 as DOMAIN reads it; its legal detail is unverified, so every cell is
a row with a reason and a date, and the youngest row that has begun, of the area nearest to the work, decides.
"""

from datetime import date

from weldgate_platform.people.models import Issuer, Recognition, Verdict
from weldgate_platform.registry.domains import Domain

__all__ = ["DEFAULT", "load_default", "verdict_for"]

DEFAULT = {
    (Domain.GENERAL, Issuer.MEM): Verdict.ACCEPT,
    (Domain.GENERAL, Issuer.MOHURD): Verdict.NOTE,
    (Domain.GENERAL, Issuer.SAMR): Verdict.NOTE,
    (Domain.CONSTRUCTION, Issuer.MEM): Verdict.NOTE,
    (Domain.CONSTRUCTION, Issuer.MOHURD): Verdict.ACCEPT,
    (Domain.CONSTRUCTION, Issuer.SAMR): Verdict.NOTE,
    (Domain.SPECIAL, Issuer.MEM): Verdict.DENY,
    (Domain.SPECIAL, Issuer.MOHURD): Verdict.DENY,
    (Domain.SPECIAL, Issuer.SAMR): Verdict.ITEM,
    (Domain.OTHER_PROCESS, Issuer.MEM): Verdict.ITEM,
    (Domain.OTHER_PROCESS, Issuer.MOHURD): Verdict.DENY,
    (Domain.OTHER_PROCESS, Issuer.SAMR): Verdict.DENY,
}


def load_default(begins: date) -> int:
    """Add the default rows that are missing; returns how many."""
    added = 0
    for (domain, issuer), verdict in DEFAULT.items():
        row = {"verdict": verdict, "begins": begins, "reason": "禹安办〔2023〕29 号：相互认同有效性（默认）"}
        if not Recognition.objects.filter(domain=domain, issuer=issuer, area=None).exists():
            Recognition.objects.create(domain=domain, issuer=issuer, **row)
            added += 1
    return added


def verdict_for(domain: str, issuer: str, area_path: str, day: date) -> Verdict:
    """Return what a certificate counts for in an area on a day; what no row tells is denied.

    Args:
        domain: a `Domain`.
        issuer: an `Issuer`.
        area_path: of the area where the work is.
        day: the day.
    """
    rows = Recognition.objects.filter(domain=domain, issuer=issuer, begins__lte=day).select_related("area")
    told = [
        (0 if row.area is None else len(row.area.path), row.begins, row.pk, row.verdict)
        for row in rows
        if row.area is None or area_path.startswith(row.area.path)
    ]
    return Verdict(max(told)[3]) if told else Verdict.DENY
