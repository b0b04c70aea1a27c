"""Base45 (RFC 9285): bytes as the 45 characters a QR code packs tightest, and back.

One text for each byte string: lower case, other characters, a lone last character and groups above their range are
refused. How long a text may be is the caller's rule, asked before it comes here.
"""

from weldgate_protocol.errors import CoseError
from weldgate_protocol.reasons import BASE45_MALFORMED

_ALPHABET = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"  # RFC 9285 §4.2, Table 1
# Value of each byte as a character; 127, which -1 & 127 is, for what is none of the 45.
_VALUES = bytes([_ALPHABET.find(bytes([code])) & 127 for code in range(256)])


def encode(data: bytes) -> str:
    """Return the Base45 text of data: three characters for two bytes, two for a last single one."""
    out = bytearray()
    for i in range(0, len(data), 2):
        value = data[i] if i + 1 == len(data) else data[i] << 8 | data[i + 1]
        out.append(_ALPHABET[value % 45])
        value //= 45
        out.append(_ALPHABET[value % 45])
        if i + 1 < len(data):
            out.append(_ALPHABET[value // 45])
    return bytes(out).decode()


def decode(text: "str | bytes") -> bytes:
    """Return the bytes of a Base45 text, given as text or as the ASCII bytes a scanner sends.

    Raises:
        CoseError: BASE45_MALFORMED, for any other text than `encode` makes.
    """
    try:
        raw = text.encode() if isinstance(text, str) else bytes(text)
    except UnicodeError:  # a lone surrogate
        raise CoseError(BASE45_MALFORMED, "base45 text with a character out of its 45")
    if len(raw) % 3 == 1:
        raise CoseError(BASE45_MALFORMED, "base45 text of %d characters, not 3n or 3n + 2" % len(raw))
    values = _VALUES
    size = len(raw) // 3 * 2
    out = bytearray(size)
    at = 0
    for to in range(0, size, 2):
        low = values[raw[at]]
        middle = values[raw[at + 1]]
        high = values[raw[at + 2]]
        if (low | middle | high) & 64:  # of 0 to 44, none has this bit
            raise CoseError(BASE45_MALFORMED, "base45 text with a character out of its 45")
        value = low + 45 * middle + 2025 * high
        if value > 0xFFFF:
            raise CoseError(BASE45_MALFORMED, "base45 triple worth %d, at most 65535" % value)
        out[to] = value >> 8
        out[to + 1] = value & 0xFF
        at += 3
    if at != len(raw):
        low = values[raw[at]]
        middle = values[raw[at + 1]]
        if (low | middle) & 64:
            raise CoseError(BASE45_MALFORMED, "base45 text with a character out of its 45")
        value = low + 45 * middle
        if value > 0xFF:
            raise CoseError(BASE45_MALFORMED, "base45 pair worth %d, at most 255" % value)
        out.append(value)
    return bytes(out)
