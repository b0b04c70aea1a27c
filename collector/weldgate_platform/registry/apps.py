"""The app's name for Django."""

from importlib import import_module

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

__all__ = ["RegistryConfig"]


class RegistryConfig(AppConfig):
    """See the package's docstring."""

    name = "weldgate_platform.registry"
    label = "registry"
    verbose_name = _("Registry")

    def ready(self) -> None:
        """Make known what spreadsheets can be turned into."""
        import_module("weldgate_platform.registry.importing")
