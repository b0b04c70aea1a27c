"""Where a token comes from: text, hex, a file, an image of its QR code, standard input."""

import re
import sys
from pathlib import Path

from weldgate_protocol import token
from weldgate_protocol.errors import LocalError, RemoteError
from weldgate_protocol.reasons import TOOL_BAD_INPUT, TOOL_NOT_FOUND

__all__ = ["read_token"]

_IMAGES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"RIFF")
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2}[ \t\r\n\f\v]*)+")  # the blanks that bytes.fromhex skips
_PATH_MAX = 250  # longer than a name may be


def read_token(source: str) -> bytes:
    """Return a token's COSE bytes.

    Args:
        source: `WG1:…`, hex, a file with either or with a QR code's image, or `-`.

    Raises:
        LocalError: TOOL_NOT_FOUND, no such file; TOOL_BAD_INPUT, nothing in it is a token.
    """
    source = source.strip()  # as it comes from a clipboard; Base45 never ends in a blank (its last digit is 32 or less)
    if source == "-":
        data = sys.stdin.buffer.read()
    elif source.startswith(token.PREFIX) or _HEX.fullmatch(source):
        data = source.encode()
    else:
        data = _read_file(source)
    if data.startswith(_IMAGES):
        return _to_bytes(_read_image(data, source))
    return _to_bytes(data.decode("ascii", "replace").strip())


def _read_file(source: str) -> bytes:
    if len(source) > _PATH_MAX or token.PREFIX in source.upper():  # a token mistyped, which no error tells back
        raise LocalError(
            TOOL_BAD_INPUT,
            f"this is no token: {len(source)} characters that do not begin with {token.PREFIX} and are no hex",
        )
    path = Path(source)
    if not path.is_file():
        raise LocalError(TOOL_NOT_FOUND, f"{source}: no such file, and no token text")
    return path.read_bytes()


def _to_bytes(text: str) -> bytes:
    if _HEX.fullmatch(text):
        return bytes.fromhex(text)
    try:
        return token.to_bytes(text)
    except RemoteError as error:
        raise LocalError(TOOL_BAD_INPUT, f"this is no token: {error.message}") from error


def _read_image(data: bytes, source: str) -> str:
    """Find the QR code in an image."""
    import io

    import zxingcpp  # here, since only images need them
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data)) as image:
            found = zxingcpp.read_barcodes(image.convert("L"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:  # all that Pillow says of files
        raise LocalError(TOOL_BAD_INPUT, f"{source}: the image can't be read, it is damaged or too large") from error
    for code in found:
        if code.text.startswith(token.PREFIX):
            return str(code.text)
    raise LocalError(TOOL_BAD_INPUT, f"{source}: no start code found in the image")
