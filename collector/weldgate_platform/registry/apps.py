"""The app's name for Django."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

__all__ = ["RegistryConfig"]


class RegistryConfig(AppConfig):
    """See the package's docstring."""

    name = "weldgate_platform.registry"
    label = "registry"
    verbose_name = _("Registry")
