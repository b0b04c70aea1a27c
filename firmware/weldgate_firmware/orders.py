"""Signed orders on their way in: verified in slices, carried out once, answered by a durable order-result.

An order that rewrites a slot (configuration, key set, revocation list, keys) waits, verified, until the relay is open:
slots are never written under a session. One may wait; another is refused meanwhile. A revocation list that names the
live session ends it softly at once, so that it need not wait long. The driver serves tokens first, so no token is under
verification when an order changes what it is judged by.
"""

from struct import pack

from weldgate_firmware import clock as clocks
from weldgate_firmware import gate as gates
from weldgate_firmware import identity as identities
from weldgate_firmware import slots
from weldgate_firmware.log import IDS_FROM, USED_ID, USED_IDS_MAX
from weldgate_firmware.spool import RECORD, REFUSAL
from weldgate_firmware.telling import CLEARED
from weldgate_protocol import keys, messages, reasons
from weldgate_protocol import order as protocol_order
from weldgate_protocol._compat import const, sha256
from weldgate_protocol.errors import ConfigError, Refused, StorageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from weldgate_firmware.core import Core
    from weldgate_firmware.sessions import Session
    from weldgate_firmware.trust import Trust
    from weldgate_protocol.claims import Context
    from weldgate_protocol.order import Order

    Judge = Callable[[bytes, bytes, Context], Generator[None, None, Order]]

APPLIED = const(0)  # order-result key 3
REFUSED = const(1)

_KINDS = {
    messages.RELEASE: protocol_order.RELEASE,
    messages.CLEAR_ALARM: protocol_order.CLEAR_ALARM,
    messages.CONFIG: protocol_order.CONFIG,
    messages.KEY_SET: protocol_order.KEY_SET,
    messages.REVOCATIONS: protocol_order.REVOCATIONS,
    messages.REKEY: protocol_order.REKEY,
    messages.UPDATE: protocol_order.UPDATE,
    messages.PLANNED_REMOVAL: protocol_order.PLANNED_REMOVAL,
}
# Those that wait until the relay is open: all but the last write a slot.
_WAITING = (messages.CONFIG, messages.KEY_SET, messages.REVOCATIONS, messages.REKEY, messages.PLANNED_REMOVAL)


def _names(order: "Order", token: bytes, kid: bytes) -> bool:
    """Whether a revocation list names a token or its key."""
    return token in order.tokens or kid in order.kids


def _names_session(order: "Order", session: "Session") -> bool:
    """Whether a revocation list names a session: by its first token, by the last that extended it, or by the key."""
    return session.token in order.tokens or _names(order, session.latest, session.kid)


class Orders:
    """The order being verified, and the one that waits for the relay to open."""

    def __init__(self, core: "Core", trust: "Trust", judge: "Judge", soft_end: "Callable[[int], None]") -> None:
        self._core = core
        self._trust = trust
        self._judge = judge
        self._soft_end = soft_end
        self._steps: "Generator[None, None, Order] | None" = None
        self._type = 0
        self._data = b""
        self._waiting: "tuple[int, Order, bytes] | None" = None
        self.report_due = False  # a config-report is to be written

    def submit(self, type_: int, data: bytes) -> None:
        """Take a signed order, by the type of the message that carried it.

        Its answer is an order-result, under the order's id when it was verified, else under the first 8 bytes of
        the SHA-256 of its bytes.
        """
        if type_ not in _KINDS:
            self._answer(sha256(data)[:8], type_, reasons.ORDER_UNSUPPORTED)
        elif self._steps is not None or not self._core.ready:
            self._answer(sha256(data)[:8], type_, reasons.GATE_BUSY)
        else:
            self._type = type_
            self._data = bytes(data)
            context = self._trust.context(self._is_used)
            self._steps = self._judge(_KINDS[type_], self._data, context)

    def _is_used(self, id_: bytes) -> bool:
        return self._core.facts.log.get(USED_ID, id_) is not None

    def step(self) -> bool:
        """Verify one slice further, or carry out what waited; True when there was something to do."""
        if self._waiting is not None:
            type_, order, data = self._waiting
            if not self._core.closed:
                self._waiting = None
                self._carry_out(type_, order, data)
                return True
            self._end_revoked(type_, order)  # a token on the list may have extended the session since
        steps = self._steps
        if steps is None:
            return False
        self._steps = None  # should it raise what it must not, it is not asked again
        try:
            next(steps)
            self._steps = steps
        except StopIteration as done:
            self._verified(self._type, done.value, self._data)
        except Refused as refused:
            self._answer(sha256(self._data)[:8], self._type, refused.code)
        return True

    def _verified(self, type_: int, order: "Order", data: bytes) -> None:
        if type_ in _WAITING and self._core.closed:
            self._end_revoked(type_, order)
            if self._waiting is None:
                self._waiting = (type_, order, data)
            elif self._waiting[1].id != order.id:
                # Else it is the same one again: it is answered when its time comes.
                self._answer(order.id, type_, reasons.ORDER_IN_SESSION)
            return
        self._carry_out(type_, order, data)

    def _end_revoked(self, type_: int, order: "Order") -> None:
        """End the live session softly, if this is a revocation list that names it (M-ORD-16)."""
        session = self._core.session
        if type_ == messages.REVOCATIONS and session is not None and _names_session(order, session):
            self._soft_end(reasons.END_REVOKED)

    def _carry_out(self, type_: int, order: "Order", data: bytes) -> None:
        """Do what the order says, then keep its id and answer."""
        core = self._core
        reason = 0
        if order.acts_once():
            if core.facts.log.count(USED_ID) >= USED_IDS_MAX:
                reason = reasons.TOKEN_USED_TABLE_FULL
            else:
                core.facts.put(USED_ID, pack(">I", clocks.from_unix(order.expires_s)), order.id)
        if not reason:
            if type_ == messages.RELEASE:
                reason = self._release(order)
            elif type_ == messages.CLEAR_ALARM:
                reason = self._clear(order)
            elif type_ == messages.PLANNED_REMOVAL:
                reason = core.leave.grant(order)
            elif type_ == messages.REKEY:
                reason = self._rekey(order)
            else:
                reason = self._take(order, data)
        self._answer(order.id, type_, reason, RECORD)
        core.settle()
        core.outputs.changed()

    def _release(self, order: "Order") -> int:
        """Take the lock away that the order names; it energises nothing."""
        lock = order.lock
        if lock is None or lock not in self._core.holds.locks:
            return reasons.ORDER_UNKNOWN_LOCK
        self._core.holds.release(lock)
        self._core.leave.released(lock)
        return 0

    def _rekey(self, order: "Order") -> int:
        """Take the keys of the next generation: into both slots of the identity, then the module starts anew with them.

        A power cut leaves the old identity or the new one, whole, and the collector has the keys of both. The second
        writing takes the old keys off the flash, so that a slot that rots brings none of them back.
        """
        core = self._core
        identity = core.identity
        if order.version != identity.generation + 1:
            return reasons.ORDER_VERSION_OLD  # this very order again, or another while this one waited
        secrets = keys.unwrap(identity.k_seal, order.id, order.version, order.wrapped)
        if not secrets:
            return reasons.ORDER_SIGNATURE  # signed by who may, wrapped by who does not know this chip's K_seal
        fields = {row[1]: getattr(identity, row[1]) for row in identities.FIELDS}
        fields["k_up"], fields["k_down"], fields["k_seal"] = secrets[:32], secrets[32:64], secrets[64:]
        fields["generation"] = order.version
        data = identities.encode(identities.Identity(fields))
        try:
            core.storage.slots.store(slots.IDENTITY, data)
            core.restart = True
            core.storage.slots.store(slots.IDENTITY, data)
        except StorageError as error:
            return 0 if core.restart else error.code
        return 0

    def _clear(self, order: "Order") -> int:
        """Clear the alarms that the order names; current that still flows will latch a new one."""
        core = self._core
        for id_ in order.alarms:
            if id_ == core.clock_alarm:
                # Signed after the alarm, whose id it names: its time of signing is what a wrong welcome hid.
                core.clock.restart(clocks.from_unix(order.issued_s))
                core.clock_alarm = None
                core.alarm(reasons.ALARM_CLOCK, id_, CLEARED, True, order.id)
                continue
            if core.holds.latches.get(id_) == reasons.ALARM_LATCH_UNREADABLE:
                # The used ids went with it. Their tokens were issued before the loss, this order after it.
                core.facts.put(IDS_FROM, pack(">I", clocks.from_unix(order.issued_s)))
            reason = core.holds.clear(id_)
            if reason:
                core.alarm(reason, id_, CLEARED, True, order.id)
        return 0

    def _take(self, order: "Order", data: bytes) -> int:
        """Put configuration, key set or revocation list in force."""
        if order.version <= self._trust.versions[order.kind]:
            return reasons.ORDER_VERSION_OLD  # a newer one came while this one waited
        try:
            self._trust.take(order, data)
        except (ConfigError, StorageError) as error:
            return error.code
        if order.kind == protocol_order.REVOCATIONS:
            self._revoke(order)
        self.report_due = True
        return 0

    def _revoke(self, order: "Order") -> None:
        """End what a list in force names, the relay being open: a suspended session, a token that waits for its act."""
        core = self._core
        session = core.session
        if session is not None and _names_session(order, session):
            core.post(gates.HARD_END, reasons.END_REVOKED)
        armed = core.armed
        if armed is not None and _names(order, armed.id, armed.kid):
            core.post(gates.HARD_END)
            core.refuse(reasons.TOKEN_REVOKED, core.armed_via, armed)

    def _answer(self, order: bytes, type_: int, reason: int, priority: int = REFUSAL) -> None:
        """Record what became of an order; an answer to one that did nothing takes no other record's room."""
        fields = {
            "order": order,
            "type": type_,
            "result": REFUSED if reason else APPLIED,
            "reason": reason or None,
        }
        self._core.recorder.note(messages.ORDER_RESULT, fields, priority)
