"""A site and a store of a few chips' frames, for the tests of the command line."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from weldgate_collector.store import Writer
from weldgate_issuer import Issuer
from weldgate_protocol import messages
from weldgate_protocol._compat import HmacKey
from weldgate_protocol.collector_record import RECORD_GAP, RECORD_PRESENCE, Record, encode_record
from weldgate_protocol.frame import FLAG_DURABLE, encode_body, seal
from weldgate_tools.cli import weldgate

CHIP = 410811001
SILENT = (1 << 63) - 1  # the largest number: it must come through JSON unharmed
EPOCH = b"\xa0\0\0\1"
TOKEN = b"token-01"
START_S = 1_795_500_000
StoreRow = tuple[int, int, int, int, int, int, bytes]  # received ms, kind, device, epoch, seq, type, bytes


class Tape:
    """One chip's durable frames, numbered as they are made."""

    def __init__(self, issuer: Issuer, number: int) -> None:
        self.number = number
        self.device = number.to_bytes(8, "big")
        self.key = HmacKey(issuer.chip_secrets(self.device).up)
        self.seq = 0

    def row(self, type_: int, fields: dict[Any, Any], at_s: int = 0) -> StoreRow:
        """Return the next frame as a store's row."""
        self.seq += 1
        body = encode_body(
            FLAG_DURABLE | 2, type_, self.device, EPOCH, self.seq, START_S + at_s, 0, messages.encode(type_, fields)
        )
        raw = seal(body, self.key)
        return ((START_S + at_s) * 1000, 1, self.number, int.from_bytes(EPOCH, "big"), self.seq, type_, raw)

    def skip(self, count: int) -> None:
        """Leave numbers out."""
        self.seq += count


def own(kind: int, number: int, first: int = 0, last: int = 0, **more: Any) -> StoreRow:
    """Return a record of the collector's own as a store's row."""
    record = Record(kind, number.to_bytes(8, "big"), EPOCH, first, last, **more)
    return (START_S * 1000, 2, number, int.from_bytes(EPOCH, "big"), 0, kind, encode_record(record))


def write_store(path: Path, rows: list[Any]) -> None:
    """Make a store that holds rows."""
    writer = Writer(path, 0, 100, lambda _index: None)
    writer.start()
    writer.put(rows)
    writer.stop()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site's folder with its issuer."""
    folder = tmp_path_factory.mktemp("site")
    Issuer.create(folder / "issuer", int(time.time()), "4110")
    return folder


@pytest.fixture(scope="session")
def store(site: Path) -> Path:
    """A store in that site: one chip with a whole session and a refusal, another with a declared gap."""
    issuer = Issuer.open(site / "issuer")
    tape = Tape(issuer, CHIP)
    start = {
        "token": TOKEN, "kid": b"kid-kid0", "holder": b"holder01", "act": 1, "via": 1, "purpose": 1, "domain": 0,
        "issued_s": START_S, "expires_s": START_S + 3600, "limit_s": 3600, "offline_s": 600,
    }  # fmt: skip
    arc = {
        "token": TOKEN, "index": 1, "duration_ms": 10980, "mean_ma": 227000, "peak_ma": 252000, "charge_mah": 695,
        "strikes": 1, "source": 1,
    }  # fmt: skip
    stop = {
        "token": TOKEN, "cause": 120, "powered_s": 60, "arc_ms": 10980, "arcs": 1, "strikes": 1, "peak_ma": 252000,
        "charge_mah": 695, "synthesised": False,
    }  # fmt: skip
    rows: list[Any] = [
        own(RECORD_PRESENCE, CHIP, online=True),
        tape.row(messages.GAP, {"epoch": b"\0\0\0\0", "first": 1, "cause": 3}),
        tape.row(messages.REFUSAL, {"reason": 9, "via": 1, "count": 2}, 5),
        tape.row(messages.SESSION_START, start, 10),
        tape.row(messages.SESSION_SUSPEND, {"token": TOKEN, "cause": 133, "powered_s": 20, "arc_ms": 0}, 20),
        tape.row(messages.SESSION_RESUME, {"token": TOKEN, "act": 2, "powered_s": 20}, 25),
        tape.row(messages.ARC, arc, 40),
        tape.row(messages.SESSION_STOP, stop, 60),
    ]
    silent = Tape(issuer, SILENT)
    silent.skip(4)
    rows += [own(RECORD_GAP, SILENT, 1, 4), silent.row(messages.POWER_OFF, {}, 70)]
    silent.skip(1)
    rows.append(silent.row(messages.GAP, {"first": 6, "last": 6, "cause": 1}, 80))
    path = site / "data"
    write_store(path, rows)
    return path


@pytest.fixture
def run() -> Callable[..., Result]:
    """Run the command line in this process."""

    def call(*arguments: Any, **more: Any) -> Result:
        return CliRunner().invoke(weldgate, [str(argument) for argument in arguments], **more)

    return call
