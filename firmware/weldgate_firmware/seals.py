"""The chip's chain: kept in memory while it runs, found again from the ring after a boot.

Nothing of it is stored. A record is in the chain when it is committed and in no other case, so after a power cut at
any step the ring itself says what the chain is: it is folded again from the last sealed record, 256 numbers back at
most. Where the ring can't say (a record of that stretch has rotted), the next record bears a seal over an empty chain:
whoever verifies sees that the chip began anew, and that nobody else did.
"""

from weldgate_protocol import seal
from weldgate_protocol._compat import const
from weldgate_protocol.frame import RAW_MAX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from weldgate_firmware.spool import Spool
    from weldgate_protocol._compat import HmacKey

SLICE_RECORDS = const(8)  # folded in one slice: read, checked and hashed, under 20 ms together


class Seals:
    """The chain of one epoch.

    Attributes:
        chain: of the records since the last sealed one, that one included; None where it is not known.
    """

    def __init__(self, key: "HmacKey") -> None:
        self._key = key
        self.chain: "bytes | None" = None
        self._earlier: "bytes | None" = None  # the chain without the record folded last, while it is being recalled
        self._before = 0  # the record folded last
        self._next = -1  # the record to be folded next, 0 for none, below 0 before the first look

    def recall(self, spool: "Spool") -> bool:
        """Fold some of what the ring holds since the last sealed record; True while there is more."""
        if self._next < 0:
            self._next = spool.next_held(max(spool.highest >> seal.EVERY_BITS << seal.EVERY_BITS, 1))
        most = SLICE_RECORDS
        while self._next and most:
            most -= 1
            self._take_held(spool, self._next)
            self._next = spool.next_held(self._next + 1) if self._next < spool.highest else 0
        if not self._next and self._before != spool.highest:
            self.chain = None  # the newest records are gone
        return self._next > 0

    def _take_held(self, spool: "Spool", seq: int) -> None:
        """Fold one record of the ring, if nothing that belongs between it and the last one is missing."""
        buffer = bytearray(RAW_MAX)
        raw = bytes(memoryview(buffer)[: spool.read(seq, buffer)])
        before = self._before
        self._before = seq
        if not raw:
            self.chain = None
            return
        given_from = seal.never_given(raw) or seq
        earlier = self.chain
        if given_from == before:  # half-programmed, skipped by an earlier boot, and readable now
            earlier = self._earlier
        elif given_from != before + 1:
            earlier = None
        self._earlier = earlier
        if seal.seal_of(raw):
            self.chain = seal.fold(seal.CHAIN_START, raw)
        else:
            self.chain = seal.fold(earlier, raw) if earlier is not None else None

    def due(self, type_: int, seq: int) -> bool:
        """Tell whether the record written next, of this type and number, bears a seal."""
        return self.chain is None or seal.due(type_, seq, self._before)

    def close(self, body: bytes) -> bytes:
        """Return header and payload with the seal in its place, the payload's last 16 bytes."""
        head = body[: -seal.SEAL_BYTES]
        chain = seal.CHAIN_START if self.chain is None else self.chain
        return head + seal.make(self._key, chain, head)

    def took(self, raw: bytes, seq: int, sealed: bool) -> None:
        """Fold a record that has been committed."""
        chain = self.chain
        self.chain = seal.fold(seal.CHAIN_START if sealed or chain is None else chain, raw)
        self._before = seq
