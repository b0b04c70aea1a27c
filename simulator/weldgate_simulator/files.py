"""Where the project's own files lie: in a checkout, or in an installation, whose wheel brings them as package data.

`simulator/hatch_build.py` copies what an installation needs into the wheel, below `weldgate_simulator/shipped`, by the
names that the files have in a checkout.
"""

from pathlib import Path

from weldgate_simulator import __version__
from weldgate_simulator.fetched import default_cache

__all__ = ["DEMO_FILES", "ROOT", "TRACE", "build_folder", "find", "missing", "package"]

TRACE = "tests/data/weld-trace-gmaw.csv"
DEMO_FILES = ("firmware/boot.py", "firmware/main.py", "firmware/chip_modules.txt", TRACE)
_PACKAGE = Path(__file__).resolve().parent
_SHIPPED = f"{_PACKAGE.name}/shipped"
# The checkout, or the folder into which the packages were installed.
ROOT = _PACKAGE.parent if (_PACKAGE / "shipped").is_dir() else _PACKAGE.parents[1]


def find(name: str, root: Path = ROOT) -> Path:
    """Return where a file lies that a checkout has as `name`, whether or not it is there."""
    shipped = root / _SHIPPED / name
    return shipped if shipped.is_file() else root / name


def missing() -> list[str]:
    """Return the files that the demo needs and this installation lacks."""
    return [name for name in DEMO_FILES if not find(name).is_file()]


def package(name: str, root: Path = ROOT) -> Path:
    """Return the folder of the package `weldgate_…` that the chip runs."""
    folder = root / name.removeprefix("weldgate_") / name
    return folder if folder.is_dir() else root / name


def build_folder(root: Path = ROOT) -> Path:
    """Return where compiled files go: a checkout's `build`, for an installation a folder in the user's cache."""
    return default_cache() / f"build-{__version__}" if (root / _SHIPPED).is_dir() else root / "build"
