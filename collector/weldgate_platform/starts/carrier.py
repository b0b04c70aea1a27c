"""The courier on a broker: one thread that publishes what is due and takes results, until it is stopped.

The courier repeats what nobody answers, so that the broker need keep nothing. A database or broker that fails is waited
out with a growing pause, and the pages go on.
"""

import logging
import queue
import threading
from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from django.db import close_old_connections
from django.utils import timezone

from weldgate_platform.pipe import Pipe
from weldgate_platform.starts.courier import WAKE

__all__ = ["Carrier"]

_log = logging.getLogger(__name__)
_TICK_S = 1.0
_BACKOFF_MAX_S = 10
_QUEUE = 10_000  # results in memory at most; what does not fit comes again with the order's next repeat


class _Courier(Protocol):
    @property
    def keys(self) -> Mapping[str, bytes]: ...
    def due(self, now: datetime) -> list[tuple[str, bytes]]: ...
    def take(self, collector: str, payload: bytes) -> bool: ...


class Carrier:
    """Runs between `start` and `stop`."""

    def __init__(self, host: str, port: int, name: str, courier: _Courier, wake: threading.Event = WAKE) -> None:
        """Take the neighbours.

        Args:
            host, port: the broker.
            name: this platform's client id.
            courier: what is due, and who takes results.
            wake: set when something new is due.
        """
        self._courier, self._wake = courier, wake
        self._came: queue.Queue[tuple[str, bytes]] = queue.Queue(_QUEUE)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="carrier", daemon=True)
        self._pipe = Pipe(
            host, port, name, topic="result", collectors=courier.keys, connected=wake.set, came=self._took
        )

    def start(self) -> None:
        """Begin; the broker's absence is waited out."""
        self._pipe.start()
        self._thread.start()

    def stop(self) -> None:
        """End; what is not published yet is published at the next start."""
        self._stopping.set()
        self._wake.set()
        self._thread.join()
        self._pipe.stop()

    def _run(self) -> None:
        pause_s = _TICK_S
        while not self._stopping.is_set():
            try:
                self._turn()
                pause_s = _TICK_S
            except Exception:  # a result that nobody thought of must not end the others' way in
                _log.exception("carrier_failed")
                close_old_connections()
                pause_s = min(pause_s * 2, _BACKOFF_MAX_S)
            if self._came.empty():
                self._wake.wait(pause_s)
            self._wake.clear()

    def _turn(self) -> None:
        """Take what came, publish what is due."""
        while True:
            try:
                collector, payload = self._came.get_nowait()
            except queue.Empty:
                break
            self._courier.take(collector, payload)
        if self._pipe.is_connected():
            for collector, envelope in self._courier.due(timezone.now()):
                self._pipe.publish(collector, "order", envelope)

    def _took(self, collector: str, payload: bytes) -> None:
        try:
            self._came.put_nowait((collector, payload))
        except queue.Full:
            return
        self._wake.set()
