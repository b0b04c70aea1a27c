"""Users and their roles, for operators; and the base of what the admin pages only show."""

from typing import Any, ClassVar, TypeVar

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.db.models import Model
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from weldgate_platform.accounts.models import Assignment, User

__all__ = ["AssignmentInline", "ReadOnlyAdmin", "UserAdmin"]

_M = TypeVar("_M", bound=Model)


class ReadOnlyAdmin(admin.ModelAdmin[_M]):
    """Rows to be read: nobody adds, changes or deletes one here, not even an operator."""

    def has_add_permission(self, _request: HttpRequest) -> bool:
        """Refuse."""
        return False

    def has_change_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        """Refuse."""
        return False

    def has_delete_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        """Refuse."""
        return False


class AssignmentInline(admin.TabularInline[Assignment, User]):
    """The roles of a user, on the user's page."""

    model = Assignment
    extra = 0
    autocomplete_fields = ("area", "enterprise")


@admin.register(User)
class UserAdmin(DjangoUserAdmin[User]):
    """Users; passwords are set, never shown."""

    ordering = ("username",)
    list_display = ("username", "name", "is_active", "is_staff", "joined")
    list_filter = ("is_active", "is_staff", "assignments__role")
    search_fields = ("username", "name")
    readonly_fields = ("joined", "last_login")
    filter_horizontal = ()
    inlines: ClassVar = [AssignmentInline]
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        (_("Person"), {"fields": ("name",)}),
        (_("Rights"), {"fields": ("is_active", "is_staff", "is_superuser")}),
        (_("Dates"), {"fields": ("last_login", "joined")}),
    )
    add_fieldsets = ((None, {"classes": ("wide",), "fields": ("username", "name", "password1", "password2")}),)
