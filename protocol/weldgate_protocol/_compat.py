"""The one place that knows the interpreter: which hash, CRC and constant-time compare the house uses.

CPython takes the C routines (`_host.py`), MicroPython the plain ones (`_portable.py`, with the CRC in viper where
the port has the emitter). Both sides are tested against each other, so callers need not care.

    const(value)               compile-time constant on the chip, the value itself elsewhere
    sha256(data)               32 bytes
    hmac_sha256(key, data)     32 bytes, RFC 2104
    HmacKey(key).tag8(data)    first 8 bytes of the same, keyed once
    same_bytes(a, b)           equal? in a time that depends on the lengths alone
    crc16_x25(data)            CRC-16/X-25 as an integer (poly 1021 reflected, init and xor FFFF)
    utf8_valid(data)           is it UTF-8 as RFC 3629 has it? (MicroPython's own decoder does not ask)
"""

import sys

TYPE_CHECKING = False

if TYPE_CHECKING or sys.implementation.name != "micropython":
    from weldgate_protocol._host import HmacKey, const, crc16_x25, hmac_sha256, same_bytes, sha256, utf8_valid
else:
    from micropython import const

    from weldgate_protocol._portable import HmacKey, hmac_sha256, same_bytes, sha256, utf8_valid

    try:
        from weldgate_protocol._crc_viper import crc16_x25
    except (ImportError, SyntaxError, ValueError):  # no native emitter, or compiled for another architecture
        from weldgate_protocol._portable import crc16_x25

__all__ = ["HmacKey", "const", "crc16_x25", "hmac_sha256", "same_bytes", "sha256", "utf8_valid"]
