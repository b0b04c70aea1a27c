"""A welder's phone: it holds a key of its own, asks for tokens that name it, and answers a chip's challenge."""

from typing import Any

from weldgate_issuer import Issuer, SigningKey, holder_proof, live_text, token_text

__all__ = ["Phone"]


class Phone:
    """One holder's phone.

    Args:
        holder: the pseudonym that his tokens bear, 8 bytes.
    """

    def __init__(self, holder: bytes) -> None:
        self.holder = holder
        self._key = SigningKey.generate()

    @property
    def public64(self) -> bytes:
        """The public half of its key, x ‖ y: what the platform is told."""
        return self._key.public64

    def ask(self, issuer: Issuer, **wanted: Any) -> tuple[bytes, str]:
        """Have a token issued that this phone must confirm.

        Args:
            issuer: stands for the platform.
            wanted: as `issue_token`, but for the holder and the key.

        Returns:
            The token's bytes, and its text as it is shown to a scanner.
        """
        data = issuer.issue_token(holder=self.holder, proof=holder_proof(self.public64), **wanted)
        return data, token_text(data)

    def confirm(self, challenge: bytes, token: bytes, device: bytes) -> str:
        """Return the live code that answers a chip's challenge about a token's id, as it is shown to the scanner."""
        return live_text(self._key, challenge, token, device)
