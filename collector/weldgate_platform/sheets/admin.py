"""Mappings for operators; loads to be read."""

from django.contrib import admin

from weldgate_platform.accounts.admin import ReadOnlyAdmin
from weldgate_platform.sheets.models import Load, SavedMapping

__all__ = ["LoadAdmin", "SavedMappingAdmin"]


@admin.register(SavedMapping)
class SavedMappingAdmin(admin.ModelAdmin[SavedMapping]):
    """Mappings; a document that is none is refused where it is entered."""

    list_display = ("key",)


@admin.register(Load)
class LoadAdmin(ReadOnlyAdmin[Load]):
    """Loads, to be read."""

    list_display = ("at", "file_name", "target", "source", "rows", "bad_rows", "state", "by")
    list_filter = ("target", "source", "state")
