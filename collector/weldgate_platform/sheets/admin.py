"""Mappings for operators; loads to be read."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from weldgate_platform.sheets.models import Load, SavedMapping

__all__ = ["LoadAdmin", "SavedMappingAdmin"]


@admin.register(SavedMapping)
class SavedMappingAdmin(admin.ModelAdmin[SavedMapping]):
    """Mappings; a document that is none is refused where it is entered."""

    list_display = ("key",)


@admin.register(Load)
class LoadAdmin(admin.ModelAdmin[Load]):
    """Loads, to be read."""

    list_display = ("at", "file_name", "target", "source", "rows", "bad_rows", "state", "by")
    list_filter = ("target", "source", "state")

    def has_add_permission(self, _request: HttpRequest) -> bool:
        """Refuse."""
        return False

    def has_change_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        """Refuse."""
        return False

    def has_delete_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        """Refuse."""
        return False
