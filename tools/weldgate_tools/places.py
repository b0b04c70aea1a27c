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
    """Return a collector's store: the file itself, or the one in a data or site folder.

    Raises:
        LocalError: TOOL_NOT_FOUND.
    """
    for path in (place, place / "store.sqlite3", place / "data" / "store.sqlite3"):
        if path.is_file():
            return path
    raise LocalError(TOOL_NOT_FOUND, f"{place}: no collector's store is there")
