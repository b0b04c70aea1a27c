"""Puts into the wheel what an installation needs and no package holds; hatchling runs it.

A hook and not `force-include`, since an editable installation takes the files from the checkout and must get no copies.
"""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SHIPPED = (
    "firmware/boot.py",
    "firmware/main.py",
    "firmware/chip_modules.txt",
    "tests/data/weld-trace-gmaw.csv",
    "tests/data/LICENSE-weld-trace-gmaw.txt",
    "tests/data/README.md",
)


class ShippedFiles(BuildHookInterface):  # type: ignore[type-arg]  # of which configuration is hatchling's own affair
    """Adds `SHIPPED` to a standard wheel, where `weldgate_simulator.files` looks for them."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the files; `version` is `standard` or `editable`."""
        if version == "standard":
            build_data["force_include"].update({name: f"weldgate_simulator/shipped/{name}" for name in SHIPPED})
