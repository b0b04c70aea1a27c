"""Users, and the roles that each holds at a place."""

from datetime import date
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from weldgate_platform.accounts.roles import Role

__all__ = ["Assignment", "SignIn", "Try", "User", "UserManager"]


class UserManager(BaseUserManager["User"]):
    """Makes users; names are kept in one form."""

    def create_user(self, username: str, password: str | None = None, **rest: Any) -> "User":
        """Make a user; without a password nobody can sign in as him.

        Args:
            username: what is typed at sign-in; kept lower-case.
            password: checked by the caller against the validators.
            rest: other fields.
        """
        user = self.model(username=self.model.normalize_username(username), **rest)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, username: str, password: str | None = None, **rest: Any) -> "User":
        """Make an operator: the one who runs the platform, sees all and has the admin pages."""
        return self.create_user(username, password, is_staff=True, is_superuser=True, **rest)

    def get_by_natural_key(self, username: str | None) -> "User":
        """Find a user by what was typed."""
        return self.get(username=self.model.normalize_username(username or ""))


class User(AbstractBaseUser, PermissionsMixin):
    """Somebody who signs in: an officer, a welder, an operator."""

    username = models.CharField(_("user name"), max_length=64, unique=True)
    name = models.CharField(_("name"), max_length=64, blank=True)
    is_active = models.BooleanField(_("active"), default=True)
    is_staff = models.BooleanField(_("operator"), default=False)
    joined = models.DateTimeField(_("joined"), default=timezone.now)

    USERNAME_FIELD = "username"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects: ClassVar[UserManager] = UserManager()

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")

    def __str__(self) -> str:
        return self.name or self.username

    @classmethod
    def normalize_username(cls, username: Any) -> Any:
        """Return a name in its one form, wherever it was typed: Unicode's NFKC, lower case, no spaces around it."""
        normal = super().normalize_username(username)
        return normal.strip().lower() if isinstance(normal, str) else normal


class AssignmentQuerySet(models.QuerySet["Assignment"]):
    """Assignments, asked for the usual things."""

    def valid_on(self, day: date) -> "AssignmentQuerySet":
        """Return those that hold on a day."""
        return self.filter(Q(begins__isnull=True) | Q(begins__lte=day), Q(ends__isnull=True) | Q(ends__gte=day))


class Assignment(models.Model):
    """One role of one user, and where it holds: an area and all below it, in one sector or all; or one enterprise."""

    user = models.ForeignKey(User, models.CASCADE, related_name="assignments", verbose_name=_("user"))
    role = models.CharField(_("role"), max_length=20, choices=Role.choices)
    area = models.ForeignKey("registry.Area", models.PROTECT, null=True, blank=True, verbose_name=_("area"))
    sector = models.ForeignKey("registry.Sector", models.PROTECT, null=True, blank=True, verbose_name=_("sector"))
    enterprise = models.ForeignKey(
        "registry.Enterprise", models.PROTECT, null=True, blank=True, verbose_name=_("enterprise")
    )
    begins = models.DateField(_("from"), null=True, blank=True)
    ends = models.DateField(_("until"), null=True, blank=True)

    objects = AssignmentQuerySet.as_manager()

    class Meta:
        verbose_name = _("role of a user")
        verbose_name_plural = _("roles of users")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(area__isnull=False, enterprise__isnull=True)
                | Q(area__isnull=True, sector__isnull=True, enterprise__isnull=False),
                name="assignment_area_or_enterprise",
                violation_error_message=_("A role holds either in an area or in an enterprise."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.user} · {self.get_role_display()}"


class SignIn(models.Model):
    """One device on which somebody is signed in: what the list of sessions shows, and ends."""

    user = models.ForeignKey(User, models.CASCADE, related_name="sign_ins")
    session_key = models.CharField(max_length=40, unique=True)
    at = models.DateTimeField(default=timezone.now)
    address = models.GenericIPAddressField(null=True)
    agent = models.CharField(max_length=200, blank=True)

    def __str__(self) -> str:
        return f"{self.user} · {self.at:%F %R}"


class Try(models.Model):
    """One failed sign-in, counted by `lockout`. Holds a keyed hash, since people type passwords as names."""

    who = models.CharField(max_length=32)
    address = models.GenericIPAddressField(null=True)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["who", "at"], name="try_who_at"),
            models.Index(fields=["address", "at"], name="try_address_at"),
        ]

    def __str__(self) -> str:
        return f"{self.at:%F %T}"
