"""What the command line calls: ``run`` a collector until it is told to stop, ``check`` its files without a start."""

import asyncio
import logging
import os
import signal
from pathlib import Path
from typing import Any

import structlog

from weldgate_protocol import reasons

from .chips import Chips, read_key
from .config import Config, load_config
from .errors import StoreError
from .service import Service, read_password
from .store.reader import Reader
from .upstream.adapters import adapter

__all__ = ["check", "configure_logging", "run"]


def check(config_path: str | Path) -> list[str]:
    """Check a configuration and the files it names, without starting anything.

    Returns:
        What was found, a line each.

    Raises:
        CollectorError: something can't be used; the message says where.
    """
    config = load_config(config_path)
    lines = [f"collector {config.collector.name}"]
    chips = Chips(config.chips_file)
    lines.append(f"{len(chips)} chips known in {config.chips_file}")
    for upstream in config.upstream:
        kind = adapter(upstream.kind)
        if kind.needs_key:
            read_key(config.key_file)
        read_password(config, getattr(upstream, "password_file", ""))
        optional = "" if upstream.required else ", optional"
        lines.append(f"upstream {upstream.name}: {upstream.kind} {kind.describe(upstream)}{optional}")
    database = config.data_dir / "store.sqlite3"
    if database.exists():
        with Reader(database) as reader:
            lines.append(f"store {database}: {reader.last_index()} rows")
    else:
        lines.append(f"store {database}: will be made")
    return lines


def run(config_path: str | Path) -> None:
    """Run a collector until SIGTERM or SIGINT, then stop it gracefully. SIGHUP reads the known chips again.

    Raises:
        CollectorError: it can't be started, or a part of it ended.
        OSError: an address can't be bound.
    """
    config = load_config(config_path)
    configure_logging(config)
    asyncio.run(_run(config))


async def _run(config: Config) -> None:
    service = Service(config)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, service.ended.set)
    await service.start()
    loop.add_signal_handler(signal.SIGHUP, service.reload)
    await service.ended.wait()
    await service.stop()
    if service.part_ended:
        raise StoreError(reasons.TOOL_STORE, "a part of the collector ended by an error; see its log")


def configure_logging(config: Config) -> None:
    """Set structured logs up, on standard error; only entry points do that."""
    level = getattr(logging, config.log.level.upper())
    renderer: Any = structlog.processors.JSONRenderer()
    if config.log.format == "console":
        renderer = structlog.dev.ConsoleRenderer(colors=os.isatty(2))
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(os.fdopen(2, "w", closefd=False)),
    )
