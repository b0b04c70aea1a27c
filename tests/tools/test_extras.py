"""Which extra brings which module, held against pyproject.toml."""

import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest

from weldgate_tools.extras import EXTRAS, extra_of

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("module", "extra"),
    [("paho", "collector"), ("paho.mqtt.client", "collector"), ("cryptography", "issuer"), ("PIL", "tools")],
)
def test_module_is_found_in_its_extra(module: str, extra: str) -> None:
    """By its first name."""
    assert extra_of(module, "none") == extra


def test_unknown_module_has_no_extra() -> None:
    """The caller says what then."""
    assert extra_of("somebody_elses", "tools") == "tools"


def test_table_is_what_pyproject_offers() -> None:
    """Each extra is there, and everything it names can be found where all is installed."""
    offered = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]

    assert set(EXTRAS) <= set(offered)
    assert all(find_spec(name) is not None for names in EXTRAS.values() for name in names)
