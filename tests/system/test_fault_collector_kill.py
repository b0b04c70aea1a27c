"""Fault: the collector is killed with -9 at seeded moments while frames flow."""

import asyncio
import random
import secrets
from pathlib import Path

import pytest

from weldgate_simulator.line import Line, wait_for
from weldgate_simulator.load import Load, make_chips

CHIPS, FRAMES, KILLS = 10, 1_500, 4


@pytest.mark.broker
@pytest.mark.slow
@pytest.mark.parametrize("seed", [1])
def test_kill_loses_nothing_acknowledged(tmp_path: Path, seed: int) -> None:
    """After each kill what was acknowledged is stored; in the end the consumer has each identity once."""
    chance = random.Random(seed)
    moments = sorted(chance.sample(range(CHIPS * FRAMES // 10, CHIPS * FRAMES * 9 // 10), KILLS))
    chips = make_chips(CHIPS, secrets.token_bytes(32))
    load = Load(chips, FRAMES, window=40)

    async def scene(line: Line) -> None:
        running = asyncio.create_task(load.run("127.0.0.1", line.port))
        for moment in moments:
            while load.acknowledged < moment and not running.done():
                await asyncio.sleep(0)
            acknowledged = {sender.device: sender.acknowledged for sender in load.senders}
            line.kill_collector()
            highest: dict[int, int] = {}
            for device, _, seq, _ in line.stored():
                highest[device] = max(seq, highest.get(device, 0))
            for device, through in acknowledged.items():
                assert highest.get(device, 0) >= through, f"seed {seed}: chip {device} acknowledged {through}"
            await asyncio.to_thread(line.start_collector)
        await running

    with Line(tmp_path, chips) as line:
        asyncio.run(scene(line))
        wait_for("every frame delivered", lambda: line.delivered_count() == CHIPS * FRAMES)
        stored, delivered = line.stored(), line.delivered()

    assert sum(sender.connections for sender in load.senders) > CHIPS, (
        f"seed {seed}: no kill happened while frames flowed"
    )
    assert len(stored) == CHIPS * FRAMES, f"seed {seed}: {len(stored)} rows, each frame must be stored once"
    assert sorted(stored) == delivered, f"seed {seed}"
    assert {raw for *_, raw in delivered} == {raw for sender in load.senders for raw in sender.raws}, f"seed {seed}"
