"""The table of mutual recognition, for operators and counties. People and certificates have pages of their own."""

from django.contrib import admin

from weldgate_platform.people.models import Recognition

__all__ = ["RecognitionAdmin"]


@admin.register(Recognition)
class RecognitionAdmin(admin.ModelAdmin[Recognition]):
    """Each cell with its reason and the day from which it holds; a change is a new row."""

    list_display = ("domain", "issuer", "area", "verdict", "begins", "reason")
    list_filter = ("domain", "issuer")
    autocomplete_fields = ("area",)
