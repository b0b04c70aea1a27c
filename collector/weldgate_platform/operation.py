"""What an operator does to a platform: make it, migrate it, give out accounts, look it over, run it.

Each function works on one folder, and the first one called in a process decides which: Django has one configuration a
process.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from weldgate_platform.folder import FolderError, Secrets, Settings, collector_keys
from weldgate_protocol import reasons

__all__ = ["Finding", "create_user", "examine", "import_file", "migrate", "prepare", "serve", "verify_audit"]

ALIASES = ("default", "ingest")
_PLAN_DAY = date(2023, 11, 30)  # of the plan, from which its mutual recognition holds


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        what: its name.
        ok: whether it is as it must be.
        text: what was found, and what to do.
    """

    what: str
    ok: bool
    text: str


def prepare(folder: Path) -> None:
    """Configure Django for a folder.

    Raises:
        FolderError: TOOL_NOT_FOUND, TOOL_CONFIG; TOOL_EXISTS, this process serves another folder.
        IssuerError: a secret is missing, or others may read it.
    """
    Settings.read(folder)  # its errors name file and key; Django's would not
    Secrets.read(folder)
    place = str(folder.resolve())
    if os.environ.setdefault("WELDGATE_PLATFORM", place) != place:
        raise FolderError(reasons.TOOL_EXISTS, f"this process works on {os.environ['WELDGATE_PLATFORM']}")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "weldgate_platform.settings")
    import django

    django.setup()


def migrate(folder: Path) -> int:
    """Bring both databases to this release's tables and load the reference data.

    Returns:
        How many rows of reference data were added.
    """
    prepare(folder)
    from django.core.management import call_command
    from django.db import connections

    from weldgate_platform.people.recognition import load_default
    from weldgate_platform.registry.reference import load_reference
    from weldgate_platform.sheets.loads import load_mappings

    for alias in ALIASES:
        connection = connections[alias]
        if connection.vendor == "postgresql":  # `ingest` is a schema beside `public`
            with connection.cursor() as cursor:
                cursor.execute("CREATE SCHEMA IF NOT EXISTS ingest")
        call_command("migrate", database=alias, interactive=False, verbosity=0)
    return load_reference() + load_mappings() + load_default(_PLAN_DAY)


def create_user(
    folder: Path,
    username: str,
    password: str,
    *,
    name: str = "",
    role: str = "",
    area: str = "",
    enterprise: int | None = None,
) -> None:
    """Make an account: with a role where that holds, or an operator's without one.

    Args:
        folder: the platform's.
        username: for signing in.
        password: long enough for the validators.
        name: of the person.
        role: a `Role`; "" makes an operator, who sees all and has the admin pages.
        area: key of the area where the role holds.
        enterprise: id of the enterprise where the role holds.

    Raises:
        FolderError: TOOL_BAD_INPUT, with what is wrong; TOOL_EXISTS.
    """
    prepare(folder)
    from django.contrib.auth.password_validation import validate_password
    from django.core.exceptions import ValidationError
    from django.db import transaction

    from weldgate_platform.accounts.models import Assignment, User
    from weldgate_platform.accounts.roles import Role
    from weldgate_platform.audit.log import record
    from weldgate_platform.registry.models import Area, Enterprise

    if role and role not in Role.values:
        raise FolderError(reasons.TOOL_BAD_INPUT, f"role {role!r}, one of {', '.join(Role.values)}")
    if bool(role) != (bool(area) != (enterprise is not None)):
        raise FolderError(
            reasons.TOOL_BAD_INPUT, "a role holds in an area or in an enterprise, and an operator has neither"
        )
    place = Area.objects.filter(key=area).first() if area else None
    employer = Enterprise.objects.filter(pk=enterprise).first() if enterprise is not None else None
    if (area and place is None) or (enterprise is not None and employer is None):
        raise FolderError(reasons.TOOL_BAD_INPUT, f"no {'area ' + area if area else f'enterprise {enterprise}'} here")
    try:
        validate_password(password, User(username=username, name=name))
    except ValidationError as error:
        raise FolderError(reasons.TOOL_BAD_INPUT, " ".join(error.messages)) from error
    with transaction.atomic():
        if User.objects.filter(username=User.normalize_username(username)).exists():
            raise FolderError(reasons.TOOL_EXISTS, f"user {username} exists already")
        make = User.objects.create_user if role else User.objects.create_superuser
        user = make(username, password, name=name)
        if role:
            Assignment.objects.create(user=user, role=role, area=place, enterprise=employer)
        record(None, "account.create", user, role=role or "operator", by="command line")


def examine(folder: Path) -> list[Finding]:
    """Look the platform over: settings, databases, migrations, Django's own deployment checks, the audit log."""
    prepare(folder)
    from django.core import checks
    from django.db import Error, connections
    from django.db.migrations.executor import MigrationExecutor

    from weldgate_platform.audit.log import verify

    findings = [Finding("settings", True, f"{folder}: settings and secrets are readable and nobody else's")]
    for alias in ALIASES:
        try:
            executor = MigrationExecutor(connections[alias])
            behind = executor.migration_plan(executor.loader.graph.leaf_nodes())
            text = f"{len(behind)} migrations to go: weldgate platform migrate" if behind else "tables are current"
            findings.append(Finding(f"database {alias}", not behind, text))
        except Error as error:
            findings.append(Finding(f"database {alias}", False, f"does not answer: {error}"))
    messages = [
        one
        for one in checks.run_checks(include_deployment_checks=True)
        if one.is_serious(checks.WARNING) and not one.is_silenced()
    ]
    findings.append(
        Finding("deployment", not messages, "; ".join(f"{one.id}: {one.msg}" for one in messages) or "checks are clean")
    )
    if all(one.ok for one in findings if one.what.startswith("database")):
        fault = verify()
        findings.append(Finding("audit log", fault is None, "whole" if fault is None else fault.what))
    return findings


def import_file(
    folder: Path,
    file: Path,
    mapping: str,
    username: str,
    *,
    as_of: date | None = None,
    full: bool = False,
    write: bool = False,
    progress: Callable[[int], None] | None = None,
) -> tuple[int, list[tuple[int, str]], dict[str, int]]:
    """Check a spreadsheet, and apply it where that is asked for and no row is bad.

    Args:
        folder: the platform's.
        file: .xlsx or .csv.
        mapping: key of its columns.
        username: in whose name and scope.
        as_of: the day of the data, today where it is not told.
        full: whether it is the issuer's whole data.
        write: whether to apply it.
        progress: is told how many rows are checked.

    Returns:
        How many rows there are, the bad ones with what is wrong, and the counts by name.

    Raises:
        FolderError: TOOL_BAD_INPUT, no such user or mapping, or the file is not his to load.
        FileError, MappingError: the file is no table of this kind.
    """
    prepare(folder)
    from django.utils import timezone

    from weldgate_platform.accounts.models import User
    from weldgate_platform.sheets.loads import apply_load, check_file
    from weldgate_platform.sheets.models import SavedMapping
    from weldgate_platform.sheets.target import RowFault

    user = User.objects.filter(username=User.normalize_username(username)).first()
    saved = SavedMapping.objects.filter(key=mapping).first()
    if user is None or saved is None:
        raise FolderError(reasons.TOOL_BAD_INPUT, f"no {'user ' + username if user is None else 'mapping ' + mapping}")
    day = as_of or timezone.localdate()
    try:
        load, report = check_file(file.read_bytes(), file.name, saved.mapping, user, day, full, progress)
        if write and not report.bad:
            apply_load(load, user, report)
    except RowFault as fault:
        raise FolderError(reasons.TOOL_BAD_INPUT, str(fault.said)) from fault
    bad = [
        (row.number, "; ".join(f"{title}: {said}" if title else str(said) for title, said in row.faults))
        for row in report.bad
    ]
    return report.rows, bad, dict(report.target.plan.counts)


def verify_audit(folder: Path, known: tuple[int, str] | None = None) -> tuple[Finding, tuple[int, str]]:
    """Read the whole audit log.

    Args:
        folder: the platform's.
        known: number and digest of an entry that somebody has kept.

    Returns:
        What was found, and number and digest of the newest entry, to be kept.
    """
    prepare(folder)
    from weldgate_platform.audit.log import head, verify

    fault = verify(known)
    return Finding("audit log", fault is None, "whole" if fault is None else fault.what), head()


def serve(folder: Path, host: str, port: int) -> None:
    """Answer requests, carry start codes to collectors and take their packs, until SIGTERM or Ctrl-C."""
    prepare(folder)
    import uvicorn

    from weldgate_platform.ingest.intake import Intake
    from weldgate_platform.ingest.journal import Journal
    from weldgate_platform.starts.carrier import Carrier
    from weldgate_platform.starts.courier import Courier

    settings = Settings.read(folder)
    config = uvicorn.Config(
        "weldgate_platform.asgi:application",
        host=host,
        port=port,
        lifespan="off",
        server_header=False,
        proxy_headers=settings.site.proxy,
        timeout_graceful_shutdown=3,
    )
    beside: list[Carrier | Intake] = []
    if settings.broker.host and settings.collector:
        keys, place = collector_keys(folder), (settings.broker.host, settings.broker.port)
        beside.append(Carrier(*place, f"platform-{settings.site.area}-orders", Courier(keys)))
        beside.append(Intake(*place, f"platform-{settings.site.area}-packs", Journal(keys)))
    for one in beside:
        one.start()
    try:
        uvicorn.Server(config).run()
    finally:
        for one in beside:
            one.stop()
