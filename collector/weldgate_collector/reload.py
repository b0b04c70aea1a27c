"""A new configuration for a collector that runs: taken whole, or not at all.

A wrong file changes nothing: the old configuration stays, and the log, ``/healthz`` and ``doctor`` say which key in
which line is wrong until it is mended and read again. Of a right one what can be changed under way holds from now on;
what can't (an address, a folder, an upstream) is named, and holds from the next start.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import structlog

from weldgate_protocol.errors import WeldgateError

from .config import Config, load_config

__all__ = ["AT_ONCE", "Reload", "differences"]

_log = structlog.get_logger("weldgate.reload")

AT_ONCE = (
    "links.max_unauthenticated", "links.max_connections", "links.throttle_s", "links.chip_bytes_s",
    "links.chip_burst_bytes", "store.backlog_rows", "log.level", "log.format",
)  # fmt: skip


class Reload:
    """The file, and the configuration that is in force.

    Attributes:
        config: in force.
        trouble: why the file is not, or an empty string.
        restart: keys of the file that hold from the next start.
    """

    def __init__(
        self, path: Path, config: Config, check: Callable[[Config], object], apply: Callable[[Config], None]
    ) -> None:
        """Take what is in force now.

        Args:
            path: of the file.
            config: as it was read at the start.
            check: raises ``WeldgateError`` for files that a configuration names and that can't be used.
            apply: makes the keys of ``AT_ONCE`` hold.
        """
        self._path = path
        self._started = config
        self._check = check
        self._apply = apply
        self.config = config
        self.trouble = ""
        self.restart: list[str] = []

    def reload(self) -> bool:
        """Read the file again; return whether it could be used."""
        try:
            config = load_config(self._path)
            self._check(config)
        except WeldgateError as error:
            self.trouble = error.message
            _log.error("configuration_not_reloaded", code=error.code, reason=error.message)
            return False
        changed = differences(self.config, config)
        self.trouble = ""
        self.restart = [key for key in differences(self._started, config) if key not in AT_ONCE]
        self.config = config
        self._apply(config)
        _log.info("configuration_reloaded", changed=changed, restart_needed=self.restart)
        return True

    def told(self) -> dict[str, Any]:
        """Return what the health says of the configuration."""
        return {"trouble": self.trouble, "restart_needed": self.restart}


def differences(old: Config, new: Config) -> list[str]:
    """Return the keys (``table.key``, or ``table`` where a whole one differs) that two configurations differ in."""
    found = []
    for table in old.__struct_fields__:
        before, after = getattr(old, table), getattr(new, table)
        if before == after:
            continue
        if isinstance(before, msgspec.Struct) and isinstance(after, msgspec.Struct):
            names = before.__struct_fields__
            found += [f"{table}.{name}" for name in names if getattr(before, name) != getattr(after, name)]
        else:
            found.append(table)
    return found
