"""Judging seals: what is proved, what can't be, and what a collector that holds K_up cannot hide."""

from __future__ import annotations

import pytest

from weldgate_firmware import spool as spools
from weldgate_firmware.records import Recorder
from weldgate_firmware.seals import Seals
from weldgate_firmware.spool import Spool
from weldgate_issuer import BROKEN, OPEN, PROVEN, UNPROVABLE, Issuer, judge_seals, seal_keys
from weldgate_protocol import frame, messages
from weldgate_protocol.keys import HmacKey
from weldgate_simulator.flash import VirtualFlash

DEVICE = (7).to_bytes(8, "big")
STOP = {
    "token": b"token-01", "cause": 120, "powered_s": 60, "arc_ms": 0, "arcs": 0, "strikes": 0, "peak_ma": 0,
    "charge_mah": 0, "synthesised": False,
}  # fmt: skip
ISSUER = Issuer.generate(1_795_500_000)
KEYS = seal_keys(ISSUER.root_secret, DEVICE, 3)


class Clock:
    """A clock that stands still."""

    def stamp(self, _ago_ms: int = 0) -> tuple[int, int, int]:
        """Return a time."""
        return 1_795_500_000, 0, 2


class Chip:
    """The chip's own recorder, and what its ring holds."""

    def __init__(self) -> None:
        self.spool = Spool(VirtualFlash(64), 0, 64, lambda n: b"\xa1" * n)
        self.spool.mount()
        self.use(0)

    def use(self, generation: int) -> None:
        """Start with the keys of a generation."""
        secrets = ISSUER.chip_secrets(DEVICE, generation)
        seals = Seals(HmacKey(secrets.seal))
        self.up = HmacKey(secrets.up)
        self.recorder = Recorder(self.spool, self.up, DEVICE, generation, Clock(), seals)  # type: ignore[arg-type]

    def write(self, count: int = 1, type_: int = messages.POWER_OFF) -> Chip:
        """Write records."""
        for _ in range(count):
            self.recorder.write(type_, STOP if type_ == messages.SESSION_STOP else {}, spools.RECORD, True)
        return self

    def stop(self) -> Chip:
        """Write a session-stop."""
        return self.write(1, messages.SESSION_STOP)

    def raws(self) -> list[bytes]:
        """Return all frames, oldest first."""
        found = []
        for seq in range(1, self.spool.highest + 1):
            buffer = bytearray(1058)
            found.append(bytes(buffer[: self.spool.read(seq, buffer)]))
        return found

    def forge(self, raw: bytes, type_: int, fields: dict[str, object]) -> bytes:
        """Return another record in the place of one, with the tag that K_up gives."""
        old = frame.parse(raw)
        payload = messages.encode(type_, fields)
        body = frame.encode_body(raw[0] & 0x0F, type_, DEVICE, old.epoch, old.seq, old.time_s, old.time_ms, payload)
        return frame.seal(body, self.up)


def states(
    raws: list[bytes], declared: list[tuple[int, int]] | None = None, first: int = 1
) -> list[tuple[int, int, str]]:
    """Return the judgement in short."""
    return [(one.first, one.last, one.state) for one in judge_seals(raws, KEYS, declared or [], first)]


def test_all_there_is_proven_and_the_rest_is_open() -> None:
    """M-SEAL-05: from the first record to the last seal all is proved; what follows waits for its seal."""
    chip = Chip().write(5).stop().write(300)

    assert states(chip.raws()) == [(1, 1, PROVEN), (2, 6, PROVEN), (7, 256, PROVEN), (257, 306, OPEN)]


@pytest.mark.parametrize("dropped", [2, 3, 5])
def test_a_record_that_was_dropped_is_noticed(dropped: int) -> None:
    """M-SEAL-05: a number that is missing and declared by nobody breaks its stretch, and only that one."""
    raws = Chip().write(5).stop().write(3).stop().raws()
    del raws[dropped - 1]

    assert states(raws) == [(1, 1, PROVEN), (2, 5, BROKEN), (6, 10, PROVEN)]


def test_a_declared_loss_is_unprovable_and_never_proven() -> None:
    """M-SEAL-05: what somebody declares lost can't be proved; the stretches around it are, the sealed record too."""
    raws = Chip().write(5).stop().write(3).stop().raws()
    del raws[2:4]

    assert states(raws, [(3, 3), (4, 4)]) == [(1, 1, PROVEN), (2, 5, UNPROVABLE), (6, 10, PROVEN)]
    assert states(raws, [(4, 4)])[1] == (2, 5, BROKEN)


def test_a_record_that_was_changed_is_noticed() -> None:
    """M-SEAL-05: other fields under the same number, with a right tag, break the seal."""
    chip = Chip().write(5).stop()
    raws = chip.raws()
    raws[2] = chip.forge(raws[2], messages.POWER_OFF, {"supply_mv": 1})

    assert states(raws) == [(1, 1, PROVEN), (2, 6, BROKEN)]


def test_a_stop_that_was_changed_is_noticed() -> None:
    """M-SEAL-03: the seal covers the record that bears it: another arc time under the old seal does not match."""
    chip = Chip().write(5).stop()
    raws = chip.raws()
    raws[5] = chip.forge(raws[5], messages.SESSION_STOP, {**STOP, "arc_ms": 5, "seal": raws[5][-24:-8]})

    assert states(raws)[-1] == (2, 6, BROKEN)


def test_a_stop_without_its_seal_is_noticed() -> None:
    """M-SEAL-02, M-SEAL-05: taking the seal away is no way out."""
    chip = Chip().write(5).stop().write(2)
    raws = chip.raws()
    raws[5] = chip.forge(raws[5], messages.SESSION_STOP, STOP)

    assert states(raws)[1] == (2, 6, BROKEN)


def test_records_that_were_put_in_are_noticed() -> None:
    """M-SEAL-05: an invented record, and an invented session with a stop, cannot be sealed."""
    chip = Chip().write(5)
    raws = chip.raws()
    raws.append(chip.forge(raws[4][:14] + (6).to_bytes(4, "big") + raws[4][18:], messages.SESSION_STOP, STOP))
    with_seal = raws[:5] + [chip.forge(raws[5], messages.SESSION_STOP, {**STOP, "seal": bytes(16)})]

    assert states(raws)[-1] == (2, 6, BROKEN)
    assert states(with_seal)[-1] == (2, 6, BROKEN)


def test_unsealed_records_cannot_go_on_for_ever() -> None:
    """M-SEAL-02: a collector that drops all and invents quiet telemetry must show a seal at number 256."""
    chip = Chip().write(1)
    raws = chip.raws()
    for seq in range(2, 300):
        raws.append(chip.forge(raws[0][:14] + seq.to_bytes(4, "big") + raws[0][18:], messages.POWER_OFF, {}))

    assert states(raws) == [(1, 1, PROVEN), (2, 256, BROKEN), (257, 299, OPEN)]


def test_an_invented_gap_hides_nothing() -> None:
    """M-SEAL-05: a forged gap record, of numbers never given or of lost ones, breaks the next seal."""
    chip = Chip().write(5).stop().write(5).stop()
    raws = chip.raws()
    never = chip.forge(raws[3], messages.GAP, {"first": 3, "last": 3, "cause": 1})
    lost = chip.forge(raws[8], messages.GAP, {"first": 3, "last": 4, "cause": 2})

    assert states([*raws[:2], never, *raws[4:]])[1] == (2, 6, BROKEN)
    assert (6, 12, BROKEN) in states([*raws[:2], *raws[4:8], lost, *raws[9:]], [(3, 4)])


def test_an_invented_epoch_is_noticed() -> None:
    """M-SEAL-02: the record that opens an epoch bears a seal, so nobody else can open one."""
    chip = Chip().write(1)
    opening = chip.forge(chip.raws()[0], messages.GAP, {"epoch": b"\xa1" * 4, "first": 2, "cause": 3})

    assert states([opening]) == [(1, 1, BROKEN)]


def test_numbers_that_were_never_given_are_no_loss() -> None:
    """M-SEAL-01: a skipped number that the next record declares leaves the chain whole, on the verge of 256 too."""
    chip = Chip().write(3)
    chip.spool.go_above(300)
    chip.recorder.note(messages.POWER_OFF, {}, spools.RECORD)
    while chip.recorder.flush(True):
        pass
    raws = [raw for raw in chip.stop().raws() if raw]

    assert states(raws) == [(1, 1, PROVEN), (2, 301, PROVEN), (302, 303, PROVEN)]
    del raws[2]
    assert states(raws)[1] == (2, 300, BROKEN)


def test_a_chain_begun_anew_is_told_from_a_broken_one() -> None:
    """M-SEAL-04: a chip that lost its chain says so under its key; the stretch before is unprovable."""
    chip = Chip().write(5)
    chip.recorder._seals.chain = None
    chip.write(1).write(2).stop()
    raws = chip.raws()
    holed = raws[:3] + raws[4:]

    assert states(raws) == [(1, 1, PROVEN), (2, 5, UNPROVABLE), (6, 6, PROVEN), (7, 9, PROVEN)]
    assert states(holed)[1] == (2, 5, BROKEN)


def test_a_store_that_begins_in_the_middle() -> None:
    """M-SEAL-05: where older records were deleted, the first stretch can't be proved and all later ones can."""
    raws = Chip().write(5).stop().write(5).stop().write(2).raws()

    assert states(raws[3:], first=4) == [(4, 5, UNPROVABLE), (6, 12, PROVEN), (13, 14, OPEN)]


def test_both_generations_of_a_key_are_tried() -> None:
    """M-KEY-03: after a rekey the seals of both generations match, each by its parity."""
    chip = Chip().write(3).stop()
    chip.use(1)
    chip.write(2).stop()
    wrong = list(judge_seals(chip.raws(), seal_keys(ISSUER.root_secret, DEVICE, 0)))

    assert {state for _first, _last, state in states(chip.raws())} == {PROVEN}
    assert [one.state for one in wrong] == [PROVEN, PROVEN, BROKEN]


def test_what_comes_to_light_later_is_left_out() -> None:
    """M-SEAL-01: a stored record that a gap right behind it declares as never given is in no chain, and no harm."""
    chip = Chip().write(3)
    half = chip.forge(chip.raws()[2][:14] + (4).to_bytes(4, "big") + chip.raws()[2][18:], messages.POWER_OFF, {})
    chip.spool.skipped, chip.spool.next_seq = (4, 4), 5
    chip.write(1).stop()
    raws = [raw for raw in chip.raws() if raw]

    assert states([*raws[:3], half, *raws[3:]]) == [(1, 1, PROVEN), (2, 7, PROVEN)]


def test_a_hole_behind_the_last_seal() -> None:
    """M-SEAL-05: in the open end a number that nobody declared is a break already."""
    raws = Chip().write(5).raws()
    del raws[2]

    assert states(raws)[-1] == (2, 5, BROKEN)
    assert states(raws, [(3, 3)])[-1] == (2, 5, OPEN)
