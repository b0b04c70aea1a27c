"""Mappings that operators keep, loads, and what each load changed."""

from typing import ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from weldgate_platform.sealed import SealedTextField
from weldgate_platform.sheets.mapping import Mapping, MappingError

__all__ = ["Change", "Load", "SavedMapping"]


class SavedMapping(models.Model):
    """A mapping as an operator keeps it; the shipped ones are loaded once and then his."""

    key = models.SlugField(_("key"), max_length=64, unique=True)
    document = models.TextField(_("mapping, JSON"))

    class Meta:
        verbose_name = _("mapping of columns")
        verbose_name_plural = _("mappings of columns")
        ordering: ClassVar[list[str]] = ["key"]

    def __str__(self) -> str:
        return self.key

    def clean(self) -> None:
        """Refuse a document that is no mapping, or another one's."""
        try:
            key = self.mapping.key
        except MappingError as error:
            raise ValidationError({"document": error.message}) from error
        if key != self.key:
            raise ValidationError({"document": _("The mapping's own key is another one.")})

    @property
    def mapping(self) -> Mapping:
        """Return the mapping.

        Raises:
            MappingError: the document is none.
        """
        return Mapping.parse(self.document)


class Load(models.Model):
    """One file: checked, then applied as a whole or left, then perhaps taken back."""

    class State(models.TextChoices):
        """How far it has come."""

        CHECKED = "checked", _("Checked")
        APPLIED = "applied", _("Applied")
        UNDONE = "undone", _("Taken back")

    mapping = models.CharField(_("mapping of columns"), max_length=64)
    target = models.CharField(_("kind"), max_length=16)
    source = models.CharField(_("issuer"), max_length=8, blank=True)
    as_of = models.DateField(_("data of"))
    full = models.BooleanField(_("the source's whole data"), default=False)
    file_name = models.CharField(_("file"), max_length=200)
    digest = models.CharField(_("SHA-256"), max_length=64)
    content = models.BinaryField(default=b"")  # sealed, and dropped when it is applied: it holds identity numbers
    rows = models.PositiveIntegerField(_("rows"), default=0)
    bad_rows = models.PositiveIntegerField(_("bad rows"), default=0)
    counts = models.JSONField(_("counts"), default=dict)
    bad_file = models.BinaryField(default=b"")  # sealed xlsx of the bad rows, for mending
    bad_list = SealedTextField(default="[]")  # JSON: the first bad rows, as they are shown
    state = models.CharField(_("state"), max_length=8, choices=State.choices, default=State.CHECKED)
    by = models.ForeignKey("accounts.User", models.PROTECT, related_name="+", verbose_name=_("by"))
    at = models.DateTimeField(_("time"), default=timezone.now)

    class Meta:
        verbose_name = _("load")
        verbose_name_plural = _("loads")

    def __str__(self) -> str:
        return f"{self.file_name} · {self.get_state_display()}"


class Change(models.Model):
    """One row of ours that a load made or changed, and what it was before: what taking it back needs."""

    load = models.ForeignKey(Load, models.CASCADE, related_name="changes")
    model = models.CharField(max_length=64)
    object = models.BigIntegerField()
    before = models.BinaryField(null=True)  # sealed JSON, field -> value; null: the row was made

    class Meta:
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["model", "object"], name="change_model_object")]

    def __str__(self) -> str:
        return f"{self.model}:{self.object}"
