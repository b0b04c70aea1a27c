"""What systemd is told, by its protocol of one datagram a message (sd_notify(3)); without systemd nothing is sent.

``READY=1`` comes when the links listen, ``WATCHDOG=1`` from the loop that serves the chips and only while the store's
writer and the upstreams run: a collector that hangs is killed and started again, which loses nothing.
"""

import os
import socket
import time
from collections.abc import Mapping

import structlog

__all__ = ["Notifier"]

_log = structlog.get_logger("weldgate.notify")


class Notifier:
    """The way to the service manager that started us, if one did.

    Attributes:
        watchdog_s: how often it must hear ``WATCHDOG=1``; 0.0 where it does not ask.
    """

    def __init__(self, environment: Mapping[str, str], process_id: int) -> None:
        """Read what the service manager said.

        Args:
            environment: with NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID where systemd started us.
            process_id: our own.
        """
        name = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + name[1:] if name.startswith("@") else name  # @: Linux's abstract sockets
        micros = environment.get("WATCHDOG_USEC", "")
        meant = environment.get("WATCHDOG_PID", str(process_id)) == str(process_id)
        self.watchdog_s = int(micros) / 1e6 if micros.isascii() and micros.isdigit() and meant else 0.0

    @classmethod
    def from_process(cls) -> "Notifier":
        """Take the environment's, and remove it, so that no child speaks for us."""
        notifier = cls(os.environ, os.getpid())
        for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"):
            os.environ.pop(name, None)
        return notifier

    def ready(self) -> None:
        """Say that the links listen, or that a reload is over."""
        self._tell("READY=1")

    def reloading(self) -> None:
        """Say that the configuration is read again; ``ready`` ends that."""
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def alive(self, status: str) -> None:
        """Feed the watchdog, with a line for ``systemctl status``."""
        self._tell(f"WATCHDOG=1\nSTATUS={status}")

    def stopping(self) -> None:
        """Say that a stop has begun."""
        self._tell("STOPPING=1")

    def _tell(self, text: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
                sock.setblocking(False)
                sock.connect(self._address)
                sock.send(text.encode())
        except OSError as error:
            _log.debug("not_notified", reason=str(error))
