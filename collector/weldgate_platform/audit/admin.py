"""The log, to be read."""

from django.contrib import admin

from weldgate_platform.accounts.admin import ReadOnlyAdmin
from weldgate_platform.audit.models import Entry

__all__ = ["EntryAdmin"]


@admin.register(Entry)
class EntryAdmin(ReadOnlyAdmin[Entry]):
    """Shows entries; adds, changes and deletes none."""

    list_display = ("number", "actor", "action", "object")
    search_fields = ("actor", "action", "object")
    ordering = ("-number",)
