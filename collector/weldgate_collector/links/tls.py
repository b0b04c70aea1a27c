"""TLS of a link: its certificates, replaced while it runs, and the pipe that one connection's bytes go through.

Decides what a handshake demands: TLS 1.3 and nothing older, and of the client a certificate where an authority for
clients is named. A reload makes a whole new context, so that no connection ever sees half of two sets of files; a set
that can't be used leaves the old one in force and says so once.
"""

import contextlib
import os
import ssl
from pathlib import Path

import structlog

from weldgate_protocol.reasons import TOOL_NOT_FOUND, TOOL_PERMISSIONS

from ..errors import KeyFileError

__all__ = ["Certificates", "TlsPipe"]

_log = structlog.get_logger("weldgate.links.tls")

_RECORD_MAX = 16 * 1024  # RFC 8446 §5.1
_Stamps = tuple[tuple[int, ...], ...]


class Certificates:
    """The files of one link and the context made from them.

    Attributes:
        context: for the next handshake.
        trouble: why the files as they are now are not in force, or an empty string.
    """

    def __init__(self, certificate: Path, key: Path, client_ca: Path | None = None) -> None:
        """Read the files.

        Args:
            certificate: the server's chain, PEM.
            key: its key, PEM without a passphrase, mode 0600.
            client_ca: authorities that clients' certificates must come from, PEM; None asks for no certificate.

        Raises:
            KeyFileError: a file is missing, the key is readable by others, or they don't fit each other.
        """
        self._certificate = certificate
        self._key = key
        self._client_ca = client_ca
        self._seen = self._stamps()
        self.trouble = ""
        self.context = self._read()

    @property
    def mutual(self) -> bool:
        """Whether clients must show a certificate."""
        return self._client_ca is not None

    def reload(self) -> bool:
        """Read the files again if one changed; True when there is a new context."""
        stamps = self._stamps()
        if stamps == self._seen:
            return False
        self._seen = stamps
        try:
            self.context = self._read()
        except KeyFileError as error:
            self.trouble = error.message
            _log.error("certificates_not_reloaded", code=error.code, reason=error.message)
            return False
        self.trouble = ""
        _log.info("certificates_reloaded", file=str(self._certificate))
        return True

    def _files(self) -> list[Path]:
        return [self._certificate, self._key, *([self._client_ca] if self._client_ca is not None else [])]

    def _stamps(self) -> _Stamps:
        """Return what shows a change: times, inode and size of each file, zeros for one that is missing."""
        stamps: list[tuple[int, ...]] = []
        for path in self._files():
            try:
                status = path.stat()
                stamps.append((status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_size))
            except OSError:
                stamps.append((0, 0, 0))
        return tuple(stamps)

    def _read(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        try:
            mode = os.stat(self._key).st_mode & 0o777
            if mode & 0o077:
                raise KeyFileError(
                    TOOL_PERMISSIONS, f"{self._key}: mode {mode:04o}, at most 0600; run: chmod 600 {self._key}"
                )
            # An empty passphrase, so that a key that needs one fails instead of asking the terminal.
            context.load_cert_chain(self._certificate, self._key, password="")
            if self._client_ca is not None:
                context.load_verify_locations(self._client_ca)
                context.verify_mode = ssl.CERT_REQUIRED
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            names = ", ".join(str(path) for path in self._files())
            raise KeyFileError(TOOL_NOT_FOUND, f"TLS files can't be used: {names}: {error}") from error
        return context


class TlsPipe:
    """The server's end of one TLS connection: bytes in, bytes out, no socket.

    Attributes:
        ready: hands are shaken.
        ended: the client said goodbye.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        self.ready = False
        self.ended = False
        self._in = ssl.MemoryBIO()
        self._out = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_side=True)

    def decrypt(self, data: bytes) -> bytes:
        """Take bytes from the socket; return what was under TLS in them. ``take`` returns what is to be answered.

        Raises:
            ssl.SSLError: no TLS, another version, no certificate that we trust; the connection is over.
        """
        self._in.write(data)
        plain: list[bytes] = []
        try:
            if not self.ready:
                self._tls.do_handshake()
                self.ready = True
            while chunk := self._tls.read(_RECORD_MAX):
                plain.append(chunk)
            self.ended = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.ended = True
        return b"".join(plain)

    def encrypt(self, data: bytes) -> bytes:
        """Return bytes for the socket; nothing before hands are shaken, since it would go to nobody we know."""
        if not self.ready:
            return b""
        left = memoryview(data)
        while left:
            left = left[self._tls.write(left) :]
        return self.take()

    def end(self) -> bytes:
        """Return our goodbye for the socket; the client's own is not waited for."""
        if not self.ready:
            return b""
        with contextlib.suppress(ssl.SSLError):  # it wants the client's goodbye, or is broken already
            self._tls.unwrap()
        return self.take()

    def take(self) -> bytes:
        """Return what TLS itself wants to say."""
        return self._out.read()
