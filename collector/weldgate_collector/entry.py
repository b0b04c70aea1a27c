"""What the command line calls: ``run`` a collector until it is told to stop, ``check`` its files without a start."""

import asyncio
import signal
from pathlib import Path

from weldgate_protocol import reasons

from .chips import Chips, read_key
from .config import Config, load_config
from .errors import StoreError
from .links.configured import configured_links, read_password
from .logs import configure_logging
from .loop import new_loop
from .notify import Notifier
from .reload import Reload
from .service import Service
from .store.reader import Reader
from .store.segments import LEGACY_NAME, list_segments
from .upstream.adapters import adapter

__all__ = ["check", "run"]

_BEAT_S = 10.0  # also how often `systemctl status` gets a new line
_ROUNDS_LATE_S = 10.0  # a service whose rounds, each second, stopped for so long is not fed any more


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
    lines += _check_files(config)
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
    """Run a collector until SIGTERM or SIGINT, then stop it gracefully. SIGHUP reads all its files again.

    Args:
        config_path: the configuration.
        record: a file for a recording of what the links carry.

    Raises:
        CollectorError: it can't be started, or a part of it ended.
        OSError: an address can't be bound.
    """
    config = load_config(config_path)
    configure_logging(config.log)
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(_run(config, Path(config_path), record))


def _check_files(config: Config) -> list[str]:
    """Read the secrets and certificates that a configuration names; return its links and upstreams, a line each.

    Raises:
        CollectorError: one can't be used.
    """
    lines = [f"link {link.describe()}" for link in configured_links(config)]
    for upstream in config.upstream:
        kind = adapter(upstream.kind)
        if kind.needs_key:
            read_key(config.key_file)
        read_password(config, getattr(upstream, "password_file", ""))
        optional = "" if upstream.required else ", optional"
        lines.append(f"upstream {upstream.name}: {upstream.kind} {kind.describe(upstream)}{optional}")
    return lines


async def _run(config: Config, path: Path, record: Path | None) -> None:
    service = Service(config, record=record)
    notifier = Notifier.from_process()

    def apply(new: Config) -> None:
        configure_logging(new.log)
        service.apply(new)

    service.reloading = Reload(path, config, _check_files, apply)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, service.ended.set)
    await service.start()
    loop.add_signal_handler(signal.SIGHUP, _reload, service, notifier)
    notifier.ready()
    beats = loop.create_task(_beat(service, notifier))
    await service.ended.wait()
    beats.cancel()
    notifier.stopping()
    await service.stop()
    if service.part_ended:
        raise StoreError(reasons.TOOL_STORE, "a part of the collector ended by an error; see its log")


def _reload(service: Service, notifier: Notifier) -> None:
    """Read configuration and chips again; what is wrong changes nothing."""
    notifier.reloading()
    if service.reloading is not None:
        service.reloading.reload()
    service.reload()
    notifier.ready()


async def _beat(service: Service, notifier: Notifier) -> None:
    """Feed the service manager's watchdog while the service does its rounds."""
    loop = asyncio.get_running_loop()
    while True:
        if loop.time() - service.ticked_s < _ROUNDS_LATE_S:
            writer = service.writer
            state = f", store: {writer.trouble}" if writer.trouble else ""
            notifier.alive(f"{service.hub.online} chips online, {writer.backlog} rows to commit{state}")
        await asyncio.sleep(min(notifier.watchdog_s / 3 or _BEAT_S, _BEAT_S))
