"""The C routines behind `_compat` on CPython: `hmac`, `hashlib`, `crcmod-plus` where installed."""

import hashlib
import hmac

from weldgate_protocol import _portable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")
    Readable = bytes | bytearray | memoryview

__all__ = ["HmacKey", "const", "crc16_x25", "hmac_sha256", "same_bytes", "sha256", "utf8_valid"]


def _find_crc() -> "Callable[[Readable], int]":
    """Return the C routine of crcmod-plus, or the plain one where the collector's extra is not installed."""
    try:
        import crcmod  # optional: only the collector's extra brings it
    except ImportError:
        return _portable.crc16_x25
    # Poly 11021, reflected; init 0 before the xor of FFFF is crcmod's way to say "starts with FFFF".
    routine: Callable[[Readable], int] = crcmod.mkCrcFun(0x11021, initCrc=0, rev=True, xorOut=0xFFFF)
    return routine


crc16_x25 = _find_crc()
same_bytes = hmac.compare_digest


def const(value: "T") -> "T":
    """Return the value (on the chip the compiler folds it into the code)."""
    return value


def sha256(data: "Readable") -> bytes:
    """Return the SHA-256 of the data, 32 bytes."""
    return hashlib.sha256(data).digest()


def hmac_sha256(key: bytes, data: "Readable") -> bytes:
    """Return HMAC-SHA256 (RFC 2104) of the data, 32 bytes."""
    return hmac.digest(key, bytes(data), "sha256")


def utf8_valid(data: "Readable") -> bool:
    """Tell whether the bytes are UTF-8 as RFC 3629 has it."""
    try:
        bytes(data).decode()
    except UnicodeDecodeError:
        return False
    return True


class HmacKey:
    """A key for tags; its repr never shows it."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        self._key = bytes(key)

    def __repr__(self) -> str:
        return "HmacKey(...)"

    def digest(self, data: "Readable") -> bytes:
        """Return HMAC-SHA256 of the data, 32 bytes."""
        return hmac.digest(self._key, data, "sha256")

    def tag8(self, data: "Readable") -> bytes:
        """Return the first 8 bytes of HMAC-SHA256 of the data."""
        return hmac.digest(self._key, data, "sha256")[:8]
