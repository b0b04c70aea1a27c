"""The platform's end of the pipe to the collectors: one MQTT client, clean session, QoS 0.

The broker keeps nothing (DESIGN, the broker is a pipe): what matters is repeated by whoever it matters to.
"""

import logging
from collections.abc import Callable, Iterable
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

__all__ = ["Pipe"]

_log = logging.getLogger(__name__)
_BACKOFF_MAX_S = 5


class Pipe:
    """Runs between `start` and `stop`; the broker's absence is waited out."""

    def __init__(
        self,
        host: str,
        port: int,
        name: str,
        *,
        topic: str,
        collectors: Iterable[str],
        connected: Callable[[], None],
        came: Callable[[str, bytes], None],
    ) -> None:
        """Take the neighbours.

        Args:
            host, port: the broker.
            name: client id.
            topic: the last word of what is subscribed to, for each collector.
            collectors: their names.
            connected: called after each connection, in the client's thread.
            came: called there with a collector's name and what came on its topic.
        """
        self._host, self._port, self._topic = host, port, topic
        self._collectors, self._on_connection, self._came = collectors, connected, came
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2, name, clean_session=True, protocol=MQTTProtocolVersion.MQTTv311
        )
        self._client.reconnect_delay_set(1, _BACKOFF_MAX_S)
        self._client.on_connect = self._connected
        self._client.on_message = self._message

    def start(self) -> None:
        """Begin to connect."""
        self._client.connect_async(self._host, self._port, keepalive=20)
        self._client.loop_start()

    def stop(self) -> None:
        """End."""
        self._client.disconnect()
        self._client.loop_stop()
        # So that its wake-up sockets close with it, not when garbage is collected.
        self._client.on_connect = self._client.on_message = None

    def is_connected(self) -> bool:
        """Say whether the broker is there now."""
        return self._client.is_connected()

    def publish(self, collector: str, topic: str, payload: bytes) -> None:
        """Send something to a collector."""
        self._client.publish(f"weldgate/1/{collector}/{topic}", payload, qos=0)

    def _connected(self, client: paho.Client, _data: Any, _flags: Any, code: Any, _properties: Any) -> None:
        if code.is_failure:
            _log.warning("pipe_refused topic=%s %s", self._topic, code)
            return
        for collector in self._collectors:
            client.subscribe(f"weldgate/1/{collector}/{self._topic}", 0)
        self._on_connection()

    def _message(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        self._came(message.topic.split("/")[2], bytes(message.payload))
