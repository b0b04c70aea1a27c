"""What a boot has to find out before anything may start, and what it has to tell.

Until this has run to its end the gate is LOCKED. Nothing resumes by itself: an interrupted session is found, its
suspension recorded, and it waits for a local act. The spool is the truth about whether a session began or ended; the
log only says where to look.
"""

from struct import pack

from weldgate_firmware import sessions
from weldgate_firmware.log import ACKED, BOOT_COUNT, POWERED, SESSION, TENTATIVE_FLOOR, TRUSTED_FLOOR
from weldgate_firmware.records import GAP_FORMATTED
from weldgate_firmware.spool import RECORD
from weldgate_firmware.telling import RAISED
from weldgate_protocol import messages, reasons
from weldgate_protocol._compat import const
from weldgate_protocol.errors import CborError, MessageError, StorageError
from weldgate_protocol.frame import HEADER_BYTES, RAW_MAX, TAG_BYTES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from weldgate_firmware.core import Core
    from weldgate_firmware.sessions import Session
    from weldgate_firmware.trust import Trust

CAUSE_WATCHDOG = const(3)  # machine.reset_cause, MicroPython
STOP_SCAN_RECORDS = const(256)  # newest records searched for a stop: between it and the fact's removal lie a few
NO_EPOCH = b"\0\0\0\0"  # gap: of whatever epoch there was before


def boot(core: "Core", trust: "Trust", reset_cause: int) -> int:
    """Mount the stores, read what holds, and record what must be known; return the boot count.

    Raises:
        StorageError: the log can't be read at all; the gate stays LOCKED.
    """
    core.storage.mount()
    log = core.facts.log
    core.clock.load(_number(log.get(TRUSTED_FLOOR)), _number(log.get(TENTATIVE_FLOOR)))
    boots = _number(log.get(BOOT_COUNT)) + 1
    core.facts.put(BOOT_COUNT, pack(">I", boots))
    trust.load()
    found = find_session(core)
    if core.storage.spool.formatted:
        acked = log.get(ACKED) or b""
        open_epoch(core, (acked[:4], _number(acked[4:])) if len(acked) == 8 else None)
    core.ahead.recall()
    core.leave.load()
    if not core.holds.load():
        _latch_unreadable(core)
    if reset_cause == CAUSE_WATCHDOG:
        core.alarm(reasons.ALARM_WATCHDOG_RESET, core.random(8), RAISED, False)
    if found is not None:
        core.session = found
        core.suspend(reasons.END_POWER_LOSS)
    core.ready = True
    core.settle()
    return boots


def _latch_unreadable(core: "Core") -> None:
    """What held before is not known: latch, and let the log forget its doubt once that is on flash."""
    core.latch(reasons.ALARM_LATCH_UNREADABLE)
    try:
        while core.facts.flush(True):
            pass  # the queue is bounded
        core.facts.log.settle()
    except StorageError as error:
        core.last_error = error.code  # the doubt stays in the log, so the next boot latches again


def _number(fact: "bytes | None") -> int:
    return int.from_bytes(fact or b"", "big")


def open_epoch(core: "Core", old: "tuple[bytes, int] | None") -> None:
    """Open a new epoch of the spool: a gap that ends the one before, and an alarm.

    Args:
        core: whose spool has just drawn its epoch.
        old: the epoch before and through where the collector had it; None when nobody knows.
    """
    epoch, through = old or (NO_EPOCH, 0)
    fields = {"epoch": epoch, "first": through + 1, "cause": GAP_FORMATTED}
    core.recorder.note(messages.GAP, fields, RECORD, must=True)
    core.alarm(reasons.ALARM_SPOOL_FORMATTED, core.random(8), RAISED, False)


def find_session(core: "Core") -> "Session | None":
    """Return the session that a power cut interrupted, None when there is none or its end is on record."""
    log = core.facts.log
    fact = log.get(SESSION)
    if fact is None:
        return None
    session = sessions.decode(fact)
    if session is None or not _began(core, session) or _ended(core, session):
        core.facts.remove(SESSION)
        core.facts.remove(POWERED)
        return None
    session.load_powered(log.get(POWERED) or b"")
    return session


def _began(core: "Core", session: "Session") -> bool:
    """Whether its session-start is on record: the power may have gone between the fact and the record."""
    spool = core.storage.spool
    if spool.epoch != session.epoch:
        return True  # the ring was lost after the start
    raw = bytearray(RAW_MAX)
    if spool.read(session.start_seq, raw):
        return raw[1] == messages.SESSION_START
    held = spool.next_held(1)
    return 0 < session.start_seq < held


def _ended(core: "Core", session: "Session") -> bool:
    """Whether its session-stop is on record: the power may have gone before the fact was removed."""
    spool = core.storage.spool
    raw = bytearray(RAW_MAX)
    seq = max(spool.highest - STOP_SCAN_RECORDS, 0) + 1
    if spool.epoch == session.epoch:
        seq = max(seq, session.start_seq)
    while seq and seq <= spool.highest:
        seq = spool.next_held(seq)
        length = spool.read(seq, raw) if seq else 0
        if length and raw[1] == messages.SESSION_STOP:
            try:
                fields = messages.decode(messages.SESSION_STOP, bytes(raw[HEADER_BYTES : length - TAG_BYTES]))
            except (CborError, MessageError):
                return True  # a stop that can't be read: it may well be this one's
            if fields["token"] == session.token:
                return True
        seq = seq + 1 if seq else 0
    return False
