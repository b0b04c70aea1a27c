"""The app's name for Django."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

__all__ = ["AuditConfig"]


class AuditConfig(AppConfig):
    """See the package's docstring."""

    name = "weldgate_platform.audit"
    label = "audit"
    verbose_name = _("Audit")
