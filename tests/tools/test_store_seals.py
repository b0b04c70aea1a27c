"""`weldgate store seals`: what is proved of a store, by whoever holds the site's root secret."""

import json
from collections.abc import Callable
from pathlib import Path

from click.testing import Result
from tests.tools.conftest import CHIP, START_S, own, write_store

from weldgate_firmware import spool as spools
from weldgate_firmware.records import Recorder
from weldgate_firmware.seals import Seals
from weldgate_firmware.spool import Spool
from weldgate_issuer import Issuer
from weldgate_protocol import messages
from weldgate_protocol._compat import HmacKey
from weldgate_protocol.collector_record import RECORD_GAP
from weldgate_simulator.flash import VirtualFlash

STOP = {
    "token": b"token-01", "cause": 120, "powered_s": 60, "arc_ms": 0, "arcs": 0, "strikes": 0, "peak_ma": 0,
    "charge_mah": 0, "synthesised": False,
}  # fmt: skip


class Clock:
    """A clock that stands still."""

    def stamp(self, _ago_ms: int = 0) -> tuple[int, int, int]:
        """Return a time."""
        return START_S, 0, 2


def chip_rows(site: Path, epoch_before: bytes = bytes(4)) -> list[tuple[int, int, int, int, int, int, bytes]]:
    """Return ten records of a chip, as its own recorder makes them, two of them stops, as a store's rows."""
    device = CHIP.to_bytes(8, "big")
    secrets = Issuer.open(site / "issuer").chip_secrets(device)
    spool = Spool(VirtualFlash(8), 0, 8, lambda n: b"\xa0\0\0\1"[:n])
    spool.mount()
    recorder = Recorder(spool, HmacKey(secrets.up), device, 0, Clock(), Seals(HmacKey(secrets.seal)))  # type: ignore[arg-type]
    recorder.write(messages.GAP, {"epoch": epoch_before, "first": 1, "cause": 3}, spools.RECORD, True)
    for at in range(2, 11):
        stop = at in (5, 9)
        type_ = messages.SESSION_STOP if stop else messages.POWER_OFF
        recorder.write(type_, STOP if stop else {}, spools.RECORD, True)
    rows = []
    for seq in range(1, 11):
        buffer = bytearray(1058)
        raw = bytes(buffer[: spool.read(seq, buffer)])
        rows.append((START_S * 1000, 1, CHIP, 0xA0000001, seq, raw[1], raw))
    return rows


def judged(run: Callable[..., Result], place: Path, site: Path, code: int = 0) -> list[tuple[int, int, str]]:
    """Return the stretches that the command tells of."""
    result = run("store", "seals", place, "--keys", site, "--json")
    assert result.exit_code == code, result.output
    said = json.loads(result.stdout)
    assert said["sound"] is (code == 0)
    return [(row["first"], row["last"], row["state"]) for row in said["stretches"]]


def test_a_whole_store_is_proven(run: Callable[..., Result], site: Path, tmp_path: Path) -> None:
    """Neighbours of which the same is said are told together; the text names chip and epoch."""
    write_store(tmp_path, list(chip_rows(site)))

    assert judged(run, tmp_path, site) == [(1, 9, "proven"), (10, 10, "open")]
    text = run("store", "seals", tmp_path, "--keys", site, "--chip", CHIP).output
    assert str(CHIP) in text
    assert "a0000001" in text


def test_a_dropped_record_is_told(run: Callable[..., Result], site: Path, tmp_path: Path) -> None:
    """A collector that left a record out, and says nothing of it, makes the command fail."""
    rows = chip_rows(site)
    del rows[2]
    write_store(tmp_path, list(rows))

    assert judged(run, tmp_path, site, 1) == [(1, 1, "proven"), (2, 4, "broken"), (5, 9, "proven"), (10, 10, "open")]


def test_a_declared_loss_is_told(run: Callable[..., Result], site: Path, tmp_path: Path) -> None:
    """What the collector declared missing is no proof, and no break."""
    rows = list(chip_rows(site))
    rows[2] = own(RECORD_GAP, CHIP, 3, 3)
    write_store(tmp_path, rows)

    assert (2, 4, "unprovable") in judged(run, tmp_path, site)


def test_an_epoch_that_is_not_there_is_told(run: Callable[..., Result], site: Path, tmp_path: Path) -> None:
    """The record that opens an epoch names the one before: a whole epoch cannot vanish unnoticed."""
    write_store(tmp_path, list(chip_rows(site, b"\xb0\0\0\1")))

    assert judged(run, tmp_path, site)[0] == (0, 0, "unprovable")
    assert "b0000001" in run("store", "seals", tmp_path, "--keys", site).output


def test_no_records_and_no_keys(run: Callable[..., Result], site: Path, store: Path, tmp_path: Path) -> None:
    """A chip without records is passed over; without the site's keys nothing can be said."""
    result = run("store", "seals", store, "--keys", tmp_path)

    assert result.exit_code != 0
    assert "no site's keys" in str(result.exception)
    assert judged(run, store, site, 1)[0][2] == "broken"  # frames made by hand, without seals
