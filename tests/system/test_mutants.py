"""That `make mutants` notices what it is for: a fault that survives, and a line that is no longer there."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))  # tests are no package

import mutants

ROOT = Path(__file__).parents[2]
PRODUCT = "def double(number: int) -> int:\n    return number * 2\n"
TESTS = """
from weldgate_protocol.twice import double


def test_two() -> None:
    assert double(2) == 4
"""
ENTRY = """
[[mutant]]
name = "{name}"
rule = "X-NONE-01"
file = "protocol/weldgate_protocol/twice.py"
before = "{before}"
after = "{after}"
tests = ["tests/test_twice.py"]
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a small tree with one product file and one test."""
    package = tmp_path / "tree" / "protocol" / "weldgate_protocol"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "twice.py").write_text(PRODUCT)
    tests = tmp_path / "tree" / "tests"
    tests.mkdir()
    (tests / "test_twice.py").write_text(TESTS)
    return tmp_path / "tree"


def try_these(tree: Path, *entries: tuple[str, str, str]) -> int:
    """Run mutants of (name, before, after) and return the exit code."""
    path = tree.parent / "mutants.toml"
    path.write_text("".join(ENTRY.format(name=name, before=before, after=after) for name, before, after in entries))
    return mutants.main(["--file", str(path), "--root", str(tree), "--jobs", "1"])


def test_noticed_fault_is_fine_and_the_tree_is_untouched(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A fault that turns the test red counts as noticed; it was planted in a copy."""
    assert try_these(tree, ("tripled", "return number * 2", "return number * 3")) == 0

    assert (tree / "protocol" / "weldgate_protocol" / "twice.py").read_text() == PRODUCT
    assert "1 faults, 1 noticed" in capsys.readouterr().err


def test_surviving_fault_fails_the_run(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One that no test notices (here: squared, which is the same for 2) is named and the exit code is 1."""
    code = try_these(
        tree, ("squared", "return number * 2", "return number**2"), ("tripled", "return number * 2", "return 0")
    )

    said = capsys.readouterr()
    assert code == 1
    assert "SURVIVED  squared" in said.err
    assert "2 faults, 1 noticed" in said.err


def test_line_that_is_gone_fails_the_run(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is tried when a line is no longer as the list has it."""
    assert try_these(tree, ("gone", "return 2 * number", "return 0")) == 1

    assert "gone: 0 lines of protocol/weldgate_protocol/twice.py" in capsys.readouterr().err


def test_tests_that_are_red_anyway_prove_nothing(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A test that fails without the fault fails the run."""
    (tree / "tests" / "test_twice.py").write_text(TESTS.replace("== 4", "== 5"))

    assert try_these(tree, ("tripled", "return number * 2", "return number * 3")) == 1
    assert "not green before anything was planted" in capsys.readouterr().err


def test_fault_that_stops_the_tests_from_running_is_not_noticed(tree: Path) -> None:
    """A line that Python cannot read proves nothing about the tests."""
    assert try_these(tree, ("unreadable", "return number * 2", "return (")) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[mutant]]\nname = "a"\n', "missing or unknown"),
        (ENTRY.format(name="a", before="b", after="c") * 2, "twice"),
        ("[[mutant]\n", "mutants.toml"),
    ],
)
def test_list_that_is_wrong_is_told(tmp_path: Path, text: str, said: str) -> None:
    """Missing keys, a name given twice, and what is no TOML."""
    path = tmp_path / "mutants.toml"
    path.write_text(text)

    with pytest.raises(mutants.MutantError, match=said):
        mutants.read_list(path)


def test_every_line_of_the_list_is_there() -> None:
    """Each fault of the checked-in list can still be planted, its tests exist, and there are enough of them."""
    found = mutants.read_list(ROOT / "tests" / "mutants.toml")

    for mutant in found:
        mutants.plant(mutant, ROOT)
        for test in mutant.tests:
            assert (ROOT / test.partition("::")[0]).is_file(), mutant.name
    assert len(found) >= 100
    assert 10 <= sum(mutant.quick for mutant in found) <= 30
