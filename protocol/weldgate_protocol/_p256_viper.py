import micropython


@micropython.viper
def run(x: ptr32, y: ptr32, m: ptr32, program: ptr8, scalars: ptr8, base: ptr8, own: ptr8, column: int, low: int):
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
            if kind == 0:
                same = int(int(x) == int(y))
                t[59] = x[0] + x[10]
                t[69] = y[0] + y[10]
                t[60] = x[1] + x[11]
                t[70] = y[1] + y[11]
                t[61] = x[2] + x[12]
                t[71] = y[2] + y[12]
                t[62] = x[3] + x[13]
                t[72] = y[3] + y[13]
                t[63] = x[4] + x[14]
                t[73] = y[4] + y[14]
                t[64] = x[5] + x[15]
                t[74] = y[5] + y[15]
                t[65] = x[6] + x[16]
                t[75] = y[6] + y[16]
                t[66] = x[7] + x[17]
                t[76] = y[7] + y[17]
                t[67] = x[8] + x[18]
                t[77] = y[8] + y[18]
                t[68] = x[9] + x[19]
                t[78] = y[9] + y[19]
                block = 0
                while block < 3:
                    if same:
                        t[0] = x[0]*x[0]
                        t[1] = 2*(x[0]*x[1])
                        t[2] = 2*(x[0]*x[2]) + x[1]*x[1]
                        t[3] = 2*(x[0]*x[3] + x[1]*x[2])
                        t[4] = 2*(x[0]*x[4] + x[1]*x[3]) + x[2]*x[2]
                        t[5] = 2*(x[0]*x[5] + x[1]*x[4] + x[2]*x[3])
                        t[6] = 2*(x[0]*x[6] + x[1]*x[5] + x[2]*x[4]) + x[3]*x[3]
                        t[7] = 2*(x[0]*x[7] + x[1]*x[6] + x[2]*x[5] + x[3]*x[4])
                        t[8] = 2*(x[0]*x[8] + x[1]*x[7] + x[2]*x[6] + x[3]*x[5]) + x[4]*x[4]
                        t[9] = 2*(x[0]*x[9] + x[1]*x[8] + x[2]*x[7] + x[3]*x[6] + x[4]*x[5])
                        t[10] = 2*(x[1]*x[9] + x[2]*x[8] + x[3]*x[7] + x[4]*x[6]) + x[5]*x[5]
                        t[11] = 2*(x[2]*x[9] + x[3]*x[8] + x[4]*x[7] + x[5]*x[6])
                        t[12] = 2*(x[3]*x[9] + x[4]*x[8] + x[5]*x[7]) + x[6]*x[6]
                        t[13] = 2*(x[4]*x[9] + x[5]*x[8] + x[6]*x[7])
                        t[14] = 2*(x[5]*x[9] + x[6]*x[8]) + x[7]*x[7]
                        t[15] = 2*(x[6]*x[9] + x[7]*x[8])
                        t[16] = 2*(x[7]*x[9]) + x[8]*x[8]
                        t[17] = 2*(x[8]*x[9])
                        t[18] = x[9]*x[9]
                    else:
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
                        x = ptr32(int(m) + 1116)
                        y = ptr32(int(m) + 1156)
                    else:
                        x = ptr32(int(x) + 40)
                        y = ptr32(int(y) + 40)
                    block += 1
                t = ptr32(int(m) + 880)
                x = t
                y = ptr32(0)
                end = int(t) + 40
                while int(x) < end:
                    y = ptr32(int(y) + x[0] + (x[91] << 5))
                    x[98] = int(y) & 8191
                    y = ptr32(int(y) >> 13)
                    x = ptr32(int(x) + 4)
                end += 40
                while int(x) < end:
                    y = ptr32(int(y) + x[0] + x[30] - x[-10] - x[10] + (x[91] << 5) + (x[84] << 10) - (x[81] << 3) + (x[79] << 9))
                    x[98] = int(y) & 8191
                    y = ptr32(int(y) >> 13)
                    x = ptr32(int(x) + 4)
                end += 36
                while int(x) < end:
                    y = ptr32(int(y) + x[0] + x[30] - x[-10] - x[10] + (x[91] << 5) + (x[84] << 10) - (x[81] << 3) + (x[79] << 9))
                    z[0] = int(y) & 8191
                    z = ptr32(int(z) + 4)
                    y = ptr32(int(y) >> 13)
                    x = ptr32(int(x) + 4)
                end += 40
                while int(x) < end:
                    y = ptr32(int(y) + x[0] + (x[84] << 10) - (x[81] << 3) + (x[79] << 9))
                    z[0] = int(y) & 8191
                    z = ptr32(int(z) + 4)
                    y = ptr32(int(y) >> 13)
                    x = ptr32(int(x) + 4)
                z[0] = int(y)
                continue
            if kind < 3:
                bits = column
                v = int(base)
                if kind == 2:
                    v = int(own)
                    bits += 256
                index = 0
                i = 224
                while i >= 0:
                    index = index << 1 | (int(scalars[(bits + i) >> 3]) >> (column & 7) & 1)
                    i -= 32
                kind = int(scalars[63 + kind])
                if index < 128:
                    index = 127 - index
                    kind = 1 - kind
                else:
                    index -= 128
                v += 64 * index
                end = v + 64
                y = ptr32(int(z) + 80)
                while v < end:
                    i = 0
                    while i < 260:
                        x = ptr32(v + (i >> 3))
                        z[0] = (int(ptr8(int(x))[0]) | int(ptr8(int(x))[1]) << 8 | int(ptr8(int(x))[2]) << 16) >> (i & 7) & 8191
                        z = ptr32(int(z) + 4)
                        i += 13
                    z[-1] = z[-1] & 511
                    v += 32
                z = y
                x = y
                kind = 16 - 2 * kind
            kind -= 16
            k = (x[19] + y[19] * kind - 17) >> 9
            v = k
            end = int(x) + 28
            i = 7
            while i < 21:
                while int(x) < end:
                    v += x[0] + y[0] * kind
                    z[0] = v & 8191
                    v = v >> 13
                    x = ptr32(int(x) + 4)
                    y = ptr32(int(y) + 4)
                    z = ptr32(int(z) + 4)
                if i == 7:
                    v -= k << 5
                    end += 28
                    i = 14
                elif i == 14:
                    v -= k << 10
                    end += 12
                    i = 17
                elif i == 17:
                    v += k << 3
                    end += 8
                    i = 19
                elif i == 19:
                    v -= k << 9
                    end += 4
                    i = 20
                else:
                    i = 21
        column -= 1


@micropython.viper
def divsteps(zeta: int, f: int, g: int, out: ptr32) -> int:
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
