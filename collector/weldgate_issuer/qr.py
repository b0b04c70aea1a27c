"""A token as a QR code: text, PNG and terminal, never beyond version 10 at error correction M."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import segno

from weldgate_issuer.errors import IssuerError
from weldgate_protocol import reasons, token

if TYPE_CHECKING:
    from segno import QRCode

__all__ = ["terminal_qr", "token_text", "write_png"]

VERSION_MAX = 10  # what cheap scanners and old phones still read off a scratched label


def token_text(data: bytes) -> str:
    """Return the text of a token, `WG1:` and Base45.

    Raises:
        IssuerError: TOKEN_TOO_LONG, above 200 bytes.
    """
    if len(data) > token.SIZE_MAX:
        raise IssuerError(reasons.TOKEN_TOO_LONG, f"token of {len(data)} bytes, at most {token.SIZE_MAX}")
    return token.to_text(data)


def write_png(data: bytes, path: Path, scale: int = 6) -> int:
    """Write a token's QR code to a PNG file and return the code's version.

    Args:
        data: COSE_Sign1 bytes.
        path: the file to write.
        scale: pixels a module.
    """
    code = _code(data)
    code.save(str(path), kind="png", scale=scale, border=4)
    return int(code.version)


def terminal_qr(data: bytes) -> str:
    """Return a token's QR code as lines of block characters for a terminal."""
    out = io.StringIO()
    _code(data).terminal(out=out, border=2, compact=True)
    return out.getvalue()


def _code(data: bytes) -> QRCode:
    """Return the QR code itself."""
    code = segno.make(token_text(data), error="m", boost_error=False, micro=False)
    if int(code.version) > VERSION_MAX:
        raise IssuerError(reasons.TOKEN_TOO_LONG, f"QR version {code.version}, at most {VERSION_MAX}")
    return code
