"""The registry for operators; areas are never moved, machines and install records never deleted."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from weldgate_platform.accounts.admin import ReadOnlyAdmin
from weldgate_platform.registry.models import Area, Chip, Enterprise, Install, Machine, Sector, Site, SiteType

__all__ = ["AreaAdmin", "ChipAdmin", "EnterpriseAdmin", "InstallAdmin", "MachineAdmin", "NamedAdmin", "SiteAdmin"]


@admin.register(Area)
class AreaAdmin(admin.ModelAdmin[Area]):
    """Areas; key and parent stand once they are entered, since the paths of what is below hold them."""

    list_display = ("name", "level", "key", "code", "begins", "ends")
    list_filter = ("level",)
    search_fields = ("name", "key", "code")

    def get_readonly_fields(self, _request: HttpRequest, obj: Area | None = None) -> tuple[str, ...]:
        """Return what may not be changed."""
        return () if obj is None else ("key", "parent")


@admin.register(Sector, SiteType)
class NamedAdmin(admin.ModelAdmin[Any]):
    """Sectors and kinds of workplace."""

    list_display = ("key", "name_zh", "name_en")


@admin.register(Enterprise)
class EnterpriseAdmin(admin.ModelAdmin[Enterprise]):
    """Enterprises."""

    list_display = ("name", "uscc", "area", "sector", "active")
    list_filter = ("sector", "active")
    search_fields = ("name", "uscc")
    autocomplete_fields = ("area",)


@admin.register(Site)
class SiteAdmin(admin.ModelAdmin[Site]):
    """Sites."""

    list_display = ("name", "enterprise", "kind", "area", "declared")
    list_filter = ("kind", "sector")
    search_fields = ("name", "enterprise__name")
    autocomplete_fields = ("area", "enterprise")


@admin.register(Machine)
class MachineAdmin(admin.ModelAdmin[Machine]):
    """Machines: put out of use, never deleted."""

    list_display = ("code", "site", "label", "process", "gate", "status")
    list_filter = ("process", "gate", "status")
    search_fields = ("code", "label", "serial", "site__name")
    autocomplete_fields = ("site",)
    readonly_fields = ("code",)

    def has_delete_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        """Refuse."""
        return False


@admin.register(Chip)
class ChipAdmin(admin.ModelAdmin[Chip]):
    """Chips; their state follows from install records."""

    list_display = ("__str__", "generation", "collector", "state")
    list_filter = ("state", "collector")
    readonly_fields = ("state",)


@admin.register(Install)
class InstallAdmin(ReadOnlyAdmin[Install]):
    """Install records, to be read: `fitting` writes them."""

    list_display = ("chip", "machine", "fitted", "fitted_by", "removed", "reason")
