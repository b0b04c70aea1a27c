"""The line as real processes: load → TCP → store → real broker → consumer, each frame once, byte for byte."""

import asyncio
import secrets
from pathlib import Path
from typing import Any

import pytest

from weldgate_simulator.broker import Broker, MosquittoBroker, NatsBroker
from weldgate_simulator.line import Line, LineError, wait_for
from weldgate_simulator.load import Load, make_chips

CHIPS, FRAMES = 20, 250


@pytest.mark.broker
@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(NatsBroker, id="nats"),
        pytest.param(
            MosquittoBroker,
            id="mosquitto",
            marks=pytest.mark.skipif(MosquittoBroker.find() is None, reason="mosquitto is not installed"),
        ),
    ],
)
def test_every_frame_arrives_once(tmp_path: Path, kind: type[Broker]) -> None:
    """Acknowledged = stored = delivered, contiguous for every chip, whatever broker carries the packs."""
    chips = make_chips(CHIPS, secrets.token_bytes(32))
    load = Load(chips, FRAMES)

    with Line(tmp_path, chips, kind(tmp_path / "broker")) as line:
        asyncio.run(load.run("127.0.0.1", line.port))
        wait_for("every frame delivered", lambda: line.delivered_count() == CHIPS * FRAMES)
        wait_for("receipts", lambda: line.health()["upstreams"]["consumer"]["waiting_rows"] == 0)
        line.stop_collector()
        stored, delivered = line.stored(), line.delivered()
        logs = "".join(log.read_text("utf-8") for log in tmp_path.glob("*.log"))
        secret = [line.key_file.read_text("utf-8"), *(text for chip in chips for text in (chip.up, chip.down))]

    sent = {(sender.device, raw) for sender in load.senders for raw in sender.raws}
    assert load.acknowledged == CHIPS * FRAMES
    assert sorted(stored) == delivered
    assert not any(text in logs for text in secret)
    assert {(device, raw) for device, _, _, raw in delivered} == sent
    for sender in load.senders:
        assert [seq for device, _, seq, _ in delivered if device == sender.device] == list(range(1, FRAMES + 1))


@pytest.mark.broker
def test_platform_that_starts_late_gets_everything(tmp_path: Path) -> None:
    """A consumer first started after the traffic is sent all of it."""
    chips = make_chips(5, secrets.token_bytes(32))
    load = Load(chips, 100)

    with Line(tmp_path, chips) as line:
        line.kill_consumer()
        line.wipe_consumer()
        asyncio.run(load.run("127.0.0.1", line.port))
        line.start_consumer()
        wait_for("every frame delivered", lambda: line.delivered_count() == 500)


@pytest.mark.broker
def test_graceful_stop_in_the_middle_flushes_and_goes_on(tmp_path: Path) -> None:
    """SIGTERM while frames flow ends with 0, keeps what it accepted, and the next start goes on from there."""
    chips = make_chips(5, secrets.token_bytes(32))
    load = Load(chips, 600, window=30)

    async def scene(line: Line) -> None:
        running = asyncio.create_task(load.run("127.0.0.1", line.port))
        for moment in (500, 1500):
            while load.acknowledged < moment and not running.done():
                await asyncio.sleep(0)
            acknowledged = load.acknowledged
            assert await asyncio.to_thread(line.stop_collector) == 0
            assert len(line.stored()) >= acknowledged
            await asyncio.to_thread(line.start_collector)
        await running

    with Line(tmp_path, chips) as line:
        asyncio.run(scene(line))
        wait_for("every frame delivered", lambda: line.delivered_count() == 3000)
        assert len(line.stored()) == 3000
        assert line.counts()["doubled"] == 0


class Deaf(Line):
    """A line whose collector says that it has refused nothing."""

    def health(self) -> dict[str, Any]:
        """As it is, but for that."""
        found = super().health()
        return {**found, "bad_tags": 0} if found else found


@pytest.mark.broker
def test_a_figure_needs_the_one_flipped_tag_refused(tmp_path: Path) -> None:
    """What is measured is a line that verifies tags; one that refuses nothing has no figure."""
    chips = make_chips(3, secrets.token_bytes(32))
    with Line(tmp_path / "good", chips) as line:
        assert line.send(line.chips_file, 3, 20).per_s > 0
        assert line.health()["bad_tags"] == 1
        assert line.delivered_count() == 60
    with Deaf(tmp_path / "deaf", chips) as line, pytest.raises(LineError, match="0 frames were refused"):
        line.send(line.chips_file, 3, 20)
