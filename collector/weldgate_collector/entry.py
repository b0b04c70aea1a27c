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
from .links.configured import configured_links, read_password
from .service import Service
from .store.reader import Reader
from .store.segments import LEGACY_NAME, list_segments
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
    lines += [f"link {link.describe()}" for link in configured_links(config)]
    for upstream in config.upstream:
        kind = adapter(upstream.kind)
        if kind.needs_key:
            read_key(config.key_file)
        read_password(config, getattr(upstream, "password_file", ""))
        optional = "" if upstream.required else ", optional"
        lines.append(f"upstream {upstream.name}: {upstream.kind} {kind.describe(upstream)}{optional}")
    if list_segments(config.data_dir):
        with Reader(config.data_dir) as reader:
            count = len(reader.segments())
            rows = f"rows {reader.first_index()} to {reader.last_index()}"
            lines.append(f"store {config.data_dir}: {rows}, {count} segments")
    elif (config.data_dir / LEGACY_NAME).exists():
        lines.append(f"store {config.data_dir}: of one file, will become the first segment")
    else:
        lines.append(f"store {config.data_dir}: will be made")
    return lines


def run(config_path: str | Path, record: Path | None = None) -> None:
    """Run a collector until SIGTERM or SIGINT, then stop it gracefully. SIGHUP reads chips and certificates again.

    Args:
        config_path: the configuration.
        record: a file for a recording of what the links carry.

    Raises:
        CollectorError: it can't be started, or a part of it ended.
        OSError: an address can't be bound.
    """
    config = load_config(config_path)
    configure_logging(config)
    asyncio.run(_run(config, record))


async def _run(config: Config, record: Path | None) -> None:
    service = Service(config, record=record)
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
