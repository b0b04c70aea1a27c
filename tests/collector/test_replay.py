"""Replay: what one collector recorded, sent into the links of another."""

import asyncio
import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from weldgate_collector import Reader, Service, Target, add_chips, load_config
from weldgate_collector.errors import RecordingError
from weldgate_collector.recording import Recording
from weldgate_collector.replay import ReplayResult, _Replay
from weldgate_protocol import reasons
from weldgate_simulator.broker import NatsBroker
from weldgate_simulator.certificates import Authority
from weldgate_simulator.load import Load, make_chips
from weldgate_simulator.serial_line import SerialLine

ROOT = bytes(range(32))
CHIPS = make_chips(3, ROOT)
KEYS = {int(chip.device).to_bytes(8, "big"): chip for chip in CHIPS}


@dataclasses.dataclass
class Made:
    """A recording and what is in it."""

    path: Path
    frames: set[bytes]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A recording of three chips over TCP, 40 frames each, one of them in two connections."""
    folder = tmp_path_factory.mktemp("made")
    config = load_config(site(folder, "[tcp]\nhost = '127.0.0.1'\nport = 0\n"))
    load = Load(CHIPS, 40, window=8)

    async def scene() -> None:
        service = Service(config, record=folder / "a.wgr")
        await service.start()
        try:
            assert service.tcp is not None
            running = asyncio.create_task(load.run("127.0.0.1", service.tcp.port))
            while not load.senders[0].acknowledged:
                await asyncio.sleep(0)
            next(iter(service.tcp._open)).abort()
            await running
        finally:
            await service.stop()

    asyncio.run(scene())
    return Made(folder / "a.wgr", {raw for sender in load.senders for raw in sender.raws})


async def until(true: Callable[[], bool]) -> None:
    """Wait until something is so that no event tells of."""
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.001)


def site(folder: Path, links: str) -> Path:
    """Write a laboratory's site and return its configuration's path."""
    folder.mkdir(exist_ok=True)
    path = folder / "collector.toml"
    path.write_text(f'[collector]\nname = "t"\n[store]\ncommit_ms = 1\n{links}', "utf-8")
    add_chips(folder / "chips.jsonl", CHIPS)
    return path


async def replayed(made: Made, target: Target, keyed: bool = True, speed: float = 0) -> ReplayResult:
    """Replay into a target."""
    async with asyncio.timeout(30):
        return await _Replay(Recording(made.path), target, KEYS if keyed else None, speed, None).run()


def stored(folder: Path) -> set[bytes]:
    """Return the frames in a site's store."""
    with Reader(folder / "data" / "store.sqlite3") as reader:
        return {record.raw for record in reader.records(kind=1)}


def test_keyed_replay_over_tcp_stores_the_same_frames(made: Made, tmp_path: Path) -> None:
    """The laboratory's store holds byte for byte what the first one held; a second replay adds nothing."""
    config = load_config(site(tmp_path, "[tcp]\nhost = '127.0.0.1'\nport = 0\n"))

    async def scene() -> tuple[ReplayResult, ReplayResult]:
        service = Service(config)
        await service.start()
        try:
            assert service.tcp is not None
            target = Target(f"tcp://127.0.0.1:{service.tcp.port}")
            return await replayed(made, target), await replayed(made, target)
        finally:
            await service.stop()

    first, second = asyncio.run(scene())
    assert stored(tmp_path) == made.frames
    assert first.errors == second.errors == {}
    assert first.connections == 4
    assert first.acknowledged >= 120
    assert second.acknowledged >= 120


def test_plain_replay_proves_nothing(made: Made, tmp_path: Path) -> None:
    """The bytes as they were: every connection is closed by the collector, nothing is stored."""
    config = load_config(site(tmp_path, "[tcp]\nhost = '127.0.0.1'\nport = 0\n[links]\nthrottle_s = 0\n"))

    async def scene() -> ReplayResult:
        service = Service(config)
        await service.start()
        try:
            assert service.tcp is not None
            return await replayed(made, Target(f"tcp://127.0.0.1:{service.tcp.port}"), keyed=False)
        finally:
            await service.stop()

    result = asyncio.run(scene())
    assert stored(tmp_path) == set()
    assert (result.acknowledged, result.connections) == (0, 4)
    assert result.closed_by_collector == 4


def test_replay_over_tls(made: Made, tmp_path: Path) -> None:
    """With the authority's file, and without it a number."""
    authority = Authority(tmp_path)
    certificate, key = authority.issue("collector")
    links = f"[tls]\nhost = '127.0.0.1'\nport = 0\ncertificate_file = '{certificate}'\nkey_file = '{key}'\n"
    config = load_config(site(tmp_path, links))

    async def scene() -> tuple[ReplayResult, ReplayResult]:
        service = Service(config)
        await service.start()
        try:
            assert service.tls is not None
            url = f"tls://127.0.0.1:{service.tls.port}"
            return await replayed(made, Target(url, str(authority.file))), await replayed(made, Target(url))
        finally:
            await service.stop()

    good, bad = asyncio.run(scene())
    assert stored(tmp_path) == made.frames
    assert good.errors == {}
    assert bad.errors == {reasons.TOOL_CONNECTION: 4}


@pytest.mark.broker
def test_replay_over_mqtt(made: Made, tmp_path: Path) -> None:
    """A module for each chip."""
    with NatsBroker(tmp_path / "broker") as broker:
        config = load_config(site(tmp_path, f"[mqtt]\nport = {broker.port}\n"))

        async def scene() -> ReplayResult:
            service = Service(config)
            await service.start()
            try:
                await until(lambda: bool(service.health()["links"]["mqtt"]["up"]))  # type: ignore[index]
                return await replayed(made, Target(f"mqtt://127.0.0.1:{broker.port}"))
            finally:
                await service.stop()

        result = asyncio.run(scene())
    assert result.errors == {}
    assert stored(tmp_path) == made.frames


def test_replay_over_a_serial_line(made: Made, tmp_path: Path) -> None:
    """Two terminals joined by a wire: the collector's and the replay's."""
    config = load_config(site(tmp_path, "[[serial]]\nname = 'line'\nport = 'tty'\n"))

    async def scene() -> ReplayResult:
        service = Service(config)
        async with SerialLine(tmp_path / "tty", []) as near, SerialLine(tmp_path / "far", []) as far:
            near.join(far)
            await service.start()
            try:
                return await replayed(made, Target(f"serial:{tmp_path / 'far'}"))
            finally:
                await service.stop()

    result = asyncio.run(scene())
    assert result.errors == {}
    assert stored(tmp_path) == made.frames


def test_speed_is_kept(made: Made, tmp_path: Path) -> None:
    """At the tenth of the speed it takes ten times as long as it was."""
    config = load_config(site(tmp_path, "[tcp]\nhost = '127.0.0.1'\nport = 0\n"))
    lasted_ms = max(entry.at for entry in Recording(made.path).entries())

    async def scene() -> float:
        service = Service(config)
        await service.start()
        try:
            assert service.tcp is not None
            began_s = asyncio.get_running_loop().time()
            await replayed(made, Target(f"tcp://127.0.0.1:{service.tcp.port}"), speed=2)
            return asyncio.get_running_loop().time() - began_s
        finally:
            await service.stop()

    assert asyncio.run(scene()) * 1000 >= lasted_ms / 2
    assert stored(tmp_path) == made.frames


def test_unknown_chips_and_wrong_places_are_numbered(made: Made, tmp_path: Path) -> None:
    """A chip without a key, a collector that does not know it, a place where nobody is."""
    path = site(tmp_path, "[tcp]\nhost = '127.0.0.1'\nport = 0\n")
    (tmp_path / "chips.jsonl").unlink()
    add_chips(tmp_path / "chips.jsonl", make_chips(1, ROOT, first=9))

    async def scene() -> tuple[ReplayResult, ReplayResult]:
        service = Service(load_config(path))
        await service.start()
        try:
            assert service.tcp is not None
            unknown = await replayed(made, Target(f"tcp://127.0.0.1:{service.tcp.port}"))
        finally:
            await service.stop()
        return unknown, await replayed(made, Target(f"tcp://127.0.0.1:{service.tcp.port}"))

    unknown, nobody = asyncio.run(scene())
    assert set(unknown.errors) == {reasons.WIRE_UNKNOWN_CHIP}
    assert nobody.errors == {reasons.TOOL_CONNECTION: 4}
    for url in ("tcp://127.0.0.1", "ftp://a:1", "serial:", "mqtt://127.0.0.1:1"):
        with pytest.raises(RecordingError):
            asyncio.run(replayed(made, Target(url)))


@pytest.mark.broker
def test_broker_that_refuses_a_replay_is_named(made: Made, tmp_path: Path) -> None:
    """A wrong user is an error with a number, before anything is sent."""
    with NatsBroker(tmp_path / "broker", users={"u": ("p", "weldgate/1/t")}) as broker:
        with pytest.raises(RecordingError, match="refuses") as caught:
            asyncio.run(replayed(made, Target(f"mqtt://127.0.0.1:{broker.port}")))
        assert caught.value.code == reasons.TOOL_CONNECTION
