"""P-256's machine code as the chip's 32 bits run it: its source, with every operation wrapped to a signed word.

A 64-bit interpreter cannot show an overflow of 32 bits, and the chip is one of 32. Loads are signed here, as on the
chip; the real interpreter, where they extend with zeros, runs `tests/protocol/test_ec_machine.py`.
"""

import ast
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from weldgate_protocol import p256, ec_comb, ec_curve, ec_machine
from weldgate_protocol.ec_machine import R_INVERSE, N, P

SOURCE = Path(ec_machine.__file__).with_name("_ec_viper.py")
ELEMENTS = st.integers(0, P * 5 // 4) | st.sampled_from([0, 1, P - 1, P, (1 << 256) - 1, P * 5 // 4])
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


def interpreter() -> SimpleNamespace:
    """Return `run` and `divsteps` of the source, compiled for words of 32 bits."""
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

    tree = ast.parse(SOURCE.read_text(encoding="utf-8"))
    tree.body = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    names: dict[str, Any] = {"word": word, "ptr32": Pointer, "ptr8": Pointer8}
    exec(compile(ast.fix_missing_locations(Wrap().visit(tree)), str(SOURCE), "exec"), names)

    def fresh(call: Any) -> Any:
        def called(*arguments: Any) -> Any:
            memory.buffers.clear()
            return call(*arguments)

        return called

    return SimpleNamespace(run=fresh(names["run"]), divsteps=fresh(names["divsteps"]))


@pytest.fixture(scope="module")
def narrow() -> SimpleNamespace:
    """The two routines."""
    return interpreter()


@settings(max_examples=60, deadline=None)
@given(ELEMENTS, ELEMENTS)
@example(ONES, ONES)
def test_field_operations(narrow: SimpleNamespace, a: int, b: int) -> None:
    """Products, squares and linear combinations do not overflow for any limbs."""
    work = ec_machine.make_work()
    ec_machine._set(work, 0, a)
    ec_machine._set(work, 1, b)
    program = bytes([0, 2, 0, 1, 0, 3, 0, 0, 8, 4, 0, 1, 18, 5, 0, 1])

    narrow.run(work, work, work, bytes([len(program) + 1]) + program, b"", b"", b"", 0, 0)

    assert ec_machine._plain(work, 2) == a * b * R_INVERSE * R_INVERSE % P
    assert ec_machine._plain(work, 3) == a * a * R_INVERSE * R_INVERSE % P
    assert ec_machine._plain(work, 4) == (a - 8 * b) * R_INVERSE % P
    assert ec_machine._plain(work, 5) == (a + 2 * b) * R_INVERSE % P


@settings(max_examples=30, deadline=None)
@given(st.integers(1, N - 1), st.sampled_from([P, N]))
def test_inverses(narrow: SimpleNamespace, value: int, modulus: int) -> None:
    """The matrices of thirty divsteps fit."""
    value %= modulus
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ec_machine, "divsteps", narrow.divsteps, raising=False)

        inverse = ec_machine.inverse(value, modulus)

    assert value * inverse % modulus == (value > 0)


def test_a_whole_sum(narrow: SimpleNamespace) -> None:
    """Two combs add up to what big integers say; nothing is read beyond the tables."""
    base, own = (ec_comb.Table(ec_machine.make_work()) for _ in range(2))
    p256.run(ec_comb.fill_steps(base, ec_curve.GENERATOR, base.work))
    p256.run(ec_comb.fill_steps(own, ec_curve.GENERATOR[:32] + (P - _y()).to_bytes(32, "big"), own.work))
    m1, m2 = (1 << 258) // 7, (1 << 259) // 5
    scalars = m1.to_bytes(33, "little") + m2.to_bytes(33, "little") + bytes([0, 1])
    x2, y2, z2 = 1, 1, 0
    for column in range(36, -1, -1):
        x2, y2, z2 = ec_curve.double(x2, y2, z2)
        x2, y2, z2 = ec_curve.add(x2, y2, z2, *ec_comb.select(base.data, m1, column, False))
        x2, y2, z2 = ec_curve.add(x2, y2, z2, *ec_comb.select(own.data, m2, column, True))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ec_machine, "run", narrow.run, raising=False)
        x, y, z = p256.run(ec_machine.sum_steps(own.work, scalars, base.data, own.data))

    assert z
    assert (x * z2 * z2 - x2 * z * z) % P == 0
    assert (y * z2**3 - y2 * z**3) % P == 0


def _y() -> int:
    return int.from_bytes(ec_curve.GENERATOR[32:], "big")
