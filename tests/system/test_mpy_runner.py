"""That the runner of the chip's suites, and its stand-in for unittest, notice what they are there to notice."""

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from weldgate_simulator import build, interpreter
from weldgate_simulator.interpreter import Interpreter

ROOT = Path(__file__).resolve().parents[2]
MPY = ROOT / "tests" / "mpy"


def load_runner() -> ModuleType:
    """Import the runner from its file."""
    spec = importlib.util.spec_from_file_location("mpy_run", MPY / "run.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


runner = load_runner()


@pytest.fixture(scope="module")
def chip() -> Interpreter:
    """Return the first MicroPython; `test_mpy_suites` fails in CI where there is none."""
    found = interpreter.find()
    if found is None:
        pytest.skip("NO MICROPYTHON")
    return found


def suite(tmp_path: Path, body: str) -> Path:
    """Write a suite of one class with the given methods."""
    path = tmp_path / "demo" / "test_demo.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"import unittest\n\n\nclass Demo(unittest.TestCase):\n{body}")
    return path


def on_both(chip: Interpreter, tmp_path: Path, body: str) -> list[Any]:
    """Run a suite in MicroPython and on CPython and return both outcomes."""
    path = suite(tmp_path, body)
    sources = {"unittest": MPY / "unittest.py", "ticks": MPY / "ticks.py", "test_demo": path}
    made = build.build_files(sources, tmp_path / "mpy", chip.arch)
    assert made.errors == []
    return [runner.run_on_chip(chip, path, [made.folder]), runner.run_on_host(path)]


@pytest.mark.mpy
@pytest.mark.parametrize(
    "line",
    [
        "self.assertEqual(1, 2)",
        "self.assertNotEqual(1, 1)",
        "self.assertTrue(0)",
        "self.assertFalse([1])",
        "self.assertIs([], [])",
        "self.assertIsNot(None, None)",
        "self.assertIsNone(0)",
        "self.assertIsNotNone(None)",
        "self.assertIn(1, [2])",
        "self.assertNotIn(1, [1])",
        "self.assertGreater(1, 1)",
        "self.assertGreaterEqual(1, 2)",
        "self.assertLess(1, 1)",
        "self.assertLessEqual(2, 1)",
        "self.assertIsInstance(1, str)",
        "self.assertRaises(ValueError, int, '1')",
        "self.assertRaises(KeyError, int, 'x')",
        "self.fail('so')",
        "1 // 0",
        "self.assertNoSuchThing()",
    ],
)
def test_what_does_not_hold_fails(chip: Interpreter, tmp_path: Path, line: str) -> None:
    """Each assertion can fail, an error is a failure, and an unknown assertion is one too."""
    for outcome in on_both(chip, tmp_path, f"    def test_it(self):\n        {line}\n"):
        assert list(outcome.failures) == ["demo.test_demo.Demo.test_it"]
        assert outcome.cases == {"demo.test_demo.Demo.test_it": 1}


@pytest.mark.mpy
def test_what_holds_passes(chip: Interpreter, tmp_path: Path) -> None:
    """Each assertion can hold; fixtures, clean-ups and inherited tests run; subtests are counted."""
    body = """
    log = []

    @classmethod
    def setUpClass(cls):
        cls.ready = True

    def setUp(self):
        self.addCleanup(self.log.append, "cleaned")
        self.log.append("up")

    def tearDown(self):
        self.log.append("down")

    def test_a(self):
        self.assertTrue(self.ready)
        self.assertFalse("")
        self.assertIs(None, None)
        self.assertIsNot([], [])
        self.assertIsNone(None)
        self.assertIsNotNone(0)
        self.assertIn(1, [1], "why")
        self.assertNotIn(1, [])
        self.assertGreater(2, 1)
        self.assertGreaterEqual(2, 2)
        self.assertLess(1, 2)
        self.assertLessEqual(2, 2)
        self.assertIsInstance(1, int)
        self.assertNotEqual(1, 2)

    def test_b(self):
        self.assertEqual(self.log, ["up", "down", "cleaned", "up"])
        with self.assertRaises(ValueError) as caught:
            raise ValueError("so")
        self.assertEqual(caught.exception.args, ("so",))
        for i in range(3):
            with self.subTest(i=i):
                self.assertLess(i, 3)


class Inherited(Demo):
    log = []
"""
    for outcome in on_both(chip, tmp_path, body):
        assert outcome.failures == {}
        assert outcome.cases == {
            f"demo.test_demo.{kind}.{test}": cases
            for kind in ("Demo", "Inherited")
            for test, cases in (("test_a", 1), ("test_b", 4))
        }


@pytest.mark.mpy
@pytest.mark.parametrize("where", ["setUp", "tearDown"])
def test_error_in_a_fixture_fails_the_test(chip: Interpreter, tmp_path: Path, where: str) -> None:
    """A fixture that raises is a failure of the test it belongs to."""
    body = f"    def {where}(self):\n        raise OSError(5)\n\n    def test_it(self):\n        pass\n"

    for outcome in on_both(chip, tmp_path, body):
        assert list(outcome.failures) == ["demo.test_demo.Demo.test_it"]


@pytest.mark.mpy
def test_failing_subtest_is_named_and_the_rest_runs(chip: Interpreter, tmp_path: Path) -> None:
    """One of three subtests fails: it is named, and three are counted."""
    body = (
        "    def test_it(self):\n        for i in range(3):\n            with self.subTest(i=i):\n"
        "                self.assertNotEqual(i, 1)\n"
    )

    for outcome in on_both(chip, tmp_path, body):
        (errors,) = outcome.failures.values()
        assert len(errors) == 1
        assert "{'i': 1}" in errors[0]
        assert list(outcome.cases.values()) == [4]


@pytest.mark.mpy
@pytest.mark.parametrize("ending", ["raise SystemExit(0)", "raise SystemExit(1)"])
def test_process_that_ends_early_is_a_failure(chip: Interpreter, tmp_path: Path, ending: str) -> None:
    """A suite that stops midway fails, whatever its exit code, and the test it stopped in is named."""
    body = f"    def test_a(self):\n        pass\n\n    def test_b(self):\n        {ending}\n"

    for outcome in on_both(chip, tmp_path, body):
        assert "demo.test_demo.Demo.test_b" in outcome.failures["demo.test_demo"][0]
        assert list(outcome.cases) == ["demo.test_demo.Demo.test_a"]


@pytest.mark.mpy
def test_ticks_wrap_as_on_the_chip(chip: Interpreter, tmp_path: Path) -> None:
    """`time.ticks_ms` starts shortly before 2^30, and differences hold across the wrap."""
    body = (
        "    def test_it(self):\n        import sys, time\n        if sys.implementation.name != 'micropython':\n"
        "            return\n        early = time.ticks_ms()\n        self.assertGreaterEqual(early, (1 << 30) - 200)\n"
        "        late = time.ticks_add(early, 400)\n        self.assertLess(late, 400)\n"
        "        self.assertEqual(time.ticks_diff(late, early), 400)\n"
        "        self.assertEqual(time.ticks_diff(early, late), -400)\n"
    )

    for outcome in on_both(chip, tmp_path, body):
        assert outcome.failures == {}


@pytest.mark.mpy
def test_source_of_the_product_is_never_run(chip: Interpreter, tmp_path: Path) -> None:
    """A module of the product that was found as .py is a failure even when every test holds."""
    package = tmp_path / "stray" / "weldgate_stray"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("WORD = 1\n")
    body = (
        f"    def test_it(self):\n        import sys\n        sys.path.insert(0, {str(tmp_path / 'stray')!r})\n"
        "        import weldgate_stray\n        self.assertEqual(weldgate_stray.WORD, 1)\n"
    )

    outcome, _ = on_both(chip, tmp_path, body)

    assert "weldgate_stray was run from its source" in outcome.failures["demo.test_demo"][0]


def test_fewer_tests_or_subtests_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """What CPython has and MicroPython has not is listed, and the summary is not ok."""
    outcome = runner.Outcome()
    outcome.cases = {"protocol.test_x.A.test_a": 1, "protocol.test_x.A.test_b": 3}
    monkeypatch.setattr(runner, "compile_all", lambda *_: ([Path(), Path(), Path()], {}))
    monkeypatch.setattr(runner, "run_on_chip", lambda *_: outcome)
    chip = Interpreter(Path("mp"), ["mp"], (1, 25, 0), 64, "x64", "PATH")
    expected = {"protocol.test_x.A.test_a": 1, "protocol.test_x.A.test_b": 4, "protocol.test_x.A.test_c": 1}

    short = runner.run_suites(chip, [Path("tests/protocol/test_x.py")], expected)
    level = runner.run_suites(chip, [Path("tests/protocol/test_x.py")], outcome.cases)

    assert short["missing"] == ["protocol.test_x.A.test_c"]
    assert short["fewer_cases"] == ["protocol.test_x.A.test_b"]
    assert short["ok"] is False
    assert level["ok"] is True


def test_plain_pytest_functions_count_as_cpythons(tmp_path: Path) -> None:
    """A test that unittest does not see is still expected: it cannot slip past MicroPython unnoticed."""
    path = suite(tmp_path, "    def test_a(self):\n        pass\n")
    path.write_text(path.read_text() + "\n\ndef test_plain():\n    pass\n")

    expected, failures = runner.reference([path])

    assert expected == {"demo.test_demo.Demo.test_a": 1, "demo.test_demo.test_plain": 1}
    assert failures == {}


def test_suite_that_cannot_be_collected_is_a_failure(tmp_path: Path) -> None:
    """A file that does not import has no ids: that must not look like a file without tests."""
    path = suite(tmp_path, "    def test_a(self):\n        pass\n")
    path.write_text("import no_such_module\n")

    expected, failures = runner.reference([path])

    assert expected == {}
    assert sorted(failures) == ["CPython demo.test_demo", "pytest --collect-only"]


def test_every_suite_is_run_or_excused_with_a_reason() -> None:
    """host_only.txt speaks of suites that are there, each with a reason."""
    excused = runner.host_only()
    suites = {f"{path.parent.name}/{path.name}" for path in runner.chip_suites()}

    assert suites
    assert not suites & set(excused)
    assert all(len(reason.split()) >= 3 for reason in excused.values())


def test_without_micropython_the_runner_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 3 and one loud sentence: nothing that could be taken for a pass."""
    code = runner.main(["--interpreter", str(tmp_path / "none")])

    assert code == 3
    assert "NO MICROPYTHON" in capsys.readouterr().err


def test_stand_in_is_small() -> None:
    """STYLE §4: at most 150 lines."""
    assert len((MPY / "unittest.py").read_text().splitlines()) <= 150
