"""The operator's local socket: one JSON line in, one out. The socket's mode 0600 is the right to use it.

Requests: ``{"do": "status"}``; ``{"do": "metrics"}``; ``{"do": "token", "device", "token"}`` with the token as text
(``WG1:``…) or hex; ``{"do": "order", "device", "type", "object"}`` with a signed object in hex; ``{"do": "lock",
"device", "mode"}``, the operator's own, which is written into the store with who asked for it; ``{"do": "live-code",
"device", "token"}`` with a holder's answer as text (``WGA:``…), handed on if the chip is online. Answers: ``{"ok":
true, …}`` or ``{"ok": false, "code", "error"}``; also to what is no request, or longer than 16 KiB. Then the connection
is closed.
"""

import asyncio
import errno
import json
import os
import pwd
import socket
import stat
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec

from weldgate_protocol import base45, live, reasons
from weldgate_protocol.errors import WeldgateError

from .chips import device_bytes
from .errors import OrderError

__all__ = ["Asked", "ControlSocket", "live_code_fields", "read_token", "request"]

_LINE_MAX = 16_384
_PIECES_MAX = 1_024  # so much of a line that is too long is read before its connection is closed
_WAIT_S = 10.0
_TOKEN_PREFIX = "WG1:"  # noqa: S105 - a prefix that marks a token, not a secret


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A request, as told above."""

    do: str
    device: str = ""
    token: str = ""
    object: str = ""
    type: int = 0
    mode: int = 0
    upstream: str = ""

    def device_bytes(self) -> bytes:
        """Return the chip's 8 bytes.

        Raises:
            OrderError: ``device`` is no chip's decimal number.
        """
        device = device_bytes(self.device)
        if device is None:
            raise OrderError(reasons.TOOL_BAD_INPUT, "`device` is not a chip's decimal number")
        return device


Handler = Callable[[Asked, str], Awaitable[dict[str, Any]]]


class ControlSocket:
    """The listening side."""

    def __init__(self, path: Path, handle: Handler) -> None:
        """Remember where to listen.

        Args:
            path: of the Unix socket.
            handle: (request, who) → answer; raises ``WeldgateError`` for what it refuses.
        """
        self._path = path
        self._handle = handle
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen, in place of a socket that a killed collector left behind.

        Raises:
            OSError: the path can't be used.
        """
        if self._path.exists() and not stat.S_ISSOCK(self._path.stat().st_mode):
            raise FileExistsError(errno.EEXIST, "no control socket, but something else is there", str(self._path))
        self._path.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(self._serve, self._path, limit=_LINE_MAX)
        finally:
            os.umask(before)

    async def stop(self) -> None:
        """Close the listener and remove the socket."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None
            self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_WAIT_S):
                line = await _read_line(reader)
                if line is None:
                    error = f"request longer than {_LINE_MAX} bytes"
                    answer: dict[str, Any] = {"ok": False, "code": reasons.TOOL_BAD_INPUT, "error": error}
                else:
                    answer = await self._answer(line, _who(writer))
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
                if line is None:
                    await _discard(reader)
        except (OSError, TimeoutError):
            pass  # the asker went away, or sent no line
        finally:
            writer.close()

    async def _answer(self, line: bytes, who: str) -> dict[str, Any]:
        try:
            asked = msgspec.json.decode(line, type=Asked)
            return {"ok": True, **await self._handle(asked, who)}
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            return {"ok": False, "code": reasons.TOOL_BAD_INPUT, "error": f"not a request: {error}"}
        except WeldgateError as error:
            return {"ok": False, "code": error.code, "error": error.message}


async def _read_line(reader: asyncio.StreamReader) -> bytes | None:
    """Return the first line, None when it is too long."""
    try:
        return await reader.readuntil()
    except asyncio.IncompleteReadError as end:
        return end.partial
    except asyncio.LimitOverrunError:
        return None


async def _discard(reader: asyncio.StreamReader) -> None:
    """Read what is left of a request that was too long, so that its asker, who may still be sending, gets to read."""
    for _ in range(_PIECES_MAX):
        if not await reader.read(_LINE_MAX):
            return


def request(path: Path, asked: dict[str, Any]) -> dict[str, Any]:
    """Ask a running collector.

    Args:
        path: its control socket (``Config.control_socket``).
        asked: a request as told above.

    Returns:
        The answer; ``ok`` tells whether it was done.

    Raises:
        OSError: no collector listens there.
        ValueError: what answered is no JSON.
    """
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(_WAIT_S)
        sock.connect(str(path))
        sock.sendall(json.dumps(asked).encode() + b"\n")
        with sock.makefile("rb") as file:
            answer: dict[str, Any] = json.loads(file.readline())
            return answer


def live_code_fields(text: str) -> dict[str | int, Any]:
    """Return the message of a holder's answer to a chip's challenge, as it was scanned.

    Raises:
        Refused: TOKEN_LIVE_CODE_WRONG, it is none.
    """
    answer, public = live.from_text(text.strip())
    return {"answer": answer, "public": public}


def read_token(text: str) -> bytes:
    """Return a token's bytes from its text or hex form.

    Raises:
        OrderError: neither.
    """
    try:
        return base45.decode(text[len(_TOKEN_PREFIX) :]) if text.startswith(_TOKEN_PREFIX) else bytes.fromhex(text)
    except (WeldgateError, ValueError):
        raise OrderError(reasons.TOOL_BAD_INPUT, "token is neither WG1: text nor hex") from None


def _who(writer: asyncio.StreamWriter) -> str:
    """Return who is at the other end, as the kernel says it."""
    sock = writer.get_extra_info("socket")
    if not hasattr(socket, "SO_PEERCRED"):
        return "local"
    _, user, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"uid {user}"
