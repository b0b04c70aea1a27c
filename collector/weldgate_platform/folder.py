"""The platform's folder: its settings, its secrets, where its databases are. Imports no Django.

    platform.toml          settings (`Settings` below), without a secret
    secrets/django.key     signs sessions and forms
    secrets/identity.key   seals identity numbers and photos at rest, 32 bytes in hex
    secrets/search.key     finds sealed identity numbers by a keyed hash, 32 bytes in hex
    secrets/metrics.token  what /metrics wants to be shown
    platform.sqlite3, ingest.sqlite3   the databases, where no PostgreSQL is named

Secrets have mode 0600 and are refused when others may read them. Whoever loses `identity.key` has lost every identity
number: the backup holds it, so it is kept under a passphrase.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from weldgate_issuer.files import read_secret, write_secret
from weldgate_protocol import reasons
from weldgate_protocol.errors import LocalError

__all__ = [
    "SETTINGS_FILE",
    "Database",
    "FolderError",
    "Secrets",
    "Settings",
    "collector_keys",
    "create_folder",
    "parse_database",
]

SETTINGS_FILE = "platform.toml"
_KEY_BYTES = 32
_TEMPLATE = """\
# Settings of the weldgate platform; what is absent has its default. Times are Asia/Shanghai on every page.

[site]
area = "{area}"                          # administrative code that this platform is for
hosts = ["localhost", "127.0.0.1"]       # names under which the pages are asked for
secure = true                            # https alone; false is for a trial on one machine
proxy = false                            # true where a proxy ends TLS and sets X-Forwarded-Proto itself

[issuer]
folder = ""                              # of a site's keys (`weldgate init`); empty: this platform signs no start codes

[broker]
host = ""                                # the pipe to collectors; empty: start codes are shown to scanners alone
port = 1883

# One for each collector whose chips this platform starts:
# [[collector]]
# name = "site"
# key_file = "../site/collector.key"

[database]
url = ""                                 # empty: SQLite in this folder; else postgresql://user:password@host/name
"""


class FolderError(LocalError):
    """The folder, its settings or its secrets are not as they must be; `code` is a tools' number (500 up)."""


class Site(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Section `site`; see the template above."""

    area: str = "411081"
    hosts: list[str] = msgspec.field(default_factory=lambda: ["localhost", "127.0.0.1"])
    secure: bool = True
    proxy: bool = False


class IssuerSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Section `issuer`; a relative folder is one beside platform.toml."""

    folder: str = ""


class BrokerSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Section `broker`: the pipe to the collectors; without a host nothing is sent, and codes are shown to scanners."""

    host: str = ""
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 1883


class CollectorSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One `[[collector]]`: its name, and the file of the key that it shares with this platform (`collector.key`)."""

    name: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    key_file: str


class DatabaseSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Section `database`; see the template above."""

    url: str = ""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of platform.toml."""

    site: Site = msgspec.field(default_factory=Site)
    broker: BrokerSection = msgspec.field(default_factory=BrokerSection)
    collector: list[CollectorSection] = msgspec.field(default_factory=list)
    issuer: IssuerSection = msgspec.field(default_factory=IssuerSection)
    database: DatabaseSection = msgspec.field(default_factory=DatabaseSection)

    @classmethod
    def read(cls, folder: Path) -> Settings:
        """Read a folder's settings.

        Raises:
            FolderError: TOOL_NOT_FOUND, no such folder; TOOL_CONFIG, the key that is wrong and why.
        """
        path = folder / SETTINGS_FILE
        try:
            return msgspec.toml.decode(path.read_bytes(), type=cls)
        except FileNotFoundError as error:
            raise FolderError(
                reasons.TOOL_NOT_FOUND, f"{path} is not there: weldgate platform init {folder} makes it"
            ) from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise FolderError(reasons.TOOL_CONFIG, f"{path}: {error}") from error


@dataclass(frozen=True, repr=False)
class Secrets:
    """What nobody else may know.

    Attributes:
        django: signs sessions and forms.
        identity: AES-256 key of sealed fields.
        search: HMAC key of what is looked up sealed.
        metrics: the bearer token of /metrics.
    """

    django: str
    identity: bytes
    search: bytes
    metrics: str

    @classmethod
    def draw(cls) -> Secrets:
        """Return new ones."""
        return cls(
            secrets.token_urlsafe(64),
            secrets.token_bytes(_KEY_BYTES),
            secrets.token_bytes(_KEY_BYTES),
            secrets.token_urlsafe(32),
        )

    @classmethod
    def read(cls, folder: Path) -> Secrets:
        """Read a folder's secrets.

        Raises:
            IssuerError: TOOL_NOT_FOUND, TOOL_PERMISSIONS.
            FolderError: TOOL_CONFIG, a file does not hold a key.
        """
        place = folder / "secrets"
        return cls(
            read_secret(place / "django.key").decode().strip(),
            _key(place / "identity.key"),
            _key(place / "search.key"),
            read_secret(place / "metrics.token").decode().strip(),
        )

    def write(self, folder: Path) -> None:
        """Write them into a folder, mode 0600 each."""
        place = folder / "secrets"
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_secret(place / "django.key", self.django.encode() + b"\n")
        write_secret(place / "identity.key", self.identity.hex().encode() + b"\n")
        write_secret(place / "search.key", self.search.hex().encode() + b"\n")
        write_secret(place / "metrics.token", self.metrics.encode() + b"\n")


@dataclass(frozen=True)
class Database:
    """Where the data is: a PostgreSQL server, or SQLite where `host` is empty."""

    user: str = ""
    password: str = ""
    host: str = ""
    port: int = 5432
    name: str = ""

    def __repr__(self) -> str:
        return f"Database({self.user}@{self.host}:{self.port}/{self.name})" if self.host else "Database(SQLite)"


def parse_database(url: str) -> Database:
    """Read the one setting that names a database.

    Args:
        url: empty for SQLite, or `postgresql://user:password@host[:port]/name`; a socket's folder stands as libpq has
            it, `postgresql://user@/name?host=/run/postgresql`.

    Raises:
        FolderError: TOOL_CONFIG; the message never holds the password.
    """
    if not url:
        return Database()
    try:
        parts = urlsplit(url)
        port = parts.port or 5432
    except ValueError as error:
        raise FolderError(reasons.TOOL_CONFIG, "database.url: the port is no number of 1 to 65535") from error
    name = unquote(parts.path.removeprefix("/"))
    host = unquote(parts.hostname or "") or parse_qs(parts.query).get("host", [""])[0]
    if parts.scheme not in ("postgresql", "postgres") or not host or not name or "/" in name:
        raise FolderError(reasons.TOOL_CONFIG, "database.url is neither empty nor postgresql://user:password@host/name")
    return Database(unquote(parts.username or ""), unquote(parts.password or ""), host, port, name)


def collector_keys(folder: Path) -> dict[str, bytes]:
    """Return collector's name -> the key that it shares with this platform.

    Raises:
        FolderError: TOOL_CONFIG, a file holds no key, or two collectors have one name.
        IssuerError: TOOL_NOT_FOUND, TOOL_PERMISSIONS.
    """
    sections = Settings.read(folder).collector
    keys = {one.name: _key(folder / one.key_file) for one in sections}
    if len(keys) != len(sections):
        raise FolderError(reasons.TOOL_CONFIG, "platform.toml: two collectors of one name")
    return keys


def create_folder(folder: Path, area: str) -> None:
    """Write settings and new secrets into a folder that holds none.

    Raises:
        FolderError: TOOL_EXISTS; TOOL_BAD_INPUT, the area is no code.
    """
    if not (area.isascii() and area.isdigit() and len(area) in (2, 4, 6, 9)):
        raise FolderError(reasons.TOOL_BAD_INPUT, f"area {area!r}, a code of 2, 4, 6 or 9 digits")
    path = folder / SETTINGS_FILE
    if path.exists() or (folder / "secrets").exists():
        raise FolderError(reasons.TOOL_EXISTS, f"{folder} holds a platform already")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    Secrets.draw().write(folder)
    part = path.with_name(path.name + ".part")
    part.write_text(_TEMPLATE.format(area=area), encoding="utf-8")
    os.replace(part, path)


def _key(path: Path) -> bytes:
    """Read one 32-byte key."""
    try:
        key = bytes.fromhex(read_secret(path).decode().strip())
    except ValueError as error:
        raise FolderError(reasons.TOOL_CONFIG, f"{path} is not hexadecimal") from error
    if len(key) != _KEY_BYTES:
        raise FolderError(reasons.TOOL_CONFIG, f"{path} holds {len(key)} bytes, allowed {_KEY_BYTES}")
    return key
