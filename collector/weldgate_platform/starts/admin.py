"""Bindings, for operators."""

from django.contrib import admin

from weldgate_platform.starts.models import Binding

__all__ = ["BindingAdmin"]


@admin.register(Binding)
class BindingAdmin(admin.ModelAdmin[Binding]):
    """Who may use which machine beyond his employer's."""

    list_display = ("person", "machine", "kind", "begins", "ends")
    raw_id_fields = ("person",)
    autocomplete_fields = ("machine",)
