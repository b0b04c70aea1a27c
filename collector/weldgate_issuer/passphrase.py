"""Keys made of passphrases, for backups of a site's keys and of a platform: scrypt (RFC 7914) and its bounds."""

from __future__ import annotations

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

__all__ = ["COST", "COST_MAX", "PASSPHRASE_MIN", "stretch"]

PASSPHRASE_MIN = 12  # characters
COST = 1 << 15  # 32 MB and about 0.1 s: what a small office machine can afford
COST_MAX = 1 << 20  # 1 GB: a file must not talk us into more
_R = 8
_P = 1


def stretch(passphrase: str, salt: bytes, cost: int) -> bytes:
    """Make an AES key of a passphrase."""
    return Scrypt(salt=salt, length=32, n=cost, r=_R, p=_P).derive(passphrase.encode())
