"""The machine code of P-256, SM2 and SM3 as 32 bits run it: its source, every operation wrapped to a signed word.

A 64-bit interpreter cannot show an overflow of 32 bits, and the chip is one of 32. Loads are signed here, as on the
chip; the real interpreter, where they extend with zeros, runs `tests/protocol/test_ec_machine.py` and
`test_sm3.py`.
"""

import ast
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from weldgate_protocol import ec_comb, ec_machine, p256, sm2, sm3
from weldgate_protocol.ec_curve import Curve

FOLDER = Path(ec_machine.__file__).parent
CURVES = [p256.CURVE, sm2.CURVE]
BOTH = pytest.mark.parametrize("curve", CURVES, ids=["P-256", "SM2"])
LEAST = min(curve.p for curve in CURVES)
ELEMENTS = st.integers(0, LEAST * 5 // 4) | st.sampled_from(
    [0, 1, (1 << 256) - 1, LEAST * 5 // 4, *(curve.p - i for curve in CURVES for i in (0, 1))]
)
ONES = sum(8191 << 13 * i for i in range(19)) | 640 << 247  # every limb at its highest


def word(value: int) -> int:
    """Wrap to a signed word of 32 bits."""
    return (value + 0x80000000 & 0xFFFFFFFF) - 0x80000000


class Memory:
    """Buffers at addresses, as a pointer sees them."""

    def __init__(self) -> None:
        self.buffers: list[tuple[int, Any]] = []

    def place(self, buffer: bytes | bytearray) -> int:
        """Give a buffer an address, and forget the oldest of many."""
        for address, known in self.buffers:
            if known is buffer:
                return address
        address = 0x100000 + 0x10000 * len(self.buffers)
        self.buffers.append((address, buffer))
        return address

    def find(self, address: int, width: int) -> tuple[Any, int]:
        """Return the buffer and the offset of an address; what lies in no buffer is an error."""
        for begin, buffer in self.buffers:
            if begin <= address and address + width <= begin + len(buffer):
                return buffer, address - begin
        raise IndexError(f"{width} bytes at {address:#x} are in no buffer")


def interpreter(name: str) -> SimpleNamespace:
    """Return the routines of a source, compiled for words of 32 bits."""
    source = FOLDER / name
    memory = Memory()

    class Pointer:
        width = 4

        def __init__(self, where: Any) -> None:
            self.address = memory.place(where) if isinstance(where, bytes | bytearray) else int(where)

        def __int__(self) -> int:
            return self.address

        def __getitem__(self, index: int) -> int:
            buffer, at = memory.find(self.address + self.width * index, self.width)
            return word(int.from_bytes(buffer[at : at + self.width], "little"))

        def __setitem__(self, index: int, value: int) -> None:
            buffer, at = memory.find(self.address + self.width * index, self.width)
            buffer[at : at + self.width] = (int(value) & 0xFFFFFFFF).to_bytes(4, "little")

    class Pointer8(Pointer):
        width = 1

    class Wrap(ast.NodeTransformer):
        def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
            kinds = {arg.arg: ast.unparse(arg.annotation) for arg in node.args.args if arg.annotation}
            self.generic_visit(node)
            node.decorator_list = []
            pointers = [f"{name} = {kind}({name})" for name, kind in kinds.items() if kind.startswith("ptr")]
            node.body[:1] = ast.parse("\n".join(pointers)).body
            for arg in node.args.args:
                arg.annotation = None
            return node

        def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
            self.generic_visit(node)
            return ast.Call(ast.Name("word", ast.Load()), [node], [])

        def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
            value = ast.BinOp(ast.Name(ast.unparse(node.target), ast.Load()), node.op, node.value)
            return ast.Assign([node.target], self.visit_BinOp(value))

    tree = ast.parse(source.read_text(encoding="utf-8"))
    tree.body = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    names: dict[str, Any] = {"word": word, "ptr32": Pointer, "ptr8": Pointer8}
    exec(compile(ast.fix_missing_locations(Wrap().visit(tree)), str(source), "exec"), names)

    def fresh(call: Any) -> Any:
        def called(*arguments: Any) -> Any:
            memory.buffers.clear()
            return call(*arguments)

        return called

    return SimpleNamespace(**{node.name: fresh(names[node.name]) for node in tree.body})


@pytest.fixture(scope="module")
def narrow() -> SimpleNamespace:
    """The two routines for points."""
    return interpreter("_ec_viper.py")


HASH = interpreter("_sm3_viper.py")


@BOTH
@settings(max_examples=60, deadline=None)
@given(a=ELEMENTS, b=ELEMENTS)
@example(a=ONES, b=ONES)
def test_field_operations(narrow: SimpleNamespace, curve: Curve, a: int, b: int) -> None:
    """Products, squares and linear combinations do not overflow for any limbs."""
    work = ec_machine.make_work()
    ec_machine._begin(work, curve)
    ec_machine._set(work, 0, a)
    ec_machine._set(work, 1, b)
    program = bytes([0, 2, 0, 1, 0, 3, 0, 0, 8, 4, 0, 1, 18, 5, 0, 1])

    narrow.run(work, work, work, bytes([len(program) + 1]) + program, b"", b"", b"", 0, 0)

    p, out = curve.p, curve.r_inverse
    assert ec_machine._plain(work, 2, curve) == a * b * out * out % p
    assert ec_machine._plain(work, 3, curve) == a * a * out * out % p
    assert ec_machine._plain(work, 4, curve) == (a - 8 * b) * out % p
    assert ec_machine._plain(work, 5, curve) == (a + 2 * b) * out % p


@settings(max_examples=30, deadline=None)
@given(st.integers(1, LEAST - 1), st.sampled_from([p256.CURVE.p, p256.CURVE.n, sm2.CURVE.p]))
def test_inverses(narrow: SimpleNamespace, value: int, modulus: int) -> None:
    """The matrices of thirty divsteps fit."""
    value %= modulus
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ec_machine, "divsteps", narrow.divsteps, raising=False)

        inverse = ec_machine.inverse(value, modulus)

    assert value * inverse % modulus == (value > 0)


@BOTH
def test_a_whole_sum(narrow: SimpleNamespace, curve: Curve) -> None:
    """Two combs add up to what big integers say; nothing is read beyond the tables."""
    base, own = (ec_comb.Table(ec_machine.make_work()) for _ in range(2))
    p256.run(ec_comb.fill_steps(curve, base, curve.generator, base.work))
    y = curve.p - int.from_bytes(curve.generator[32:], "big")
    p256.run(ec_comb.fill_steps(curve, own, curve.generator[:32] + y.to_bytes(32, "big"), own.work))
    m1, m2 = (1 << 258) // 7, (1 << 259) // 5
    scalars = m1.to_bytes(33, "little") + m2.to_bytes(33, "little") + bytes([0, 1])
    x2, y2, z2 = 1, 1, 0
    for column in range(36, -1, -1):
        x2, y2, z2 = curve.double(x2, y2, z2)
        x2, y2, z2 = curve.add(x2, y2, z2, *ec_comb.select(curve, base.data, m1, column, False))
        x2, y2, z2 = curve.add(x2, y2, z2, *ec_comb.select(curve, own.data, m2, column, True))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ec_machine, "run", narrow.run, raising=False)
        x, y, z = p256.run(ec_machine.sum_steps(curve, own.work, scalars, base.data, own.data))

    assert z
    assert (x * z2 * z2 - x2 * z * z) % curve.p == 0
    assert (y * z2**3 - y2 * z**3) % curve.p == 0


@settings(max_examples=20, deadline=None)
@given(st.binary(max_size=130))
def test_sm3(data: bytes) -> None:
    """Rotations and sums of the hash do not need a 33rd bit."""
    expected = sm3.digest(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sm3, "compress", HASH.compress)

        assert sm3.digest(data) == expected
