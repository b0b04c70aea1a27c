"""``weldgate serve``: runs what `init` made, and keeps it running until it is told to stop."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import click

from weldgate_collector import load_config
from weldgate_protocol.errors import LocalError
from weldgate_protocol.reasons import TOOL_NOT_FOUND
from weldgate_simulator.broker import NatsBroker
from weldgate_tools.site import Site

__all__ = ["Child", "serve"]

LOOK_S = 0.3
STOP_S = 20.0  # for a collector that commits what it has
BACKOFF_FIRST_S = 0.5
BACKOFF_LAST_S = 30.0
STEADY_S = 60.0  # who has run so long starts without a wait again


class Child:
    """A process that is started again when it dies, each time after a longer wait.

    Args:
        name: what it is called in messages.
        command: its command line.
        log: file that takes what it prints.
    """

    def __init__(self, name: str, command: Sequence[str], log: Path) -> None:
        self.name = name
        self._command = list(command)
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._started_s = 0.0
        self._wait_s = BACKOFF_FIRST_S
        self._due_s = 0.0

    @property
    def process_id(self) -> int | None:
        """The process's id while it runs."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(self) -> None:
        """Start it."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._started_s = time.monotonic()

    def look(self) -> str:
        """Start it again when it is dead and its wait is over; return what there is to say, or ""."""
        process = self._process
        now_s = time.monotonic()
        if process is None:
            if now_s < self._due_s:
                return ""
            self.start()
            return f"{self.name} started again"
        code = process.poll()
        if code is None:
            return ""
        self._process = None
        if now_s - self._started_s > STEADY_S:
            self._wait_s = BACKOFF_FIRST_S
        self._due_s = now_s + self._wait_s
        waited_s = self._wait_s
        self._wait_s = min(self._wait_s * 2, BACKOFF_LAST_S)
        return f"{self.name} ended with {code}, again in {waited_s:g} s; see {self._log}"

    def stop(self) -> None:
        """End it gracefully, harder when it does not."""
        process = self._process
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._process = None


class _BrokerChild(Child):
    """The broker, whose class starts and asks it itself."""

    def __init__(self, broker: NatsBroker) -> None:
        super().__init__("broker", [], broker.folder / "broker.log")
        self._broker = broker
        self._failed = False

    @property
    def process_id(self) -> int | None:
        """The process's id while it runs."""
        return self._broker.pid or None

    def start(self) -> None:
        """Start it; returns when it answers."""
        self._broker.start()

    def look(self) -> str:
        """Start it again when it no longer runs."""
        if self._broker.running:
            return ""
        self._broker.kill()
        self._broker.start()
        return "broker started again"

    def stop(self) -> None:
        """End it."""
        self._broker.stop()


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=Path("site"))
@click.option("--broker/--no-broker", default=True, show_default=True, help="Run the broker of this site.")
@click.option("--consumer", is_flag=True, help="Run the counting consumer, which commits packs and answers for them.")
@click.option("--demo-chips", is_flag=True, help="Run the demo chips that init made.")
def serve(folder: Path, broker: bool, consumer: bool, demo_chips: bool) -> None:
    """Run a site until Ctrl-C: broker and collector, no platform and no upstream needed.

    What dies is started again, after a wait that doubles. Logs are in FOLDER/*.log.

    \b
    Examples:
      weldgate serve site --demo-chips
      weldgate serve site --consumer
      weldgate serve county --no-broker
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    site = Site(folder).checked()
    children = _children(site, broker, consumer, demo_chips)
    started: list[Child] = []
    try:
        for child in children:
            child.start()
            started.append(child)
            click.echo(f"{child.name} runs, process {child.process_id}", err=True)
        config = load_config(site.config)
        if config.tcp is not None:
            click.echo(f"chips connect to port {config.tcp.port}; Ctrl-C ends it all", err=True)
        while not stop.wait(LOOK_S):
            for child in children:
                said = child.look()
                if said:
                    click.echo(said, err=True)
    finally:
        for child in reversed(started):
            child.stop()
        click.echo("stopped", err=True)


def _children(site: Site, broker: bool, consumer: bool, demo_chips: bool) -> list[Child]:
    """Return what is to run, in the order of starting."""
    config = load_config(site.config)
    local = next((one for one in config.upstream if one.kind == "mqtt"), None)
    children: list[Child] = []
    if local is None and (broker or consumer):
        raise LocalError(TOOL_NOT_FOUND, f"{site.config} names no mqtt upstream; serve it with --no-broker")
    if broker and local is not None:
        children.append(_BrokerChild(NatsBroker(site.broker, local.port)))
    children.append(_python("collector", site, "weldgate_collector", str(site.config)))
    if consumer and local is not None:
        children.append(
            _python(
                "consumer",
                site,
                "weldgate_simulator.upstream",
                "--broker",
                f"{local.host}:{local.port}",
                "--database",
                str(site.consumer),
                "--key-file",
                str(site.key),
                "--collector",
                config.collector.name,
            )
        )
    if demo_chips:
        children.append(_python("demo chips", site, "weldgate_simulator.site_chips", str(site.images)))
    return children


def _python(name: str, site: Site, module: str, *arguments: str) -> Child:
    return Child(name, [sys.executable, "-m", module, *arguments], site.folder / f"{name.replace(' ', '-')}.log")
