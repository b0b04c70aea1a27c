"""Packs applied once, in order, and answered for after the commit (rule D3; M-PACK-05, M-PACK-06).

Pack n is applied only if n = through + 1 and it follows the digest held; `through` advances in the transaction that
holds the rows. A pack that came again or too early is answered with where this platform stands. The boot id is drawn
at each start: only another boot may lower `through`, as after a restore from an older copy.
"""

import secrets
from collections import defaultdict
from collections.abc import Iterable, Mapping
from hashlib import sha256

from django.db import transaction

from weldgate_platform.ingest.models import Clash, Kept, Own, Presence, SeenRange, Store
from weldgate_platform.ingest.ranges import add
from weldgate_platform.ingest.sessions import apply_frames
from weldgate_platform.routers import INGEST
from weldgate_protocol import messages
from weldgate_protocol.collector_record import RECORD_PRESENCE, Record, decode_record
from weldgate_protocol.errors import WeldgateError
from weldgate_protocol.frame import Frame, parse
from weldgate_protocol.pack import (
    ITEM_FRAME,
    NO_DIGEST,
    Item,
    Pack,
    PackError,
    Receipt,
    decode_pack,
    encode_receipt,
    pack_digest,
)

__all__ = ["Journal"]

_BATCH = 500
_NUMBER_MAX = (1 << 63) - 1  # what a column holds; a pack's item has 64 bits for its time and its index


class Journal:
    """The ingest database and its rules; knows no network. One thread uses it.

    Attributes:
        boot: 8 bytes, new for each instance.
        refused: packs that were not authentic.
        malformed: items of authentic packs that are neither frame nor record, or whose time no column holds.
        doubled: frames that were there already.
    """

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        """Take the keys: collector's name -> the key that it shares with this platform."""
        self.keys = dict(keys)
        self.boot = secrets.token_bytes(8)
        self.refused = self.malformed = self.doubled = 0

    def receipts(self, collector: str) -> list[bytes]:
        """Return a receipt for every store of a collector, as they are told on each connection."""
        stores = Store.objects.using(INGEST).filter(collector=collector)
        return [self._receipt(one, self.keys[collector]) for one in stores]

    def take(self, collector: str, packs: Iterable[bytes]) -> list[bytes]:
        """Apply what is next in line, in one transaction; return the receipts, which are true from then on.

        Args:
            collector: on whose topic they came.
            packs: as they came, in any order, authentic or not.
        """
        key = self.keys[collector]
        answered: dict[tuple[bytes, str], Store] = {}
        with transaction.atomic(using=INGEST):
            for data in packs:
                try:
                    pack = decode_pack(data, key)
                except PackError:
                    self.refused += 1
                    continue
                place = (pack.store_id, pack.upstream)
                if place not in answered:
                    answered[place] = self._store(collector, pack)
                store = answered[place]
                if pack.number == store.through + 1 and pack.previous == bytes.fromhex(store.digest):
                    self._apply(pack)
                    store.through, store.digest = pack.number, pack_digest(data).hex()
                    store.save(using=INGEST)
        return [self._receipt(store, key) for store in answered.values()]

    def _store(self, collector: str, pack: Pack) -> Store:
        found = Store.objects.using(INGEST).filter(
            collector=collector, store_id=pack.store_id.hex(), upstream=pack.upstream
        )
        return found.first() or Store(
            collector=collector,
            store_id=pack.store_id.hex(),
            upstream=pack.upstream,
            through=0,
            digest=NO_DIGEST.hex(),
        )

    def _receipt(self, store: Store, key: bytes) -> bytes:
        store_id, digest = bytes.fromhex(store.store_id), bytes.fromhex(store.digest)
        return encode_receipt(Receipt(self.boot, store_id, store.upstream, store.through, digest), key)

    def _apply(self, pack: Pack) -> None:
        frames: list[tuple[Item, Frame]] = []
        for item in pack.items:
            if max(item.received_ms, item.index) > _NUMBER_MAX:
                self.malformed += 1
                continue
            try:
                if item.kind == ITEM_FRAME:
                    frames.append((item, parse(item.data)))
                else:
                    self._own(pack, item, decode_record(item.data))
            except WeldgateError:
                self.malformed += 1
        new = self._new(frames)
        Kept.objects.using(INGEST).bulk_create([_row(*one) for one in new if _is_kept(one[1])], batch_size=_BATCH)
        apply_frames(frame for _item, frame in new)

    def _new(self, frames: list[tuple[Item, Frame]]) -> list[tuple[Item, Frame]]:
        """Return the frames whose identity came for the first time, and note it; other bytes of one are kept apart."""
        groups: dict[tuple[int, int], dict[int, tuple[Item, Frame]]] = defaultdict(dict)
        again: list[tuple[Item, Frame]] = []
        for item, frame in frames:
            group = groups[_number(frame.device), _number(frame.epoch)]
            if frame.seq in group:
                again.append((item, frame))
            else:
                group[frame.seq] = (item, frame)
        fresh: list[tuple[Item, Frame]] = []
        for (device, epoch), group in groups.items():
            rows = SeenRange.objects.using(INGEST).filter(device=device, epoch=epoch)
            known = list(rows.values_list("first", "last"))
            new, merged = add(known, group)
            if new:
                before, after = set(known), set(merged)
                rows.filter(first__in=[first for first, _last in before - after]).delete()
                added = [
                    SeenRange(device=device, epoch=epoch, first=first, last=last)
                    for first, last in sorted(after - before)
                ]
                SeenRange.objects.using(INGEST).bulk_create(added, batch_size=_BATCH)
            fresh += [one for seq, one in group.items() if seq in new]
            again += [one for seq, one in group.items() if seq not in new]
        self._compare(again, fresh)
        return fresh

    def _compare(self, again: list[tuple[Item, Frame]], fresh: list[tuple[Item, Frame]]) -> None:
        """Keep frames whose bytes differ from those of their identity."""
        self.doubled += len(again)
        held = {(one.device, one.epoch, one.seq): item.data for item, one in fresh}
        for item, frame in again:
            if not _is_kept(frame):
                continue
            place = {"device": _number(frame.device), "epoch": _number(frame.epoch), "seq": frame.seq}
            raw = held.get((frame.device, frame.epoch, frame.seq))
            if raw is None:
                row = Kept.objects.using(INGEST).filter(**place).first()
                raw = bytes(row.raw) if row is not None else item.data
            if raw != item.data:
                digest = sha256(item.data).hexdigest()
                Clash.objects.using(INGEST).get_or_create(**place, digest=digest, defaults={"raw": item.data})

    def _own(self, pack: Pack, item: Item, record: Record) -> None:
        device = _number(record.device)
        row = {"kind": record.kind, "device": device, "received_ms": item.received_ms, "raw": item.data}
        place = {"store_id": pack.store_id.hex(), "index": item.index}
        made = Own.objects.using(INGEST).get_or_create(**place, defaults=row)[1]
        if made and record.kind == RECORD_PRESENCE and record.online is not None:
            there = Presence.objects.using(INGEST).filter(device=device).first()
            if there is None or there.at_ms <= item.received_ms:
                Presence(device=device, online=record.online, reason=record.reason, at_ms=item.received_ms).save(
                    using=INGEST
                )


def _is_kept(frame: Frame) -> bool:
    return frame.type != messages.TELEMETRY


def _row(item: Item, frame: Frame) -> Kept:
    return Kept(
        device=_number(frame.device),
        epoch=_number(frame.epoch),
        seq=frame.seq,
        type=frame.type,
        at_ms=frame.time_s * 1000 + frame.time_ms,
        received_ms=item.received_ms,
        raw=item.data,
    )


def _number(data: bytes) -> int:
    return int.from_bytes(data, "big")
