"""People, their certificates from three issuers, what is recognised for what, and what does not fit together."""

import json
from datetime import date
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from weldgate_platform.accounts.roles import Capability
from weldgate_platform.accounts.scope import Scope, ScopedQuerySet
from weldgate_platform.people.identity import mask_name, mask_number, mask_phone
from weldgate_platform.people.validity import Dates, Said, Standing, standing_on
from weldgate_platform.registry.domains import Domain
from weldgate_platform.sealed import SealedTextField

__all__ = [
    "Certificate",
    "CertificateItem",
    "Conflict",
    "ConflictQuerySet",
    "Issuer",
    "Person",
    "Recognition",
    "Verdict",
]


class Issuer(models.TextChoices):
    """Who issues certificates: three sources of data, each with columns of its own."""

    MEM = "mem", _("Emergency management")
    MOHURD = "mohurd", _("Housing and construction")
    SAMR = "samr", _("Market regulation")


class Verdict(models.TextChoices):
    """What a certificate counts for."""

    ACCEPT = "accept", _("Accept")
    NOTE = "note", _("Accept with a note")
    ITEM = "item", _("Accept where an item covers the job")
    DENY = "deny", _("Deny")


class Person(models.Model):
    """Somebody who welds, guards or answers for it. The identity number is sealed, and found by its keyed hash."""

    class IdType(models.TextChoices):
        """Kinds of identity papers."""

        RESIDENT = "resident", _("Resident identity card")
        PERMIT = "permit", _("Residence permit of Hong Kong, Macao, Taiwan")
        PASSPORT = "passport", _("Passport")

    name = models.CharField(_("name"), max_length=64)
    id_type = models.CharField(_("kind of identity paper"), max_length=8, choices=IdType.choices, default="resident")
    identity = SealedTextField(_("identity number"))
    identity_hash = models.CharField(max_length=32, unique=True, editable=False)
    phone = SealedTextField(_("phone"), blank=True, default="")
    area = models.ForeignKey("registry.Area", models.PROTECT, related_name="people", verbose_name=_("area"))
    enterprise = models.ForeignKey(
        "registry.Enterprise",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="people",
        verbose_name=_("enterprise"),
    )
    itinerant = models.BooleanField(_("itinerant"), default=False)
    barred = models.CharField(_("barred, and why"), max_length=200, blank=True)
    user = models.OneToOneField(
        "accounts.User", models.SET_NULL, null=True, blank=True, related_name="person", verbose_name=_("user")
    )
    created = models.DateTimeField(default=timezone.now, editable=False)

    SCOPE: ClassVar = Scope("area__path", "enterprise__sector", "enterprise", Capability.PEOPLE_VIEW)
    objects = ScopedQuerySet["Person"].as_manager()

    class Meta:
        verbose_name = _("person")
        verbose_name_plural = _("people")

    def __str__(self) -> str:
        return mask_name(self.name)

    @property
    def masked_identity(self) -> str:
        """Return the number as lists show it."""
        return mask_number(self.identity)

    @property
    def masked_phone(self) -> str:
        """Return the phone number as lists show it."""
        return mask_phone(self.phone)


class Certificate(models.Model):
    """A certificate as its issuer's data has it. Dates are data; `standing` is computed from them."""

    source = models.CharField(_("issuer"), max_length=8, choices=Issuer.choices)
    number = SealedTextField(_("certificate number"))
    number_hash = models.CharField(max_length=32, editable=False)
    holder_name = models.CharField(_("holder"), max_length=64)
    holder = SealedTextField(_("holder's identity number"))
    holder_hash = models.CharField(max_length=32, db_index=True, editable=False)
    sub_item = models.CharField(_("sub-item"), max_length=200, blank=True)
    valid_from = models.DateField(_("valid from"), null=True, blank=True)
    valid_to = models.DateField(_("valid until"), null=True, blank=True)
    review_due = models.DateField(_("review due"), null=True, blank=True)
    reviewed_at = models.DateField(_("reviewed"), null=True, blank=True)
    said = models.CharField(_("issuer's word"), max_length=10, choices=Said.choices, default=Said.IN_FORCE)
    gone_since = models.DateField(_("gone from the issuer's data since"), null=True, blank=True)
    as_of = models.DateField(_("data of"))  # of the load that changed it last

    objects = models.Manager["Certificate"]()

    class Meta:
        verbose_name = _("certificate")
        verbose_name_plural = _("certificates")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["source", "number_hash"], name="certificate_once_a_source")
        ]

    def __str__(self) -> str:
        return f"{self.get_source_display()} {mask_number(self.number)}"

    @property
    def masked_number(self) -> str:
        """Return the number as lists show it: a `mem` number is an identity number."""
        return mask_number(self.number)

    @property
    def dates(self) -> Dates:
        """Return what `validity` looks at."""
        return Dates(
            self.valid_from, self.valid_to, self.review_due, self.reviewed_at, self.said, self.gone_since is not None
        )

    @property
    def standing(self) -> Standing:
        """Return what it is worth today."""
        return standing_on(self.dates, timezone.localdate())


class CertificateItem(models.Model):
    """An item of a `samr` certificate, with an expiry of its own; the raw text is kept."""

    certificate = models.ForeignKey(Certificate, models.CASCADE, related_name="items")
    raw = models.CharField(_("as it came"), max_length=200)
    code = models.CharField(_("item code"), max_length=200)
    method = models.CharField(_("method"), max_length=200, blank=True)
    valid_to = models.DateField(_("valid until"), null=True, blank=True)

    class Meta:
        verbose_name = _("item")
        verbose_name_plural = _("items")

    def __str__(self) -> str:
        return self.code or self.raw


class Recognition(models.Model):
    """One cell of the table of mutual recognition, from a day on; an area overrides what stands above it."""

    domain = models.CharField(_("work"), max_length=16, choices=Domain.choices)
    issuer = models.CharField(_("issuer"), max_length=8, choices=Issuer.choices)
    area = models.ForeignKey("registry.Area", models.PROTECT, null=True, blank=True, verbose_name=_("area"))
    verdict = models.CharField(_("verdict"), max_length=8, choices=Verdict.choices)
    reason = models.CharField(_("reason"), max_length=200)
    begins = models.DateField(_("from"))

    class Meta:
        verbose_name = _("recognition")
        verbose_name_plural = _("mutual recognition")

    def __str__(self) -> str:
        return f"{self.get_domain_display()} · {self.get_issuer_display()}: {self.get_verdict_display()}"


class ConflictQuerySet(models.QuerySet["Conflict"]):
    """Conflicts, asked for the usual things."""

    def waiting(self) -> "ConflictQuerySet":
        """Return those that nobody has decided."""
        return self.filter(outcome="")


class Conflict(models.Model):
    """Something that does not fit, with its evidence, for a person to decide. "Not found" is not "forged"."""

    class Kind(models.TextChoices):
        """What does not fit."""

        CHECK_DIGIT = "check_digit", _("The number's check digit does not fit")
        TWO_PEOPLE = "two_people", _("One number with two people")
        NAME = "name", _("The name differs from the registered one")
        DATES = "dates", _("Dates that cannot be")

    class Outcome(models.TextChoices):
        """What a person decided."""

        DATA_FAULT = "data_fault", _("A slip in the data, to be mended by the issuer")
        HARMLESS = "harmless", _("Harmless")
        SUSPECTED_FORGED = "suspected_forged", _("Suspected forgery, to the police")

    kind = models.CharField(_("kind"), max_length=16, choices=Kind.choices)
    source = models.CharField(_("issuer"), max_length=8, choices=Issuer.choices)
    # Of the certificate and of what was found, so that the same finding is queued once, however often it is imported.
    fingerprint = models.CharField(max_length=32, unique=True, editable=False)
    certificate = models.ForeignKey(
        Certificate, models.SET_NULL, null=True, related_name="conflicts", verbose_name=_("certificate")
    )
    evidence = SealedTextField(_("evidence"))
    found = models.DateTimeField(_("found"), default=timezone.now)
    outcome = models.CharField(_("decision"), max_length=16, choices=Outcome.choices, blank=True)
    decided = models.DateTimeField(_("decided"), null=True, blank=True)
    decided_by = models.ForeignKey(
        "accounts.User", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("decided by")
    )
    note = models.CharField(_("note"), max_length=400, blank=True)

    objects = ConflictQuerySet.as_manager()

    class Meta:
        verbose_name = _("conflict")
        verbose_name_plural = _("conflicts")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(outcome="") | (Q(decided__isnull=False, decided_by__isnull=False) & ~Q(note="")),
                name="conflict_decided_by_somebody_with_a_note",
            )
        ]

    def __str__(self) -> str:
        return self.get_kind_display()

    @property
    def shown(self) -> list[tuple[str, str]]:
        """Return the evidence as a list shows it: numbers masked; a reveal is asked for on a person's own page."""
        names = {
            "holder": _("holder's identity number"),
            "holders": _("holder's identity number"),
            "number": _("certificate number"),
            "registered": _("registered name"),
            "source": _("name in the issuer's data"),
            **{name: self._dated(name) for name in ("valid_from", "valid_to", "review_due", "reviewed_at")},
        }
        told: list[tuple[str, str]] = []
        for name, value in json.loads(self.evidence).items():
            for word in value if isinstance(value, list) else [value]:
                shown = mask_number(word) if name in ("holder", "holders", "number") else word
                told.append((str(names[name]), str(shown)))
        return told

    @staticmethod
    def _dated(name: str) -> str:
        return str(getattr(Certificate._meta.get_field(name), "verbose_name", name))

    @property
    def since(self) -> date:
        """Return the day on which it was found, in Shanghai."""
        return timezone.localdate(self.found)
