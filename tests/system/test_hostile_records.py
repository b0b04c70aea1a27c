"""A collector in wrong hands and the records that pass through it: none is dropped, replaced or invented unnoticed."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # tests are no package; the world stands here

from hostile_world import DEVICE, ISSUER, NOW_S, Scene, play, until

from weldgate_issuer import BROKEN, PROVEN, ChipSecrets, judge_seals, seal_keys
from weldgate_protocol import frame, messages, reasons
from weldgate_protocol.keys import HmacKey
from weldgate_simulator.provision import GENERATION


@pytest.fixture(scope="module")
def recorded() -> list[bytes]:
    """All durable frames of a chip with a whole session, as the hostile collector got them."""

    async def scene(found: Scene) -> None:
        await found.start()
        found.app.driver.stop()
        await until(lambda: not found.board.relay_closed)
        for number in range(3):
            found.app.driver.core.alarm(reasons.ALARM_EXCEPTION, bytes(7) + bytes([number]), 1, False)
        await found.quiet()
        await found.start()
        found.app.driver.stop()
        await until(lambda: not found.board.relay_closed)
        await found.quiet()

    return play(scene).stored


def states(raws: list[bytes]) -> set[str]:
    """Judge what a store holds, by whoever has the root secret."""
    return {one.state for one in judge_seals(raws, seal_keys(ISSUER.root_secret, DEVICE, GENERATION))}


def test_what_it_keeps_is_proven(recorded: list[bytes]) -> None:
    """As long as it leaves the records alone, everything through the last stop is proved."""
    last = max(at for at, raw in enumerate(recorded) if raw[1] == messages.SESSION_STOP)

    assert sum(raw[1] == messages.SESSION_STOP for raw in recorded) == 2
    assert states(recorded[: last + 1]) == {PROVEN}


def test_it_cannot_drop_a_record_unnoticed(recorded: list[bytes]) -> None:
    """Whichever record it leaves out, or replaces by one of its own making, somebody with K_seal sees it."""
    up = HmacKey(ISSUER.chip_secrets(DEVICE, GENERATION).up)
    last = max(at for at, raw in enumerate(recorded) if raw[1] == messages.SESSION_STOP)
    for at in range(last):
        dropped = recorded[:at] + recorded[at + 1 : last + 1]
        body = recorded[at][:24] + b"\0\1\xa0"
        other = frame.seal(body[:1] + bytes([messages.POWER_OFF]) + body[2:], up)
        replaced = [*recorded[:at], other, *recorded[at + 1 : last + 1]]

        assert BROKEN in states(dropped), at
        assert BROKEN in states(replaced), at


def test_it_cannot_invent_a_session(recorded: list[bytes]) -> None:
    """A session-start and stop of its own making, rightly tagged and numbered, bear no seal that holds."""
    up = HmacKey(ISSUER.chip_secrets(DEVICE, GENERATION).up)
    stop = next(raw for raw in reversed(recorded) if raw[1] == messages.SESSION_STOP)
    invented = stop[:14] + (len(recorded) + 1).to_bytes(4, "big") + stop[18:-8]

    assert frame.tag_matches(frame.seal(invented, up), up)
    assert BROKEN in states([*recorded, frame.seal(invented, up)])


def test_its_keys_give_away_no_seal_and_no_later_generation() -> None:
    """K_up and K_down are not K_seal, and the wrapped keys of a rekey that it carries stay closed to it."""
    secrets: ChipSecrets = ISSUER.chip_secrets(DEVICE, GENERATION)
    wrapped = ISSUER.issue_rekey(DEVICE, GENERATION, issued_s=NOW_S)
    new = ISSUER.chip_secrets(DEVICE, GENERATION + 1)

    assert secrets.seal not in (secrets.up, secrets.down)
    for key in (new.up, new.down, new.seal):
        assert key not in wrapped
