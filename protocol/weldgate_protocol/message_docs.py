"""What messages and their fields mean, for SPEC, CDDL and `weldgate frame decode`. Host only.

`messages` holds numbers and bounds, this module the words. A test keeps both complete.
"""

__all__ = ["ENUMS", "FIELDS", "RESERVED", "SUMMARIES", "meaning"]

# Messages that have their numbers now and their behaviour later.
RESERVED = frozenset({"part-status", "update-progress", "update", "part"})

SUMMARIES: dict[str, str] = {
    "hello": "opens a connection; tagged with K_up",
    "heartbeat": "the chip's state, every 30 s and at once on a change",
    "part-status": "how far a staged object has come",
    "challenge": "asks for the holder's live code, once a token that names his key waits for its act",
    "diagnostics": "answers a query",
    "update-progress": "how far an update has come",
    "session-start": "a token opened a session; on flash before the relay closes",
    "session-suspend": "the session is paused, relay open",
    "session-resume": "the same session goes on after a local act",
    "session-stop": "the session is over; it never resumes",
    "arc": "one arc segment; the header's time is the arc's end",
    "telemetry": "what the last window measured; the header's time is the window's end",
    "refusal": "a token, order or start was refused",
    "alarm": "an alarm was raised or cleared",
    "gap": "declares sequence numbers that will never come",
    "order-result": "what became of a signed order",
    "config-report": "which versions are in force; after each change and each boot",
    "removal": "planned removal: leave begins, what was noticed under it, leave is over",
    "power-off": "the supply is failing: last gasp",
    "welcome": "answers hello; its header's time sets the clock unless its quality is floor",
    "ack": "all durable frames of this epoch up to `through` are committed",
    "poll": "grants the right to speak on a shared line",
    "token": "brings a token; never a local act",
    "lock": "locks the gate; obeyed under K_conn, and tightens only",
    "release": "takes a lock away; a signed order, never energises",
    "config": "settings; a signed order",
    "key-set": "issuer keys; signed by a root",
    "revocations": "withdrawn tokens and keys; a signed order",
    "clear-alarm": "clears the named latched alarms; a signed order",
    "rekey": "a new key generation; a signed order",
    "identify": "blink, so that somebody finds the box",
    "challenge-answer": "the holder's live code: his signature over the challenge; never a local act",
    "query": "asks for diagnostics",
    "update": "a firmware image's signed manifest",
    "part": "a piece of an object that is larger than a payload",
    "planned-removal": "leave to take the box off; a signed order that locks as well",
}

_SESSION = "unique id of the session's token"
_OBJECT = "first 8 bytes of the object's SHA-256"
_SIGNED = "COSE_Sign1 object"
_POWERED = "seconds of the session with power on, rounded up"

FIELDS: dict[str, dict[str, str]] = {
    "hello": {
        "nonce": "chip nonce, random for each connection",
        "oldest": "oldest durable sequence number held; highest + 1 when none",
        "highest": "highest durable sequence number ever given; 0 when none",
        "boot": "boot counter",
        "firmware": "firmware version",
        "profile": "board profile",
        "key_set_version": "version of the key set in force; 0 none",
        "config_version": "version of the configuration in force; 0 none",
        "revocations_version": "version of the revocation list in force; 0 none",
        "reset_cause": "why the chip started",
    },
    "heartbeat": {
        "gate": "gate state",
        "token": "token id of the live or suspended session",
        "alarms": "reason numbers of the latched alarms, may be empty",
        "highest": "highest durable sequence number given",
        "acked": "highest acknowledged in this epoch",
        "spool_permille": "unacknowledged share of the spool, 1/1000",
        "current_ma": "current now, mA",
        "lock": "lock in force",
        "uptime_s": "seconds since boot",
        "heap_free": "free heap, bytes",
        "key_set_days": "days until the key set expires",
        "last_reason": "the last refusal's reason",
        "alarm_ids": "ids of the latched alarms, in the order of `alarms`",
        "lock_ids": "ids of the locks held",
        "signal": "received signal strength, dBm",
        "skipped": "records not admitted to the spool since boot",
    },
    "part-status": {"object": _OBJECT, "through": "bytes staged from the start", "result": "0 or a reason number"},
    "challenge": {"challenge": "random bytes to be signed", "token": "unique id of the token it is about"},
    "diagnostics": {"query": "the query's id", "what": "what was asked", "values": "numbered values"},
    "update-progress": {
        "object": _OBJECT,
        "state": "state of the update",
        "done_bytes": "bytes written",
        "reason": "why it stopped",
    },
    "session-start": {
        "token": "the token's unique id",
        "kid": "key that signed it",
        "holder": "the holder's pseudonym",
        "act": "the local act",
        "via": "how the token came",
        "purpose": "the token's purpose",
        "domain": "work domain",
        "permit": "hot-work permit's id",
        "issued_s": "issued at, Unix seconds",
        "expires_s": "expires at, Unix seconds",
        "limit_s": "session limit, seconds",
        "offline_s": "offline allowance, seconds",
    },
    "session-suspend": {
        "token": _SESSION,
        "cause": "reason number 120-149",
        "powered_s": _POWERED,
        "arc_ms": "arc time of the session so far, ms",
    },
    "session-resume": {"token": _SESSION, "act": "the local act", "powered_s": _POWERED},
    "session-stop": {
        "token": _SESSION,
        "cause": "reason number 120-149",
        "powered_s": _POWERED,
        "arc_ms": "arc time of the session, ms",
        "arcs": "arc segments",
        "strikes": "strikes, failed ones included",
        "peak_ma": "highest current, mA",
        "charge_mah": "charge, mAh",
        "synthesised": "written at the next boot or token, not when it happened",
        "extensions": "tokens that extended the session",
    },
    "arc": {
        "token": _SESSION + "; absent: an arc without one",
        "index": "number of the segment in its session, from 1",
        "duration_ms": "arc time, ms",
        "mean_ma": "mean current, mA",
        "peak_ma": "highest current, mA",
        "charge_mah": "charge, mAh",
        "strikes": "strikes in this segment",
        "source": "what the current is of",
    },
    "telemetry": {
        "token": _SESSION + ", while there is one",
        "window_s": "length of the window, seconds",
        "mean_ma": "mean current, mA",
        "peak_ma": "highest current, mA",
        "arc_ms": "arc time in the window, ms",
        "gate": "gate state at the window's end",
        "source": "what the current is of",
        "strikes": "strikes in the window",
        "skipped": "records not admitted to the spool since the last telemetry",
        "temperature_dc": "temperature, 0.1 degC",
        "supply_mv": "supply, mV",
    },
    "refusal": {
        "reason": "reason number",
        "token": "the token's unique id when it was verified; else, from afar, the first 8 bytes of its SHA-256",
        "via": "how it came",
        "kid": "key it names, if it could be read",
        "holder": "holder it names, if it could be read",
        "count": "how many alike since the last one",
    },
    "alarm": {
        "alarm": "reason number 150-199",
        "id": "the alarm's id, drawn when it is raised",
        "state": "raised or cleared",
        "latched": "holds the gate until a signed clear",
        "current_ma": "current that raised it, mA",
        "token": "token id of the session it hit",
        "order": "id of the order that cleared it",
    },
    "gap": {
        "epoch": "epoch the range is of; absent: this frame's",
        "first": "first missing number",
        "last": "last missing number; absent: unknown",
        "cause": "why they are missing",
    },
    "order-result": {
        "order": "the order's id",
        "type": "message type that brought it",
        "result": "what became of it",
        "reason": "why it was refused",
    },
    "config-report": {
        "config_version": "configuration in force; 0 none",
        "key_set_version": "key set in force; 0 none",
        "revocations_version": "revocation list in force; 0 none",
        "firmware": "firmware version",
        "profile": "board profile",
        "digest": "first 8 bytes of SHA-256 over the settings in force",
    },
    "removal": {"kind": "what was noticed", "order": "id of the order that allowed it"},
    "power-off": {
        "token": "token id of the session it pauses",
        "powered_s": _POWERED,
        "supply_mv": "supply when noticed, mV",
    },
    "welcome": {
        "nonce": "collector nonce, random for each connection",
        "status": "accepted, pending or rejected",
        "high_water": "highest number committed for the header's epoch; may have gone backward",
        "reason": "why not accepted",
        "retry_s": "seconds to wait before the next connection",
    },
    "ack": {
        "epoch": "epoch it is about",
        "through": "highest number committed without a hole",
        "repeats": "frames up to the welcome's high-water that this connection has brought; absent: 0",
    },
    "poll": {"frames": "frames allowed in answer"},
    "token": {"token": "COSE_Sign1 token"},
    "lock": {
        "mode": "how it ends a session",
        "id": "the lock's id, named by its release",
        "reason": "reason number to be shown",
        "order": "the signed order that asked for it, for the record",
    },
    "release": {"object": _SIGNED},
    "config": {"object": _SIGNED},
    "key-set": {"object": _SIGNED},
    "revocations": {"object": _SIGNED},
    "clear-alarm": {"object": _SIGNED},
    "rekey": {"object": _SIGNED},
    "identify": {"seconds": "how long, seconds"},
    "challenge-answer": {"answer": "signature, r and s", "public": "the holder's public key, x and y"},
    "query": {"query": "the query's id", "what": "what is asked"},
    "update": {"object": _SIGNED},
    "part": {
        "object": _OBJECT,
        "total": "bytes of the whole object",
        "offset": "where this piece begins",
        "data": "the piece",
        "type": "message type the whole object would have",
    },
    "planned-removal": {"object": _SIGNED},
}

# Registers of small numbers, by field name.
ENUMS: dict[str, dict[int, str]] = {
    "gate": {
        1: "LOCKED",
        2: "IDLE",
        3: "ARMED",
        4: "COMMITTING",
        5: "LIVE",
        6: "ENDING",
        7: "SUSPENDED",
        8: "LATCHED",
    },
    "act": {1: "own scanner", 2: "button"},
    "via": {1: "own scanner", 2: "console", 3: "downlink", 4: "the button, without a token"},
    "purpose": {1: "start", 2: "maintenance", 5: "emergency"},
    "source": {1: "arc current", 2: "scaled primary"},
    "state": {1: "raised", 2: "cleared"},
    "result": {0: "applied", 1: "refused"},
    "status": {0: "accepted", 1: "pending", 2: "rejected"},
    "lock": {0: "none", 1: "soft", 2: "now"},
    "mode": {1: "soft", 2: "now"},
    "what": {1: "state", 2: "configuration", 3: "diagnostics"},
}
_REMOVALS = {1: "leave begins", 2: "case opened", 3: "sensor off", 4: "supply off", 5: "leave is over"}
_GAP_CAUSES = {1: "unclean tail", 2: "overwritten", 3: "formatted", 4: "unreadable", 5: "not admitted", 6: "ahead"}


def meaning(message: str, field: str) -> dict[int, str]:
    """Return the register of a field's small numbers, empty where it has none."""
    if message == "removal" and field == "kind":
        return _REMOVALS
    if message == "gap" and field == "cause":
        return _GAP_CAUSES
    if message in ("part-status", "update-progress"):  # reserved: their registers come with their behaviour
        return {}
    return ENUMS.get(field, {})
