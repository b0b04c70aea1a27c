"""A child process that is kept running: started again when it dies, each time after a longer wait."""

import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from weldgate_protocol.errors import LocalError, WeldgateError
from weldgate_protocol.reasons import TOOL_BROKER
from weldgate_simulator.broker import NatsBroker
from weldgate_simulator.tether import tethered

__all__ = ["BrokerChild", "Child"]

STOP_S = 20.0  # for a collector that commits what it has
BACKOFF_FIRST_S = 0.5
BACKOFF_LAST_S = 30.0
STEADY_S = 60.0  # who has run so long starts without a wait again
_TAIL_BYTES = 2048
_SAID_MAX = 200


class Child:
    """A process of ours, in a session of its own: Ctrl-C reaches the parent alone, which stops all in order.

    Args:
        name: what it is called in messages.
        command: its command line.
        log: file that takes what it prints.
    """

    def __init__(self, name: str, command: Sequence[str], log: Path) -> None:
        self.name = name
        self.log = log
        self._command = list(command)
        self._process: subprocess.Popen[bytes] | None = None
        self._started_s = 0.0
        self._wait_s = BACKOFF_FIRST_S
        self._due_s: float | None = None  # when it is to be started again; None while it runs

    @property
    def process_id(self) -> int | None:
        """The process's id while it runs."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(self) -> None:
        """Start it.

        Raises:
            LocalError, OSError: it can't be started.
        """
        self._started_s = time.monotonic()
        self._launch()
        self._due_s = None

    def look(self) -> str:
        """Start it again when it is dead and its wait is over; return what there is to say, or ""."""
        now_s = time.monotonic()
        if self._due_s is None:
            if self.process_id is not None:
                return ""
            if now_s - self._started_s > STEADY_S:
                self._wait_s = BACKOFF_FIRST_S
            return self._later(now_s, f"{self.name} ended{self._ending()}")
        if now_s < self._due_s:
            return ""
        try:
            self.start()
        except (WeldgateError, OSError) as error:
            return self._later(now_s, f"{self.name} does not start: {error}")
        return f"{self.name} started again, process {self.process_id}"

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

    def _launch(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                tethered(self._command), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def _ending(self) -> str:
        """Return its exit code and its last words."""
        code = self._process.poll() if self._process is not None else None
        said = _last_line(self.log)
        return (f" with {code}" if code is not None else "") + (f" ({said})" if said else "")

    def _later(self, now_s: float, what: str) -> str:
        waited_s, self._due_s = self._wait_s, now_s + self._wait_s
        self._wait_s = min(self._wait_s * 2, BACKOFF_LAST_S)
        return f"{what}, again in {waited_s:g} s; see {self.log}"


class BrokerChild(Child):
    """The broker, whose class starts and asks it itself.

    Args:
        folder: the broker's own.
        port: MQTT's.
    """

    def __init__(self, folder: Path, port: int) -> None:
        super().__init__("broker", [], folder / "broker.log")
        self._broker = NatsBroker(folder, port)
        self._broker.tethered = True

    @property
    def process_id(self) -> int | None:
        """The process's id while it runs."""
        return self._broker.pid if self._broker.running else None

    def stop(self) -> None:
        """End it."""
        self._broker.stop()

    def _launch(self) -> None:
        """Start it; returns when it answers. Somebody else's broker on its port would answer in its place."""
        port = self._broker.port
        if _taken(self._broker.host, port):
            raise LocalError(
                TOOL_BROKER,
                f"port {port} is taken by another program: stop it, take it as the broker with --no-broker, or name"
                " another port in collector.toml",
            )
        self._broker.start()


def _taken(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), 1.0).close()
    except OSError:
        return False
    return True


def _last_line(log: Path) -> str:
    """Return a log's last line, cut; "" when there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            lines = file.read().decode("utf-8", "replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1].strip()[:_SAID_MAX] if lines else ""
