# mypy: ignore-errors
# (viper's pointers are machine words to calculate with; no type outside MicroPython says so)
"""Field arithmetic modulo the primes of P-256 and SM2, and divsteps, in viper, MicroPython's machine-code emitter.

A file of its own, since CPython cannot run it and a port without the emitter cannot load it; `ec_machine` says what
programs and registers are, and `ec_curve` computes the same by big integers.

Theory of operation. The work area holds 32-bit cells: registers of 20 limbs from cell 0 on, and from cell 220 (t): the
low columns t[0..18], the high ones t[20..38], the middle ones t[40..58] of a product, sums t[59..78] of halves, and
quotient digits t[98..117] with 19 cells before and after them that stay zero. Cell 357 says which prime it is.

A product takes three blocks of 10 x 10 limbs (Karatsuba): low, high, and the product of the sums of halves, whose
excess over the other two belongs in the middle. A column is below 20·2^26 + 2^24 < 2^31; the middle block alone may
pass 2^31, which on 32 bits comes right again when low and high are taken off. Montgomery's reduction follows. p = -1
modulo 2^13, so a column's own low 13 bits are its quotient digit q, and q·p = q·(2^256 - 2^224 + 2^192 + 2^96) - q adds
q to the columns 19, 17, 14 and 7 further on, shifted by 9, 3 (taken off), 10 and 5, and clears the column itself. For
SM2's p = 2^256 - 2^224 - 2^96 + 2^64 - 1 it is 19, 17, 7 and 4, shifted by 9, 3 and 5 (both taken off) and 12.

Whatever stands in a cell is never negative: on 64 bits a load extends with zeros. Only x and y, the first two
arguments, live in machine registers, so they also serve as whatever is used most; a cast costs nothing. Columns and
limbs are written out several a turn, and once for each prime, on purpose: viper inlines nothing, and each call or test
of the prime within a loop would cost instructions at every limb.
"""

import micropython

TYPE_CHECKING = False
if TYPE_CHECKING:
    ptr8 = ptr32 = memoryview  # viper's own words for addresses


# fmt: off
@micropython.viper
def run(x: ptr32, y: ptr32, m: ptr32, program: ptr8, scalars: ptr8, base: ptr8, own: ptr8, column: int, low: int):
    """Do a program for each column from one down to another.

    Args:
        x: the work area, as y.
        y: the work area.
        m: the work area.
        program: its length in bytes, then four bytes an instruction.
        scalars: 33 bytes little-endian for the generator, 33 for the key; a byte for each, 1 to negate its points.
        base: the generator's table, with a byte to spare.
        own: the key's, likewise.
        column: the first.
        low: the last.
    """
    t = ptr32(int(m) + 880)
    after = int(program) + int(program[0])
    while column >= low:
        pc = ptr8(int(program) + 1)
        while int(pc) < after:
            kind = int(pc[0])
            z = ptr32(int(m) + 80 * int(pc[1]))
            x = ptr32(int(m) + 80 * int(pc[2]))
            y = ptr32(int(m) + 80 * int(pc[3]))
            pc = ptr8(int(pc) + 4)
            if kind == 0:  # z = x·y / R
                t[59] = x[0] + x[10]
                t[60] = x[1] + x[11]
                t[61] = x[2] + x[12]
                t[62] = x[3] + x[13]
                t[63] = x[4] + x[14]
                t[64] = x[5] + x[15]
                t[65] = x[6] + x[16]
                t[66] = x[7] + x[17]
                t[67] = x[8] + x[18]
                t[68] = x[9] + x[19]
                t[69] = y[0] + y[10]
                t[70] = y[1] + y[11]
                t[71] = y[2] + y[12]
                t[72] = y[3] + y[13]
                t[73] = y[4] + y[14]
                t[74] = y[5] + y[15]
                t[75] = y[6] + y[16]
                t[76] = y[7] + y[17]
                t[77] = y[8] + y[18]
                t[78] = y[9] + y[19]
                block = 0
                while block < 3:
                    t[0] = x[0]*y[0]
                    t[1] = x[0]*y[1] + x[1]*y[0]
                    t[2] = x[0]*y[2] + x[1]*y[1] + x[2]*y[0]
                    t[3] = x[0]*y[3] + x[1]*y[2] + x[2]*y[1] + x[3]*y[0]
                    t[4] = x[0]*y[4] + x[1]*y[3] + x[2]*y[2] + x[3]*y[1] + x[4]*y[0]
                    t[5] = x[0]*y[5] + x[1]*y[4] + x[2]*y[3] + x[3]*y[2] + x[4]*y[1] + x[5]*y[0]
                    t[6] = x[0]*y[6] + x[1]*y[5] + x[2]*y[4] + x[3]*y[3] + x[4]*y[2] + x[5]*y[1] + x[6]*y[0]
                    t[7] = (
                        x[0]*y[7] + x[1]*y[6] + x[2]*y[5] + x[3]*y[4] + x[4]*y[3] + x[5]*y[2] + x[6]*y[1]
                        + x[7]*y[0]
                    )
                    t[8] = (
                        x[0]*y[8] + x[1]*y[7] + x[2]*y[6] + x[3]*y[5] + x[4]*y[4] + x[5]*y[3] + x[6]*y[2]
                        + x[7]*y[1] + x[8]*y[0]
                    )
                    t[9] = (
                        x[0]*y[9] + x[1]*y[8] + x[2]*y[7] + x[3]*y[6] + x[4]*y[5] + x[5]*y[4] + x[6]*y[3]
                        + x[7]*y[2] + x[8]*y[1] + x[9]*y[0]
                    )
                    t[10] = (
                        x[1]*y[9] + x[2]*y[8] + x[3]*y[7] + x[4]*y[6] + x[5]*y[5] + x[6]*y[4] + x[7]*y[3]
                        + x[8]*y[2] + x[9]*y[1]
                    )
                    t[11] = (
                        x[2]*y[9] + x[3]*y[8] + x[4]*y[7] + x[5]*y[6] + x[6]*y[5] + x[7]*y[4] + x[8]*y[3]
                        + x[9]*y[2]
                    )
                    t[12] = x[3]*y[9] + x[4]*y[8] + x[5]*y[7] + x[6]*y[6] + x[7]*y[5] + x[8]*y[4] + x[9]*y[3]
                    t[13] = x[4]*y[9] + x[5]*y[8] + x[6]*y[7] + x[7]*y[6] + x[8]*y[5] + x[9]*y[4]
                    t[14] = x[5]*y[9] + x[6]*y[8] + x[7]*y[7] + x[8]*y[6] + x[9]*y[5]
                    t[15] = x[6]*y[9] + x[7]*y[8] + x[8]*y[7] + x[9]*y[6]
                    t[16] = x[7]*y[9] + x[8]*y[8] + x[9]*y[7]
                    t[17] = x[8]*y[9] + x[9]*y[8]
                    t[18] = x[9]*y[9]
                    t = ptr32(int(t) + 80)
                    if block:
                        x = ptr32(int(m) + 1116)  # the sums
                        y = ptr32(int(m) + 1156)
                    else:
                        x = ptr32(int(x) + 40)
                        y = ptr32(int(y) + 40)
                    block += 1
                t = ptr32(int(m) + 880)
                x = t  # the column
                y = ptr32(0)  # the carry
                if int(m[357]):  # SM2's prime
                    end = int(t) + 40
                    while int(x) < end:  # columns 0 to 9, two a turn
                        y = ptr32(int(y) + x[0] + (x[94] << 12) - (x[91] << 5))
                        x[98] = int(y) & 8191
                        y = ptr32(int(y) >> 13)
                        y = ptr32(int(y) + x[1] + (x[95] << 12) - (x[92] << 5))
                        x[99] = int(y) & 8191
                        y = ptr32(int(y) >> 13)
                        x = ptr32(int(x) + 8)
                    end += 40
                    while int(x) < end:  # columns 10 to 19, with the middle
                        y = ptr32(int(y) + x[0] + x[30] - x[-10] - x[10]
                                  + (x[94] << 12) - (x[91] << 5) - (x[81] << 3) + (x[79] << 9))
                        x[98] = int(y) & 8191
                        y = ptr32(int(y) >> 13)
                        x = ptr32(int(x) + 4)
                    end += 36
                    while int(x) < end:  # columns 20 to 28: the result's
                        y = ptr32(int(y) + x[0] + x[30] - x[-10] - x[10]
                                  + (x[94] << 12) - (x[91] << 5) - (x[81] << 3) + (x[79] << 9))
                        z[0] = int(y) & 8191
                        y = ptr32(int(y) >> 13)
                        z = ptr32(int(z) + 4)
                        x = ptr32(int(x) + 4)
                    end += 40
                    while int(x) < end:  # columns 29 to 38
                        y = ptr32(int(y) + x[0] - (x[81] << 3) + (x[79] << 9))
                        z[0] = int(y) & 8191
                        y = ptr32(int(y) >> 13)
                        z = ptr32(int(z) + 4)
                        x = ptr32(int(x) + 4)
                else:
                    end = int(t) + 24
                    while int(x) < end:  # columns 0 to 5, two a turn
                        y = ptr32(int(y) + x[0])
                        x[98] = int(y) & 8191
                        y = ptr32(int(y) >> 13)
                        y = ptr32(int(y) + x[1])
                        x[99] = int(y) & 8191
                        y = ptr32(int(y) >> 13)
                        x = ptr32(int(x) + 8)
                    end += 16
                    while int(x) < end:  # columns 6 to 9, two a turn
                        y = ptr32(int(y) + x[0] + (x[91] << 5))
                        x[98] = int(y) & 8191
                        y = ptr32(int(y) >> 13)
                        y = ptr32(int(y) + x[1] + (x[92] << 5))
                        x[99] = int(y) & 8191
                        y = ptr32(int(y) >> 13)
                        x = ptr32(int(x) + 8)
                    end += 40
                    while int(x) < end:  # columns 10 to 19, with the middle
                        y = ptr32(int(y) + x[0] + x[30] - x[-10] - x[10]
                                  + (x[91] << 5) + (x[84] << 10) - (x[81] << 3) + (x[79] << 9))
                        x[98] = int(y) & 8191
                        y = ptr32(int(y) >> 13)
                        y = ptr32(int(y) + x[1] + x[31] - x[-9] - x[11]
                                  + (x[92] << 5) + (x[85] << 10) - (x[82] << 3) + (x[80] << 9))
                        x[99] = int(y) & 8191
                        y = ptr32(int(y) >> 13)
                        x = ptr32(int(x) + 8)
                    end += 36
                    while int(x) < end:  # columns 20 to 28: the result's, three a turn
                        y = ptr32(int(y) + x[0] + x[30] - x[-10] - x[10]
                                  + (x[91] << 5) + (x[84] << 10) - (x[81] << 3) + (x[79] << 9))
                        z[0] = int(y) & 8191
                        y = ptr32(int(y) >> 13)
                        y = ptr32(int(y) + x[1] + x[31] - x[-9] - x[11]
                                  + (x[92] << 5) + (x[85] << 10) - (x[82] << 3) + (x[80] << 9))
                        z[1] = int(y) & 8191
                        y = ptr32(int(y) >> 13)
                        y = ptr32(int(y) + x[2] + x[32] - x[-8] - x[12]
                                  + (x[93] << 5) + (x[86] << 10) - (x[83] << 3) + (x[81] << 9))
                        z[2] = int(y) & 8191
                        y = ptr32(int(y) >> 13)
                        z = ptr32(int(z) + 12)
                        x = ptr32(int(x) + 12)
                    end += 40
                    while int(x) < end:  # columns 29 to 38, two a turn
                        y = ptr32(int(y) + x[0] + (x[84] << 10) - (x[81] << 3) + (x[79] << 9))
                        z[0] = int(y) & 8191
                        y = ptr32(int(y) >> 13)
                        y = ptr32(int(y) + x[1] + (x[85] << 10) - (x[82] << 3) + (x[80] << 9))
                        z[1] = int(y) & 8191
                        y = ptr32(int(y) >> 13)
                        z = ptr32(int(z) + 8)
                        x = ptr32(int(x) + 8)
                z[0] = int(y)
                continue
            if kind < 3:  # z, z + 1 = a comb's point for this column
                bit = column + 222
                v = int(base)
                if kind == 2:
                    v = int(own)
                    bit += 264
                kind = int(scalars[65 + kind])
                index = 0
                i = 7
                while i:
                    index = index << 1 | (int(scalars[bit >> 3]) >> (bit & 7) & 1)
                    bit -= 37
                    i -= 1
                if index < 64:  # the opposite point has all digits turned round
                    index = 63 - index
                    kind = 1 - kind
                else:
                    index -= 64
                v += 64 * index
                end = v + 64
                y = ptr32(int(z) + 80)
                while v < end:
                    bit = 0
                    while bit < 260:
                        x = ptr32(v + (bit >> 3))
                        i = int(ptr8(int(x))[0]) | int(ptr8(int(x))[1]) << 8 | int(ptr8(int(x))[2]) << 16
                        z[0] = i >> (bit & 7) & 8191
                        z = ptr32(int(z) + 4)
                        bit += 13
                    z[-1] = z[-1] & 511
                    v += 32
                z = y
                x = y
                kind = 16 - 2 * kind  # y, or y - 2y
            # z = x + c·y - k·p, where k, guessed from the top limbs, leaves it between 0 and 1.04·p
            kind -= 16
            k = (x[19] + y[19] * kind - 17) >> 9
            v = k
            bit = k << 5  # of k·p, what limb 7 gets, then limb 14
            index = 32
            end = 0
            if int(m[357]):
                bit = 0 - bit
                index = 0
                end = k << 12  # and limb 4
            i = 2
            while i:
                v += x[0] + y[0] * kind
                z[0] = v & 8191
                v = v >> 13
                v += x[1] + y[1] * kind
                z[1] = v & 8191
                v = v >> 13
                v += x[2] + y[2] * kind
                z[2] = v & 8191
                v = v >> 13
                v += x[3] + y[3] * kind
                z[3] = v & 8191
                v = v >> 13
                v += x[4] + y[4] * kind - end
                z[4] = v & 8191
                v = v >> 13
                v += x[5] + y[5] * kind
                z[5] = v & 8191
                v = v >> 13
                v += x[6] + y[6] * kind
                z[6] = v & 8191
                v = v >> 13
                i -= 1
                v -= bit
                bit = bit * index
                end = 0
                x = ptr32(int(x) + 28)
                y = ptr32(int(y) + 28)
                z = ptr32(int(z) + 28)
            v += x[0] + y[0] * kind
            z[0] = v & 8191
            v = v >> 13
            v += x[1] + y[1] * kind
            z[1] = v & 8191
            v = v >> 13
            v += x[2] + y[2] * kind
            z[2] = v & 8191
            v = v >> 13
            v += x[3] + y[3] * kind + (k << 3)
            z[3] = v & 8191
            v = v >> 13
            v += x[4] + y[4] * kind
            z[4] = v & 8191
            v = v >> 13
            v += x[5] + y[5] * kind - (k << 9)
            z[5] = v & 8191
        column -= 1


@micropython.viper
def divsteps(zeta: int, f: int, g: int, out: ptr32) -> int:
    """Do thirty divsteps on the low thirty bits of f and g.

    Args:
        zeta: -(delta + 1/2).
        f: odd.
        g: any.
        out: four cells, signed, for the matrix (u, v, q, r) that takes 2^30·(f, g) there.

    Returns:
        The new zeta.
    """
    u = 1
    v = 0
    q = 0
    r = 1
    i = 0
    while i < 30:
        if g & 1:
            if zeta < 0:
                zeta = -1 - zeta
                g -= f
                f += g
                q -= u
                u += q
                r -= v
                v += r
            else:
                g += f
                q += u
                r += v
        zeta -= 1
        g = g >> 1
        u = u << 1
        v = v << 1
        i += 1
    out[0] = u
    out[1] = v
    out[2] = q
    out[3] = r
    return zeta
# fmt: on
