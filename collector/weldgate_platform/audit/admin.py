"""The log, to be read."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from weldgate_platform.audit.models import Entry

__all__ = ["EntryAdmin"]


@admin.register(Entry)
class EntryAdmin(admin.ModelAdmin[Entry]):
    """Shows entries; adds, changes and deletes none."""

    list_display = ("number", "actor", "action", "object")
    search_fields = ("actor", "action", "object")
    ordering = ("-number",)

    def has_add_permission(self, _request: HttpRequest) -> bool:
        """Refuse."""
        return False

    def has_change_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        """Refuse."""
        return False

    def has_delete_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        """Refuse."""
        return False
