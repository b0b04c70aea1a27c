"""The plain routines behind `_compat` where the interpreter brings none: what the chip runs.

They run on CPython too, so that tests hold them against `hmac`, `crcmod-plus` and CPython's UTF-8 decoder.
"""

import hashlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    Readable = bytes | bytearray | memoryview

_BLOCK_BYTES = 64  # SHA-256's block, FIPS 180-4


def sha256(data: "Readable") -> bytes:
    """Return the SHA-256 of the data, 32 bytes."""
    return hashlib.sha256(data).digest()


class HmacKey:
    """A key for tags, its two padded blocks made once; its repr never shows it."""

    def __init__(self, key: bytes) -> None:
        if len(key) > _BLOCK_BYTES:
            key = sha256(key)
        padded = bytes(key) + bytes(_BLOCK_BYTES - len(key))
        self._inner = bytes([byte ^ 0x36 for byte in padded])  # RFC 2104 §2
        self._outer = bytes([byte ^ 0x5C for byte in padded])

    def __repr__(self) -> str:
        return "HmacKey(...)"

    def digest(self, data: "Readable") -> bytes:
        """Return HMAC-SHA256 of the data, 32 bytes."""
        inner = hashlib.sha256(self._inner)
        inner.update(data)
        outer = hashlib.sha256(self._outer)
        outer.update(inner.digest())
        return outer.digest()

    def tag8(self, data: "Readable") -> bytes:
        """Return the first 8 bytes of HMAC-SHA256 of the data."""
        return self.digest(data)[:8]


def hmac_sha256(key: bytes, data: "Readable") -> bytes:
    """Return HMAC-SHA256 (RFC 2104) of the data, 32 bytes."""
    return HmacKey(key).digest(data)


def same_bytes(a: "Readable", b: "Readable") -> bool:
    """Tell whether both are equal, in a time that depends on the lengths alone."""
    if len(a) != len(b):
        return False
    difference = 0
    for i in range(len(a)):
        difference |= a[i] ^ b[i]
    return difference == 0


def crc16_x25(data: "Readable") -> int:
    """Return CRC-16/X-25 of the data (check value of b"123456789" is 906E).

    Without a table: the four shifts are what the 256-entry table of polynomial 8408 would hold.
    """
    crc = 0xFFFF
    for byte in data:
        low = (byte ^ crc) & 0xFF
        low ^= (low << 4) & 0xFF
        crc = (crc >> 8) ^ (low << 8) ^ (low << 3) ^ (low >> 4)
    return crc ^ 0xFFFF


def utf8_valid(data: "Readable") -> bool:
    """Tell whether the bytes are UTF-8 as RFC 3629 §4 has it: shortest form, no surrogates, ≤ U+10FFFF."""
    pos = 0
    end = len(data)
    while pos < end:
        lead = data[pos]
        pos += 1
        if lead < 0x80:
            continue
        low, high = 0x80, 0xBF  # what the second byte may be
        if 0xC2 <= lead <= 0xDF:
            more = 1
        elif 0xE0 <= lead <= 0xEF:
            more = 2
            if lead == 0xE0:
                low = 0xA0  # shorter forms exist below
            elif lead == 0xED:
                high = 0x9F  # surrogates above
        elif 0xF0 <= lead <= 0xF4:
            more = 3
            if lead == 0xF0:
                low = 0x90
            elif lead == 0xF4:
                high = 0x8F  # beyond U+10FFFF above
        else:
            return False
        if end - pos < more or not low <= data[pos] <= high:
            return False
        for i in range(pos + 1, pos + more):
            if not 0x80 <= data[i] <= 0xBF:
                return False
        pos += more
    return True
