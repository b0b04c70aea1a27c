"""A live code through a real collector: the challenge goes up, the phone's answer comes down, and somebody must act."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from weldgate_collector import Chip as Known
from weldgate_collector import Reader, Service, add_chips, load_config, request
from weldgate_firmware import gate
from weldgate_firmware.acts import RELEASED_MS
from weldgate_firmware.meter import dc_hall_1000a
from weldgate_issuer import Issuer
from weldgate_protocol import messages
from weldgate_protocol.collector_record import RECORD_CHALLENGE, decode_record
from weldgate_protocol.frame import parse
from weldgate_simulator.board import Board
from weldgate_simulator.chip import Chip
from weldgate_simulator.clock import HostClock
from weldgate_simulator.phone import Phone
from weldgate_simulator.provision import GENERATION, identity_of, new_flash, provision

DEVICE = (7).to_bytes(8, "big")


async def until(true: Callable[[], bool]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(30):
        while not true():
            await asyncio.sleep(0)


def test_a_phone_far_away_proves_who_asks_and_the_button_starts(tmp_path: Path) -> None:
    """M-LIVE-01, M-LIVE-04: the answer by the downlink proves the holder, and starts nothing without the act."""
    now_s = int(time.time())
    issuer = Issuer.generate(now_s)
    phone = Phone(b"holder01")
    keys = issuer.chip_secrets(DEVICE, GENERATION)
    (tmp_path / "collector.toml").write_text(
        '[collector]\nname = "t"\n\n[tcp]\nhost = "127.0.0.1"\nport = 0\n', "utf-8"
    )
    config = load_config(tmp_path / "collector.toml")
    add_chips(config.chips_file, [Known("7", GENERATION, keys.up.hex(), keys.down.hex())])

    def challenges() -> list[bytes]:
        with Reader(config.data_dir) as reader:
            own = [decode_record(record.raw) for record in reader.records(kind=2)]
        return [record.frame for record in own if record.kind == RECORD_CHALLENGE]

    async def ask(asked: dict[str, object]) -> dict[str, object]:
        return await asyncio.to_thread(request, config.control_socket, asked)

    async def scene() -> None:
        service = Service(config)
        await service.start()
        assert service.tcp is not None
        flash = new_flash()
        identity = identity_of(issuer, DEVICE, "127.0.0.1", service.tcp.port)
        provision(flash, identity, issuer.issue_key_set(issued_s=now_s))
        board = Board(HostClock(), dc_hall_1000a(), flash)
        chip = Chip(board)
        running = asyncio.create_task(chip.run())
        try:
            await until(lambda: chip.app is not None and chip.app.driver.online)
            app = chip.app
            assert app is not None
            data, _text = phone.ask(issuer, device=DEVICE, issued_s=now_s, life_s=3600)
            assert (await ask({"do": "token", "device": "7", "token": data.hex()}))["online"] is True
            await until(lambda: app.driver.state == gate.ARMED)
            await until(lambda: bool(challenges()))
            asked = messages.decode(messages.CHALLENGE, parse(challenges()[-1]).payload)
            answer = phone.confirm(asked["challenge"], asked["token"], DEVICE)
            assert (await ask({"do": "live-code", "device": "7", "token": answer}))["sent"] is True
            await until(lambda: app.driver.core.challenge == b"")
            assert app.driver.state == gate.ARMED
            await until(lambda: app.driver._button._released_ms >= RELEASED_MS)
            assert not board.relay_closed
            board.button_down = True
            await until(lambda: board.relay_closed)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await service.stop()

    asyncio.run(scene())
