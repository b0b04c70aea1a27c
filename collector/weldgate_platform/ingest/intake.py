"""The journal on a broker: one thread that takes packs and publishes receipts, until it is stopped."""

import logging
import queue
import threading
from collections.abc import Iterable, Mapping
from typing import Protocol

from django.db import close_old_connections

from weldgate_platform.pipe import Pipe

__all__ = ["Intake"]

_log = logging.getLogger(__name__)
_BATCH = 64  # packs in one transaction at most
_QUEUE = 512  # packs in memory at most; what does not fit is dropped, and the collector sends it again


class _Journal(Protocol):
    @property
    def keys(self) -> Mapping[str, bytes]: ...
    def receipts(self, collector: str) -> list[bytes]: ...
    def take(self, collector: str, packs: Iterable[bytes]) -> list[bytes]: ...


class Intake:
    """Runs between `start` and `stop`."""

    def __init__(self, host: str, port: int, name: str, journal: _Journal) -> None:
        """Take the neighbours.

        Args:
            host, port: the broker.
            name: client id.
            journal: the rules.
        """
        self._journal = journal
        # (collector, pack); an empty pack asks for the receipts of all stores, None ends it.
        self._came: queue.Queue[tuple[str, bytes] | None] = queue.Queue(_QUEUE)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="intake", daemon=True)
        self._pipe = Pipe(
            host, port, name, topic="pack", collectors=journal.keys, connected=self._connected, came=self._took
        )

    def start(self) -> None:
        """Begin; the broker's absence is waited out."""
        self._pipe.start()
        self._thread.start()

    def stop(self) -> None:
        """End; what was not answered for is sent again to the next one."""
        self._stopping.set()
        self._put(None)
        self._thread.join()
        self._pipe.stop()

    def _run(self) -> None:
        while not self._stopping.is_set():
            waiting: dict[str, list[bytes]] = {}
            for collector, pack in self._drain():
                waiting.setdefault(collector, []).append(pack)
            for collector, packs in waiting.items():
                try:
                    receipts = self._journal.take(collector, [pack for pack in packs if pack])
                    if not all(packs):
                        receipts += self._journal.receipts(collector)
                except Exception:  # a pack that nobody thought of must not end the others' way in
                    _log.exception("intake_failed")
                    close_old_connections()
                    self._stopping.wait(1)
                    continue  # nothing was answered for: the collector sends it again
                for receipt in receipts:
                    self._pipe.publish(collector, "receipt", receipt)

    def _drain(self) -> list[tuple[str, bytes]]:
        """Wait for a pack, and take those behind it too."""
        found = [self._came.get()]
        while len(found) < _BATCH:
            try:
                found.append(self._came.get_nowait())
            except queue.Empty:
                break
        return [one for one in found if one is not None]

    def _put(self, one: tuple[str, bytes] | None) -> None:
        try:
            self._came.put_nowait(one)
        except queue.Full:
            return  # dropped: it is sent again; and a full queue wakes the thread anyway

    def _connected(self) -> None:
        for collector in self._journal.keys:
            self._put((collector, b""))

    def _took(self, collector: str, pack: bytes) -> None:
        self._put((collector, pack))
