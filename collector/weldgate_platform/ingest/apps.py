"""The app's name for Django."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

__all__ = ["IngestConfig"]


class IngestConfig(AppConfig):
    """See the package's docstring."""

    name = "weldgate_platform.ingest"
    label = "ingest"
    verbose_name = _("Ingest")
