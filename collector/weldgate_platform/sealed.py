"""Values sealed at rest: AES-256-GCM under the folder's identity key, looked up by a keyed hash.

A sealed value is `01` · nonce 12 · ciphertext and tag. Its associated data is the name of its column, so that a value
that is copied into another column does not open. The first byte is the way of sealing, so that another suite (SM4)
can come in beside this one.
"""

import hmac
import secrets
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

from weldgate_protocol import reasons
from weldgate_protocol.errors import LocalError

__all__ = ["SealedError", "SealedTextField", "keyed_hash", "open_sealed", "seal"]

_AES_GCM = b"\x01"
_NONCE_BYTES = 12
_HASH_BYTES = 16  # 128 bits: no two identity numbers of a province meet


class SealedError(LocalError):
    """A sealed value that does not open: another key, another column, or damaged bytes."""


def seal(value: bytes, column: str) -> bytes:
    """Return a value as it is stored.

    Args:
        value: what must not be read at rest.
        column: `app.Model.field`, which the seal covers.
    """
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return _AES_GCM + nonce + AESGCM(settings.PLATFORM_IDENTITY_KEY).encrypt(nonce, value, column.encode())


def open_sealed(data: bytes, column: str) -> bytes:
    """Return what was sealed.

    Raises:
        SealedError: STORAGE_UNREADABLE.
    """
    if data[:1] != _AES_GCM:
        raise SealedError(reasons.STORAGE_UNREADABLE, f"{column} is sealed in a way this release does not know")
    nonce, body = data[1 : 1 + _NONCE_BYTES], data[1 + _NONCE_BYTES :]
    try:
        return AESGCM(settings.PLATFORM_IDENTITY_KEY).decrypt(nonce, body, column.encode())
    except (InvalidTag, ValueError) as error:
        raise SealedError(reasons.STORAGE_UNREADABLE, f"{column} does not open under this identity.key") from error


def keyed_hash(value: str, what: str) -> str:
    """Return by what a sealed value is looked up: 32 hex digits that tell nobody anything without the search key.

    Args:
        value: in its one normal form; the caller sees to that.
        what: the kind of value, so that equal texts of two kinds are not seen to be equal.
    """
    digest = hmac.digest(settings.PLATFORM_SEARCH_KEY, f"{what}\0{value}".encode(), "sha256")
    return digest[:_HASH_BYTES].hex()


class SealedTextField(models.Field[str, str]):
    """Text that is sealed in the database and plain in Python; it can be neither filtered nor ordered by."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["editable"] = False  # no form shows it by itself: a reveal is asked for and logged
        super().__init__(*args, **kwargs)

    def get_internal_type(self) -> str:
        """Return the column's type: bytes."""
        return "BinaryField"

    def get_db_prep_value(self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False) -> Any:
        """Hand the driver its kind of bytes."""
        data = super().get_db_prep_value(value, connection, prepared)
        return data if data is None else connection.Database.Binary(data)  # type: ignore[attr-defined]

    def get_prep_value(self, value: Any) -> bytes | None:
        """Seal on the way in; the empty text stays empty."""
        if value is None:
            return None
        return seal(str(value).encode(), self._column()) if value != "" else b""

    def from_db_value(self, value: Any, _expression: Any, _connection: BaseDatabaseWrapper) -> str | None:
        """Open on the way out."""
        if value is None:
            return None
        data = bytes(value)
        return open_sealed(data, self._column()).decode() if data else ""

    def to_python(self, value: Any) -> str | None:
        """Return text as it is."""
        return None if value is None else str(value)

    def value_to_string(self, obj: models.Model) -> str:
        """Serialise sealed: a dump must not hold what the database does not."""
        value = self.value_from_object(obj)
        return seal(str(value).encode(), self._column()).hex() if value else ""

    def get_lookup(self, lookup_name: str) -> Any:
        """Refuse every look-up but `isnull`: two seals of one value differ."""
        return super().get_lookup(lookup_name) if lookup_name == "isnull" else None

    def _column(self) -> str:
        return f"{self.model._meta.label}.{self.name}"
