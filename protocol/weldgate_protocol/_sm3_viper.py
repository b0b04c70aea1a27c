# mypy: ignore-errors
# (viper's pointers are machine words to calculate with; no type outside MicroPython says so)
"""SM3's compression in viper, MicroPython's machine-code emitter.

A file of its own, since CPython cannot run it and a port without the emitter cannot load it; `sm3` does the same
plainly.

Theory of operation. Cells of 32 bits: 0 to 7 the state, 8 the round's constant, 9 what is in between, 10 to 77 the
block's words. On 64 bits a sum or a shift to the left leaves something above bit 31; stored to a cell and read back it
is gone, so whatever is shifted to the right has been in one. On 32 bits a shift to the right drags the sign along, so
each is masked.
"""

import micropython

TYPE_CHECKING = False
if TYPE_CHECKING:
    ptr8 = ptr32 = memoryview  # viper's own words for addresses


@micropython.viper
def compress(s: ptr32, data: ptr8, at: int):
    """Take one block in (GM/T 0004 §5.3).

    Args:
        s: the cells.
        data: what is hashed.
        at: where the block begins, 64 bytes.
    """
    w = ptr32(int(s) + 40)
    i = 0
    while i < 16:
        w[i] = int(data[at]) << 24 | int(data[at + 1]) << 16 | int(data[at + 2]) << 8 | int(data[at + 3])
        at += 4
        i += 1
    while i < 68:
        x = w[i - 3]
        s[9] = w[i - 16] ^ w[i - 9] ^ (x << 15 | x >> 17 & 0x7FFF)
        x = s[9]
        y = w[i - 13]
        w[i] = x ^ (x << 15 | x >> 17 & 0x7FFF) ^ (x << 23 | x >> 9 & 0x7FFFFF) ^ (y << 7 | y >> 25 & 0x7F) ^ w[i - 6]
        i += 1
    a = s[0]
    b = s[1]
    c = s[2]
    d = s[3]
    e = s[4]
    f = s[5]
    g = s[6]
    h = s[7]
    x = 0x79CC
    s[8] = x << 16 | 0x4519
    i = 0
    while i < 64:
        if i == 16:
            x = 0x9D8A  # 7A879D8A, turned by 16
            s[8] = x << 16 | 0x7A87
        x = a << 12 | a >> 20 & 0xFFF
        s[9] = x + e + s[8]
        y = s[9]
        s[9] = y << 7 | y >> 25 & 0x7F
        y = s[9]  # SS1
        x = (x ^ y) + d + (w[i] ^ w[i + 4])
        y = y + h + w[i]
        if i < 16:
            x += a ^ b ^ c  # TT1
            y += e ^ f ^ g  # TT2
        else:
            x += a & b | c & (a | b)
            y += g ^ e & (f ^ g)
        d = c
        c = b << 9 | b >> 23 & 0x1FF
        b = a
        s[9] = x
        a = s[9]
        h = g
        g = f << 19 | f >> 13 & 0x7FFFF
        f = e
        s[9] = y
        y = s[9]
        s[9] = y ^ (y << 9 | y >> 23 & 0x1FF) ^ (y << 17 | y >> 15 & 0x1FFFF)
        e = s[9]
        x = s[8]
        s[8] = x << 1 | x >> 31 & 1
        i += 1
    s[0] = s[0] ^ a
    s[1] = s[1] ^ b
    s[2] = s[2] ^ c
    s[3] = s[3] ^ d
    s[4] = s[4] ^ e
    s[5] = s[5] ^ f
    s[6] = s[6] ^ g
    s[7] = s[7] ^ h
