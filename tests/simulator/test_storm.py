"""A storm in small: everybody is served, strangers at the door or not, and the figures are those of this run."""

import asyncio
import json
import resource
from pathlib import Path

import pytest

from weldgate_collector import Service, add_chips, load_config
from weldgate_simulator import storm
from weldgate_simulator.load import make_chips
from weldgate_simulator.storm import Storm

CHIPS = 150


def test_everybody_is_served_twice_though_strangers_came_first(tmp_path: Path) -> None:
    """A whole collector; the strangers fill a third of the door and nobody loses a connection for them."""
    found = storm.play(tmp_path, CHIPS, strangers=50, within_s=0.2)

    assert found["chips"] == found["online"] == CHIPS
    assert found["connections"] == 2 * CHIPS
    assert 0 < found["again"]["p50"] <= found["again"]["max"] <= 30
    assert 10 < found["rss_connected_mb"] < 150


def test_chips_that_lost_their_power_come_back_at_once(tmp_path: Path) -> None:
    """The collector holds a connection of each that will never speak again; each new one takes its place."""
    found = storm.play(tmp_path, 60, within_s=0.1, half_open=True)

    assert found["online"] == 60
    assert found["again"]["max"] <= 30


def test_strangers_go_first_when_there_is_no_room(tmp_path: Path) -> None:
    """40 sockets that say nothing hold every place; 30 chips come, are served, and 10 strangers are left."""
    config_file = tmp_path / "collector.toml"
    config_file.write_text(
        '[collector]\nname = "t"\n[tcp]\nhost = "127.0.0.1"\nport = 0\n[links]\nmax_connections = 40\n', "utf-8"
    )
    chips = make_chips(30, bytes(32))
    config = load_config(config_file)
    add_chips(config.chips_file, chips)

    async def scene() -> None:
        service = Service(config)
        await service.start()
        try:
            assert service.tcp is not None
            silent = [await asyncio.open_connection("127.0.0.1", service.tcp.port) for _ in range(40)]
            callers = Storm(chips, sources=3)
            served = await callers.rage("127.0.0.1", service.tcp.port, 0.1)
            assert len(served) == 30
            assert service.hub.online == 30
            assert all(caller.connections == 1 for caller in callers.callers)
            assert service.hub.connections == 40
            assert service.hub.strangers == 10
            await callers.cut()
            for _, writer in silent:
                writer.close()
        finally:
            await service.stop()

    asyncio.run(scene())


def test_limit_of_open_files_bounds_the_storm() -> None:
    """No more chips than descriptors, and what was wanted where there are enough."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        assert storm.chips_allowed(10) == 10
        most = storm.chips_allowed(1 << 40)
        assert most == 1 << 40 if before[1] == resource.RLIM_INFINITY else 0 < most < before[1]
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (before[1], before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_program_prints_one_object(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For soaks and for people."""
    assert storm.main(["--chips", "20", "--within", "0.1", "--folder", str(tmp_path / "s")]) == 0

    assert json.loads(capsys.readouterr().out)["online"] == 20
