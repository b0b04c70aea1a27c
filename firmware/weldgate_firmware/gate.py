"""Decides whether the relay may be closed: one table, (state, event) -> (state, actions).

Theory of operation. The relay is closed in LIVE and ENDING and in no other state. The only row that closes it leads
from COMMITTING to LIVE, and COMMITTING is reached only by an act that the chip itself sensed, from ARMED (a verified,
unused token is waiting) or from SUSPENDED (a session that a power cut interrupted). Every row that leaves LIVE or
ENDING for another state opens the relay by its first action. A session ends into IDLE; the driver then posts
LOCK_NOW or ALARM_LATCHED again for whatever is still held, so that nothing held is forgotten. Leaving LATCHED leads
to LOCKED, and only FREED, posted when nothing is held at all, leads on to IDLE: the safe way round. A pair outside
the table opens the relay and ends what was running.

No clock, no input or output, no allocation in `post`: `driver` turns time, tokens and flash into events and carries
out the actions in the order given. `docs/gate.md` is printed from this table.
"""

from weldgate_protocol._compat import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

# States: the number travels in the heartbeat (messages, heartbeat key 1). Never renumber.
LOCKED = const(1)
IDLE = const(2)
ARMED = const(3)
COMMITTING = const(4)
LIVE = const(5)
ENDING = const(6)
SUSPENDED = const(7)
LATCHED = const(8)

# Events: what happened. Internal to the chip.
TOKEN_ACCEPTED = const(1)  # verified, for this machine, unused
LOCAL_ACT = const(2)  # own scanner, or a button edge
ARM_EXPIRED = const(3)  # 120 s without a local act
RECORDS_DURABLE = const(4)  # all that closing waits for is on flash
FLASH_FAILED = const(5)  # it could not be written
SOFT_END = const(6)  # limits near, ordinary lock, no arc for long, the welder's own stop
ARC_QUIET = const(7)  # no arc for ARC_GAP_MS
HARD_END = const(8)  # expiry, limit, offline allowance; 120 s after a soft end
LOCK_NOW = const(9)
LOCK_SOFT = const(10)
ALARM_LATCHED = const(11)
ALARMS_CLEARED = const(12)  # no latched alarm is left
FREED = const(13)  # neither a lock nor a latched alarm is held
FAULT = const(14)  # sensor fault, over-current, an exception
SESSION_FOUND = const(15)  # an interrupted session was read from flash
POWER_FAILING = const(16)
EVENT_COUNT = const(16)

# Actions: what the driver does, in this order.
OPEN_RELAY = const(1)
CLOSE_RELAY = const(2)
DISARM = const(3)  # forget the waiting token; it stays unused
COMMIT = const(4)  # begin to write what closing waits for
ABANDON = const(5)  # undo a commit that was begun
STOP = const(6)  # record the end of the session
SUSPEND = const(7)  # record the interruption of the session
EXTEND = const(8)  # lengthen the live session by the token just accepted
REFUSE = const(9)  # say why not, by the state's reason

_NOTHING: "Final" = ()
_OPEN: "Final" = (OPEN_RELAY,)
_OPEN_DISARM: "Final" = (OPEN_RELAY, DISARM)
_OPEN_ABANDON: "Final" = (OPEN_RELAY, ABANDON)
_OPEN_STOP: "Final" = (OPEN_RELAY, STOP)
_OPEN_SUSPEND: "Final" = (OPEN_RELAY, SUSPEND)
_REFUSE: "Final" = (REFUSE,)

# (state, event, next state, actions). The table is the rule; all else follows from it.
ROWS: "Final[tuple[tuple[int, int, int, tuple[int, ...]], ...]]" = (
    (LOCKED, TOKEN_ACCEPTED, LOCKED, _REFUSE),
    (LOCKED, LOCAL_ACT, LOCKED, _REFUSE),
    (LOCKED, LOCK_NOW, LOCKED, _OPEN),
    (LOCKED, LOCK_SOFT, LOCKED, _OPEN),
    (LOCKED, ALARM_LATCHED, LATCHED, _OPEN),
    (LOCKED, FREED, IDLE, _OPEN),
    (LOCKED, FAULT, LOCKED, _OPEN),
    (LOCKED, SESSION_FOUND, LOCKED, _OPEN_STOP),
    (LOCKED, POWER_FAILING, LOCKED, _OPEN),
    (IDLE, TOKEN_ACCEPTED, ARMED, _NOTHING),
    (IDLE, LOCAL_ACT, IDLE, _NOTHING),
    (IDLE, LOCK_NOW, LOCKED, _OPEN),
    (IDLE, LOCK_SOFT, LOCKED, _OPEN),
    (IDLE, ALARM_LATCHED, LATCHED, _OPEN),
    (IDLE, FAULT, IDLE, _OPEN),
    (IDLE, SESSION_FOUND, SUSPENDED, _OPEN),
    (IDLE, POWER_FAILING, IDLE, _OPEN),
    (ARMED, TOKEN_ACCEPTED, ARMED, _NOTHING),  # the newest token waits; the one before stays unused
    (ARMED, LOCAL_ACT, COMMITTING, (COMMIT,)),
    (ARMED, ARM_EXPIRED, IDLE, _OPEN_DISARM),
    (ARMED, HARD_END, IDLE, _OPEN_DISARM),
    (ARMED, LOCK_NOW, LOCKED, _OPEN_DISARM),
    (ARMED, LOCK_SOFT, LOCKED, _OPEN_DISARM),
    (ARMED, ALARM_LATCHED, LATCHED, _OPEN_DISARM),
    (ARMED, FAULT, IDLE, _OPEN_DISARM),
    (ARMED, POWER_FAILING, IDLE, _OPEN_DISARM),
    (COMMITTING, TOKEN_ACCEPTED, COMMITTING, _REFUSE),
    (COMMITTING, LOCAL_ACT, COMMITTING, _NOTHING),
    (COMMITTING, RECORDS_DURABLE, LIVE, (CLOSE_RELAY,)),
    (COMMITTING, FLASH_FAILED, IDLE, _OPEN_ABANDON),
    (COMMITTING, HARD_END, IDLE, _OPEN_ABANDON),
    (COMMITTING, LOCK_NOW, LOCKED, _OPEN_ABANDON),
    (COMMITTING, LOCK_SOFT, LOCKED, _OPEN_ABANDON),
    (COMMITTING, ALARM_LATCHED, LATCHED, _OPEN_ABANDON),
    (COMMITTING, FAULT, IDLE, _OPEN_ABANDON),
    (COMMITTING, POWER_FAILING, IDLE, _OPEN_ABANDON),
    (LIVE, TOKEN_ACCEPTED, LIVE, (EXTEND,)),
    (LIVE, LOCAL_ACT, LIVE, _NOTHING),
    (LIVE, SOFT_END, ENDING, _NOTHING),
    (LIVE, HARD_END, IDLE, _OPEN_STOP),
    (LIVE, LOCK_NOW, LOCKED, _OPEN_STOP),
    (LIVE, LOCK_SOFT, ENDING, _NOTHING),
    (LIVE, ALARM_LATCHED, LATCHED, _OPEN_STOP),
    (LIVE, FAULT, IDLE, _OPEN_STOP),
    (LIVE, POWER_FAILING, SUSPENDED, _OPEN_SUSPEND),
    (ENDING, TOKEN_ACCEPTED, ENDING, _REFUSE),
    (ENDING, LOCAL_ACT, ENDING, _NOTHING),
    (ENDING, SOFT_END, ENDING, _NOTHING),
    (ENDING, ARC_QUIET, IDLE, _OPEN_STOP),
    (ENDING, HARD_END, IDLE, _OPEN_STOP),
    (ENDING, LOCK_NOW, LOCKED, _OPEN_STOP),
    (ENDING, LOCK_SOFT, ENDING, _NOTHING),
    (ENDING, ALARM_LATCHED, LATCHED, _OPEN_STOP),
    (ENDING, FAULT, IDLE, _OPEN_STOP),
    (ENDING, POWER_FAILING, SUSPENDED, _OPEN_SUSPEND),
    (SUSPENDED, TOKEN_ACCEPTED, ARMED, _OPEN_STOP),  # another token: the interrupted session is over
    (SUSPENDED, LOCAL_ACT, COMMITTING, (COMMIT,)),
    (SUSPENDED, HARD_END, IDLE, _OPEN_STOP),
    (SUSPENDED, LOCK_NOW, LOCKED, _OPEN_STOP),
    (SUSPENDED, LOCK_SOFT, LOCKED, _OPEN_STOP),
    (SUSPENDED, ALARM_LATCHED, LATCHED, _OPEN_STOP),
    (SUSPENDED, FAULT, SUSPENDED, _OPEN),
    (SUSPENDED, POWER_FAILING, SUSPENDED, _OPEN),
    (LATCHED, TOKEN_ACCEPTED, LATCHED, _REFUSE),
    (LATCHED, LOCAL_ACT, LATCHED, _REFUSE),
    (LATCHED, LOCK_NOW, LATCHED, _OPEN),
    (LATCHED, LOCK_SOFT, LATCHED, _OPEN),
    (LATCHED, ALARM_LATCHED, LATCHED, _OPEN),
    (LATCHED, ALARMS_CLEARED, LOCKED, _OPEN),
    (LATCHED, FAULT, LATCHED, _OPEN),
    (LATCHED, SESSION_FOUND, LATCHED, _OPEN_STOP),
    (LATCHED, POWER_FAILING, LATCHED, _OPEN),
)

# A pair outside the table: where it leads from each state, always with the relay open.
FALLBACK: "Final[tuple[tuple[int, tuple[int, ...]], ...]]" = (
    (LOCKED, _OPEN),  # 0 is no state
    (LOCKED, _OPEN),
    (IDLE, _OPEN),
    (IDLE, _OPEN_DISARM),
    (IDLE, _OPEN_ABANDON),
    (IDLE, _OPEN_STOP),
    (IDLE, _OPEN_STOP),
    (SUSPENDED, _OPEN),
    (LATCHED, _OPEN),
)


class Gate:
    """Holds the state and applies the table; starts LOCKED, until boot has read what is held."""

    def __init__(self) -> None:
        self.state = LOCKED
        self.unknown = 0  # pairs outside the table so far
        self._table: "dict[int, tuple[int, tuple[int, ...]]]" = {}
        for state, event, after, actions in ROWS:
            self._table[state << 8 | event] = (after, actions)

    @property
    def closed(self) -> bool:
        """Whether the relay may be closed in this state."""
        return self.state == LIVE or self.state == ENDING

    def post(self, event: int) -> "tuple[int, ...]":
        """Apply one event and return the actions to carry out, in order; allocates nothing.

        Args:
            event: one of the event numbers above; any other counts as outside the table.

        Returns:
            The actions. The state has changed already, so that an action that fails leaves the safe state behind.
        """
        row = self._table.get(self.state << 8 | event)
        if row is None:
            self.unknown = (self.unknown + 1) & 0xFFFF
            row = FALLBACK[self.state]
        self.state = row[0]
        return row[1]
