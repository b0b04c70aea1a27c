"""Fault: the broker is killed with -9 while packs fly, and is away for a while."""

import asyncio
import secrets
from pathlib import Path

import pytest

from weldgate_simulator.line import Line, wait_for
from weldgate_simulator.load import Load, make_chips

CHIPS, FRAMES = 10, 500


@pytest.mark.broker
def test_broker_kill_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """Chips are acknowledged without the broker; when it is back everything arrives, each frame once."""
    chips = make_chips(CHIPS, secrets.token_bytes(32))
    first, second = Load(chips[:5], FRAMES), Load(chips[5:], FRAMES)

    with Line(tmp_path, chips) as line:
        asyncio.run(_with_kill(line, first))
        asyncio.run(second.run("127.0.0.1", line.port))
        assert second.acknowledged == 5 * FRAMES
        line.broker.start()
        wait_for("every frame delivered", lambda: line.delivered_count() == CHIPS * FRAMES)
        delivered = line.delivered()
        counts = line.counts()

    sent = {raw for load in (first, second) for sender in load.senders for raw in sender.raws}
    assert {raw for *_, raw in delivered} == sent
    assert counts["doubled"] == 0
    assert counts["conflicts"] == 0


async def _with_kill(line: Line, load: Load) -> None:
    """Run a load, and kill the broker in the middle of it."""
    running = asyncio.create_task(load.run("127.0.0.1", line.port))
    while load.acknowledged < load.total // 2:
        await asyncio.sleep(0)
    line.broker.kill()
    await running
