"""What the chip says of itself: hello, heartbeat, telemetry and config-report, as fields of their messages."""

from weldgate_firmware.spool import SESSION, SLOW_PERMILLE, TELEMETRY
from weldgate_protocol import messages
from weldgate_protocol._compat import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from weldgate_firmware.core import Core
    from weldgate_firmware.trust import Trust

    Fields = dict[str, Any]

SLOWER = const(4)  # telemetry's windows above 75 % of the spool
_U32 = 0xFFFFFFFF

QUERY_STATE = const(1)  # messages, query key 2; 3 is diagnostics
QUERY_CONFIG = const(2)


class Status:
    """The chip's account of itself."""

    def __init__(self, core: "Core", trust: "Trust", firmware: str) -> None:
        self._core = core
        self._trust = trust
        self._firmware = firmware
        self._window_s = 0
        self._query: "tuple[bytes, int] | None" = None
        self._challenged = b""  # the challenge sent last
        self.boots = 0
        self.reset_cause = 0

    def hello(self) -> "Fields":
        """Return the fields of hello, all but the nonce."""
        core = self._core
        spool = core.storage.spool
        fields = self._versions()
        fields["oldest"] = spool.oldest
        fields["highest"] = spool.highest
        fields["boot"] = self.boots
        fields["reset_cause"] = self.reset_cause
        return fields

    def _versions(self) -> "Fields":
        versions = self._trust.in_force
        return {
            "firmware": self._firmware,
            "profile": self._core.profile.name,
            "config_version": versions[b"config"],
            "key_set_version": versions[b"key-set"],
            "revocations_version": versions[b"revocations"],
        }

    def heartbeat(self) -> "Fields":
        """Return the fields of heartbeat; whoever knows heap and signal adds them."""
        core = self._core
        spool = core.storage.spool
        holds = core.holds
        alarms = sorted(set(holds.latches.values()))
        if core.sensor_fault and core.sensor_fault not in alarms and core.leave.order is None:
            alarms.append(core.sensor_fault)
        return {
            "gate": core.gate.state,
            "token": core.session.token if core.session is not None else None,
            "alarms": alarms,
            "highest": spool.highest,
            "acked": spool.acked,
            "spool_permille": spool.used_permille,
            "current_ma": min(core.sense.current_ma, _U32),
            "lock": holds.lock_mode,
            "uptime_s": core.clock.uptime_s,
            "key_set_days": self._trust.days_left(),
            "last_reason": core.last_reason or None,
            "alarm_ids": sorted(holds.latches) or None,
            "lock_ids": sorted(holds.locks) or None,
            "skipped": core.recorder.skipped or None,
        }

    def query(self, query: bytes, what: int) -> None:
        """Take a question: 1 state, 2 configuration, 3 diagnostics. The last one asked is answered."""
        self._query = (query, what)

    def take_answer(self) -> "Fields | None":
        """Return the fields of diagnostics, None when nothing was asked."""
        if self._query is None:
            return None
        query, what = self._query
        self._query = None
        core = self._core
        spool = core.storage.spool
        if what == QUERY_CONFIG:
            values = core.config.changed()
        elif what == QUERY_STATE:
            values = {1: core.gate.state, 2: core.last_reason, 3: core.holds.lock_mode, 4: core.sensor_fault}
        else:
            values = {1: core.failures, 2: core.last_error, 3: core.gate.unknown, 4: spool.failures, 5: spool.dropped}
            values[6] = core.facts.log.failures
        return {"query": query, "what": what, "values": values}

    def take_challenge(self) -> "Fields | None":
        """Return the fields of the next challenge, None when none is to be sent; each is sent once."""
        core = self._core
        claims = core.armed
        if claims is None or not core.challenge or core.challenge == self._challenged:
            return None
        self._challenged = core.challenge
        return {"challenge": core.challenge, "token": claims.id}

    def seconds(self, passed: int) -> None:
        """Let powered seconds pass; at the end of a window record its telemetry."""
        core = self._core
        self._window_s += passed
        window_s = core.config.telemetry_s
        if core.storage.spool.used_permille > SLOW_PERMILLE:
            window_s *= SLOWER
        if self._window_s < window_s:
            return
        tally = core.sense.telemetry
        fields = {
            "token": core.session.token if core.session is not None else None,
            "window_s": self._window_s,
            "mean_ma": tally.mean_ma(),
            "peak_ma": tally.peak_ma,
            "arc_ms": tally.arc_ms,
            "gate": core.gate.state,
            "source": core.sense.meter.profile.source,
            "strikes": tally.strikes,
        }
        core.recorder.note(messages.TELEMETRY, fields, TELEMETRY)
        tally.reset()
        self._window_s = 0

    def report(self) -> None:
        """Record which objects are in force; each boot does, so it displaces nothing (DESIGN 5)."""
        fields = self._versions()
        fields["digest"] = self._core.config.digest()
        self._core.recorder.note(messages.CONFIG_REPORT, fields, SESSION)
