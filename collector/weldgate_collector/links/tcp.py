"""The TCP link, plain or with TLS: a server whose connections hand over bytes as the sockets give them.

Built on asyncio's protocols rather than its streams: no task and no queue a connection, so that 10,000 chips cost
little, and ``pause_reading`` holds a chip back through TCP itself. With TLS a connection is accepted before its
handshake: so strangers who never finish one count as strangers, the oldest of them go first, and a throttled source
costs no handshake at all. TLS is a pipe of ours in the connection (``TlsPipe``) and not asyncio's, whose buffers take
310 KB a connection (measured): 10,000 chips would need 3 GB.
"""

import asyncio
import socket
from typing import Any, cast

import structlog

from .base import SEND_MAX, Accept, LinkStatus, Peer
from .tls import Certificates, TlsPipe

__all__ = ["TcpLink"]

_log = structlog.get_logger("weldgate.links.tcp")

_LINGER_S = 5.0  # what a peer has not taken so long after the close, it won't
_SILENT_MS = 90_000  # a peer whose kernel acknowledges nothing for so long is gone (M-CONV-16)
_BACKLOG = 4_096  # a town that reconnects at once after a power cut


class TcpLink:
    """A TCP server. Attribute ``port`` holds the real one after ``start``."""

    def __init__(
        self,
        host: str,
        port: int,
        max_connections: int,
        certificates: Certificates | None = None,
        handshake_s: float = 10.0,
    ) -> None:
        """Remember where to listen.

        Args:
            host: address to bind.
            port: 0 takes a free one.
            max_connections: the next one is closed at once, and counted in ``refused``.
            certificates: TLS with these, taken anew for each handshake; None = plain.
            handshake_s: how long a handshake may take.
        """
        self.name = "tcp" if certificates is None else "tls"
        self.host = host
        self.port = port
        self.certificates = certificates
        self.handshake_s = handshake_s
        self.refused = 0
        self.handshakes_failed = 0
        self._max = max_connections
        self._open: set[_TcpConnection] = set()
        self._server: asyncio.Server | None = None

    async def start(self, accept: Accept) -> None:
        """Listen and call ``accept`` for each connection.

        Raises:
            OSError: the address can't be bound.
        """
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _TcpConnection(self, accept), self.host, self.port, backlog=_BACKLOG, reuse_address=True
        )
        self.port = self._server.sockets[0].getsockname()[1]
        _log.info("tcp_listening", host=self.host, port=self.port, tls=self.certificates is not None)

    def status(self) -> LinkStatus:
        """Return the present state."""
        trouble = "" if self.certificates is None else self.certificates.trouble
        up, count = self._server is not None, len(self._open)
        return LinkStatus(self.name, up, count, self.refused, self.handshakes_failed, trouble)

    def describe(self) -> str:
        """Say what it is and where."""
        how = ""
        if self.certificates is not None:
            how = " with client certificates" if self.certificates.mutual else " without client certificates"
        return f"{self.name} at {self.host}:{self.port}{how}"

    async def stop(self) -> None:
        """Close the listener and every connection."""
        if self._server is None:
            return
        self._server.close()
        for connection in list(self._open):
            connection.close()
        await asyncio.sleep(0)
        for connection in list(self._open):  # what a peer does not take by now, it won't
            connection.abort()
        while self._open:  # each says so on one of the loop's next turns
            await asyncio.sleep(0)
        await self._server.wait_closed()
        self._server = None

    def enter(self, connection: "_TcpConnection") -> bool:
        """Count a connection in; False when there are too many."""
        if len(self._open) >= self._max:
            self.refused += 1
            return False
        self._open.add(connection)
        return True

    def leave(self, connection: "_TcpConnection") -> None:
        """Count a connection out."""
        self._open.discard(connection)


class _TcpConnection(asyncio.Protocol):
    def __init__(self, link: TcpLink, accept: Accept) -> None:
        self.source = ""
        self._link = link
        self._accept = accept
        self._peer: Peer | None = None
        self._transport: asyncio.Transport | None = None
        self._pipe: TlsPipe | None = None
        self._timer: asyncio.TimerHandle | None = None  # runs while a handshake is awaited

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if not self._link.enter(self):
            self._transport.abort()
            self._transport = None
            return
        name: Any = transport.get_extra_info("peername")
        self.source = str(name[0]) if name else "?"
        sock = transport.get_extra_info("socket")
        if sock is not None:
            # A chip that lost its power says no goodbye; the silence limit finds it first, this is for the rest.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _SILENT_MS)
        self._transport.set_write_buffer_limits(SEND_MAX)
        if self._link.certificates is not None:
            self._pipe = TlsPipe(self._link.certificates.context)
            waits = self._link.handshake_s
            self._timer = asyncio.get_running_loop().call_later(waits, self._no_handshake, "it took too long")
        self._peer = self._accept(self)

    def data_received(self, data: bytes) -> None:
        if self._pipe is not None:
            data = self._decrypted(self._pipe, data)
        if data and self._peer is not None:
            self._peer.received(data)

    def connection_lost(self, _exc: Exception | None) -> None:
        if self._timer is not None:  # the client went; what we close waits for no handshake any more
            self._link.handshakes_failed += 1
        self._shaken()
        self._transport = None
        self._link.leave(self)
        peer, self._peer = self._peer, None
        if peer is not None:
            peer.closed()

    def pause_writing(self) -> None:
        self.abort()

    def send(self, data: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        if self._pipe is not None:
            data = self._pipe.encrypt(data)
        if data:
            self._transport.write(data)

    def pause(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def close(self) -> None:
        self._shaken()
        transport = self._transport
        if transport is not None and not transport.is_closing():
            if self._pipe is not None and (last := self._pipe.end()):
                transport.write(last)
            transport.close()
            if transport.get_write_buffer_size():
                asyncio.get_running_loop().call_later(_LINGER_S, transport.abort)  # harmless once it is over

    def abort(self) -> None:
        self._shaken()
        if self._transport is not None:
            self._transport.abort()

    def _decrypted(self, pipe: TlsPipe, data: bytes) -> bytes:
        """Return what is under TLS in bytes that came; whoever can't shake hands is dropped and counted."""
        try:
            plain = pipe.decrypt(data)
        except OSError as error:  # ssl.SSLError is one
            if self._transport is not None and not self._transport.is_closing() and (alert := pipe.take()):
                self._transport.write(alert)
            self._no_handshake(str(error))
            return b""
        if self._transport is not None and not self._transport.is_closing() and (answer := pipe.take()):
            self._transport.write(answer)
        if pipe.ready:
            self._shaken()
        if pipe.ended:
            self.close()
        return plain

    def _no_handshake(self, why: str) -> None:
        if self._timer is not None:
            self._link.handshakes_failed += 1
            _log.debug("handshake_failed", source=self.source, reason=why)
        self._shaken()
        if self._transport is not None:
            self._transport.close()

    def _shaken(self) -> None:
        """Wait for no handshake any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
