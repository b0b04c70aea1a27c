"""What `interpreter` finds, in which order, and what it says about what it does not take."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from weldgate_simulator import interpreter
from weldgate_simulator.interpreter import Interpreter

SAYS = "#!/bin/sh\necho '[\"micropython\", {version}, {wide}, {native}]'\n"


def fake(folder: Path, version: list[int], *, wide: bool = True, native: int = 2) -> Path:
    """Write a `micropython` that answers the probe and does nothing else."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "micropython"
    path.write_text(SAYS.format(version=json.dumps(version), wide=json.dumps(wide), native=native))
    path.chmod(0o755)
    return path


def look(tmp_path: Path, variables: Mapping[str, str]) -> tuple[list[Interpreter], list[str]]:
    """Look everywhere but on the network, with an empty cache."""
    sentences: list[str] = []
    found = interpreter.find_all(sentences.append, cache=tmp_path / "cache", fetch=False, environment=variables)
    return found, sentences


def test_variable_comes_before_path(tmp_path: Path) -> None:
    """$MICROPYTHON is the first answer, PATH the second."""
    named = fake(tmp_path / "named", [1, 26, 0])
    on_path = fake(tmp_path / "bin", [1, 27, 1])

    found, _ = look(tmp_path, {"MICROPYTHON": str(named), "PATH": str(on_path.parent)})

    assert [(i.origin, i.version) for i in found[:2]] == [("environment", (1, 26, 0)), ("PATH", (1, 27, 1))]


def test_find_takes_the_first_and_looks_no_further(tmp_path: Path) -> None:
    """find() stops at what it found: nothing later is asked, and nothing is said."""
    on_path = fake(tmp_path / "bin", [1, 25, 0])
    sentences: list[str] = []

    found = interpreter.find(sentences.append, cache=tmp_path / "cache", environment={"PATH": str(on_path.parent)})

    assert found is not None
    assert found.path == on_path
    assert sentences == []
    assert not (tmp_path / "cache").exists()


def test_too_old_is_told_and_passed_over(tmp_path: Path) -> None:
    """A MicroPython before 1.25 is not taken; the sentence names both versions."""
    old = fake(tmp_path / "bin", [1, 24, 1])

    found, sentences = look(tmp_path, {"PATH": str(old.parent)})

    assert all(i.origin != "PATH" for i in found)
    assert f"{old} is MicroPython 1.24.1, at least 1.25 is needed" in sentences


def test_another_python_is_not_taken_for_micropython(tmp_path: Path) -> None:
    """$MICROPYTHON that names CPython is refused by name."""
    found, sentences = look(tmp_path, {"MICROPYTHON": sys.executable})

    assert all(i.origin != "environment" for i in found)
    assert f"{sys.executable} is cpython, not MicroPython" in sentences


@pytest.mark.parametrize("content", ["#!/bin/sh\nexit 3\n", "#!/bin/sh\necho hello\n", "", "#!/no/such/interpreter\n"])
def test_broken_program_is_one_sentence(tmp_path: Path, content: str) -> None:
    """A program that does not start or does not answer is one sentence with its name, never an exception."""
    path = tmp_path / "micropython"
    path.write_text(content)
    path.chmod(0o755)

    found, sentence = interpreter.probe([str(path)], "PATH")

    assert found is None
    assert str(path) in sentence


def test_missing_program_is_one_sentence(tmp_path: Path) -> None:
    """$MICROPYTHON that names nothing is one sentence with the name."""
    _, sentences = look(tmp_path, {"MICROPYTHON": str(tmp_path / "nothing")})

    assert any(str(tmp_path / "nothing") in sentence for sentence in sentences)


def test_same_version_counts_once_and_other_width_again(tmp_path: Path) -> None:
    """One interpreter a version and width: a 32-bit build stands beside the 64-bit one."""
    wide = fake(tmp_path / "wide", [1, 27, 0])
    narrow = fake(tmp_path / "narrow", [1, 27, 1], wide=False, native=1)

    twice, _ = look(tmp_path, {"MICROPYTHON": str(wide), "PATH": str(wide.parent)})
    both, sentences = look(tmp_path, {"MICROPYTHON": str(wide), "PATH": str(narrow.parent)})

    assert [i.version for i in twice].count((1, 27, 0)) == 1
    assert [(i.bits, i.arch) for i in both[:2]] == [(64, "x64"), (32, "x86")]
    assert not any("i386" in sentence for sentence in sentences)


def test_unknown_architecture_runs_bytecode_only(tmp_path: Path) -> None:
    """An emitter this version does not know leads to plain bytecode, not to code for another machine."""
    path = fake(tmp_path, [1, 30, 0], native=15)

    found, _ = interpreter.probe([str(path)], "PATH")

    assert found is not None
    assert found.arch == "none"


@pytest.mark.parametrize("heap", ["", "0", "-1", "128kw", "128 k", "all", "1e6"])
def test_heap_that_would_be_misread_is_refused(heap: str) -> None:
    """MicroPython reads nonsense as a size of its own; we refuse it."""
    chip = Interpreter(Path("mp"), ["mp"], (1, 25, 0), 64, "x64", "PATH")

    with pytest.raises(ValueError, match="heap"):
        chip.command([], heap)


@pytest.mark.mpy
def test_program_sees_only_what_it_is_given(chip: Interpreter, tmp_path: Path) -> None:
    """Arguments, input, import path and variables arrive; the host's variables do not."""
    (tmp_path / "given.py").write_text("WORD = 'from the path'\n")
    program = "import os, given; print(given.WORD, input(), os.getenv('A'), os.getenv('HOME'))"

    done = chip.run(["-c", program], paths=[tmp_path], environment={"A": "b"}, stdin=b"hello\n")

    assert done.returncode == 0
    assert done.stdout.decode().split("\n")[-2].strip().endswith("from the path hello b None")


@pytest.mark.mpy
def test_heap_is_a_hard_limit(chip: Interpreter) -> None:
    """More than `heapsize` cannot be had: what passes in the simulator passes with that much memory."""
    program = "x = bytearray(140 * 1024)\nprint('got it')"

    small = chip.run(["-c", program], heap="128k")
    large = chip.run(["-c", program], heap="256k")

    assert b"MemoryError" in small.stderr + small.stdout
    assert b"got it" in large.stdout


@pytest.mark.mpy
def test_pipe_carries_bytes_both_ways_and_its_end_ends_the_program(chip: Interpreter) -> None:
    """popen gives binary pipes without buffering; a closed input is seen as the end."""
    program = (
        "import sys\nwhile True:\n b = sys.stdin.buffer.read(4)\n"
        " if not b: break\n sys.stdout.buffer.write(bytes(reversed(b)))\n"
    )
    process = chip.popen(["-c", program], stderr=subprocess.DEVNULL)
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        process.stdin.write(b"\x00\x0d\x0a\xff")
        answer = process.stdout.read(4)
        process.stdin.close()

        code = process.wait(timeout=10)

    assert answer == b"\xff\x0a\x0d\x00"
    assert code == 0


@pytest.mark.mpy
def test_search_twice_gives_the_same_without_network(chip: Interpreter) -> None:
    """What was fetched once is found again offline."""
    again = interpreter.find_all(fetch=False)

    assert chip.version in [i.version for i in again]
    assert [i.name for i in again] == [i.name for i in interpreter.find_all(fetch=False, environment=os.environ)]


@pytest.mark.mpy
def test_command_lists_what_there_is(chip: Interpreter, capsys: pytest.CaptureFixture[str]) -> None:
    """`python -m weldgate_simulator.interpreter` names version, width and path."""
    code = interpreter.main()

    assert code == 0
    assert f"{chip.name}, {chip.bits} bits: {chip.path}" in capsys.readouterr().out


def test_unpack_without_its_loader_is_one_sentence(tmp_path: Path) -> None:
    """A folder that lost its C library is told, not started with the machine's own."""
    found, sentence = interpreter._probe_unpacked(tmp_path, "Debian amd64")

    assert found is None
    assert "holds no loader" in sentence
