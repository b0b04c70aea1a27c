"""Kinds of work that certificates are recognised for. Where work is done decides (`SiteType.domain`), which is data."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

__all__ = ["WIRE_NUMBERS", "Domain"]


class Domain(TextChoices):
    """A column of the table of mutual recognition."""

    GENERAL = "general", _("Industry, trade, shops, crowded places, itinerant work")
    CONSTRUCTION = "construction", _("Construction site")
    SPECIAL = "special", _("Special equipment: pressure parts, load-bearing structure")
    OTHER_PROCESS = "other_process", _("Brazing or resistance welding")


# In a token's claim 9, `domain`; 0 is "not told" (SPEC, token claims).
WIRE_NUMBERS = {Domain.GENERAL: 1, Domain.CONSTRUCTION: 2, Domain.SPECIAL: 3, Domain.OTHER_PROCESS: 4}
