"""What decides the future of an explored world, and nothing else: worlds that agree in it are merged.

Left out, since nothing that happens within an exploration depends on it (`test_merged_worlds_have_the_same_future`
holds samples of merged worlds against each other):

- names: tokens, alarms and orders are told apart by what they stand for (armed, live, newest), not by their ids;
- how often something happened: sequence numbers, boots, used ids beside those that are about to be used;
- running times far from their limit: small events make at most 4.8 s together, `wait` and `hours` pass every limit
  that is longer;
- records that wait for flash and are no part of a session's story: their places in the queue are never all taken.
"""

from typing import Any

from explored_world import CLOSED, TOLD, Explored

from weldgate_firmware import gate
from weldgate_firmware import log as logs
from weldgate_firmware.clock import to_unix
from weldgate_firmware.sessions import Session, decode
from weldgate_firmware.spool import SESSION

GRAVE = (logs.SESSION, logs.POWERED, logs.USED_ID, logs.LATCH, logs.LOCK)
MOST_QUEUED = 20  # the recorder's room for records of a session


def _names(world: Explored, kept: "Session | None") -> dict[bytes, int]:
    """Number the tokens by what they stand for now, first come first served."""
    driver = world.driver
    core = driver.core
    names: dict[bytes, int] = {}
    ids = []
    for session in (core.session, driver._starts._fresh, kept):
        if session is not None:
            ids += [session.token, session.latest]
    for claims in (core.armed, driver._tokens._extension):
        if claims is not None:
            ids.append(claims.id)
    if world.usable():
        ids.append((f"t{world.shown}".encode() + b"\0" * 8)[:8])
    if world.story.newest:
        ids.append(world.story.newest)
    for id_ in ids:
        names.setdefault(id_, len(names))
    return names


def _session(session: "Session | None", names: dict[bytes, int], world: Explored) -> Any:
    if session is None:
        return None
    return (
        names[session.token],
        names[session.latest],
        session.suspended,
        session.holder,
        session.left(world.clock)[0] > 0,
        session.left(world.clock, True)[0] > 0,
    )


def _presented(world: Explored, names: dict[bytes, int]) -> Any:
    """Which token is being verified."""
    data = world.driver._tokens._steps._what
    id_ = (data + b"\0" * 8)[:8]
    return (names.get(id_, -1), world.tokens[data]["holder"], world.used(data.decode()), _good(world, id_))


def _good(world: Explored, id_: bytes) -> bool:
    """Whether a token is not over."""
    known = world.tokens.get(id_.rstrip(b"\0"))
    return known is not None and known["expires_s"] > to_unix(world.clock.now_s)


def _fact(item: tuple[int, bytes, Any], names: dict[bytes, int]) -> Any:
    """What waits for the log: which fact, of which token, put or removed."""
    kind, key, value = item
    if kind == logs.SESSION and value is not None:
        session = decode(value)
        return (kind, names.get(session.token, -1), session.suspended)
    if kind == logs.USED_ID:
        return (kind, names.get(key, -1), value is not None)
    if kind in (logs.LATCH, logs.LOCK):
        return (kind, value or b"")
    return (kind, value is not None)


def digest(world: Explored) -> tuple[Any, ...]:
    """Return what decides the next steps of a world."""
    driver = world.driver
    core = driver.core
    kept = world.interrupted()
    names = _names(world, kept)
    log = world.storage.log
    spool = world.storage.spool
    ring = spool._ring
    button = driver._button
    watch = core.watch
    starts = driver._starts
    tokens = driver._tokens
    sense = world.sense
    state = core.gate.state
    closed = state in CLOSED
    assert len(core.recorder) < MOST_QUEUED, "so many records wait that it matters how many"
    return (
        (state, world.outputs.closed, core.ready, core.power_failing, core.button_stuck, core.sensor_fault),
        (button.pressed, button._released_ms, button._pressed_ms > 0, button._hold_ms, button._held, button._seen),
        (world.level, world.seen_level, min(world.released_ms, 200)),
        (world.cut, min(world.flowing_ms, 1100)),
        None
        if core.armed is None
        else (names[core.armed.id], core.armed.holder, core.armed_via, core.armed.expires_s > world.clock.now_s),
        _session(core.session, names, world),
        _session(kept, names, world),
        tuple(
            (
                log.get(logs.USED_ID, id_) is not None,
                id_ in world.scanned or id_ in world.acted_for,
                id_ in world.verified,
                world.story.last.get(id_, 0),
                _good(world, id_),
            )
            for id_ in names
        ),
        (world.usable(), names.get(world.story.newest, -1)),
        (tokens._steps and (tokens._via, _presented(world, names)), tokens._extension is not None),
        (starts._at, len(starts._steps), starts._turns, _session(starts._fresh, names, world)),
        tuple(sorted(mode for mode, _ in core.holds.locks.values())),
        tuple(sorted(core.holds.latches.values())),
        tuple(sorted(value[0] for _, value in log.items(logs.LOCK))),
        tuple(sorted(value for _, value in log.items(logs.LATCH))),
        tuple(sorted(_fact(item, names) for item in core.facts._queue if item[0] in GRAVE)),
        tuple((item[0], names.get(item[1]["token"], -1)) for item in core.recorder._queue if item[0] in TOLD),
        len(core.facts) > 0,
        (core.facts.failing, core.recorder.failing, spool.failed, log.failed, spool.skipped is not None),
        bytes(ring.state[ring.head :] + ring.state[: ring.head]),
        driver._chores._retry_ms,
        (spool.admits(SESSION), log.admits()),
        (log._main.torn, log._guard.torn, log._together, log._stale, log._doubt, log._main.worn(), log._guard.worn()),
        (log._main.spare, log._guard.spare, log._main._erased, log._guard._erased),
        (sense.burning, sense.arc_on, sense._segment, sense.quiet_ms if sense._segment else 0),
        (sense.current_ma, sense.meter.fault),
        None if closed else (min(watch._open_ms, 1000), watch._over_ms, min(watch._since_ms, 300), watch.over),
        (driver._steady_ms, driver._limits._idle_s // 121 if state == gate.LIVE else 0),
    )
