"""A collector that is ahead: it has numbers of this epoch that this chip never gave (SPEC M-CONV-19).

Either somebody else speaks with this identity, or this flash has forgotten its newest records: the chip cannot tell,
and need not. It gives no number again that may stand for other bytes, sends what it holds unacknowledged once more
under the numbers it has, and raises the alarm. A fact in the log carries all three over power cuts: it is written
before the gap record (facts go first, `chores`) and removed when an ack has covered what was owed.
"""

from weldgate_firmware.log import AHEAD
from weldgate_firmware.telling import RAISED
from weldgate_protocol import reasons
from weldgate_protocol._compat import const
from weldgate_protocol.errors import StorageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from weldgate_firmware.core import Core

ALARM_AGAIN_S = const(3600)  # two devices that take turns with one identity find this out at each connection
_ALARM_AT = const(8)  # in the fact: epoch 4, high-water 4, alarm id 8


class Ahead:
    """What the chip does about it.

    Attributes:
        kept: whether the fact is on flash, or on its way there.
    """

    def __init__(self, core: "Core") -> None:
        self._core = core
        self._alarmed_s = -1  # uptime at the last alarm
        self.kept = False

    def found(self, high_water: int) -> None:
        """Number on above the collector's high-water, keep in mind what is owed, and alarm at most once an hour."""
        core = self._core
        spool = core.storage.spool
        before = spool.ahead
        spool.go_above(high_water)
        id_ = core.random(8)
        # In a session one fact is enough: the log's room is for the session's own.
        if not self.kept or (spool.ahead != before and not core.closed):
            try:
                core.facts.put(AHEAD, spool.epoch + spool.ahead.to_bytes(4, "big") + id_)
                self.kept = True
            except StorageError as error:
                core.last_error = error.code  # flash has long not taken facts, and that has its own alarm
        if self._alarmed_s < 0 or core.clock.uptime_s - self._alarmed_s >= ALARM_AGAIN_S:
            self._alarm(id_)

    def recall(self) -> None:
        """After a boot: raise the alarm again, for the power may have gone before it was on record."""
        fact = self._core.facts.log.get(AHEAD)
        if fact is not None:
            self.kept = True
            self._alarm((fact[_ALARM_AT:] + bytes(8))[:8])

    def settle(self) -> None:
        """Forget the fact once the alarm is on record and nothing is owed any more; called now and then."""
        core = self._core
        if not self.kept:
            return
        if self._alarmed_s < 0:
            self._alarm(core.random(8))  # the queue was full
        elif not core.storage.spool.ahead and not len(core.recorder):
            core.facts.remove(AHEAD)
            self.kept = False

    def _alarm(self, id_: bytes) -> None:
        core = self._core
        if core.alarm(reasons.ALARM_IDENTITY_CLONED, id_, RAISED, False):
            self._alarmed_s = core.clock.uptime_s
