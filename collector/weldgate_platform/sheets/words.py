"""What the counts of a load are called on its page."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

__all__ = ["COUNTS", "counted"]

COUNTS: dict[str, Promise] = {
    "enterprise_new": _("Enterprises, new"),
    "enterprise_changed": _("Enterprises, changed"),
    "enterprise_same": _("Enterprises, as they were"),
    "site_new": _("Sites, new"),
    "site_changed": _("Sites, changed"),
    "site_same": _("Sites, as they were"),
    "machine_new": _("Machines, new"),
    "machine_changed": _("Machines, changed"),
    "machine_same": _("Machines, as they were"),
    "person_new": _("People, new"),
    "person_changed": _("People, changed"),
    "person_same": _("People, as they were"),
    "certificate_new": _("Certificates, new"),
    "certificate_changed": _("Certificates, changed"),
    "certificate_same": _("Certificates, as they were"),
    "certificateitem_new": _("Items, new"),
    "certificateitem_changed": _("Items, changed"),
    "conflict_new": _("Conflicts to be decided"),
    "not_applied": _("Not applied until a conflict is decided"),
    "repeated": _("Rows that repeat another"),
    "gone": _("No longer in the issuer's data"),
    "expired": _("Expired"),
    "review_overdue": _("Review overdue"),
    "suspended": _("Suspended"),
    "revoked": _("Revoked"),
    "uscc_doubtful": _("Social credit codes whose check character does not fit"),
}


def counted(counts: dict[str, int]) -> list[tuple[str, int]]:
    """Return counts with their names, in the order above; one without a name comes last, as it is."""
    known = [(str(name), counts[key]) for key, name in COUNTS.items() if key in counts]
    return known + [(key, count) for key, count in sorted(counts.items()) if key not in COUNTS]
