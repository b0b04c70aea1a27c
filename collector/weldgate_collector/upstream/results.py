"""Results of orders on their way to the platform, and the sign that they don't arrive. Pure but for its clock.

A platform repeats an order until it has read that the order ended (M-PACK-09). So an order whose end was told and that
is asked for again and again says that our results get lost: most often a broker whose ACL drops them without a word.
"""

import time
from collections import deque
from collections.abc import Callable

from weldgate_protocol.envelope import ResultEnvelope, encode_result

from ..orders import RESULTS, Order

__all__ = ["Results"]

_WAITING_MAX = 10_000  # for the broker; the platform repeats an order whose result it misses
_TOLD_MAX = 10_000  # ends that are remembered; the one told longest ago is forgotten
_REPEATS = 2  # one repeat may have crossed its result on the way, two may not
_STANDS_S = 120.0  # the sign stands so long after the latest repeat


class Results:
    """The results of one upstream; ``add`` from any thread, the rest on the upstream's own."""

    def __init__(self, key: bytes, clock_s: Callable[[], float] = time.monotonic) -> None:
        """Begin with none.

        Args:
            key: of collector and platform.
            clock_s: monotonic seconds.
        """
        self._key = key
        self._clock_s = clock_s
        self._waiting: deque[Order] = deque(maxlen=_WAITING_MAX)
        self._told: dict[tuple[bytes, bytes], int] = {}  # ended orders: how often their end was told
        self._lost_s = float("-inf")

    def add(self, order: Order) -> None:
        """Take an order's new state."""
        self._waiting.append(order)

    def take(self) -> bytes | None:
        """Return the next result to publish, None when there is none."""
        if not self._waiting:
            return None
        order = self._waiting.popleft()
        if order.state in RESULTS:
            name = (order.id, order.device)
            count = self._told[name] = self._told.pop(name, 0) + 1
            if count > _REPEATS:
                self._lost_s = self._clock_s()
            if len(self._told) > _TOLD_MAX:
                del self._told[next(iter(self._told))]
        result = ResultEnvelope(order.id, order.device, order.type, order.state, order.reason, order.changed_s)
        return encode_result(result, self._key)

    @property
    def lost(self) -> bool:
        """Whether results seem not to arrive."""
        return self._clock_s() - self._lost_s < _STANDS_S
