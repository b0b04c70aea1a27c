"""A site's keys in one file under a passphrase: what `init --backup` writes and a restore reads.

JSON with the parameters in the clear and one sealed body: scrypt (RFC 7914) makes a key of the passphrase, AES-256-GCM
seals the content, the parameters being its associated data. Whoever has file and passphrase has the site.
"""

from __future__ import annotations

import base64
import json
import secrets
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from weldgate_issuer.errors import IssuerError
from weldgate_issuer.files import read_secret, write_secret
from weldgate_issuer.index import Index
from weldgate_issuer.keys import IssuerKey, SigningKey
from weldgate_issuer.passphrase import COST, COST_MAX, PASSPHRASE_MIN, stretch
from weldgate_issuer.site import Issuer
from weldgate_protocol import reasons

__all__ = ["read_backup", "write_backup"]

_FORMAT = "weldgate-backup-1"


def write_backup(issuer: Issuer, path: Path, passphrase: str) -> None:
    """Write all keys at hand to a file of mode 0600.

    Args:
        issuer: the site.
        path: the file; must not exist.
        passphrase: at least 12 characters.

    Raises:
        IssuerError: TOOL_BAD_INPUT, passphrase too short; TOOL_EXISTS.
    """
    if len(passphrase) < PASSPHRASE_MIN:
        raise IssuerError(
            reasons.TOOL_BAD_INPUT, f"passphrase of {len(passphrase)} characters, at least {PASSPHRASE_MIN}"
        )
    if path.exists():
        raise IssuerError(reasons.TOOL_EXISTS, f"{path} exists already")
    content = {
        "root_secret": issuer.root_secret.hex(),
        "roots": {name: root.to_pem().decode() for name, root in issuer.roots.items()},
        "keys": {key.name: key.to_pem().decode() for key in issuer.keys},
        "index": issuer.index.to_json().decode(),
    }
    salt = secrets.token_bytes(16)
    nonce = secrets.token_bytes(12)
    head = {"format": _FORMAT, "n": COST, "salt": salt.hex(), "nonce": nonce.hex()}
    sealed = AESGCM(stretch(passphrase, salt, COST)).encrypt(nonce, json.dumps(content).encode(), _associated(head))
    document = {**head, "sealed": base64.b64encode(sealed).decode()}
    write_secret(path, json.dumps(document, indent=2).encode() + b"\n")


def read_backup(path: Path, passphrase: str) -> Issuer:
    """Read a site back; `Issuer.save` puts it into a folder again.

    Versions continue from the backup's, or from the time of the next signing, whichever is higher.

    Raises:
        IssuerError: TOOL_NOT_FOUND, TOOL_PERMISSIONS; TOOL_BAD_INPUT, no backup of ours, a damaged one or another
            passphrase (which of these cannot be told).
    """
    try:
        document = json.loads(read_secret(path))
        head = {name: document[name] for name in ("format", "n", "salt", "nonce")}
        if head["format"] != _FORMAT or not isinstance(head["n"], int) or not 2 <= head["n"] <= COST_MAX:
            raise IssuerError(reasons.TOOL_BAD_INPUT, f"{path} is not a backup of this format")
        key = stretch(passphrase, bytes.fromhex(head["salt"]), head["n"])
        sealed = base64.b64decode(document["sealed"], validate=True)
        content = json.loads(AESGCM(key).decrypt(bytes.fromhex(head["nonce"]), sealed, _associated(head)))
    except (ValueError, KeyError, TypeError, InvalidTag) as e:
        raise IssuerError(reasons.TOOL_BAD_INPUT, f"{path} is damaged, or the passphrase is another") from e
    index = Index.from_json(content["index"].encode())
    roots = {name: SigningKey.from_pem(pem.encode()) for name, pem in content["roots"].items()}
    keys = [IssuerKey.from_parts(name, pem.encode(), index.keys[name]) for name, pem in content["keys"].items()]
    return Issuer(bytes.fromhex(content["root_secret"]), roots, keys, index)


def _associated(head: dict[str, Any]) -> bytes:
    """Return the parameters as the bytes that the seal covers."""
    return json.dumps(head, sort_keys=True).encode()
