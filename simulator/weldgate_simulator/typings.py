"""Copies the ESP32's type stubs to where mypy looks for them: `build/typings`.

The stubs come from ``micropython-esp32-stubs``, which lays them loose into site-packages, a place where mypy does not
look for stubs of modules that exist nowhere. Only what ``board`` imports is taken, so that none of them shadows the
standard library's.
"""

import shutil
import sysconfig
from pathlib import Path

__all__ = ["STUBS", "collect"]

STUBS = ("machine.pyi", "network.pyi", "esp32.pyi", "vfs.pyi", "_mpy_shed")
_ROOT = Path(__file__).resolve().parents[2]


def collect(target: Path = _ROOT / "build" / "typings") -> list[str]:
    """Copy the stubs.

    Args:
        target: the folder, made anew.

    Returns:
        The names that were not found, because the `dev` extra is not installed.
    """
    source = Path(sysconfig.get_path("purelib"))
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    missing = []
    for name in STUBS:
        found = source / name
        if found.is_dir():
            shutil.copytree(found, target / name)
        elif found.is_file():
            shutil.copy(found, target / name)
        else:
            missing.append(name)
    return missing


if __name__ == "__main__":
    absent = collect()
    if absent:
        raise SystemExit(f"no stubs called {', '.join(absent)}: pip install 'weldgate[dev]'")
