"""The Makefile where something is missing, and run twice: with small stand-ins for Python in a PATH of its own."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ("sh", "cat", "cksum", "tr", "sed", "expand", "rm", "touch", "mkdir", "find", "echo", "chmod", "cp")
OLD = "#!/bin/sh\nexit 1\n"  # answers "no" to every question, that for its version first
NO_VENV = '#!/bin/sh\ncase "$2" in *ensurepip*) exit 1;; esac\nexit 0\n'
# Makes a .venv whose Python logs what it is asked to do; FAKE_PIP=1 lets pip fail.
GOOD = """#!/bin/sh
case "$*" in
  *"-m venv"*) mkdir -p .venv/bin; cp "$0" .venv/bin/python ;;
  *"-m pip"*) echo "$*" >> log; [ -z "$FAKE_PIP" ] || exit 1 ;;
  *"-m "*) echo "$*" >> log ;;
esac
exit 0
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Make a checkout with the Makefile and a PATH that has no Python."""
    make = shutil.which("make")
    if make is None:
        pytest.skip("make is not installed")
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    (tmp_path / "tools").mkdir()
    for name in TOOLS:
        found = shutil.which(name)
        assert found is not None, name
        (tmp_path / "tools" / name).symlink_to(found)
    return tmp_path


def python(checkout: Path, text: str, name: str = "python3") -> None:
    """Put a Python on PATH."""
    path = checkout / "tools" / name
    path.write_text(text)
    path.chmod(0o755)


def make(checkout: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run make with nothing but the tools above."""
    environment = {"PATH": str(checkout / "tools"), **variables}
    program = shutil.which("make") or "make"
    command = [program, *words]
    return subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, check=False)


def log(checkout: Path) -> list[str]:
    """Return what the Python in .venv was asked to do."""
    path = checkout / "log"
    return path.read_text().splitlines() if path.exists() else []


def test_no_python_is_one_sentence(checkout: Path) -> None:
    """Without any Python, and with one that is too old, the sentence says what is needed."""
    without = make(checkout, "setup")
    python(checkout, OLD)
    old = make(checkout, "setup")

    for done in (without, old):
        assert done.returncode != 0
        assert "weldgate needs Python 3.11 or newer" in done.stderr
        assert done.stdout == ""


def test_old_python_is_passed_over_for_a_new_one(checkout: Path) -> None:
    """`python3` may be too old while `python3.13` is not."""
    python(checkout, OLD)
    python(checkout, GOOD, "python3.13")

    done = make(checkout, "setup")

    assert done.returncode == 0
    assert "making .venv with python3.13" in done.stderr


def test_missing_venv_module_names_the_package(checkout: Path) -> None:
    """Debian's Python without python3-venv."""
    python(checkout, NO_VENV)

    done = make(checkout, "setup")

    assert done.returncode != 0
    assert "apt install python3-venv" in done.stderr


def test_second_run_does_nothing_and_a_changed_project_installs_again(checkout: Path) -> None:
    """The stamp follows pyproject.toml's content, not its time: offline from the second run on."""
    python(checkout, GOOD)
    make(checkout, "setup")
    first = len(log(checkout))
    os.utime(checkout / "pyproject.toml")
    again = make(checkout, "setup")
    second = len(log(checkout))
    (checkout / "pyproject.toml").write_text("[project]\nname = 'y'\n")

    make(checkout, "setup")

    assert first == second == 2  # pip, and the search for MicroPython
    assert again.returncode == 0
    assert len(log(checkout)) == 4
    assert len(list((checkout / ".venv").glob("ready-*"))) == 1


def test_moved_checkout_installs_again(checkout: Path) -> None:
    """An editable install knows its folder, so a stamp from elsewhere does not count."""
    python(checkout, GOOD)
    make(checkout, "setup")
    moved = checkout.with_name(checkout.name + "-moved")
    checkout.rename(moved)

    make(moved, "setup")

    assert len(log(moved)) == 4


def test_failed_install_is_one_sentence_and_tried_again(checkout: Path) -> None:
    """No network on the first run: a sentence, no stamp, and the next run goes on from there."""
    python(checkout, GOOD)

    failed = make(checkout, "setup", FAKE_PIP="1")
    later = make(checkout, "setup")

    assert failed.returncode != 0
    assert "the first run needs the network" in failed.stderr
    assert later.returncode == 0


def test_arguments_reach_the_program_and_stdout_is_its_own(checkout: Path) -> None:
    """ARGS is handed on as words, and nothing of make's or the setup's gets into the output."""
    python(checkout, GOOD)

    done = make(checkout, "test", "ARGS=-k frame -x")

    assert done.returncode == 0
    assert log(checkout)[-1].startswith("-m pytest ")
    assert log(checkout)[-1].endswith("-k frame -x")
    assert done.stdout == ""


def test_clean_keeps_what_the_network_gave(checkout: Path) -> None:
    """`make clean` removes what was built; .venv stays, so that the next run works offline."""
    for folder in ("build/mpy", ".venv", "protocol/__pycache__", "firmware", "collector", "simulator", "tests"):
        (checkout / folder).mkdir(parents=True)
    (checkout / "tools" / "x.py").write_text("")

    done = make(checkout, "clean")

    assert done.returncode == 0, done.stderr
    assert not (checkout / "build").exists()
    assert not (checkout / "protocol" / "__pycache__").exists()
    assert (checkout / ".venv").exists()


def test_help_names_every_target(checkout: Path) -> None:
    """Whoever types `make` alone sees what there is."""
    done = make(checkout)

    for target in ("demo", "test", "check", "bench", "clean", "mutants", "mpy", "docs"):
        assert f"make {target} " in done.stdout
