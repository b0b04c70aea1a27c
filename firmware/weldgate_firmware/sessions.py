"""One session's account: what it may use up, what it has used, and which of its limits comes first.

Decides when a session is near its end and why; the gate decides what follows. Seconds are counted from 2020 for wall
time and as powered seconds for all else. Powered seconds are kept on flash ahead of time, rounded up to the minute,
so that no series of power cuts makes a session longer.
"""

from struct import calcsize, pack, unpack

from weldgate_protocol._compat import const
from weldgate_protocol.reasons import END_EXPIRED, END_OFFLINE_ALLOWANCE, END_SESSION_LIMIT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from weldgate_firmware.clock import Clock

SOFT_S = const(120)  # DESIGN 4, S3: a soft end begins so long before each limit
WARN_LATE_S = const(180)  # 1 min before the soft end
WARN_EARLY_S = const(420)  # 5 min before the soft end
KEEP_EVERY_S = const(60)  # DESIGN 5: powered seconds are kept every 60 s, rounded up

# token, latest, kid, holder, epoch; start seq, expires, limit, offline, life, granted at;
# arc_ms, arcs, strikes, peak, mAh; extensions, flags
_FACT = ">8s8s8s8s4sIIIIIIIIIIIHB"
FACT_BYTES = calcsize(_FACT)
_SUSPENDED = const(1)


class Totals:
    """What was welded so far: milliseconds of arc, arcs, strikes, peak and charge."""

    def __init__(self) -> None:
        self.arc_ms = 0
        self.arcs = 0
        self.strikes = 0
        self.peak_ma = 0
        self.charge_mah = 0


class Session:
    """One welder's use of one machine, from the token that opened it to its stop.

    Attributes:
        token: id of the token that opened it; latest: id of the token that extended it last, else the same.
        expires_s: seconds from 2020; the earlier of the token's expiry and its permit's end.
        limit_s: powered seconds at which it ends.
        life_s: the same for the expiry: as many as the token had left when it was taken, whatever a clock says later.
        offline_s: powered seconds without an authenticated downlink at which it ends.
        powered_s, unheard_s: used up so far.
        kept_s: powered seconds as flash has them.
        epoch, start_seq: where its session-start stands in the spool.
        suspended: a session-suspend is on flash and no session-resume after it.
    """

    def __init__(self, token: bytes, kid: bytes, holder: bytes) -> None:
        self.token = token
        self.latest = token
        self.kid = kid
        self.holder = holder
        self.epoch = b"\0\0\0\0"
        self.start_seq = 0
        self.expires_s = 0
        self.limit_s = 0
        self.offline_s = 0
        self.life_s = 0
        self.granted_at_s = 0
        self.extensions = 0
        self.suspended = False
        self.totals = Totals()
        self.powered_s = 0
        self.unheard_s = 0
        self.kept_s = 0
        self.warned = 0  # warnings given: 1 the early one, 2 the late one too

    def grant(self, expires_s: int, limit_s: int, offline_s: int, now_s: int) -> None:
        """Set the limits by a token: at the start, or anew from this moment when it extends.

        Args:
            expires_s: seconds from 2020.
            limit_s: powered seconds from now.
            offline_s: powered seconds without a downlink.
            now_s: the wall time, seconds from 2020.
        """
        self.expires_s = expires_s
        self.granted_at_s = self.powered_s
        self.limit_s = self.powered_s + limit_s
        self.offline_s = offline_s
        self.life_s = self.powered_s + max(expires_s - now_s, 0)
        self.warned = 0

    def second(self, seconds: int) -> bool:
        """Count powered seconds; return True when they must be kept on flash now (`keep_next`)."""
        self.powered_s += seconds
        self.unheard_s += seconds
        return self.powered_s >= self.kept_s

    def heard(self) -> None:
        """An authenticated downlink came: the offline allowance is whole again."""
        self.unheard_s = 0

    def left(self, clock: "Clock", at_rest: bool = False) -> "tuple[int, int]":
        """Return the seconds to the hard end and its cause (a reason number); 0 or less: it is over.

        Args:
            clock: the wall time and its quality.
            at_rest: the relay is open, so the offline allowance is asked for only when it comes to closing.
        """
        left_s = min(self.expires_s - clock.now_s, self.life_s - self.powered_s)
        cause = END_EXPIRED
        other_s = self.limit_s - self.powered_s
        if other_s < left_s:
            left_s = other_s
            cause = END_SESSION_LIMIT
        other_s = self.offline_s - self.unheard_s
        if other_s < left_s and not at_rest:
            left_s = other_s
            cause = END_OFFLINE_ALLOWANCE
        return left_s, cause

    def granted_s(self, cause: int) -> int:
        """Return how much the limit behind a cause granted in all; a soft end takes at most half of it."""
        if cause == END_OFFLINE_ALLOWANCE:
            return self.offline_s
        return self.limit_s if cause == END_SESSION_LIMIT else self.life_s

    def warn(self, left_s: int) -> bool:
        """Return True once at 5 min and once at 1 min before the soft end."""
        level = 2 if left_s <= WARN_LATE_S else 1 if left_s <= WARN_EARLY_S else 0
        if level < self.warned:
            self.warned = level  # the link is back, or the clock was set back: warn again when it comes to it
        if level == self.warned:
            return False
        self.warned = level
        return True

    def keep_next(self) -> bytes:
        """Round the powered seconds up to the next minute and return the fact to be kept, u32."""
        self.kept_s = (self.powered_s // KEEP_EVERY_S + 1) * KEEP_EVERY_S
        return pack(">I", self.kept_s)

    def load_powered(self, fact: bytes) -> None:
        """Begin at the count that flash kept; a missing one is taken as all used up.

        How long ago the last downlink was is not kept: all powered time since the start or the last extension
        counts, until the link is heard again.
        """
        self.powered_s = unpack(">I", fact)[0] if len(fact) == 4 else max(self.limit_s, self.life_s)
        self.unheard_s = max(self.powered_s - self.granted_at_s, 0)
        self.kept_s = self.powered_s

    def encode(self) -> bytes:
        """Return the fact that lets this session be resumed after a power cut."""
        t = self.totals
        return pack(
            _FACT,
            self.token,
            self.latest,
            self.kid,
            self.holder,
            self.epoch,
            self.start_seq,
            self.expires_s,
            self.limit_s,
            self.offline_s,
            self.life_s,
            self.granted_at_s,
            t.arc_ms & 0xFFFFFFFF,
            min(t.arcs, 0xFFFFFFFF),
            min(t.strikes, 0xFFFFFFFF),
            t.peak_ma & 0xFFFFFFFF,
            t.charge_mah & 0xFFFFFFFF,
            min(self.extensions, 0xFFFF),
            _SUSPENDED if self.suspended else 0,
        )


def decode(fact: bytes) -> "Session | None":
    """Read a session back; None when the fact has another length than this firmware writes."""
    if len(fact) != FACT_BYTES:
        return None
    row = unpack(_FACT, fact)
    session = Session(row[0], row[2], row[3])
    session.latest = row[1]
    session.epoch = row[4]
    session.start_seq, session.expires_s, session.limit_s, session.offline_s, session.life_s = row[5:10]
    session.granted_at_s = row[10]
    t = session.totals
    t.arc_ms, t.arcs, t.strikes, t.peak_ma, t.charge_mah = row[11:16]
    session.extensions = row[16]
    session.suspended = bool(row[17] & _SUSPENDED)
    return session
