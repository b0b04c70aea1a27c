"""The app's name for Django."""

from importlib import import_module

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

__all__ = ["PeopleConfig"]


class PeopleConfig(AppConfig):
    """See the package's docstring."""

    name = "weldgate_platform.people"
    label = "people"
    verbose_name = _("People")

    def ready(self) -> None:
        """Make known what spreadsheets can be turned into."""
        import_module("weldgate_platform.people.importing")
