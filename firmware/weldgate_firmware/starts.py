"""What closing waits for: a session's start or its resumption, written to flash step by step, then the relay.

Order on flash (DESIGN section 3): used id, the open session, session-start, and only then RECORDS_DURABLE. For a
resumption: powered seconds rounded up, the open session as running, session-resume. Nothing begins before all older
facts and records are written, so flash that does not take them lets no session start. Each step is one slice; a lock
or an alarm between two of them drops the rest, and after a step that blocked what came meanwhile is heard first.
"""

from struct import pack

from weldgate_firmware import clock as clocks
from weldgate_firmware import gate as gates
from weldgate_firmware.clock import ticks_diff
from weldgate_firmware.log import POWERED, SESSION, USED_ID
from weldgate_firmware.sessions import Session
from weldgate_firmware.spool import SESSION as SESSION_PRIORITY
from weldgate_firmware.telling import RAISED
from weldgate_protocol import messages, reasons
from weldgate_protocol._compat import const
from weldgate_protocol.errors import LocalError, StorageError
from weldgate_protocol.token import PURPOSE_EMERGENCY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from weldgate_firmware.core import Core
    from weldgate_protocol.token import Claims

COMMIT_MS = const(5000)  # flash that takes longer than this is as good as none
BLOCKED_MS = const(40)  # a step that took so long has held up everybody: a lock may have come meanwhile,
TURNS = const(2)  # so the link gets its turn between two empty slices before the relay may close


def end_of(claims: "Claims") -> int:
    """Return when a token's leave ends, seconds from 2020: its expiry or its permit's end."""
    ends_s = claims.expires_s
    if claims.permit_to_s is not None:
        ends_s = min(ends_s, claims.permit_to_s)
    return clocks.from_unix(ends_s)


class Starts:
    """The commit that is under way, if one is: a list of steps, done one a slice."""

    def __init__(self, core: "Core") -> None:
        self._core = core
        self._steps: "tuple[Callable[[], None], ...]" = ()
        self._at = 0
        self._fresh: "Session | None" = None  # the session that is being started, not yet the core's
        self._waited_ms = 0
        self._turns = 0
        core.begin_commit = self.begin
        core.drop_commit = self.drop

    def begin(self) -> None:
        """Begin to write: the resumption of an interrupted session, or the start by the token that waits."""
        self._waited_ms = 0
        self._at = 0
        self._turns = 0
        if self._core.session is not None:
            self._steps = (self._mark_running, self._record_resume)
        else:
            self._steps = (self._use_id, self._keep_session, self._record_start)

    def drop(self) -> None:
        """Forget the commit: what is on flash already is taken back, the used id excepted."""
        core = self._core
        self._steps = ()
        if self._fresh is not None:
            self._fresh = None
            core.forget_session()
        elif core.session is not None and not core.session.suspended:
            core.session.suspended = True  # the session-suspend on record holds again
            core.facts.put(SESSION, core.session.encode())

    def passed(self, ms: int) -> None:
        """Let time pass for a commit that waits for flash."""
        if not self._steps:
            return
        self._waited_ms += ms
        if self._waited_ms > COMMIT_MS:
            self._fail(reasons.GATE_FLASH_FAILED)

    def step(self) -> bool:
        """Do one step; True when there was one. Ends with RECORDS_DURABLE or FLASH_FAILED."""
        if not self._steps:
            return False
        core = self._core
        if self._turns:
            self._turns -= 1
        else:
            begun = core.clock.ticks_ms()
            try:
                if self._drained():
                    self._steps[self._at]()
                    self._at += 1
            except StorageError as error:
                full = error.code == reasons.STORAGE_FULL
                self._fail(reasons.GATE_SPOOL_FULL if full else reasons.GATE_FLASH_FAILED)
                return True
            if ticks_diff(core.clock.ticks_ms(), begun) >= BLOCKED_MS:
                self._turns = TURNS
        if self._at == len(self._steps) and not self._turns:
            self._steps = ()
            self._fresh = None
            core.post(gates.RECORDS_DURABLE)
            core.settle()
        return True

    def _fail(self, reason: int) -> None:
        """Flash did not take it: open, refuse with its own reason."""
        core = self._core
        claims = core.armed
        via = core.armed_via
        core.post(gates.FLASH_FAILED)
        core.refuse(reason, via or core.act, claims)
        if reason == reasons.GATE_FLASH_FAILED:
            core.alarm(reasons.ALARM_FLASH_FAILED, core.random(8), RAISED, False)
        core.settle()

    def _drained(self) -> bool:
        """Whether everything older is on flash; what can't get there lets nothing start."""
        core = self._core
        if core.facts.failing or core.recorder.failing:
            raise StorageError(reasons.STORAGE_FAILED, "older facts or records can't be written")
        return not len(core.facts) and not len(core.recorder)

    # -- starting ------------------------------------------------------------------

    def _claims(self) -> "Claims":
        claims = self._core.armed
        if claims is None:
            raise LocalError(reasons.GATE_NO_SESSION, "a commit without a token")
        return claims

    def _use_id(self) -> None:
        claims = self._claims()
        expires = pack(">I", clocks.from_unix(claims.expires_s))
        self._core.facts.log.put(USED_ID, expires, claims.id, True)

    def _keep_session(self) -> None:
        core = self._core
        claims = self._claims()
        session = Session(claims.id, claims.kid, claims.holder)
        session.grant(end_of(claims), claims.limit_s, claims.offline_s, core.clock.now_s)
        session.epoch = core.recorder.spool.epoch
        session.start_seq = core.recorder.next_seq
        self._fresh = session
        core.facts.log.put(POWERED, session.keep_next(), b"", True)
        core.facts.log.put(SESSION, session.encode(), b"", True)

    def _record_start(self) -> None:
        core = self._core
        claims = self._claims()
        if self._fresh is not None and self._fresh.start_seq != core.recorder.next_seq:
            self._keep_session()  # numbers went on meanwhile: a boot finds the start by its own
        fields = {
            "token": claims.id,
            "kid": claims.kid,
            "holder": claims.holder,
            "act": core.act,
            "via": core.armed_via,
            "purpose": claims.purpose,
            "domain": claims.domain,
            "permit": claims.permit,
            "issued_s": claims.issued_s,
            "expires_s": claims.expires_s,
            "limit_s": claims.limit_s,
            "offline_s": claims.offline_s,
        }
        core.recorder.write(messages.SESSION_START, fields, SESSION_PRIORITY, True)
        core.session = self._fresh
        core.armed = None
        if claims.purpose == PURPOSE_EMERGENCY:
            core.alarm(reasons.ALARM_EMERGENCY, claims.id, RAISED, False)

    # -- resuming ------------------------------------------------------------------

    def _mark_running(self) -> None:
        session = self._session()
        self._core.facts.log.put(POWERED, session.keep_next(), b"", True)
        session.suspended = False
        self._core.facts.log.put(SESSION, session.encode(), b"", True)

    def _session(self) -> Session:
        session = self._core.session
        if session is None:
            raise LocalError(reasons.GATE_NO_SESSION, "a resumption without a session")
        return session

    def _record_resume(self) -> None:
        core = self._core
        session = self._session()
        fields = {"token": session.token, "act": core.act, "powered_s": session.powered_s}
        core.recorder.write(messages.SESSION_RESUME, fields, SESSION_PRIORITY, True)
