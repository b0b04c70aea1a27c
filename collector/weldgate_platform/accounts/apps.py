"""The app's name for Django."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

__all__ = ["AccountsConfig"]


class AccountsConfig(AppConfig):
    """See the package's docstring."""

    name = "weldgate_platform.accounts"
    label = "accounts"
    verbose_name = _("Accounts")
