"""Where an upstream stands: which packs are receipted, which are in flight, what a receipt means. Pure.

Theory of operation (DESIGN §2.12). Packs are numbered from 1 and built in order; ``built`` is the last one whose
boundaries are stored, ``sent`` the last one published since the last rewind, ``through`` the last one receipted:
through ≤ sent ≤ built. The cursor moves on receipts alone. Within one consumer boot ``through`` only grows, a lower
one is late; another boot may lower it, since a platform restored from a backup holds less. Silence makes the
collector send again from ``through`` + 1, all of it once, then one pack at a time with growing patience, so that a
dead consumer is not flooded. A receipt for what was never built, or with a digest that is not ours, means that one of
the two stores was copied back: then a new store id and everything from the oldest.
"""

from collections.abc import Callable

from weldgate_protocol.pack import NO_DIGEST, Receipt

__all__ = ["ADVANCED", "IGNORED", "MISMATCH", "REWOUND", "STALLED", "Cursor"]

IGNORED = "ignored"
ADVANCED = "advanced"
REWOUND = "rewound"
STALLED = "stalled"
MISMATCH = "mismatch"

_PATIENCE_MAX_S = 60.0
_STALL_S = 0.5  # a consumer that says where it stands is answered at most this often


class Cursor:
    """The numbers of one upstream.

    Attributes:
        store_id: 16 bytes.
        boot: the consumer's, 8 bytes, empty before its first receipt.
        through, sent, built: as told above.
        probing: nobody answers; only the next pack is sent, until a receipt comes.
    """

    def __init__(self, store_id: bytes, through: int, boot: bytes, built: int, timeout_s: float) -> None:
        self.store_id = store_id
        self.boot = boot
        self.through = through
        self.sent = through
        self.built = built
        self.probing = False
        self._timeout_s = timeout_s
        self._patience_s = timeout_s
        self._silent_since_s = 0.0
        self._rewound_s = float("-inf")

    def may_send(self, window: int) -> bool:
        """Tell whether one more pack may be in flight."""
        return self.sent - self.through < (1 if self.probing else window)

    def published(self, number: int, now_s: float) -> None:
        """Note that a pack was published."""
        if self.sent == self.through:
            self._silent_since_s = now_s
        self.sent = number

    def restart(self, now_s: float) -> None:
        """Send again from the last receipt: the connection is new."""
        self.sent = self.through
        self._rewound_s = now_s
        self._silent_since_s = now_s

    def timed_out(self, now_s: float) -> bool:
        """Tell whether the receipts are overdue; if so, the next to be sent is ``through`` + 1 again."""
        if self.sent == self.through or now_s - self._silent_since_s < self._patience_s:
            return False
        self.probing = self._patience_s > self._timeout_s
        self._patience_s = min(self._patience_s * 2, _PATIENCE_MAX_S)
        self.restart(now_s)
        return True

    def receipt(self, receipt: Receipt, digest: Callable[[int], bytes | None], now_s: float) -> str:
        """Take an authentic receipt.

        Args:
            receipt: of this upstream.
            digest: pack number → the digest stored for it, None when it was never built.
            now_s: monotonic seconds.

        Returns:
            IGNORED, ADVANCED, REWOUND, STALLED or MISMATCH; only the last asks something of the caller: a new store id.
        """
        if receipt.store_id != self.store_id:
            return IGNORED
        same_boot = receipt.boot == self.boot
        if same_boot and receipt.through < self.through:
            return IGNORED
        expected = digest(receipt.through) if receipt.through else NO_DIGEST
        if expected != receipt.digest:
            return MISMATCH
        self.boot = receipt.boot
        self._patience_s = self._timeout_s
        was_probing, self.probing = self.probing, False
        if receipt.through > self.through:
            self.through = receipt.through
            self.sent = self.through if was_probing else max(self.sent, self.through)
            self._silent_since_s = now_s
            return ADVANCED
        if receipt.through < self.through:
            self.through = receipt.through
            self.restart(now_s)
            return REWOUND
        if self.sent > self.through and (was_probing or now_s - self._rewound_s >= _STALL_S):
            self.restart(now_s)
        return STALLED
