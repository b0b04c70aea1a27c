"""What the issuer refuses to do, and why; the numbers are those of the one register."""

from weldgate_protocol.errors import LocalError

__all__ = ["IssuerError"]


class IssuerError(LocalError):
    """Something that must not be issued, or key material that is missing, damaged or badly kept.

    `code` is the reason a chip would refuse with, or a tools' number (500 up) where it is about files.
    """
