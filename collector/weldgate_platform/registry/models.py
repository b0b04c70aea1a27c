"""The registry's tables: places first, then things, then which chip sat where."""

from datetime import date
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from weldgate_platform.accounts.scope import Scope, ScopedQuerySet
from weldgate_platform.registry.codes import draw_machine_code
from weldgate_platform.registry.domains import Domain
from weldgate_platform.sealed import SealedTextField

__all__ = ["Area", "Chip", "Enterprise", "Install", "Machine", "Sector", "Site", "SiteType"]


class Area(models.Model):
    """A province, a city, a county, a township, or a unit that has no code.

    `path` holds the keys from the top down, each followed by `/`: what is below an area begins with its path. Codes
    change over the years; an area that has gone keeps its rows and has an end.
    """

    class Level(models.TextChoices):
        """How far down the tree."""

        PROVINCE = "province", _("Province")
        CITY = "city", _("City")
        COUNTY = "county", _("County")
        TOWNSHIP = "township", _("Township")

    key = models.CharField(_("key"), max_length=20, unique=True)
    code = models.CharField(_("code"), max_length=9, null=True, blank=True, unique=True)
    name = models.CharField(_("name"), max_length=64)
    level = models.CharField(_("level"), max_length=10, choices=Level.choices)
    parent = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="children")
    path = models.CharField(max_length=100, unique=True, editable=False)
    begins = models.DateField(_("from"), null=True, blank=True)
    ends = models.DateField(_("until"), null=True, blank=True)

    SCOPE: ClassVar = Scope("path")
    objects = ScopedQuerySet["Area"].as_manager()

    class Meta:
        verbose_name = _("area")
        verbose_name_plural = _("areas")
        ordering: ClassVar[list[str]] = ["path"]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: object, **kwargs: object) -> None:
        """Keep the path in step with the parent. An area never moves: the paths below it would be wrong."""
        self.path = f"{self.parent.path if self.parent is not None else ''}{self.key}/"
        super().save(*args, **kwargs)  # type: ignore[arg-type]  # passed on as they came


class _Named(models.Model):
    """Reference data with a key and a name in both languages."""

    key = models.SlugField(_("key"), max_length=32, unique=True)
    name_zh = models.CharField(_("Chinese name"), max_length=64)
    name_en = models.CharField(_("English name"), max_length=64)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.name_en if (get_language() or "").startswith("en") else self.name_zh


class Sector(_Named):
    """What a department leads: the other side of area × sector."""

    department_zh = models.CharField(_("department"), max_length=64, blank=True)

    class Meta:
        verbose_name = _("sector")
        verbose_name_plural = _("sectors")
        ordering: ClassVar[list[str]] = ["id"]


class SiteType(_Named):
    """A kind of workplace."""

    crowded = models.BooleanField(_("crowded place"), default=False)
    itinerant = models.BooleanField(_("itinerant work"), default=False)
    domain = models.CharField(_("work"), max_length=16, choices=Domain.choices, default=Domain.GENERAL)

    class Meta:
        verbose_name = _("kind of workplace")
        verbose_name_plural = _("kinds of workplace")
        ordering: ClassVar[list[str]] = ["id"]


class Enterprise(models.Model):
    """Whoever runs welding machines: a company, a self-employed shop, a public institution."""

    name = models.CharField(_("name"), max_length=128)
    uscc = models.CharField(_("social credit code"), max_length=18, blank=True, db_index=True)
    area = models.ForeignKey(Area, models.PROTECT, related_name="enterprises", verbose_name=_("area"))
    sector = models.ForeignKey(Sector, models.PROTECT, null=True, blank=True, verbose_name=_("sector"))
    contact = models.CharField(_("contact"), max_length=64, blank=True)
    phone = SealedTextField(_("phone"), blank=True, default="")
    active = models.BooleanField(_("active"), default=True)
    created = models.DateTimeField(default=timezone.now, editable=False)

    SCOPE: ClassVar = Scope("area__path", "sector", "pk")
    objects = ScopedQuerySet["Enterprise"].as_manager()

    class Meta:
        verbose_name = _("enterprise")
        verbose_name_plural = _("enterprises")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # Many shops have no code; where there is one, it is one enterprise in one area.
            models.UniqueConstraint(fields=["uscc", "area"], condition=~Q(uscc=""), name="enterprise_uscc_area"),
            models.UniqueConstraint(fields=["name", "area"], condition=Q(uscc=""), name="enterprise_name_area"),
        ]

    def __str__(self) -> str:
        return self.name


class SiteQuerySet(ScopedQuerySet["Site"]):
    """Sites with what was counted on them."""

    def counted(self) -> "SiteQuerySet":
        """Add `counted`: the machines registered and in use, to be held against `declared`."""
        return self.annotate(counted=models.Count("machines", filter=Q(machines__status=Machine.Status.IN_USE)))


class Site(models.Model):
    """A workplace. One without an enterprise is an itinerant welder's, who is reached through his machines."""

    enterprise = models.ForeignKey(
        Enterprise, models.PROTECT, null=True, blank=True, related_name="sites", verbose_name=_("enterprise")
    )
    name = models.CharField(_("name"), max_length=128)
    kind = models.ForeignKey(SiteType, models.PROTECT, verbose_name=_("kind of workplace"))
    area = models.ForeignKey(Area, models.PROTECT, related_name="sites", verbose_name=_("area"))
    sector = models.ForeignKey(Sector, models.PROTECT, null=True, blank=True, verbose_name=_("sector"))
    address = models.CharField(_("address"), max_length=200, blank=True)
    # What the enterprise said it has (摸排): the denominator of every share, never the fitted ones.
    declared = models.PositiveIntegerField(_("declared machines"), default=0)
    longitude = models.FloatField(_("longitude"), null=True, blank=True)
    latitude = models.FloatField(_("latitude"), null=True, blank=True)

    SCOPE: ClassVar = Scope("area__path", "sector", "enterprise")
    objects = SiteQuerySet.as_manager()

    class Meta:
        verbose_name = _("site")
        verbose_name_plural = _("sites")

    def __str__(self) -> str:
        return self.name


class MachineQuerySet(ScopedQuerySet["Machine"]):
    """Machines, asked for the usual things."""

    def in_use(self) -> "MachineQuerySet":
        """Return those that are neither locked nor retired."""
        return self.filter(status=Machine.Status.IN_USE)

    def fitted(self) -> "MachineQuerySet":
        """Return those in use that have a chip now."""
        return self.in_use().filter(installs__removed__isnull=True, installs__isnull=False)


class Machine(models.Model):
    """A welding machine, and the opaque code on its label."""

    class Process(models.TextChoices):
        """How it joins or cuts."""

        MMA = "mma", _("Stick welding (MMA)")
        MIG = "mig", _("Gas-shielded wire (MIG/MAG)")
        TIG = "tig", _("TIG")
        SAW = "saw", _("Submerged arc")
        PLASMA = "plasma", _("Plasma cutting")
        RESISTANCE = "resistance", _("Resistance welding")
        BRAZING = "brazing", _("Brazing")
        LASER = "laser", _("Hand-held laser")
        GAS = "gas", _("Gas welding or cutting")

    class Supply(models.TextChoices):
        """What it is fed by."""

        V220 = "220", _("220 V")
        V380 = "380", _("380 V")
        ENGINE = "engine", _("Engine-driven")
        BATTERY = "battery", _("Battery")
        NONE = "none", _("No mains")

    class Gate(models.TextChoices):
        """What a chip can switch; `none`: a person, a label and permits, but nothing to switch."""

        NONE = "none", _("Cannot be gated")
        MAINS = "mains", _("Mains contactor")
        ENABLE = "enable", _("Enable line")

    class Status(models.TextChoices):
        """Whether it may be started at all."""

        IN_USE = "in_use", _("In use")
        LOCKED = "locked", _("Locked")
        RETIRED = "retired", _("Out of use")

    code = models.CharField(_("code"), max_length=8, unique=True, default=draw_machine_code, editable=False)
    site = models.ForeignKey(Site, models.PROTECT, related_name="machines", verbose_name=_("site"))
    label = models.CharField(_("own number"), max_length=64, blank=True)
    process = models.CharField(_("process"), max_length=12, choices=Process.choices)
    model = models.CharField(_("model"), max_length=64, blank=True)
    serial = models.CharField(_("serial number"), max_length=64, blank=True)
    rated_a = models.PositiveIntegerField(_("rated current, A"), null=True, blank=True)
    supply = models.CharField(_("supply"), max_length=8, choices=Supply.choices)
    gate = models.CharField(_("gate"), max_length=8, choices=Gate.choices)
    itinerant = models.BooleanField(_("itinerant"), default=False)
    status = models.CharField(_("status"), max_length=8, choices=Status.choices, default=Status.IN_USE)
    created = models.DateTimeField(default=timezone.now, editable=False)

    SCOPE: ClassVar = Scope("site__area__path", "site__sector", "site__enterprise")
    objects = MachineQuerySet.as_manager()

    class Meta:
        verbose_name = _("machine")
        verbose_name_plural = _("machines")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(gate="none") | (Q(supply__in=["220", "380"]) & ~Q(process="gas")),
                name="machine_gate_needs_mains",
                violation_error_message=_("Gas, engine-driven and battery machines cannot be gated."),
            ),
            models.UniqueConstraint(
                fields=["site", "label"], condition=~Q(label="") & ~Q(status="retired"), name="machine_label_on_site"
            ),
        ]

    def __str__(self) -> str:
        return " ".join(part for part in (self.label, self.model) if part) or self.code

    @property
    def plain_code(self) -> str:
        """Return the code as it is printed and typed: two groups of four."""
        return f"{self.code[:4]}-{self.code[4:]}"

    def install_now(self) -> "Install | None":
        """Return the record of the chip that is on it now, with the chip."""
        return self.installs.filter(removed__isnull=True).select_related("chip").first()


class Chip(models.Model):
    """A control terminal."""

    class State(models.TextChoices):
        """Where in its life it is."""

        STOCK = "stock", _("In stock")
        FITTED = "fitted", _("Fitted")
        RETIRED = "retired", _("Retired")
        LOST = "lost", _("Lost")

    device = models.BigIntegerField(_("chip id"), unique=True)  # < 2^63, SPEC section 3
    generation = models.PositiveIntegerField(_("key generation"), default=0)
    collector = models.CharField(_("collector in charge"), max_length=64, blank=True)
    state = models.CharField(_("state"), max_length=8, choices=State.choices, default=State.STOCK)

    class Meta:
        verbose_name = _("chip")
        verbose_name_plural = _("chips")

    def __str__(self) -> str:
        return f"{self.device:016x}"


class Install(models.Model):
    """One chip on one machine, from when until when: one chip, one machine, one code at a time, and all of the past."""

    chip = models.ForeignKey(Chip, models.PROTECT, related_name="installs", verbose_name=_("chip"))
    machine = models.ForeignKey(Machine, models.PROTECT, related_name="installs", verbose_name=_("machine"))
    fitted = models.DateTimeField(_("fitted"), default=timezone.now)
    fitted_by = models.ForeignKey("accounts.User", models.PROTECT, related_name="+", verbose_name=_("fitted by"))
    seal_number = models.CharField(_("seal number"), max_length=32, blank=True)
    removed = models.DateTimeField(_("taken off"), null=True, blank=True)
    removed_by = models.ForeignKey(
        "accounts.User", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("taken off by")
    )
    reason = models.CharField(_("reason"), max_length=200, blank=True)

    SCOPE: ClassVar = Scope("machine__site__area__path", "machine__site__sector", "machine__site__enterprise")
    objects = ScopedQuerySet["Install"].as_manager()

    class Meta:
        verbose_name = _("install record")
        verbose_name_plural = _("install records")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["chip"], condition=Q(removed__isnull=True), name="install_chip_once"),
            models.UniqueConstraint(fields=["machine"], condition=Q(removed__isnull=True), name="install_machine_once"),
            models.CheckConstraint(
                condition=Q(removed__isnull=True) | (Q(removed__gte=models.F("fitted")) & ~Q(reason="")),
                name="install_removed_with_reason",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.chip} · {self.machine}"

    @property
    def since(self) -> date:
        """Return the day on which it was fitted, in Shanghai."""
        return timezone.localdate(self.fitted)
