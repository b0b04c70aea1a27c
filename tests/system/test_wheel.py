"""The wheel is enough: it holds what the demo needs, and the demo starts from it where there is no checkout."""

import json
import os
import signal
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from weldgate_simulator import broker, files
from weldgate_simulator.line import wait_for

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel as pip does."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Unpack it into an environment of its own, which borrows the dependencies of this one; return its Python."""
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True, timeout=60)
    packages = next(folder.glob("lib/python*/site-packages"))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
    # A .pth file names a folder whose own .pth files are not read: the checkout stays out.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    python = folder / "bin" / "python"
    where = [python, "-I", "-c", "import weldgate_simulator; print(weldgate_simulator.__file__)"]
    said = subprocess.run(where, capture_output=True, text=True, check=True, timeout=60).stdout
    assert Path(said.strip()).is_relative_to(packages)
    return python


def _environment(folder: Path) -> dict[str, str]:
    """Return next to nothing: a PATH with the broker, and where MicroPython is kept."""
    found = broker.NatsBroker.find()
    path = os.pathsep.join([str(Path(found).parent)] if found else []) + ":/usr/bin:/bin"
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return {"PATH": path, "HOME": str(folder), "XDG_CACHE_HOME": cache}


def test_wheel_holds_every_package_file_and_what_the_demo_needs(wheel: Path) -> None:
    """All that the packages hold and the shipped list names, the licences, and nothing of the tests' own."""
    names = set(zipfile.ZipFile(wheel).namelist())
    packages = [path.parent for path in ROOT.glob("*/weldgate_*/__init__.py")]
    sources = {
        path.relative_to(package.parent).as_posix()
        for package in packages
        for path in package.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }

    assert sources <= names
    assert {f"weldgate_simulator/shipped/{name}" for name in files.DEMO_FILES} <= names
    assert "weldgate_protocol/reason_texts.toml" in names
    licences = {name.partition("/licenses/")[2] for name in names if "/licenses/" in name}
    assert licences == {"LICENSE", "tests/data/LICENSE-weld-trace-gmaw.txt"}
    assert {name for name in names if "test" in name} == {
        *(f"weldgate_simulator/shipped/tests/data/{name}" for name in os.listdir(ROOT / "tests/data")),
        *(name for name in names if name.endswith("/licenses/tests/data/LICENSE-weld-trace-gmaw.txt")),
    }


def test_doctor_of_the_wheel_finds_the_demos_files(installed: Path, tmp_path: Path) -> None:
    """They are here, and they are the wheel's own."""
    command = [installed, "-I", "-m", "weldgate_tools.cli", "doctor", "--json"]
    done = subprocess.run(
        command, cwd=tmp_path, env=_environment(tmp_path), capture_output=True, text=True, check=False, timeout=60
    )
    states = {finding["what"]: finding["state"] for finding in json.loads(done.stdout)["findings"]}

    assert done.returncode == 0, done.stdout
    assert states["demo"] == "ok"


@pytest.mark.slow
@pytest.mark.broker
@pytest.mark.mpy
def test_demo_starts_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    """In an empty folder the firmware of the wheel is compiled, runs and refuses; the rest is as in a checkout."""
    said = tmp_path / "said"
    command = [installed, "-I", "-m", "weldgate_tools.cli", "demo", "--chips", "1"]
    with (
        said.open("wb") as errors,
        subprocess.Popen(
            command, cwd=tmp_path, env=_environment(tmp_path), stdout=subprocess.DEVNULL, stderr=errors
        ) as demo,
    ):
        try:
            wait_for(
                "the first refusal",
                lambda: "refused:" in said.read_text(encoding="utf-8") or demo.poll() is not None,
                120,
            )
        finally:
            demo.send_signal(signal.SIGTERM)
            demo.wait(30)

    assert "refused: the button pressed without a token" in said.read_text(encoding="utf-8")
