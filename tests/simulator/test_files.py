"""Where files lie: in a checkout, and in a made-up installation that has what the wheel brings."""

from pathlib import Path

import pytest

from weldgate_protocol.reasons import TOOL_NOT_FOUND
from weldgate_simulator import build, files
from weldgate_simulator.demo import DemoError, Options, perform

ROOT = Path(__file__).resolve().parents[2]


class Silent:
    """Nobody is told."""

    def begin(self, text: str) -> None: ...
    def waiting(self, text: str) -> None: ...
    def done(self, text: str) -> None: ...


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """Make the folder of an installation with one module and the list."""
    shipped = tmp_path / "weldgate_simulator" / "shipped" / "firmware"
    shipped.mkdir(parents=True)
    (shipped / "chip_modules.txt").write_text("weldgate_protocol.one\n")
    (tmp_path / "weldgate_protocol").mkdir()
    for name in ("__init__", "one"):
        (tmp_path / "weldgate_protocol" / f"{name}.py").write_text("ONE = 1\n")
    return tmp_path


def test_checkout_has_its_own_files() -> None:
    """Nothing is copied for a checkout."""
    assert ROOT == files.ROOT
    assert files.find(files.TRACE) == ROOT / files.TRACE
    assert files.build_folder() == ROOT / "build"
    assert files.missing() == []


def test_installation_has_them_beside_its_packages(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list is the wheel's copy, sources are the packages, and what is compiled goes to the user's cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    made = build.build_app("x64", root=installed)

    assert list(made.sizes) == ["weldgate_protocol", "weldgate_protocol.one"]
    assert made.folder.is_relative_to(tmp_path / "cache" / "weldgate")


def test_demo_without_its_files_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """One true sentence, before anything starts, and not the ledger's reason."""
    monkeypatch.setattr(files, "DEMO_FILES", ("firmware/gone.txt",))

    with pytest.raises(DemoError, match=r"lacks files that the demo needs: firmware/gone\.txt") as caught:
        perform(Options(), Silent())

    assert caught.value.code == TOOL_NOT_FOUND
