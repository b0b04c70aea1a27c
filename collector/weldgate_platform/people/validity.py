"""Whether a certificate holds on a day: pure, from the dates that stand on it and what its issuer said.

Validity is never computed from the day of issue and a constant. A `mem` card inside its years but past an
unreviewed `review_due` does not hold. `suspected_forged` is no state of this table: only a person says so.
"""

from dataclasses import dataclass
from datetime import date

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from weldgate_protocol import reasons

__all__ = ["EXPIRING_DAYS", "REASONS", "Dates", "Said", "Standing", "standing_on"]

EXPIRING_DAYS = 90  # the first of the warnings at 90, 60, 30 and 7 days (DOMAIN)


class Said(TextChoices):
    """What the issuer says of a certificate, apart from its dates."""

    IN_FORCE = "in_force", _("In force")
    SUSPENDED = "suspended", _("Suspended")
    REVOKED = "revoked", _("Revoked")


class Standing(TextChoices):
    """What a certificate is worth on a day."""

    VALID = "valid", _("Valid")
    EXPIRING = "expiring", _("Expires soon")
    NOT_YET = "not_yet", _("Not valid yet")
    EXPIRED = "expired", _("Expired")
    REVIEW_OVERDUE = "review_overdue", _("Review overdue")
    SUSPENDED = "suspended", _("Suspended")
    REVOKED = "revoked", _("Revoked")
    GONE = "gone", _("No longer in the issuer's data")


# The reason that a standing refuses a start with; 0 where it does not.
REASONS = {
    Standing.VALID: 0,
    Standing.EXPIRING: 0,
    Standing.NOT_YET: reasons.PLATFORM_CERT_NOT_YET,
    Standing.EXPIRED: reasons.PLATFORM_CERT_EXPIRED,
    Standing.REVIEW_OVERDUE: reasons.PLATFORM_CERT_REVIEW_OVERDUE,
    Standing.SUSPENDED: reasons.PLATFORM_CERT_SUSPENDED,
    Standing.REVOKED: reasons.PLATFORM_CERT_REVOKED,
    Standing.GONE: reasons.PLATFORM_CERT_NOT_FOUND,
}


@dataclass(frozen=True)
class Dates:
    """What stands on a certificate, and what its issuer says."""

    valid_from: date | None
    valid_to: date | None
    review_due: date | None
    reviewed_at: date | None
    said: str = Said.IN_FORCE
    gone: bool = False


def standing_on(dates: Dates, day: date) -> Standing:
    """Return what a certificate is worth on a day; its last day still counts.

    The worst comes first: what was revoked is not told to be merely out of date. A review done moves the due date in
    the issuer's data; until it has, a `reviewed_at` after the due date counts as that review, while one before it is
    an earlier one.
    """
    if dates.said == Said.REVOKED:
        return Standing.REVOKED
    if dates.said == Said.SUSPENDED:
        return Standing.SUSPENDED
    if dates.gone:
        return Standing.GONE
    if dates.valid_to is None or day > dates.valid_to:
        return Standing.EXPIRED
    if dates.valid_from is not None and day < dates.valid_from:
        return Standing.NOT_YET
    due = dates.review_due
    if due is not None and dates.reviewed_at is not None and dates.reviewed_at > due:
        due = None
    if due is not None and day > due:
        return Standing.REVIEW_OVERDUE
    ends = dates.valid_to if due is None else min(due, dates.valid_to)
    return Standing.EXPIRING if (ends - day).days <= EXPIRING_DAYS else Standing.VALID
