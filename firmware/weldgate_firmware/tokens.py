"""Tokens on their way in: verified in slices, then accepted, refused, or taken as an act.

Verification is `weldgate_protocol.token`'s; here is what the chip itself knows: whether the machine is shut, whether
somebody else is welding, whether flash and sensor allow a start, and whether showing the token was a local act.
"""

from struct import pack

from weldgate_firmware import clock as clocks
from weldgate_firmware import gate as gates
from weldgate_firmware.log import SESSION, TENTATIVE_FLOOR, USED_ID, USED_IDS_MAX
from weldgate_firmware.sessions import SOFT_S
from weldgate_firmware.starts import end_of
from weldgate_firmware.telling import ACT_SCANNER, RAISED, VIA_DOWNLINK, VIA_SCANNER
from weldgate_protocol import live, p256, reasons
from weldgate_protocol._compat import sha256
from weldgate_protocol.claims import Context
from weldgate_protocol.errors import Refused
from weldgate_protocol.token import PURPOSE_EMERGENCY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from weldgate_firmware.core import Core
    from weldgate_firmware.trust import Trust
    from weldgate_protocol.token import Claims

    Verify = Callable[[bytes | str, Context], Generator[None, None, Claims]]


class Tokens:
    """The token being verified, and the rules of acceptance."""

    def __init__(self, core: "Core", trust: "Trust", verify: "Verify") -> None:
        self._core = core
        self._trust = trust
        self._verify = verify
        self._steps: "Generator[None, None, Claims] | None" = None
        self._via = 0
        self._name: "bytes | None" = None  # of the token under verification, when it came from afar
        self._proving: "Generator[None, None, bool] | None" = None
        self._proved: "Claims | None" = None  # whose live code is being verified
        self._extension: "Claims | None" = None  # its used id is on its way to flash

    # -- in ----------------------------------------------------------------------

    def submit(self, data: "bytes | str", via: int) -> None:
        """Take a token's bytes or text; refuse at once what can't be accepted now."""
        core = self._core
        # Who sent it from afar waits for an answer, and what is not verified has no id (M-ORD-15).
        name = sha256(bytes(data))[:8] if via == VIA_DOWNLINK and not isinstance(data, str) else None
        reason = core.shut()
        if not reason and (self._steps is not None or self._extension is not None or self._proving is not None):
            reason = reasons.GATE_BUSY
        if reason:
            core.refuse(reason, via, None, name)
            return
        self._via = via
        self._name = name
        self._steps = self._verify(data, self._trust.context(self._is_used))

    def prove_text(self, text: str, via: int) -> None:
        """Take a live code as it was scanned or typed."""
        try:
            answer, public = live.from_text(text)
        except Refused as refused:
            self._core.refuse(refused.code, via, self._core.armed)
            return
        self.prove(answer, public, via)

    def prove(self, answer: bytes, public: bytes, via: int) -> None:
        """Take a holder's live code: his signature over the challenge, and the key that his token names."""
        core = self._core
        claims = core.armed
        reason = 0
        if claims is None or not core.challenge:
            reason = core.shut() or reasons.GATE_NO_SESSION
        elif self._steps is not None or self._proving is not None:
            reason = reasons.GATE_BUSY
        elif live.proof_of(public) != claims.proof:
            reason = reasons.TOKEN_LIVE_CODE_WRONG
        if reason or claims is None:
            core.refuse(reason, via, claims)
            return
        self._via = via
        self._proved = claims
        signed = live.digest(core.challenge, claims.id, core.identity.device)
        self._proving = p256.verify_steps(public, signed, answer)

    def _prove_on(self, steps: "Generator[None, None, bool]") -> None:
        """Verify a live code one slice further; when it is right, nothing but the local act is missing."""
        core = self._core
        self._proving = None
        try:
            next(steps)
            self._proving = steps
            return
        except StopIteration as done:
            good = done.value
        claims = core.armed
        if claims is None or claims is not self._proved:
            core.refuse(reasons.GATE_NO_LOCAL_ACT, self._via, self._proved)  # too late, or another token came
        elif not good:
            core.refuse(reasons.TOKEN_LIVE_CODE_WRONG, self._via, claims)
        else:
            core.challenge = b""
            core.tell(0)
            if self._via == VIA_SCANNER:
                self.act(ACT_SCANNER, core.armed_via)

    def step(self) -> bool:
        """Verify one slice further; True when there was one."""
        if self._proving is not None:
            self._prove_on(self._proving)
            return True
        steps = self._steps
        if steps is None:
            return self._extend_when_durable()
        self._steps = None  # should it raise what it must not, it is not asked again
        try:
            next(steps)
            self._steps = steps
        except StopIteration as done:
            self._verified(done.value, self._via)
        except Refused as refused:
            self._core.refuse(refused.code, self._via, None, self._name)
        return True

    def _is_own(self, id_: bytes) -> bool:
        """Whether this token opened or extended the session that is suspended."""
        session = self._core.session
        return session is not None and (id_ == session.token or id_ == session.latest)

    def _is_used(self, id_: bytes) -> bool:
        if self._core.gate.state == gates.SUSPENDED and self._is_own(id_):
            return False  # shown again it is an act, not a second session
        return self._core.facts.log.get(USED_ID, id_) is not None

    # -- judged --------------------------------------------------------------------

    def _verified(self, claims: "Claims", via: int) -> None:
        """Act on a verified token."""
        core = self._core
        if claims.clock_s and core.clock.learn(clocks.from_unix(claims.clock_s)):
            core.facts.put(TENTATIVE_FLOOR, pack(">I", core.clock.tentative_s))
        state = core.gate.state
        if state == gates.SUSPENDED and self._is_own(claims.id):
            if via == VIA_SCANNER:
                self.act(ACT_SCANNER, via)
            else:
                core.refuse(reasons.TOKEN_USED, via, claims)
            return
        reason = self._objection(claims, state)
        if reason:
            core.refuse(reason, via, claims)
            return
        actions = core.post(gates.TOKEN_ACCEPTED, reasons.END_REPLACED if state == gates.SUSPENDED else 0)
        if gates.EXTEND in actions:
            self._extension = claims
            core.facts.put(USED_ID, pack(">I", clocks.from_unix(claims.expires_s)), claims.id)
        elif gates.REFUSE in actions:
            core.refuse(core.shut() or reasons.GATE_BUSY, via, claims)
        else:
            core.arm(claims, via)
            core.tell(reasons.TOKEN_LIVE_CODE if core.challenge else 0)
            if via == VIA_SCANNER and not core.challenge:
                self.act(ACT_SCANNER, via)

    def _objection(self, claims: "Claims", state: int) -> int:
        """Return why this token can't start or extend a session now, 0 for nothing."""
        core = self._core
        session = core.session
        if state == gates.LIVE and session is not None and claims.holder != session.holder:
            return reasons.TOKEN_OTHER_HOLDER
        if core.config.live_code and claims.proof is None and claims.purpose != PURPOSE_EMERGENCY:
            return reasons.TOKEN_NO_HOLDER_KEY
        if core.sensor_fault:
            return reasons.GATE_SENSOR_FAULT
        if core.facts.log.count(USED_ID) >= USED_IDS_MAX:
            return reasons.TOKEN_USED_TABLE_FULL
        if core.facts.failing or core.recorder.failing:
            return reasons.GATE_FLASH_FAILED
        if end_of(claims) - core.clock.now_s <= SOFT_S or not claims.offline_s:
            return reasons.GATE_LIMIT_SPENT
        if state != gates.LIVE:
            return core.storage.admits_session()
        return 0

    def act(self, act: int, via: int) -> None:
        """Somebody at the machine has acted: start or resume, if nothing speaks against it."""
        core = self._core
        reason = 0
        if core.power_failing:
            reason = reasons.GATE_NOT_READY
        elif core.sensor_fault:
            reason = reasons.GATE_SENSOR_FAULT
        elif core.button_stuck:
            reason = reasons.GATE_BUTTON_STUCK
        elif core.watch.over:
            reason = reasons.GATE_CURRENT_BEFORE_START
        elif core.session is not None and core.session.left(core.clock)[0] <= 0:
            reason = reasons.GATE_LIMIT_SPENT
        elif self._is_revoked():
            reason = reasons.TOKEN_REVOKED  # the power went between the list and the stop
        elif core.armed is not None and end_of(core.armed) <= core.clock.now_s:
            reason = reasons.TOKEN_EXPIRED  # while it waited
        elif core.armed is not None and core.challenge:
            reason = reasons.TOKEN_LIVE_CODE  # whoever pressed: the holder's own key has not answered
        if reason:
            core.refuse(reason, via, core.armed)
            return
        core.act = act
        core.post(gates.LOCAL_ACT)

    def _is_revoked(self) -> bool:
        session = self._core.session
        if session is None:
            return False
        return self._trust.revokes(session.token, session.kid) or self._trust.revokes(session.latest, session.kid)

    # -- extending -------------------------------------------------------------------

    def _extend_when_durable(self) -> bool:
        """Lengthen the live session once the used id of its new token is on flash."""
        claims = self._extension
        core = self._core
        if claims is None or len(core.facts):
            return False
        self._extension = None
        session = core.session
        if session is None or core.gate.state != gates.LIVE:
            return True  # it ended meanwhile: the new token is used up, as if it had been shown a second earlier
        session.grant(end_of(claims), claims.limit_s, claims.offline_s, core.clock.now_s)
        session.latest = claims.id
        session.kid = claims.kid
        session.extensions += 1
        core.facts.put(SESSION, session.encode())
        if claims.purpose == PURPOSE_EMERGENCY:
            core.alarm(reasons.ALARM_EMERGENCY, claims.id, RAISED, False)
        core.tell(0)
        return True
