"""The log's one table."""

from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

__all__ = ["Entry"]


class Entry(models.Model):
    """One act. Written by `log.record` alone; nothing changes or deletes a row."""

    number = models.BigIntegerField(_("number"), primary_key=True)
    at_ms = models.BigIntegerField(_("time"))  # Unix milliseconds: what is hashed must read back the same everywhere
    actor = models.CharField(_("actor"), max_length=64, blank=True)
    action = models.CharField(_("action"), max_length=64, db_index=True)
    object = models.CharField(_("object"), max_length=96, blank=True, db_index=True)
    detail = models.TextField(_("detail"), default="{}")
    digest = models.CharField(_("digest"), max_length=64)

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit log")

    def __str__(self) -> str:
        return f"{self.number} {self.action}"

    def save(self, *_args: Any, **_kwargs: Any) -> None:
        """Refuse: `log.record` inserts, and nothing else writes.

        Raises:
            TypeError: always.
        """
        raise TypeError("the audit log is written by audit.log.record alone")

    def delete(self, *_args: Any, **_kwargs: Any) -> tuple[int, dict[str, int]]:
        """Refuse.

        Raises:
            TypeError: always.
        """
        raise TypeError("the audit log is only appended to")
