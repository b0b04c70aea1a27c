"""The files that a running collector reads again by itself when they change: known chips, a link's certificates.

A file that can't be used changes nothing; that is told once in the log, and by the health until it is mended.
"""

import structlog

from weldgate_protocol.errors import WeldgateError

from .chips import Chips
from .links.tls import Certificates

__all__ = ["Renewal"]

_log = structlog.get_logger("weldgate.renewal")


class Renewal:
    """The files. Attribute ``trouble``: why the chips' file as it is now is not in force, or an empty string."""

    def __init__(self, chips: Chips, certificates: Certificates | None) -> None:
        """Take what was read at the start."""
        self.trouble = ""
        self._chips = chips
        self._certificates = certificates

    def look(self) -> bool:
        """Read what has changed; True when the chips are others than before."""
        if self._certificates is not None:
            self._certificates.reload()
        try:
            changed = self._chips.reload()
        except WeldgateError as error:
            self.trouble = error.message
            _log.error("chips_not_reloaded", code=error.code, reason=error.message)
            return False
        if changed:
            self.trouble = ""
            _log.info("chips_reloaded", chips=len(self._chips))
        return changed
