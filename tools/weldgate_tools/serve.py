"""``weldgate serve``: runs what `init` made, and keeps it running until it is told to stop."""

import fcntl
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from weldgate_collector import BrokerSection, Config, load_config, request
from weldgate_protocol.errors import LocalError
from weldgate_protocol.reasons import TOOL_EXISTS, TOOL_NOT_FOUND
from weldgate_tools.child import BrokerChild, Child
from weldgate_tools.site import Site

__all__ = ["serve"]

LOOK_S = 0.3
_HERE = ("127.0.0.1", "localhost", "::1")


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
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):  # SIGHUP: the terminal was closed
        if signal.getsignal(number) != signal.SIG_IGN:  # `nohup` has it ignored, and means it
            signal.signal(number, lambda _number, _frame: stop.set())
    site = Site(folder).checked()
    config = load_config(site.config)
    children = _children(site, config, broker, consumer, demo_chips)
    readiness = _Readiness(config, len(list(site.images.glob("*.flash"))) if demo_chips else 0)
    started: list[Child] = []
    with _alone(site):
        try:
            for child in children:
                child.start()
                started.append(child)
                click.echo(f"{child.name} runs, process {child.process_id}", err=True)
            while not stop.wait(LOOK_S):
                for said in (*(child.look() for child in children), readiness.look()):
                    if said:
                        click.echo(said, err=True)
        finally:
            for child in reversed(started):
                child.stop()
            click.echo("stopped", err=True)


@contextmanager
def _alone(site: Site) -> Iterator[None]:
    """Hold the site for this process; the kernel lets go of it with us.

    Raises:
        LocalError: TOOL_EXISTS, another `serve` has it: two would write into the same flash images.
    """
    handle = os.open(site.folder / "serve.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise LocalError(TOOL_EXISTS, f"{site.folder} is served already by another `weldgate serve`") from None
    finally:
        os.close(handle)


class _Readiness:
    """Says once when the collector answers, and once when the demo chips are there.

    Args:
        config: the collector's.
        chips: how many demo chips are to come.
    """

    def __init__(self, config: Config, chips: int) -> None:
        self._config = config
        self._chips = chips
        self._answered = False

    def look(self) -> str:
        """Ask the collector while there is something to wait for; return what there is to say, or ""."""
        if self._answered and not self._chips:
            return ""
        try:
            status = request(self._config.control_socket, {"do": "status"})
        except (OSError, ValueError):  # not yet, or it was killed while it spoke
            return ""
        if not self._answered:
            self._answered = True
            tcp = self._config.tcp
            where = f"chips connect to port {tcp.port}" if tcp is not None else "no port for chips is configured"
            return f"ready: {where}, {status['committed']} rows in the store; Ctrl-C ends it all"
        if int(status["chips_online"]) < self._chips:
            return ""
        count, self._chips = self._chips, 0
        return f"{count} demo chips online"


def _children(site: Site, config: Config, broker: bool, consumer: bool, demo_chips: bool) -> list[Child]:
    """Return what is to run, in the order of starting."""
    local = next((one for one in config.upstream if isinstance(one, BrokerSection) and one.kind == "mqtt"), None)
    children: list[Child] = []
    if local is None and (broker or consumer):
        raise LocalError(TOOL_NOT_FOUND, f"{site.config} names no mqtt upstream; serve it with --no-broker")
    if broker and local is not None and local.host not in _HERE:
        click.echo(f"the broker is {local.host}, not this machine: none is started here", err=True)
    elif broker and local is not None:
        children.append(BrokerChild(site.broker, local.port))
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
