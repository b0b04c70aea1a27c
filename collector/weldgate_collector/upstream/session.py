"""One connection to an MQTT broker, pumped by its owner's thread: connect, subscribe, publish, hand over what came.

A thin skin over paho: clean session, QoS 0, no thread of paho's own. Knows topics and bytes, no pack and no receipt.
"""

import contextlib
import select
import socket
import ssl
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion

from .settings import BrokerSection

__all__ = ["BrokerSession"]

_CONNECT_S = 5.0
_KEEPALIVE_S = 30
_WAKE_BYTES = 4_096


class BrokerSession:
    """A connection, from ``with`` to its end. Attribute ``ready``: the broker granted every subscription."""

    def __init__(
        self, settings: BrokerSection, client_id: str, password: str, topics: Sequence[str], wake: socket.socket
    ) -> None:
        """Prepare a connection; nothing is sent yet.

        Args:
            settings: host, port, user and certificate authority.
            client_id: the MQTT client id; a second client of the same id takes the session over.
            password: the broker's, empty for none.
            topics: to be subscribed to.
            wake: a byte in it ends the waiting of ``turn``.
        """
        self.ready = False
        self._settings = settings
        self._topics = topics
        self._wake = wake
        self._refused = ""
        self._came: list[tuple[str, bytes]] = []
        client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id, clean_session=True, protocol=MQTTProtocolVersion.MQTTv311
        )
        client.connect_timeout = _CONNECT_S
        client.on_connect = self._connected
        client.on_subscribe = self._subscribed
        client.on_message = self._message
        if settings.username:
            client.username_pw_set(settings.username, password)
        if settings.tls_ca_file:
            client.tls_set(ca_certs=settings.tls_ca_file, tls_version=ssl.PROTOCOL_TLS_CLIENT)
        self._client = client

    def __enter__(self) -> Self:
        """Connect.

        Raises:
            OSError: the broker can't be reached.
        """
        self._client.connect(self._settings.host, self._settings.port, _KEEPALIVE_S)
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._client.is_connected():
            self._client.disconnect()
        sock = self._client.socket()
        if sock is not None:
            sock.close()

    def publish(self, topic: str, data: bytes) -> None:
        """Send a message at QoS 0; it leaves with this or one of the next turns."""
        self._client.publish(topic, data, qos=0)

    def turn(self, wait_ms: int) -> list[tuple[str, bytes]]:
        """Wait for the broker or for a wake-up, move bytes, and return what came.

        Args:
            wait_ms: how long to wait at most.

        Returns:
            (topic, payload) of each message.

        Raises:
            OSError: the connection ended, or the broker refuses us.
        """
        client = self._client
        sock: Any = client.socket()
        if sock is None:
            raise OSError(self._refused or "broker closed the connection")
        poll = select.poll()  # select() ends at descriptor 1,023; chips may have those
        poll.register(self._wake, select.POLLIN)
        poll.register(sock, select.POLLIN | (select.POLLOUT if client.want_write() else 0))
        ready = dict(poll.poll(0 if _decrypted(sock) else wait_ms))
        if self._wake.fileno() in ready:
            with contextlib.suppress(BlockingIOError):
                self._wake.recv(_WAKE_BYTES)
        code = MQTTErrorCode.MQTT_ERR_SUCCESS
        if sock.fileno() in ready or _decrypted(sock):
            code = client.loop_read()
        if code == MQTTErrorCode.MQTT_ERR_SUCCESS and client.want_write():
            code = client.loop_write()
        if code == MQTTErrorCode.MQTT_ERR_SUCCESS:
            code = client.loop_misc()
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS or self._refused:
            raise OSError(self._refused or paho.error_string(code))
        came, self._came = self._came, []
        return came

    def _connected(self, client: paho.Client, _data: Any, _flags: Any, code: Any, _properties: Any) -> None:
        if code.is_failure:
            self._refused = f"broker refuses: {code}"
        else:
            client.subscribe([(topic, 0) for topic in self._topics])

    def _subscribed(self, _client: paho.Client, _data: Any, _mid: int, codes: list[Any], _properties: Any) -> None:
        if any(code.is_failure for code in codes):
            self._refused = f"broker denies a subscription: {', '.join(self._topics)}"
        else:
            self.ready = True

    def _message(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        self._came.append((message.topic, bytes(message.payload)))


def _decrypted(sock: Any) -> bool:
    """Tell whether TLS holds bytes that poll can't see."""
    pending = getattr(sock, "pending", None)
    return bool(pending is not None and pending())
