"""Fault: the collector is killed with -9 while chips on a bus and behind a broker send."""

import asyncio
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from weldgate_collector import Reader, add_chips
from weldgate_simulator.broker import NatsBroker
from weldgate_simulator.load import Load, make_chips
from weldgate_simulator.mqtt_modules import MqttModules
from weldgate_simulator.serial_line import SerialLine

ROOT = bytes(range(32))
FRAMES, KILLS, SEED = 400, 3, 5


@pytest.mark.broker
@pytest.mark.slow
def test_kill_loses_nothing_acknowledged_on_links_without_connections(tmp_path: Path) -> None:
    """After each kill what was acknowledged is stored; in the end each frame is there once."""
    chance = random.Random(SEED)
    load = Load(make_chips(4, ROOT), FRAMES, window=16)
    add_chips(tmp_path / "chips.jsonl", make_chips(4, ROOT))
    moments = sorted(chance.sample(range(load.total // 10, load.total * 9 // 10), KILLS))

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-m", "weldgate_collector", str(tmp_path / "c.toml")])

    async def scene(broker: NatsBroker) -> None:
        process = start()
        try:
            async with (
                SerialLine(tmp_path / "tty", load.senders[:2], bus=True) as bus,
                MqttModules(broker.host, broker.port, load.senders[2:], "t") as modules,
                asyncio.timeout(100),
            ):
                running = asyncio.gather(bus.run(), modules.run())
                for moment in moments:
                    while load.acknowledged < moment:
                        await asyncio.sleep(0)
                    process.send_signal(signal.SIGKILL)
                    process.wait()
                    acknowledged = {sender.device: sender.acknowledged for sender in load.senders}
                    highest = dict.fromkeys(acknowledged, 0)
                    for device, seq in stored(tmp_path):
                        highest[device] = max(seq, highest[device])
                    assert all(highest[device] >= through for device, through in acknowledged.items()), f"seed {SEED}"
                    process = start()
                await running
        finally:
            process.terminate()
            assert process.wait(20) == 0

    with NatsBroker(tmp_path / "broker") as broker:
        (tmp_path / "c.toml").write_text(
            f"[collector]\nname = 't'\n[mqtt]\nport = {broker.port}\nbackoff_max_s = 0.5\n[[serial]]\nname = 'bus'\n"
            "port = 'tty'\nbaud = 4000000\ndevices = ['1', '2']\npoll_ms = 1\n[log]\nlevel = 'error'\n",
            "utf-8",
        )
        asyncio.run(scene(broker))
    rows = stored(tmp_path)
    assert len(rows) == len(set(rows)) == load.total, f"seed {SEED}"


def stored(folder: Path) -> list[tuple[int, int]]:
    """Return (device, number) of each frame in the store."""
    with Reader(folder / "data" / "store.sqlite3") as reader:
        return [(record.device, record.seq) for record in reader.records(kind=1)]
