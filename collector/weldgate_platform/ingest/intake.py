"""The journal on a broker: one thread that takes packs and publishes receipts, until it is stopped."""

import logging
import queue
import threading
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import paho.mqtt.client as paho
from django.db import Error, close_old_connections
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

__all__ = ["Intake"]

_log = logging.getLogger(__name__)
_BATCH = 64  # packs in one transaction at most
_QUEUE = 512  # packs in memory at most; what does not fit is dropped, and the collector sends it again
_BACKOFF_MAX_S = 5


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
        self._host, self._port = host, port
        client = paho.Client(
            CallbackAPIVersion.VERSION2, name, clean_session=True, protocol=MQTTProtocolVersion.MQTTv311
        )
        client.reconnect_delay_set(1, _BACKOFF_MAX_S)
        client.on_connect = self._connected
        client.on_message = self._message
        self._client = client

    def start(self) -> None:
        """Begin; the broker's absence is waited out."""
        self._client.connect_async(self._host, self._port, keepalive=20)
        self._client.loop_start()
        self._thread.start()

    def stop(self) -> None:
        """End; what was not answered for is sent again to the next one."""
        self._stopping.set()
        self._put(None)
        self._thread.join()
        self._client.disconnect()
        self._client.loop_stop()
        # So that its wake-up sockets close with it, not when garbage is collected.
        self._client.on_connect = self._client.on_message = None

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
                except Error:
                    _log.exception("intake_database")
                    close_old_connections()
                    self._stopping.wait(1)
                    continue  # nothing was answered for: the collector sends it again
                for receipt in receipts:
                    self._client.publish(f"weldgate/1/{collector}/receipt", receipt, qos=0)

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

    def _connected(self, client: paho.Client, _data: Any, _flags: Any, code: Any, _properties: Any) -> None:
        if code.is_failure:
            _log.warning("intake_refused %s", code)
            return
        for collector in self._journal.keys:
            client.subscribe(f"weldgate/1/{collector}/pack", 0)
            self._put((collector, b""))

    def _message(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        self._put((message.topic.split("/")[2], bytes(message.payload)))
