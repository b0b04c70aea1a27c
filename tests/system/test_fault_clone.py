"""A board booted from a copy of a flash meets the collector that has more, and nothing that it holds is lost."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from weldgate_collector import Reader, Service, add_chips, load_config
from weldgate_collector.chips import Chip as Known
from weldgate_firmware.app import App
from weldgate_firmware.meter import dc_hall_1000a
from weldgate_firmware.telling import RAISED
from weldgate_issuer import Issuer
from weldgate_protocol import messages, reasons
from weldgate_protocol.collector_record import RECORD_CONFLICT, RECORD_PRESENCE, decode_record
from weldgate_protocol.frame import RAW_MAX, parse
from weldgate_simulator.board import Board
from weldgate_simulator.chip import Chip
from weldgate_simulator.clock import HostClock
from weldgate_simulator.flash import VirtualFlash
from weldgate_simulator.provision import GENERATION, identity_of, new_flash, provision

DEVICE = (7).to_bytes(8, "big")
FIRST, SECOND = 3, 30  # alarms that each life records, more of them in the second


async def until(true: Callable[[], bool]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(30):
        while not true():
            await asyncio.sleep(0)


async def live(flash: VirtualFlash, scene: Callable[[App], object]) -> None:
    """Boot a chip on a flash, let a scene happen beside it, and let all its records be acknowledged."""
    chip = Chip(Board(HostClock(), dc_hall_1000a(), flash))
    running = asyncio.create_task(chip.run())
    try:
        await until(lambda: chip.app is not None and bool(chip.app.driver.spool.highest))
        app = chip.app
        assert app is not None
        spool = app.driver.spool
        scene(app)
        await until(lambda: not len(app.driver.core.recorder) and spool.acked == spool.highest and not spool.ahead)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def alarms(app: App, count: int, mark: bytes) -> None:
    """Have a chip record some alarms of its own."""
    for number in range(count):
        app.driver.core.alarm(reasons.ALARM_EXCEPTION, mark + b"%02d" % number, RAISED, False)


def raws(app: App) -> dict[int, bytes]:
    """Return all that a chip's ring holds."""
    spool, buffer = app.driver.spool, bytearray(RAW_MAX)
    held: dict[int, bytes] = {}
    seq = spool.next_held(1)
    while seq:
        held[seq] = bytes(buffer[: spool.read(seq, buffer)])
        seq = spool.next_held(seq + 1) if seq < spool.highest else 0
    return held


def test_a_copied_flash_loses_nothing_and_both_ends_alarm(tmp_path: Path) -> None:
    """M-CONV-19, M-CONV-20, S5: all of the copy's records are stored, or evidence beside the ones that came first."""
    issuer = Issuer.generate(int(time.time()))
    keys = issuer.chip_secrets(DEVICE, GENERATION)
    (tmp_path / "collector.toml").write_text(
        '[collector]\nname = "t"\n\n[tcp]\nhost = "127.0.0.1"\nport = 0\n', "utf-8"
    )
    config = load_config(tmp_path / "collector.toml")
    add_chips(config.chips_file, [Known("7", GENERATION, keys.up.hex(), keys.down.hex())])
    copy: list[VirtualFlash] = []
    apps: list[App] = []

    def first_life(app: App) -> None:
        copy.append(app.board.flash.copy())
        alarms(app, SECOND, b"first-")

    def second_life(app: App) -> None:
        apps.append(app)
        alarms(app, FIRST, b"other-")

    async def scene() -> None:
        service = Service(config)
        await service.start()
        try:
            assert service.tcp is not None
            flash = new_flash()
            identity = identity_of(issuer, DEVICE, "127.0.0.1", service.tcp.port)
            provision(flash, identity, issuer.issue_key_set(issued_s=int(time.time())))
            await live(flash, first_life)
            await live(copy[0], second_life)
        finally:
            await service.stop()

    asyncio.run(scene())

    held = raws(apps[0])
    with Reader(config.data_dir / "store.sqlite3") as reader:
        stored = {record.raw for record in reader.records(kind=1)}
        own = [decode_record(record.raw) for record in reader.records(kind=2)]
    evidence = {record.frame for record in own if record.kind == RECORD_CONFLICT}
    assert set(held.values()) <= stored | evidence
    assert evidence  # what the copy recorded before it met the collector
    gaps = [(seq, messages.decode(raw[1], parse(raw).payload)) for seq, raw in held.items() if raw[1] == messages.GAP]
    (gap,) = [(seq, fields) for seq, fields in gaps if fields["cause"] == 6]
    assert gap[0] == gap[1]["last"] + 1
    assert all(seq < gap[1]["first"] or seq >= gap[0] for seq in held)
    told = [messages.decode(raw[1], parse(raw).payload)["alarm"] for raw in held.values() if raw[1] == messages.ALARM]
    assert told.count(reasons.ALARM_IDENTITY_CLONED) == 1
    assert reasons.ALARM_IDENTITY_CLONED in [record.reason for record in own if record.kind == RECORD_PRESENCE]
