"""Where things are in a site's folder, or in whatever else somebody names."""

from pathlib import Path

from weldgate_protocol.errors import LocalError
from weldgate_protocol.reasons import TOOL_NOT_FOUND

__all__ = ["issuer_folder", "store_file"]


def issuer_folder(site: Path) -> Path:
    """Return the issuer's folder of a site, or the folder itself if it is one.

    Raises:
        LocalError: TOOL_NOT_FOUND; there are no keys.
    """
    for folder in (site / "issuer", site):
        if (folder / "issuer.json").exists():
            return folder
    raise LocalError(TOOL_NOT_FOUND, f"{site}: no site's keys are there; make some with `weldgate init {site}`")


def store_file(place: Path) -> Path:
    """Return a collector's store: its data folder, or that of a site, or whatever file of it somebody names.

    Raises:
        LocalError: TOOL_NOT_FOUND.
    """
    from weldgate_collector import is_store, store_folder  # here: who wants the keys' folder needs no collector

    for path in (place, place / "data"):
        folder = store_folder(path)
        if is_store(folder):
            return folder
    raise LocalError(TOOL_NOT_FOUND, f"{place}: no collector's store is there")
