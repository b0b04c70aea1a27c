"""Frames and packs for the tests of ingest: as a chip and its collector make them."""

from collections.abc import Sequence

from weldgate_protocol import frame, messages
from weldgate_protocol._compat import HmacKey
from weldgate_protocol.collector_record import RECORD_PRESENCE, Record, encode_record
from weldgate_protocol.pack import ITEM_FRAME, ITEM_RECORD, NO_DIGEST, Item, Pack, encode_pack, pack_digest

KEY = bytes(range(32))
DEVICE, EPOCH, TOKEN = (0x10).to_bytes(8, "big"), bytes.fromhex("a1a2a3a4"), bytes.fromhex("0102030405060708")
STORE = bytes(range(16))
SECOND = 1_795_000_000  # of the first frame

START = {
    "token": TOKEN, "kid": bytes(8), "holder": bytes.fromhex("1112131415161718"), "act": 2, "via": 3, "purpose": 1,
    "domain": 1, "issued_s": SECOND, "expires_s": SECOND + 9, "limit_s": 9, "offline_s": 9,
}  # fmt: skip
ARC = {
    "token": TOKEN, "index": 1, "duration_ms": 7000, "mean_ma": 1, "peak_ma": 1, "charge_mah": 1, "strikes": 1,
    "source": 1,
}  # fmt: skip
STOP = {
    "token": TOKEN, "cause": 120, "powered_s": 60, "arc_ms": 9000, "arcs": 2, "strikes": 2, "peak_ma": 1,
    "charge_mah": 1, "synthesised": False,
}  # fmt: skip
SUSPEND = {"token": TOKEN, "cause": 133, "powered_s": 5, "arc_ms": 1}
RESUME = {"token": TOKEN, "act": 2, "powered_s": 5}
TELEMETRY = {"window_s": 60, "mean_ma": 0, "peak_ma": 0, "arc_ms": 0, "gate": 2, "source": 1, "strikes": 0}


def raw(type_: int, seq: int, fields: dict[str, object], device: bytes = DEVICE, epoch: bytes = EPOCH) -> bytes:
    """Return a durable frame."""
    flags = frame.VERSION << 5 | frame.FLAG_DURABLE | frame.QUALITY_SYNCED
    body = frame.encode_body(flags, type_, device, epoch, seq, SECOND + seq, 500, messages.encode(type_, fields))
    return frame.seal(body, HmacKey(bytes(32)))


def presence(online: bool, device: bytes = DEVICE) -> bytes:
    """Return a collector's record."""
    return encode_record(Record(RECORD_PRESENCE, device, bytes(4), online=online))


class Packer:
    """A collector's side: packs in a row."""

    def __init__(self, store: bytes = STORE, key: bytes = KEY) -> None:
        self._store, self._key = store, key
        self._number, self._index, self._previous = 0, 0, NO_DIGEST

    def pack(self, frames: Sequence[bytes] = (), records: Sequence[bytes] = ()) -> bytes:
        """Return the next pack."""
        rows = []
        for kind, data in [(ITEM_FRAME, one) for one in frames] + [(ITEM_RECORD, one) for one in records]:
            self._index += 1
            rows.append(Item(kind, SECOND * 1000 + self._index, self._index, data))
        self._number += 1
        data = encode_pack(Pack(self._store, "platform", self._number, self._previous, rows), self._key)
        self._previous = pack_digest(data)
        return data
