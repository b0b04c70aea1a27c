"""Structured logs on standard error: JSON for machines, lines for people, and no secret in either.

Only entry points configure them. What other packages log by the standard library (asyncio, paho) comes out in the same
form. A last look at every line takes out what has the shape of a key or a token, whoever put it there.
"""

import logging
import os
import re
from collections.abc import MutableMapping
from typing import Any

import structlog

from .config import LogSection

__all__ = ["configure_logging", "without_secrets"]

_SECRET = re.compile(r"WG1:[0-9A-Z $%*+./:-]{8,}|\b[0-9a-fA-F]{64,}\b")
_SECRET_NAMES = frozenset(
    {"key", "up", "down", "previous_up", "previous_down", "password", "secret", "token", "object"}
)
_REMOVED = "[removed]"
_BYTES_MAX = 16  # an id, an epoch, a store's id; a key has 32


def without_secrets(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Take out of a log line's fields what is, or looks like, a key or a token."""
    for name, value in event.items():
        if name in _SECRET_NAMES:
            event[name] = _REMOVED
        elif isinstance(value, str):
            if len(value) > _BYTES_MAX:
                event[name] = _SECRET.sub(_REMOVED, value)
        elif isinstance(value, bytes):
            event[name] = value.hex() if len(value) <= _BYTES_MAX else f"[{len(value)} bytes]"
    return event


def configure_logging(section: LogSection) -> None:
    """Set structured logs up; may be called again with other settings."""
    level = getattr(logging, section.level.upper())
    renderer: Any = structlog.processors.JSONRenderer()
    if section.format == "console":
        renderer = structlog.dev.ConsoleRenderer(colors=os.isatty(2))
    shared: list[Any] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        without_secrets,
    ]
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(os.fdopen(2, "w", closefd=False)),
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer]
        )
    )
    logging.basicConfig(level=max(level, logging.WARNING), handlers=[handler], force=True)
