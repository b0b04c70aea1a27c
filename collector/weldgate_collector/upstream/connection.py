"""A socket to an MQTT broker for a publisher, pumped by its owner's thread: connect, write, read, keep alive."""

import contextlib
import socket
import ssl
import time

from .. import mqtt_packets as packets
from ..mqtt_packets import Packet, PacketStream
from .settings import BrokerSection

__all__ = ["BrokerConnection"]

_CONNECT_S = 5.0
_KEEPALIVE_S = 30
_READ_BYTES = 262_144
_WRITE_BYTES = 262_144


class BrokerConnection:
    """One connection. Attributes: ``queued``: bytes not yet written; ``receive_max``: what the broker can take."""

    def __init__(self, settings: BrokerSection, client_id: str, password: str, protocol: int) -> None:
        """Connect and wait for the broker's word.

        Args:
            settings: host, port, user, certificate authority.
            client_id: a second client of the same id takes the session over.
            password: the broker's, empty for none.
            protocol: 4 for MQTT 3.1.1, 5 for MQTT 5.

        Raises:
            OSError: the broker can't be reached, or refuses us.
        """
        self._out = bytearray()
        self._packets = PacketStream()
        self._early: list[Packet] = []
        self._heard_s = self._spoke_s = time.monotonic()
        self._asked = False
        self.receive_max = 65_535
        self._sock: socket.socket = socket.create_connection((settings.host, settings.port), _CONNECT_S)
        try:
            self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if settings.tls_ca_file:
                context = ssl.create_default_context(cafile=settings.tls_ca_file)
                self._sock = context.wrap_socket(self._sock, server_hostname=settings.host)
            self._sock.sendall(packets.encode_connect(client_id, settings.username, password, _KEEPALIVE_S, protocol))
            self._await_word(protocol)
            self._sock.setblocking(False)
        except BaseException:
            self._sock.close()
            raise

    @property
    def queued(self) -> int:
        """How many bytes wait to be written."""
        return len(self._out)

    def fileno(self) -> int:
        """Return the socket's descriptor."""
        return self._sock.fileno()

    def has_decrypted(self) -> bool:
        """Tell whether TLS holds bytes that poll can't see."""
        return isinstance(self._sock, ssl.SSLSocket) and self._sock.pending() > 0

    def send(self, data: bytes) -> None:
        """Queue bytes; ``turn`` writes them."""
        self._out += data

    def turn(self) -> list[Packet]:
        """Write and read what goes without waiting, and return the packets that came.

        Raises:
            OSError: the connection ended or is silent.
        """
        found, self._early = self._early, []
        self._write()
        while True:
            try:
                data = self._sock.recv(_READ_BYTES)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                break
            if not data:
                raise OSError("broker closed the connection")
            self._heard_s, self._asked = time.monotonic(), False
            try:
                found += self._packets.feed(data)
            except ValueError as error:
                raise OSError(f"broker speaks no MQTT: {error}") from error
            if len(data) < _READ_BYTES:
                break
        self._keep_alive()
        return found

    def close(self) -> None:
        """Say goodbye if that goes without waiting, and close."""
        with contextlib.suppress(OSError):
            if not self._out:
                self._sock.send(packets.DISCONNECT)
        self._sock.close()

    def _write(self) -> None:
        while self._out:
            try:
                sent = self._sock.send(memoryview(self._out)[:_WRITE_BYTES])
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            del self._out[:sent]
            self._spoke_s = time.monotonic()

    def _keep_alive(self) -> None:
        now_s = time.monotonic()
        if self._asked and now_s - self._heard_s > _KEEPALIVE_S * 1.5:
            raise OSError(f"broker said nothing for {now_s - self._heard_s:.0f} s")
        if not self._asked and now_s - min(self._heard_s, self._spoke_s) > _KEEPALIVE_S / 2:
            self._out += packets.PINGREQ
            self._asked = True
            self._write()

    def _await_word(self, protocol: int) -> None:
        """Wait for CONNACK."""
        while True:
            data = self._sock.recv(4_096)
            if not data:
                raise OSError("broker closed the connection")
            try:
                found = self._packets.feed(data)
            except ValueError as error:
                raise OSError(f"broker speaks no MQTT: {error}") from error
            if not found:
                continue
            first, body = found[0]
            fault = "an answer that is no CONNACK"
            if first & 0xF0 == packets.CONNACK:
                fault = packets.connack_fault(body)
            if fault:
                raise OSError(f"broker refuses: {fault}")
            if protocol == 5:
                self.receive_max = packets.receive_maximum(body)
            self._early = found[1:]
            return
