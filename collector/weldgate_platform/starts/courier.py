"""What goes to collectors and what comes back: which envelopes are due, and what a result changes. Knows no network.

An order is repeated until a result says applied, refused or expired (M-PACK-09); whatever the broker forgets comes
again. Results may come late, twice and out of order: a state is only ever followed by a later one, and a final one
by none.
"""

import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from django.db.models import Q

from weldgate_platform.starts.models import Dispatch
from weldgate_protocol.envelope import OrderEnvelope, decode_result, encode_order
from weldgate_protocol.pack import PackError

__all__ = ["REPEAT", "WAKE", "Courier"]

REPEAT = timedelta(seconds=10)
BATCH = 200  # envelopes at once
WAKE = threading.Event()  # set when something new is there, so that a start waits for no tick
_State = Dispatch.State
_OPEN = (_State.NEW, _State.WAITING, _State.SENT)


class Courier:
    """Reads and writes dispatches for the collectors whose keys it has.

    Attributes:
        refused: results that were not authentic, or of no order of ours.
    """

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        """Take the keys.

        Args:
            keys: collector's name -> the key that it shares with this platform.
        """
        self.keys = dict(keys)
        self.refused = 0

    def due(self, now: datetime) -> list[tuple[str, bytes]]:
        """Return (collector, envelope) of what is to be published now, and note that it was; end what has expired."""
        waiting = Dispatch.objects.filter(state__in=_OPEN, collector__in=list(self.keys))
        waiting.filter(expires__lte=now).update(state=_State.EXPIRED, changed=now, object=b"")
        ready = waiting.filter(Q(told__isnull=True) | Q(told__lte=now - REPEAT)).order_by("pk")[:BATCH]
        found = list(ready)
        Dispatch.objects.filter(pk__in=[one.pk for one in found]).update(told=now)
        return [(one.collector, self._envelope(one)) for one in found]

    def take(self, collector: str, payload: bytes) -> bool:
        """Take a result; return whether it changed anything.

        Args:
            collector: on whose topic it came.
            payload: the envelope.
        """
        try:
            result = decode_result(payload, self.keys[collector])
        except (KeyError, PackError):
            self.refused += 1
            return False
        ours = Dispatch.objects.filter(
            collector=collector, order_id=result.order.hex(), device=int.from_bytes(result.device, "big")
        )
        if not ours.exists():
            self.refused += 1
            return False
        final = result.state not in _OPEN
        change = {"state": result.state, "reason": result.reason, "changed": _instant(result.changed_s)}
        later = ours.filter(state__in=[state for state in _OPEN if state < result.state])
        return bool(later.update(**change, **({"object": b""} if final else {})))

    def _envelope(self, one: Dispatch) -> bytes:
        envelope = OrderEnvelope(one.device.to_bytes(8, "big"), one.type, bytes(one.object))
        return encode_order(envelope, self.keys[one.collector])


def _instant(seconds: int) -> datetime:
    """Return a time; one that no calendar has is the present."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):
        return datetime.now(UTC)
