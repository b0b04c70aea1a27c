"""The app's name for Django."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

__all__ = ["StartsConfig"]


class StartsConfig(AppConfig):
    """See the package's docstring."""

    name = "weldgate_platform.starts"
    label = "starts"
    verbose_name = _("Starts")
