"""What `lean` takes out of a module, what it leaves, and that the whole firmware means the same afterwards."""

import ast
import builtins
import importlib
import textwrap

import pytest

from weldgate_simulator import build, lean
from weldgate_simulator.lean import LeanError

ONE = "weldgate_protocol.one"
TWO = "weldgate_firmware.two"
CONST = "from weldgate_protocol._compat import const\n"
WITHOUT_SOURCE_ON_A_HOST = ("viper", "board", ".main")  # they import what only a chip has


def made(text: str, one: str = "", name: str = TWO) -> str:
    """Return a text made lean beside a module `weldgate_protocol.one`."""
    texts = {ONE: CONST + one, name: text}
    return lean.lean(text, name, lean.constants(texts))


def value_of(text: str, word: str, one: str = "") -> object:
    """Run a lean text on this interpreter and return one of its names."""
    space: dict[str, object] = {}
    exec(made(text, one), space)
    return space[word]


@pytest.mark.parametrize(
    "text",
    [
        "TYPE_CHECKING = False\nif TYPE_CHECKING:\n    import nowhere\n\n    from no import where\n",
        '__all__ = [\n    "f",\n]\n',
        CONST + "LIMIT = const(5)  # why\n",
        CONST + "LIMIT: int = const(\n    5 << 2\n)\n",
        "from weldgate_protocol import one\nfrom weldgate_protocol.one import (\n    A,\n    B,\n)\n",
    ],
)
def test_what_the_chip_has_no_use_for_leaves_no_code(text: str) -> None:
    """Nothing is left but the lines."""
    left = made(text, "A = const(1)\nB = const(-2)\n")

    assert [type(node) for node in ast.parse(left).body if not isinstance(node, ast.Pass)] == []
    assert left.count("\n") == text.count("\n")


def test_value_stands_where_the_name_stood() -> None:
    """Own, imported, renamed, of a module, of a module made of another's; a negative one and one with a method too."""
    one = "A = const(1)\nB = const(-2)\nC = const(A + 6)\n"
    text = """
        from weldgate_protocol import one
        from weldgate_protocol._compat import const
        from weldgate_protocol.one import A as first, B
        OWN = const(first << 4 | 0x0F)
        def f(low=one.C):
            return [OWN, first, 2 - B, one.B ** 2, OWN.to_bytes(1, "big"), low]
        made = f()
    """
    text = textwrap.dedent(text)

    left = made(text, one)

    assert value_of(text, "made", one) == [31, 1, 4, 4, b"\x1f", 7]
    assert not [word for word in ("OWN", "first", "one", "const", "import") if word in left]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def f(A):\n    return A\nmade = f(7)\n", 7),
        ("def f():\n    for A in [7]:\n        return A\nmade = f()\n", 7),
        ("made = [A for A in (7,)][0]\n", 7),
        ("made = (lambda A: A)(7)\n", 7),
        ("def f(low=A):\n    A = low + 6\n    return A\nmade = f()\n", 7),
        ("class K:\n    A = A\n    B = A + 6\nmade = K.A, K.B\n", (1, 7)),
        ("class K:\n    A = 7\n    def f(self):\n        return A\nmade = K().f()\n", 1),
        ("class K:\n    A = 7\n    def f(self, low=A):\n        return low\nmade = K().f()\n", 7),
        ("class K:\n    def __init__(self):\n        self.A = 7\nmade = K().A\n", 7),
        ("def f(**named):\n    return named['A']\nmade = f(A=7)\n", 7),
    ],
)
def test_another_thing_of_that_name_is_left_alone(text: str, expected: object) -> None:
    """A parameter, a local, a member, an attribute or a keyword may be called like a constant."""
    text = f"from weldgate_protocol.one import A\n{text}"

    assert value_of(text, "made", "A = const(1)\n") == expected


def test_module_of_which_more_is_used_stays_imported() -> None:
    """Only the constants' part of its use goes; inside the package the import becomes relative."""
    text = "from weldgate_protocol import one, two\nfrom weldgate_protocol.one import A, f\nb = one.A, one.f, f(two)\n"

    left = made(text, "A = const(1)\n", "weldgate_protocol.three")

    assert left == "from . import one, two\nfrom .one import f\nb = (1), one.f, f(two)\n"


def test_name_bound_twice_is_no_constant() -> None:
    """A definition in two branches stays what it was, for importers too."""
    one = "import sys\nif sys:\n    A = const(1)\nB = const(1)\nB = 2\n"
    text = "from weldgate_protocol.one import A, B\nmade = A + B\n"

    assert made(text, one) == text


def test_constant_bound_again_where_it_is_imported_is_refused() -> None:
    """Neither the value nor the name would be right."""
    with pytest.raises(LeanError, match=r"weldgate_firmware\.two: A is imported"):
        made("from weldgate_protocol.one import A\nA = A + 1\n", "A = const(1)\n")


def test_constant_in_a_formatted_string_has_its_value() -> None:
    """Before Python 3.12 the parts of an f-string have no places of their own."""
    text = 'from weldgate_protocol.one import A\nmade = f"{A:02d}" f"{A + 1}"\n'

    assert value_of(text, "made", "A = const(1)\n") == "012"


def test_branch_for_another_interpreter_is_false() -> None:
    """mpy-cross drops it; the other branch stays."""
    text = 'import sys\nif sys.implementation.name != "micropython":\n    made = 1\nelse:\n    made = 2\n'

    assert value_of(text, "made") == 2


def test_text_that_is_no_python_is_left_to_the_compiler() -> None:
    """mpy-cross says what is wrong and where."""
    assert made("def f(:\n") == "def f(:\n"


def test_every_constant_of_the_firmware_has_the_value_that_python_gives_it() -> None:
    """What is put in place is what the module itself holds."""
    known = lean.constants({name: path.read_text() for name, path in build.chip_modules(suites=True).items()})
    checked = 0

    for name, values in known.items():
        if not name.endswith(WITHOUT_SOURCE_ON_A_HOST):
            module = importlib.import_module(name)
            assert {word: getattr(module, word) for word in values} == values, name
            checked += len(values)

    assert checked > 600


def test_lean_firmware_says_the_same_on_every_line() -> None:
    """Each statement that is left stands on its line, and says no name that nothing binds any more."""
    texts = {name: path.read_text() for name, path in build.chip_modules(suites=True).items()}
    known = lean.constants(texts)
    trees = {name: ast.parse(lean.lean(text, name, known)) for name, text in texts.items()}
    bound = {name: names_of(tree) for name, tree in trees.items()}

    for name, tree in trees.items():
        assert statements(tree) <= statements(ast.parse(texts[name])), name
        said = {node.id for node in ast.walk(Unannotated().visit(tree)) if isinstance(node, ast.Name)}
        assert said <= bound[name] | set(dir(builtins)) | {"ptr8", "ptr16", "ptr32"}, name
        for module, word in imports(tree, name.partition(".")[0]):
            elsewhere = module in build.other_modules()  # in a branch that mpy-cross drops
            assert elsewhere or word in bound[module] or f"{module}.{word}" in trees, (name, module, word)


class Unannotated(ast.NodeTransformer):
    """Takes annotations out, which the chip's compiler does not look at outside viper."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """Take out what it returns."""
        node.returns = None
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        """Take out what a parameter is."""
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        """Take out what a variable is."""
        node.annotation = ast.Constant(None)
        return self.generic_visit(node)


def statements(tree: ast.Module) -> set[tuple[int, str]]:
    """Return line and kind of each statement but `pass`."""
    return {(n.lineno, type(n).__name__) for n in ast.walk(tree) if isinstance(n, ast.stmt) and type(n) is not ast.Pass}


def names_of(tree: ast.Module) -> set[str]:
    """Return every name that anything in a module binds."""
    found = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            found.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            found.update(alias.asname or alias.name.partition(".")[0] for alias in node.names)
    return found


def imports(tree: ast.Module, package: str) -> list[tuple[str, str]]:
    """Return (module, name) of each `from` import inside the house."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                module = f"{package}.{module}".rstrip(".")
            if module.startswith(("weldgate_protocol", "weldgate_firmware")):
                found += [(module, alias.name) for alias in node.names if alias.name != "*"]
    return found
