"""Bindings of people and machines, and every start that was asked for, given or refused."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from weldgate_platform.accounts.scope import Scope, ScopedQuerySet
from weldgate_protocol.reason_texts import TEXTS

__all__ = ["Binding", "Dispatch", "Start"]


class Binding(models.Model):
    """人机匹配: a person and a machine that belong together beyond an employer: his own, or one lent to him."""

    class Kind(models.TextChoices):
        """Why they belong together."""

        OWNER = "owner", _("Owner")
        LOAN = "loan", _("Lent, with the owner's consent")

    person = models.ForeignKey("people.Person", models.CASCADE, related_name="bindings", verbose_name=_("person"))
    machine = models.ForeignKey("registry.Machine", models.CASCADE, related_name="bindings", verbose_name=_("machine"))
    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices)
    begins = models.DateField(_("from"), default=timezone.localdate)
    ends = models.DateField(_("until"), null=True, blank=True)

    class Meta:
        verbose_name = _("binding")
        verbose_name_plural = _("bindings")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["person", "machine"], condition=Q(ends__isnull=True), name="binding_once"),
            models.CheckConstraint(
                condition=~Q(kind="loan") | Q(ends__isnull=False),
                name="binding_loan_ends",
                violation_error_message=_("A loan has an end."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.person} · {self.machine}"


class Start(models.Model):
    """One start that was asked for: refused with a reason, or a token that was signed. Refusals are a figure (拦截)."""

    person = models.ForeignKey("people.Person", models.PROTECT, null=True, related_name="starts")
    machine = models.ForeignKey("registry.Machine", models.PROTECT, related_name="starts", verbose_name=_("machine"))
    certificate = models.ForeignKey("people.Certificate", models.SET_NULL, null=True, related_name="+")
    at = models.DateTimeField(_("time"), default=timezone.now, db_index=True)
    reason = models.PositiveIntegerField(_("reason"), default=0)
    warnings = models.JSONField(_("warnings"), default=list)
    distance_m = models.FloatField(_("distance, m"), null=True)
    token_id = models.CharField(max_length=16, blank=True, db_index=True)
    token = models.BinaryField(default=b"")  # of no use to anybody but the chip it names, until it expires
    holder = models.CharField(max_length=16, blank=True, db_index=True)  # the pseudonym that frames bear
    expires = models.DateTimeField(_("expires"), null=True)

    SCOPE: ClassVar = Scope("machine__site__area__path", "machine__site__sector", "machine__site__enterprise")
    objects = ScopedQuerySet["Start"].as_manager()

    class Meta:
        verbose_name = _("start")
        verbose_name_plural = _("starts")

    def __str__(self) -> str:
        return f"{self.machine} {self.at:%F %R} {TEXTS[self.reason][0] if self.reason else 'OK'}"


class Dispatch(models.Model):
    """A signed object on its way to a chip through its collector, and what is known of how it ended.

    States are those of SPEC's result envelope; 0 before the collector has said a word.
    """

    class State(models.IntegerChoices):
        """How far it has come."""

        NEW = 0, _("On its way to the collector")
        WAITING = 1, _("Waits for the machine")
        SENT = 2, _("Sent to the machine")
        APPLIED = 3, _("Taken by the machine")
        REFUSED = 4, _("Refused by the machine")
        EXPIRED = 5, _("Expired")

    start = models.OneToOneField(Start, models.CASCADE, related_name="dispatch", verbose_name=_("start"))
    order_id = models.CharField(max_length=16)
    device = models.BigIntegerField(_("chip id"))
    type = models.PositiveSmallIntegerField()  # message type that carries the object
    object = models.BinaryField()
    collector = models.CharField(_("collector in charge"), max_length=64)
    state = models.PositiveSmallIntegerField(_("state"), choices=State.choices, default=State.NEW, db_index=True)
    reason = models.PositiveIntegerField(_("reason"), default=0)
    changed = models.DateTimeField(_("time"), default=timezone.now)
    told = models.DateTimeField(null=True)  # when it was published last
    expires = models.DateTimeField(_("expires"))

    class Meta:
        verbose_name = _("dispatch")
        verbose_name_plural = _("dispatches")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["order_id", "device"], name="dispatch_once")
        ]

    def __str__(self) -> str:
        return f"{self.order_id} {self.get_state_display()}"
