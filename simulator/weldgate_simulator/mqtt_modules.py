"""Modules that publish their chip's frames over MQTT: the load generator's senders behind one client of a broker.

Each frame is a publish of its own, as a module with AT commands makes it. The client is paho, driven by the event
loop: another program than the collector's own MQTT, so that each tests the other.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any, Self

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion

from .load import Sender

__all__ = ["MqttModules"]

_MISC_S = 0.2
_KEEPALIVE_S = 20


class MqttModules:
    """The modules. Use it in ``async with``, with the broker running."""

    def __init__(
        self, host: str, port: int, senders: Sequence[Sender], collector: str, patience_s: float = 1.0, user: str = ""
    ) -> None:
        """Take the chips.

        Args:
            host, port: the broker's.
            senders: the chips, one module each.
            collector: its name, in the topics.
            patience_s: silence after which a chip says hello again; the real one waits 90 s.
            user: user and password at the broker, empty for none.
        """
        self.publishes = 0
        self._where = (host, port)
        self._prefix = f"weldgate/1/{collector}/chip/"
        self._modules = {str(sender.device): _Module(self, sender, patience_s) for sender in senders}
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2, "modules", clean_session=True, protocol=MQTTProtocolVersion.MQTTv311
        )
        if user:
            self._client.username_pw_set(user, user)
        self._client.on_message = self._message
        self._client.on_connect = self._connected
        self._client.on_socket_open = self._opened
        self._client.on_socket_close = self._closed
        self._client.on_socket_register_write = self._want_write
        self._client.on_socket_unregister_write = self._written
        self._ready = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._client.connect(*self._where, _KEEPALIVE_S)
        self._task = asyncio.create_task(self._misc())
        await asyncio.wait_for(self._ready.wait(), 20)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._client.disconnect()
        self._client.loop_misc()

    async def run(self) -> None:
        """Let every chip send until all is acknowledged."""
        await asyncio.gather(*(module.sender.run_by(module.dial) for module in self._modules.values()))

    def publish(self, device: int | str, data: bytes) -> None:
        """Publish bytes as a module would."""
        self.publishes += 1
        self._client.publish(f"{self._prefix}{device}/up", data, qos=0)

    async def _misc(self) -> None:
        """Keep the session alive; reconnect after the broker was away."""
        while True:
            await asyncio.sleep(_MISC_S)
            if self._client.loop_misc() != MQTTErrorCode.MQTT_ERR_SUCCESS or self._client.socket() is None:
                with contextlib.suppress(OSError):
                    self._client.reconnect()

    def _connected(self, client: paho.Client, _data: Any, _flags: Any, _code: Any, _properties: Any) -> None:
        client.subscribe(self._prefix + "+/down", 0)
        self._ready.set()

    def _message(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        module = self._modules.get(message.topic.split("/")[-2])
        if module is not None:
            module.came(bytes(message.payload))

    def _opened(self, client: paho.Client, _data: Any, sock: Any) -> None:
        asyncio.get_running_loop().add_reader(sock, client.loop_read)

    @staticmethod
    def _closed(_client: paho.Client, _data: Any, sock: Any) -> None:
        asyncio.get_running_loop().remove_reader(sock)

    @staticmethod
    def _want_write(client: paho.Client, _data: Any, sock: Any) -> None:
        asyncio.get_running_loop().add_writer(sock, client.loop_write)

    @staticmethod
    def _written(_client: paho.Client, _data: Any, sock: Any) -> None:
        asyncio.get_running_loop().remove_writer(sock)


class _Module(asyncio.Transport):
    """One chip's module, as its sender sees it."""

    def __init__(self, modules: MqttModules, sender: Sender, patience_s: float) -> None:
        super().__init__()
        self.sender = sender
        self._modules = modules
        self._patience_s = patience_s
        self._open = False
        self._timer: Any = None

    async def dial(self) -> None:
        self._open = True
        self._waited()
        self.sender.connection_made(self)

    def came(self, data: bytes) -> None:
        """Take what was published for this chip."""
        if self._open:
            self._waited()
            self.sender.data_received(data)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Publish, frame by frame."""
        for inner in bytes(data).split(b"\x7e"):
            if inner:
                self._modules.publish(self.sender.device, b"\x7e" + inner + b"\x7e")

    def is_closing(self) -> bool:
        return not self._open

    def close(self) -> None:
        """Give the conversation up."""
        if self._open:
            self._open = False
            self._timer.cancel()
            asyncio.get_running_loop().call_soon(self.sender.connection_lost, None)

    def _waited(self) -> None:
        """Begin to wait anew."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(self._patience_s, self.close)
