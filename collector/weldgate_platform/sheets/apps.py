"""The app's name for Django."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

__all__ = ["SheetsConfig"]


class SheetsConfig(AppConfig):
    """See the package's docstring."""

    name = "weldgate_platform.sheets"
    label = "sheets"
    verbose_name = _("Sheets")
