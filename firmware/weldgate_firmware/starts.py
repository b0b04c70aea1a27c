"""What closing waits for: a session's start or its resumption, written to flash step by step, then the relay.

Order on flash (DESIGN section 3): used id, the open session, session-start, and only then RECORDS_DURABLE. For a
resumption: powered seconds rounded up, the open session as running, session-resume. Nothing begins before all older
facts and records are written, so flash that does not take them lets no session start. Each step is one slice; a lock
or an alarm between two of them drops the rest.
"""

from struct import pack

from weldgate_firmware import clock as clocks
from weldgate_firmware import gate as gates
from weldgate_firmware.core import RAISED
from weldgate_firmware.log import POWERED, SESSION, USED_ID
from weldgate_firmware.sessions import Session
from weldgate_firmware.spool import SESSION as SESSION_PRIORITY
from weldgate_protocol import messages, reasons
from weldgate_protocol._compat import const
from weldgate_protocol.errors import StorageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator

    from weldgate_firmware.core import Core
    from weldgate_protocol.token import Claims

COMMIT_MS = const(5000)  # flash that takes longer than this is as good as none


def end_of(claims: "Claims") -> int:
    """Return when a token's leave ends, seconds from 2020: its expiry or its permit's end."""
    ends_s = claims.expires_s
    if claims.permit_to_s is not None:
        ends_s = min(ends_s, claims.permit_to_s)
    return clocks.from_unix(ends_s)


class Starts:
    """The commit that is under way, if one is."""

    def __init__(self, core: "Core") -> None:
        self._core = core
        self._steps: "Generator[None, None, None] | None" = None
        self._fresh: "Session | None" = None  # the session that is being started, not yet the core's
        self._waited_ms = 0
        core.begin_commit = self.begin
        core.drop_commit = self.drop

    @property
    def busy(self) -> bool:
        """Whether a commit is under way."""
        return self._steps is not None

    def begin(self) -> None:
        """Begin to write: the resumption of an interrupted session, or the start by the token that waits."""
        core = self._core
        self._waited_ms = 0
        if core.session is not None:
            self._steps = self._resume(core.session)
        elif core.armed is not None:
            self._steps = self._start(core.armed)

    def drop(self) -> None:
        """Forget the commit: what is on flash already is taken back, the used id excepted."""
        core = self._core
        self._steps = None
        if self._fresh is not None:
            self._fresh = None
            core.forget_session()
        elif core.session is not None and not core.session.suspended:
            core.session.suspended = True  # the fact on flash says running: the next boot records a suspension
            core.facts.put(SESSION, core.session.encode())

    def passed(self, ms: int) -> None:
        """Let time pass for a commit that waits for flash."""
        if self._steps is None:
            return
        self._waited_ms += ms
        if self._waited_ms > COMMIT_MS:
            self._fail(reasons.GATE_FLASH_FAILED)

    def step(self) -> bool:
        """Do one step; True when there was one. Ends with RECORDS_DURABLE or FLASH_FAILED."""
        steps = self._steps
        if steps is None:
            return False
        try:
            next(steps)
        except StopIteration:
            self._steps = None
            self._fresh = None
            self._core.post(gates.RECORDS_DURABLE)
            self._core.settle()
        except StorageError as error:
            full = error.code == reasons.STORAGE_FULL
            self._fail(reasons.GATE_SPOOL_FULL if full else reasons.GATE_FLASH_FAILED)
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

    def _drained(self) -> "Generator[None, None, None]":
        """Wait until everything older is on flash."""
        core = self._core
        while len(core.facts) or len(core.recorder):
            if core.facts.failing or core.recorder.failing:
                raise StorageError(reasons.STORAGE_FAILED, "older facts or records can't be written")
            yield

    def _start(self, claims: "Claims") -> "Generator[None, None, None]":
        """Write used id, open session and session-start."""
        core = self._core
        yield from self._drained()
        log = core.facts.log
        log.put(USED_ID, pack(">I", clocks.from_unix(claims.expires_s)), claims.id, True)
        yield
        session = Session(claims.id, claims.kid, claims.holder)
        session.grant(end_of(claims), claims.limit_s, claims.offline_s, core.clock.now_s)
        spool = core.recorder.spool
        session.epoch = spool.epoch
        session.start_seq = spool.next_seq + (0 if spool.skipped is None else 1)  # a gap goes first
        self._fresh = session
        log.put(POWERED, session.keep_next(), b"", True)
        log.put(SESSION, session.encode(), b"", True)
        yield
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
        core.session = session
        core.armed = None

    def _resume(self, session: "Session") -> "Generator[None, None, None]":
        """Write powered seconds, the session as running, and session-resume."""
        core = self._core
        yield from self._drained()
        log = core.facts.log
        log.put(POWERED, session.keep_next(), b"", True)
        session.suspended = False
        log.put(SESSION, session.encode(), b"", True)
        yield
        fields = {"token": session.token, "act": core.act, "powered_s": session.powered_s}
        core.recorder.write(messages.SESSION_RESUME, fields, SESSION_PRIORITY, True)
