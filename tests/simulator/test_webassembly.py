"""How `webassembly` fetches the port, from an npm written here, and how its script starts the real one."""

import hashlib
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from weldgate_simulator import interpreter, webassembly

NODE = """#!/bin/sh
[ "$1" = --version ] && { echo "${FAKE_NODE:-v20.1.0}"; exit 0; }
exit 1
"""
NPM = """#!/bin/sh
echo "$@" >> "$FAKE_LOG"
[ -z "$FAKE_FAILURE" ] || { echo "$FAKE_FAILURE" >&2; exit 1; }
cp "$FAKE_ARCHIVE" .
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a machine whose npm has an archive of one file, known by its SHA-256."""
    package = tmp_path / "package"
    package.mkdir()
    (package / "micropython.mjs").write_text("nothing")
    archive = tmp_path / "port.tgz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(package, "package")
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, text in (("node", NODE), ("npm", NPM)):
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    monkeypatch.setenv("FAKE_LOG", str(tmp_path / "log"))
    monkeypatch.setenv("FAKE_ARCHIVE", str(archive))
    monkeypatch.setattr(webassembly, "SHA256", hashlib.sha256(archive.read_bytes()).hexdigest())
    return tmp_path


def unpack(machine: Path, *, works: bool = True) -> tuple[Path | None, str]:
    """Ask for the port."""
    return webassembly.unpack(works=lambda _: works, cache=machine / "cache")


def test_fetched_once_by_name_and_version(machine: Path) -> None:
    """The first run asks npm for the package by name and version; later ones ask nobody."""
    root, sentence = unpack(machine)
    again, _ = unpack(machine)

    assert (root, sentence) == (again, "")
    assert root is not None
    assert (root / "micropython.mjs").is_file()
    assert (machine / "log").read_text().splitlines() == [f"pack --silent {webassembly.PACKAGE}@{webassembly.VERSION}"]


def test_another_file_of_that_name_is_not_taken(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has another SHA-256 than the known one is refused and not kept."""
    monkeypatch.setattr(webassembly, "SHA256", "0" * 64)

    root, sentence = unpack(machine)

    assert root is None
    assert "not the file that is known" in sentence
    assert not list((machine / "cache").glob("micropython-wasm-*[0-9]"))


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("FAKE_FAILURE", "npm error no network", "npm error no network"),
        ("FAKE_NODE", "v14.2.0", "Node v14.2.0, at least 16 is needed"),
        ("PATH", "/nowhere", "it runs in Node ≥ 16, and there is none"),
    ],
)
def test_what_is_missing_is_one_sentence(
    machine: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, words: str
) -> None:
    """No network, an old Node, no Node: one sentence each and no exception."""
    monkeypatch.setenv(variable, value)

    root, sentence = unpack(machine)

    assert root is None
    assert words in sentence
    assert "\n" not in sentence


def test_a_port_that_does_not_start_is_not_kept(machine: Path) -> None:
    """What was unpacked and does not start is thrown away."""
    root, sentence = unpack(machine, works=False)

    assert root is None
    assert "does not start" in sentence


@pytest.mark.mpy
def test_the_real_port_is_used_as_the_unix_port(tmp_path: Path) -> None:
    """Import path, variables that name folders, output, errors and exit code are as the Unix port's."""
    root, sentence = webassembly.unpack(works=lambda _: True)
    if root is None:
        pytest.skip(sentence)
    found, sentence = interpreter.probe(webassembly.command(root), interpreter.NPM)
    assert found is not None, sentence
    assert (found.bits, found.arch, found.has_sockets) == (32, "none", False)
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "hello.py").write_text("import sys\nprint('small', sys.maxsize == (1 << 31) - 1)\n")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "text").write_text("read")

    done = found.run(
        [
            "-c",
            "import hello, os\nprint(open(os.getenv('WELDGATE_DATA') + '/text').read(), os.getenv('X', 'none'))\n1/0",
        ],
        heap="256k",
        paths=[tmp_path / "modules"],
        environment={"WELDGATE_DATA": str(tmp_path / "data"), "X": "unseen"},
    )

    assert done.stdout.decode().splitlines() == ["small True", "read none"]
    assert b"ZeroDivisionError" in done.stderr
    assert done.returncode == 1
    assert (
        subprocess.run(
            [*found.argv, "-c", "import sys; sys.exit()"], env={"PATH": os.environ["PATH"]}, check=False
        ).returncode
        == 0
    )
