"""A chip is given its next keys through a real collector: no record is lost, and both generations are verified."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from weldgate_collector import Reader, Service, add_chips, load_config, read_chips
from weldgate_collector.chips import Chip as Known
from weldgate_collector.chips import Chips
from weldgate_collector.orders import signed_order
from weldgate_firmware.meter import dc_hall_1000a
from weldgate_firmware.telling import RAISED
from weldgate_issuer import OPEN, PROVEN, Issuer, judge_seals, seal_keys
from weldgate_protocol import frame, messages, reasons
from weldgate_protocol.keys import ChipKeys
from weldgate_simulator.board import Board
from weldgate_simulator.chip import Chip
from weldgate_simulator.clock import HostClock
from weldgate_simulator.provision import GENERATION, identity_of, new_flash, provision

DEVICE = (7).to_bytes(8, "big")


async def until(true: Callable[[], bool]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(30):
        while not true():
            await asyncio.sleep(0)


def test_a_chip_changes_its_keys_and_loses_nothing(tmp_path: Path) -> None:
    """M-KEY-03, M-KEY-05: the list holds both generations, the chip restarts with the new, and all it stored is in."""
    now_s = int(time.time())
    issuer = Issuer.generate(now_s)
    old, new = issuer.chip_secrets(DEVICE, GENERATION), issuer.chip_secrets(DEVICE, GENERATION + 1)
    (tmp_path / "collector.toml").write_text(
        '[collector]\nname = "t"\n\n[tcp]\nhost = "127.0.0.1"\nport = 0\n', "utf-8"
    )
    config = load_config(tmp_path / "collector.toml")
    add_chips(config.chips_file, [Known("7", GENERATION, old.up.hex(), old.down.hex())])
    both = Known("7", GENERATION + 1, new.up.hex(), new.down.hex(), old.up.hex(), old.down.hex())

    async def scene() -> None:
        service = Service(config)
        await service.start()
        flash = new_flash()
        assert service.tcp is not None
        identity = identity_of(issuer, DEVICE, "127.0.0.1", service.tcp.port)
        provision(flash, identity, issuer.issue_key_set(issued_s=now_s))
        chip = Chip(Board(HostClock(), dc_hall_1000a(), flash))
        running = asyncio.create_task(chip.run())

        def all_acked() -> bool:
            if chip.app is None:
                return False
            spool = chip.app.driver.spool
            return not len(chip.app.driver.core.recorder) and spool.acked == spool.highest > 0

        try:
            await until(all_acked)
            assert chip.app is not None
            add_chips(config.chips_file, [both])
            service.chips.reload()
            chip.app.driver.core.alarm(reasons.ALARM_EXCEPTION, b"under-k0", RAISED, False)
            data = issuer.issue_rekey(DEVICE, GENERATION, issued_s=now_s)
            await service.downlink.put(signed_order(DEVICE, messages.REKEY, data, "test", now_s))
            await until(lambda: chip.starts == 2 and chip.app is not None)
            assert chip.failed is None
            assert chip.app.identity.generation == GENERATION + 1
            assert chip.app.identity.k_seal == new.seal
            await until(all_acked)
            chip.app.driver.core.alarm(reasons.ALARM_EXCEPTION, b"under-k1", RAISED, False)
            await until(all_acked)
            await until(lambda: len(service.downlink) == 0)  # the order's result came
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await service.stop()

    asyncio.run(scene())

    keys = ChipKeys(both.generation, new.up, new.down, old.up, old.down)
    with Reader(config.data_dir) as reader:
        raws = [record.raw for record in reader.records(kind=1)]
    parities = [frame.parse(raw).parity for raw in raws]
    assert [int.from_bytes(raw[14:18], "big") for raw in raws] == list(range(1, len(raws) + 1))
    assert parities == sorted(parities)
    assert set(parities) == {0, 1}
    assert all(
        frame.tag_matches(raw, keys.up(parity)) for raw, parity in zip(raws, parities, strict=True) if keys.up(parity)
    )
    judged = {one.state for one in judge_seals(raws, seal_keys(issuer.root_secret, DEVICE, GENERATION + 1))}
    assert judged <= {PROVEN, OPEN}
    assert next(read_chips(config.chips_file)).previous_down == old.down.hex()
    found = Chips(config.chips_file).lookup(DEVICE)
    assert found is not None
    assert (found.down_of(0), found.down_of(1)) == (old.down, new.down)
