"""Fault: the collector is killed with -9 while three kinds of upstream carry its rows and a fourth is dead."""

import asyncio
import json
import random
import secrets
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "contracts"))  # tests are no package; the world stands there

import pytest
from upstream_world import Listener

from weldgate_simulator.broker import free_port
from weldgate_simulator.line import Line, wait_for
from weldgate_simulator.load import Load, make_chips

CHIPS, FRAMES, KILLS, SEED = 5, 600, 3, 7

UPSTREAMS = """
[[upstream]]
name = "province"
kind = "mqtt-json"
port = {port}
backoff_max_s = 0.5
[upstream.record]
raw = true

[[upstream]]
name = "lines"
kind = "file"
folder = "lines"
rotate_mb = 1
[upstream.record]
raw = true

[[upstream]]
name = "dead"
kind = "mqtt-json"
required = false
port = {dead}
"""


def frames_of(documents: list[Any]) -> set[str]:
    """Return the frames among documents."""
    return {document["raw"] for document in list(documents) if not document["message"].startswith("collector-")}


@pytest.mark.broker
def test_kills_lose_nothing_on_any_way_out(tmp_path: Path) -> None:
    """Every frame leaves by every way at least once, a repeat is the same bytes under the same id, nobody waits."""
    chance = random.Random(SEED)
    moments = sorted(chance.sample(range(CHIPS * FRAMES // 10, CHIPS * FRAMES * 9 // 10), KILLS))
    chips = make_chips(CHIPS, secrets.token_bytes(32))
    load = Load(chips, FRAMES, window=40)
    line = Line(tmp_path, chips)
    with line.config_file.open("a", encoding="utf-8") as file:
        file.write(UPSTREAMS.format(port=line.broker.port, dead=free_port()))

    async def scene() -> None:
        running = asyncio.create_task(load.run("127.0.0.1", line.port))
        for moment in moments:
            while load.acknowledged < moment and not running.done():
                await asyncio.sleep(0)
            line.kill_collector()
            await asyncio.to_thread(line.start_collector)
        await running

    def status() -> dict[str, Any]:
        return dict(line.health()["upstreams"])

    line.broker.start()
    try:
        # The platform listens before the collector has anything to say.
        with Listener(line.broker.port, "weldgate/1/line/json/#") as listener:
            line.start_consumer()
            line.start_collector()
            asyncio.run(scene())
            wait_for("packs", lambda: line.delivered_count() == CHIPS * FRAMES)
            for name in ("province", "lines"):
                wait_for(name, lambda name=name: status()[name]["waiting_rows"] == 0)  # type: ignore[misc]
            wait_for("the platform to have them", lambda: len(frames_of(listener.documents)) == CHIPS * FRAMES)
            dead = status()["dead"]
    finally:
        line.stop()

    files = sorted((tmp_path / "lines").glob("*.jsonl"))
    written = [json.loads(text) for path in files for text in path.read_text("utf-8").splitlines()]
    sent = {raw.hex() for sender in load.senders for raw in sender.raws}
    for documents in (listener.documents, written):
        by_id: dict[str, set[str]] = {}
        for document in documents:
            by_id.setdefault(document["id"], set()).add(document["raw"])
        assert all(len(raws) == 1 for raws in by_id.values()), f"seed {SEED}"
        assert frames_of(documents) == sent, f"seed {SEED}"
        print(f"{len(documents)} documents, {len(by_id)} identities")
    assert dead["waiting_rows"] >= CHIPS * FRAMES
    assert "refused" in dead["trouble"]
