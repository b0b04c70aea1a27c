"""Users and their roles, for operators."""

from typing import ClassVar

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.utils.translation import gettext_lazy as _

from weldgate_platform.accounts.models import Assignment, User

__all__ = ["AssignmentInline", "UserAdmin"]


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
