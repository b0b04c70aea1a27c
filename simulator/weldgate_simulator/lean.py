"""Takes out of a module's text what the chip has no use for, before mpy-cross sees it; every line keeps its number.

Every `.mpy` carries its own table of names, so a name costs its length in each module that says it. Taken out are:

    if TYPE_CHECKING:      the block, and `TYPE_CHECKING` itself
    __all__                nobody imports `*` on the chip
    NAME = const(5)        the definition; the value stands wherever the name stood, in other modules too
    import of those        and of a module of which nothing but such values was used
    from package.x import  inside the same package it becomes `from .x import`
    not micropython        a branch for another interpreter becomes `if False`, which mpy-cross drops

Names of functions, classes, attributes and parameters stay, since a traceback or an error from the field shows them.
Whatever runs beside the chip's modules goes through here too, for the constants are no longer there to import.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

__all__ = ["LeanError", "constants", "lean"]

_COMPAT = ("weldgate_protocol._compat", "micropython")  # where `const` comes from
_ELSEWHERE = ("sys.implementation.name != 'micropython'", "TYPE_CHECKING or sys.implementation.name != 'micropython'")
_PACKAGES = ("weldgate_protocol", "weldgate_firmware")  # their modules are never started by `-m`
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_ARITHMETIC = (ast.BinOp, ast.UnaryOp, ast.operator, ast.unaryop, ast.expr_context)

Constants = Mapping[str, Mapping[str, int]]  # dotted module → name → value


class LeanError(ValueError):
    """A text in which a constant cannot be put in place; the message names module, line and name."""


class _Edit(NamedTuple):
    begin: int
    end: int
    text: str


class _Alias(NamedTuple):
    """What stands behind an imported name: a module that has constants, or `const` itself."""

    module: str


_CONST = _Alias("const")
_Bound = int | _Alias


def constants(texts: Mapping[str, str]) -> dict[str, dict[str, int]]:
    """Return the integers that modules define by `const` and bind nowhere else.

    Args:
        texts: dotted name → source.

    Returns:
        dotted name → name → value; a constant that a module imports is among its own too.
    """
    trees = {name: tree for name, text in texts.items() if (tree := _parsed(text)) is not None}
    found: dict[str, dict[str, int]] = {name: {} for name in texts}
    stored = {name: _stored(tree.body) for name, tree in trees.items()}
    more = True
    while more:  # a constant may be made of another module's
        more = False
        for name, tree in trees.items():
            bound: dict[str, _Bound] = {**_imports(tree.body, found), **found[name]}
            for node in tree.body:
                target = _target(node)
                value = _value(node, bound) if target and stored[name].count(target) == 1 else None
                if value is not None and target not in found[name]:
                    found[name][target] = bound[target] = value
                    more = True
            for word, what in bound.items():
                if isinstance(what, int) and word not in found[name] and word not in stored[name]:
                    found[name][word] = what
                    more = True
    return found


def lean(text: str, name: str, known: Constants) -> str:
    """Return the text without what the chip has no use for, as many lines long.

    Args:
        text: source of one module.
        name: its dotted name.
        known: see `constants`, of all modules that it may import.

    Raises:
        LeanError: a constant that cannot be put in place.
    """
    if _parsed(text) is None:
        return text
    return _Pruning(text.encode(), name, known).text().decode()


def _parsed(text: str) -> ast.Module | None:
    """Return a module's tree, or None when it is no Python: mpy-cross tells more than `ast` would."""
    try:
        return ast.parse(text)
    except SyntaxError:
        return None


def _target(node: ast.stmt) -> str:
    """Return NAME of `NAME = const(...)`, "" for another statement."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    call = getattr(node, "value", None)
    if len(targets) == 1 and isinstance(targets[0], ast.Name) and _is_const(call):
        return targets[0].id
    return ""


def _is_const(node: ast.AST | None) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "const"


def _value(node: ast.stmt, bound: Mapping[str, _Bound]) -> int | None:
    """Return the integer of `NAME = const(arithmetic)`, or None when it is made of anything else."""
    expression = node.value.args[0]  # type: ignore[attr-defined]
    values: dict[str, int] = {}
    for part in ast.walk(expression):
        if isinstance(part, ast.Name):
            what = bound.get(part.id)
            if not isinstance(what, int):
                return None
            values[part.id] = what
        elif isinstance(part, ast.Constant):
            if type(part.value) is not int:
                return None
        elif not isinstance(part, _ARITHMETIC):
            return None
    made = eval(compile(ast.Expression(expression), "const", "eval"), {"__builtins__": {}}, values)  # noqa: S307
    return made if type(made) is int else None


def _of_scope(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Yield the nodes of one scope, those of the scopes inside it left out."""
    for node in body:
        yield node
        if not isinstance(node, (*_FUNCTIONS, *_COMPREHENSIONS, ast.ClassDef)):
            yield from _of_scope(ast.iter_child_nodes(node))


def _imports(body: Iterable[ast.AST], known: Constants) -> dict[str, _Bound]:
    """Return what the imports of a module bind to constants, to modules that have constants, and to `const`."""
    bound: dict[str, _Bound] = {}
    for node in _of_scope(body):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                dotted = f"{node.module}.{alias.name}"
                word = alias.asname or alias.name
                if alias.name in known.get(node.module, {}):
                    bound[word] = known[node.module][alias.name]
                elif dotted in known:
                    bound[word] = _Alias(dotted)
                elif alias.name == "const" and node.module in _COMPAT:
                    bound[word] = _CONST
    return bound


def _stored(body: Iterable[ast.AST]) -> list[str]:
    """Return the names that a scope binds other than by imports, each as often as it does."""
    found: list[str] = []
    for node in _of_scope(body):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            found.append(node.id)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.ExceptHandler)) and node.name:
            found.append(node.name)
        elif isinstance(node, ast.arg):
            found.append(node.arg)
    return found


class _Pruning:
    """One module on its way."""

    def __init__(self, source: bytes, name: str, known: Constants) -> None:
        self._source = source
        self._name = name
        self._package = name.partition(".")[0]
        self._known = known
        self._own = known.get(name, {})
        self._bound: dict[str, _Bound] = {}
        self._starts = [0]
        for line in source.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))
        self._edits: list[_Edit] = []
        self._imports: list[ast.ImportFrom] = []
        self._kept: set[str] = set()  # imported names that are still said

    def text(self) -> bytes:
        """Return the source with every edit made."""
        body = ast.parse(self._source).body
        imported = _imports(body, self._known)
        again = sorted({word for word, what in imported.items() if isinstance(what, int)} & set(_stored(body)))
        if again:
            raise LeanError(f"{self._name}: {again[0]} is imported as a constant and bound again")
        self._bound = {**imported, **self._own}
        for node in body:
            self._visit(node, frozenset())
        for statement in self._imports:
            self._import(statement)
        out, at = [], 0
        for edit in sorted(self._edits):
            out += [self._source[at : edit.begin], edit.text.encode()]
            at = edit.end
        return b"".join([*out, self._source[at:]])

    def _visit(self, node: ast.AST, hidden: frozenset[str]) -> None:
        if self._is_dropped(node):
            self._replace(node, "pass")
        elif isinstance(node, ast.If) and ast.unparse(node.test) in _ELSEWHERE:
            self._replace(node.test, "False")
            self._visit_all(node.orelse, hidden)
        elif isinstance(node, ast.ImportFrom):
            self._imports.append(node)
        elif isinstance(node, (ast.Name, ast.Attribute)) and self._is_put_in(node, hidden):
            pass
        elif _is_const(node) and self._bound.get("const") is _CONST and "const" not in hidden:
            self._replace(node.func, "")  # type: ignore[attr-defined]
            self._visit_all(node.args, hidden)  # type: ignore[attr-defined]
        elif isinstance(node, _FUNCTIONS):
            self._function(node, hidden, hidden)
        elif isinstance(node, ast.ClassDef):
            self._class(node, hidden)
        elif isinstance(node, _COMPREHENSIONS):
            self._visit_all(ast.iter_child_nodes(node), hidden | set(_stored(ast.iter_child_nodes(node))))
        else:
            self._visit_all(ast.iter_child_nodes(node), hidden)

    def _function(self, node: ast.AST, outside: frozenset[str], hidden: frozenset[str]) -> None:
        """Visit decorators and defaults, which are worked out outside, then the body."""
        body = node.body if isinstance(node.body, list) else [node.body]  # type: ignore[attr-defined]
        arguments: ast.arguments = node.args  # type: ignore[attr-defined]
        defaults = [*arguments.defaults, *(default for default in arguments.kw_defaults if default is not None)]
        self._visit_all([*getattr(node, "decorator_list", []), *defaults], outside)
        self._visit_all(body, hidden | set(_stored([arguments, *body])))

    def _class(self, node: ast.ClassDef, hidden: frozenset[str]) -> None:
        """Visit a class: what it binds hides a name in what follows in its body, but not in its methods."""
        self._visit_all([*node.bases, *node.keywords, *node.decorator_list], hidden)
        inside = hidden
        for statement in node.body:
            if isinstance(statement, _FUNCTIONS):
                self._function(statement, inside, hidden)
            else:
                self._visit(statement, inside)
            inside |= set(_stored([statement]))

    def _visit_all(self, nodes: Iterable[ast.AST], hidden: frozenset[str]) -> None:
        for node in nodes:
            self._visit(node, hidden)

    def _is_dropped(self, node: ast.AST) -> bool:
        if isinstance(node, ast.If):
            return ast.unparse(node.test) == "TYPE_CHECKING" and not node.orelse
        if not isinstance(node, (ast.Assign, ast.AnnAssign)):
            return False
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        names = [target.id for target in targets if isinstance(target, ast.Name)]
        return names in (["TYPE_CHECKING"], ["__all__"]) or (_target(node) in self._own and _target(node) != "")

    def _is_put_in(self, node: ast.Name | ast.Attribute, hidden: frozenset[str]) -> bool:
        """Put a constant's value in its place, or note that a name is still said; False to look further inside."""
        named = node if isinstance(node, ast.Name) else node.value
        if not isinstance(named, ast.Name) or named.id in hidden or not isinstance(node.ctx, ast.Load):
            return False
        what = self._bound.get(named.id)
        value: _Bound | None = what
        if isinstance(node, ast.Attribute):
            value = self._known.get(what.module, {}).get(node.attr) if isinstance(what, _Alias) else None
        if isinstance(value, int):
            said = self._source[slice(*self._span(node))]
            if said != ast.unparse(node).encode():  # before Python 3.12 an f-string's parts may have another's place
                raise LeanError(f"{self._name}: line {node.lineno}: {ast.unparse(node)} stands where {said!r} is")
            self._replace(node, f"({value})")
            return True
        if isinstance(what, _Alias):
            self._kept.add(named.id)
        return False

    def _import(self, node: ast.ImportFrom) -> None:
        """Write an import anew without the names that nobody says any more, relative inside its own package."""
        names = [alias for alias in node.names if self._is_wanted(alias)]
        if not names:
            self._replace(node, "pass")
            return
        module = node.module or ""
        package, _, rest = module.partition(".")
        if package == self._package and package in _PACKAGES and "." in self._name and not node.level:
            module = f".{rest}"
        said = ", ".join(alias.name + (f" as {alias.asname}" if alias.asname else "") for alias in names)
        self._replace(node, f"from {'.' * node.level}{module} import {said}")

    def _is_wanted(self, alias: ast.alias) -> bool:
        word = alias.asname or alias.name
        what = self._bound.get(word)
        return what is None or not (isinstance(what, int) or word not in self._kept) or self._name in _COMPAT

    def _replace(self, node: ast.AST, text: str) -> None:
        """Put `text` in a node's place and as many line ends behind it as it had."""
        begin, end = self._span(node)
        self._edits.append(_Edit(begin, end, text + "\n" * self._source.count(b"\n", begin, end)))

    def _span(self, node: ast.AST) -> tuple[int, int]:
        """Return the first byte of a node and the one behind its last."""
        begin = self._starts[node.lineno - 1] + node.col_offset  # type: ignore[attr-defined]
        return begin, self._starts[node.end_lineno - 1] + node.end_col_offset  # type: ignore[attr-defined]
