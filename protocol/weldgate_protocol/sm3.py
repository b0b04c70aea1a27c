"""SM3 (GM/T 0004): the hash of SM2 signatures, by machine code where the port has the emitter.

Decides padding and the order of blocks. `_sm3_viper` does a block; the plain routine here, for hosts and ports without
an emitter, does the same.
"""

from struct import unpack

from weldgate_protocol._compat import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

WORK_BYTES = const(312)  # eight words of state, two cells for the machine code, 68 words of a block
_BLOCK = const(64)
_MASK = const(0xFFFFFFFF)
_START = (  # GM/T 0004 §4.1, big-endian
    b"\x73\x80\x16\x6f\x49\x14\xb2\xb9\x17\x24\x42\xd7\xda\x8a\x06\x00\xa9\x6f\x30\xbc\x16\x31\x38\xaa\xe3\x8d\xee\x4d"
    b"\xb0\xfb\x0e\x4e"
)


def digest(data: bytes) -> bytes:
    """Return the hash, 32 bytes."""
    end = len(data) & -_BLOCK
    last = data[end:] + b"\x80"
    last += bytes(-(len(last) + 8) & (_BLOCK - 1)) + (8 * len(data)).to_bytes(8, "big")
    work = bytearray(WORK_BYTES)
    work[:32] = _turned(_START)
    for at in range(0, end, _BLOCK):
        compress(work, data, at)
    for at in range(0, len(last), _BLOCK):
        compress(work, last, at)
    return _turned(work)


def _turned(words: "bytes | bytearray") -> bytes:
    """Turn the bytes of eight words round: cells are little-endian, the hash is not."""
    return bytes([words[i ^ 3] for i in range(32)])


def _rotate(word: int, by: int) -> int:
    return (word << by | word >> (32 - by)) & _MASK


def compress_plainly(work: bytearray, data: bytes, at: int) -> None:
    """Take one block in (GM/T 0004 §5.3).

    Args:
        work: the state, eight little-endian words, at its begin.
        data: what is hashed.
        at: where the block begins, 64 bytes.
    """
    w = list(unpack(">16I", data[at : at + _BLOCK]))
    for i in range(16, 68):
        x = w[i - 16] ^ w[i - 9] ^ _rotate(w[i - 3], 15)
        w.append(x ^ _rotate(x, 15) ^ _rotate(x, 23) ^ _rotate(w[i - 13], 7) ^ w[i - 6])
    before = unpack("<8I", work[:32])
    a, b, c, d, e, f, g, h = before
    for i in range(64):
        turned = _rotate(a, 12)
        ss1 = _rotate((turned + e + _rotate(0x79CC4519 if i < 16 else 0x7A879D8A, i & 31)) & _MASK, 7)
        if i < 16:
            ff, gg = a ^ b ^ c, e ^ f ^ g
        else:
            ff, gg = (a & b) | (c & (a | b)), g ^ (e & (f ^ g))
        tt1 = (ff + d + (ss1 ^ turned) + (w[i] ^ w[i + 4])) & _MASK
        tt2 = (gg + h + ss1 + w[i]) & _MASK
        a, b, c, d = tt1, a, _rotate(b, 9), c
        e, f, g, h = tt2 ^ _rotate(tt2, 9) ^ _rotate(tt2, 17), e, _rotate(f, 19), g
    after = (a, b, c, d, e, f, g, h)
    for i in range(8):
        work[4 * i : 4 * i + 4] = (before[i] ^ after[i]).to_bytes(4, "little")


compress: "Callable[[bytearray, bytes, int], None]"
try:
    from weldgate_protocol._sm3_viper import compress
except (ImportError, SyntaxError, ValueError):  # CPython; no native emitter, or compiled for another architecture
    compress = compress_plainly
