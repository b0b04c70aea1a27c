"""The MQTT link, over the project's broker: everything stored and acknowledged, and nothing that floods it harms it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from weldgate_collector import CollectorError, Reader, Service, add_chips, check, load_config
from weldgate_collector.chips import write_secret
from weldgate_collector.links import shared
from weldgate_protocol.frame import FLAG_PARITY, encode_body, to_wire
from weldgate_simulator.broker import NatsBroker
from weldgate_simulator.load import Load, make_chips
from weldgate_simulator.mqtt_modules import MqttModules

ROOT = bytes(range(32))
pytestmark = pytest.mark.broker


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[NatsBroker]:
    """A broker of the project."""
    with NatsBroker(tmp_path / "broker") as running:
        yield running


async def until(true: Callable[[], bool]) -> None:
    """Wait until something is so that no event tells of."""
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.001)


def site(folder: Path, chips: int, port: int, more: str = "") -> Path:
    """Write a site with an MQTT link and return its configuration's path."""
    path = folder / "collector.toml"
    path.write_text(
        f'[collector]\nname = "t"\n[store]\ncommit_ms = 1\n[mqtt]\nport = {port}\nbackoff_max_s = 0.3\n{more}', "utf-8"
    )
    add_chips(folder / "chips.jsonl", make_chips(chips, ROOT))
    return path


def play(path: Path, scene: Callable[[Service], Awaitable[None]]) -> set[bytes]:
    """Run a scene with the collector running, and return the frames that it stored."""
    config = load_config(path)

    async def whole() -> None:
        service = Service(config)
        await service.start()
        try:
            async with asyncio.timeout(30):
                await up(service)
                await scene(service)
        finally:
            await service.stop()

    asyncio.run(whole())
    with Reader(config.data_dir / "store.sqlite3") as reader:
        rows = [record.raw for record in reader.records(kind=1)]
    assert len(rows) == len(set(rows))
    return set(rows)


async def up(service: Service, wanted: bool = True) -> None:
    """Wait until the link is connected, or is not."""
    await until(lambda: link(service)["up"] is wanted)


def link(service: Service) -> dict[str, object]:
    """Return the state of the link."""
    links = service.health()["links"]
    assert isinstance(links, dict)
    found: dict[str, object] = links["mqtt"]
    return found


def sent(load: Load) -> set[bytes]:
    """Return all frames of a load."""
    return {raw for sender in load.senders for raw in sender.raws}


def test_frames_are_stored_and_acknowledged(tmp_path: Path, broker: NatsBroker) -> None:
    """One frame a publish, acks by frames on the chip's own topic."""
    load = Load(make_chips(5, ROOT), 200, window=32)

    async def scene(_service: Service) -> None:
        async with MqttModules(broker.host, broker.port, load.senders, "t") as modules:
            await modules.run()
            assert modules.publishes >= 5 * 202

    assert play(site(tmp_path, 5, broker.port), scene) == sent(load)
    assert load.acknowledged == 1000


def test_answers_that_the_broker_drops_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slip in the ACL: the collector may read what chips say, and what it answers goes nowhere, without a word."""
    monkeypatch.setattr(shared, "_UNHEARD_S", 0.5)
    load = Load(make_chips(1, ROOT), 1, window=1)
    users = {"t": ("right", "weldgate/1/t"), "m": ("m", "weldgate/1/t")}
    write_secret(tmp_path / "password", b"right")

    async def scene(service: Service) -> None:
        async with MqttModules("127.0.0.1", broker.port, load.senders, "t", user="m") as modules:
            running = asyncio.create_task(modules.run())
            await until(lambda: "weldgate/1/{collector}/chip/{device}/down" in str(link(service)["trouble"]))
            assert b'weldgate_link_trouble{link="mqtt"} 1.0' in service._refreshed().text()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    with NatsBroker(tmp_path / "b", users=users, publishes={"t": "weldgate/1/tt"}) as broker:
        play(site(tmp_path, 1, broker.port, 'username = "t"\npassword_file = "password"\n'), scene)


def test_new_password_is_taken_up_without_a_restart(tmp_path: Path) -> None:
    """The file is read at each connection; one that can't be read is the link's trouble and no more."""
    users = {"t": ("right", "weldgate/1/t")}
    password = tmp_path / "password"
    write_secret(password, b"old")

    async def scene() -> None:
        more = 'username = "t"\npassword_file = "password"\n'
        service = Service(load_config(site(tmp_path, 1, broker.port, more)))
        await service.start()
        try:
            await until(lambda: "refuses" in str(link(service)["trouble"]))
            password.unlink()
            await until(lambda: str(password) in str(link(service)["trouble"]))
            write_secret(password, b"right")
            await up(service)
        finally:
            await service.stop()

    with NatsBroker(tmp_path / "b", users=users) as broker:
        asyncio.run(scene())


def test_broker_killed_and_started_again_loses_nothing(tmp_path: Path, broker: NatsBroker) -> None:
    """Every conversation is over with the broker; chips say hello again and send what was not acknowledged."""
    load = Load(make_chips(3, ROOT), 400, window=8)

    async def scene(service: Service) -> None:
        async with MqttModules(broker.host, broker.port, load.senders, "t") as modules:
            running = asyncio.create_task(modules.run())
            await until(lambda: load.acknowledged >= load.total // 3)
            broker.kill()
            await up(service, False)
            assert link(service)["connections"] == 0
            assert link(service)["trouble"]
            await asyncio.to_thread(broker.start)
            await running
        assert link(service)["trouble"] == ""

    assert play(site(tmp_path, 3, broker.port), scene) == sent(load)


def test_what_is_no_frame_and_who_is_unknown_harm_nobody(tmp_path: Path, broker: NatsBroker) -> None:
    """Garbage, wrong topics, unknown chips, wrong tags, frames without a hello: counted, and the others go on."""
    load = Load(make_chips(2, ROOT), 300, window=16)
    stranger = to_wire(encode_body(2 | FLAG_PARITY, 1, (99).to_bytes(8, "big"), bytes(4), 1, 0, 0, b"\xa0") + bytes(8))

    async def scene(service: Service) -> None:
        async with MqttModules(broker.host, broker.port, load.senders, "t") as modules:
            running = asyncio.create_task(modules.run())
            for number in range(200):
                modules.publish("99", stranger)  # unknown, a hello each time
                modules.publish(2, b"no frame at all")
                modules.publish("x", stranger)
                modules.publish(50, to_wire(load.senders[0].raws[0]))  # no hello came
                modules.publish(51, b"~" * 70_000)
                if number % 20 == 0:
                    await asyncio.sleep(0)
            await running
            await until(lambda: link(service)["faults"] >= 600)  # type: ignore[operator]
            assert link(service)["refused"] >= 300  # type: ignore[operator]
            assert link(service)["connections"] <= 3  # type: ignore[operator]

    assert play(site(tmp_path, 2, broker.port), scene) == sent(load)
    assert load.acknowledged == 600


def test_wrong_tags_are_counted_and_their_source_is_throttled(tmp_path: Path, broker: NatsBroker) -> None:
    """A module with another's keys is turned away, then not answered; its neighbour behind the same broker goes on."""
    load = Load(make_chips(1, ROOT), 200, window=8)
    forger = Load(make_chips(1, bytes(32), first=2), 1)

    async def scene(service: Service) -> None:
        metrics = service.hub.metrics
        async with MqttModules(broker.host, broker.port, [*load.senders, *forger.senders], "t") as modules:
            running = asyncio.create_task(modules.run())
            await until(lambda: load.acknowledged == 200 and metrics.throttled._value.get() > 0)
            running.cancel()
        assert metrics.bad_tags._value.get() == 3

    assert play(site(tmp_path, 2, broker.port), scene) == sent(load)
    assert forger.acknowledged == 0


def test_half_open_conversations_are_bounded(tmp_path: Path, broker: NatsBroker) -> None:
    """Chips that say hello and then nothing: of too many the oldest goes, and who proves itself gets in."""
    half = Load(make_chips(20, ROOT, first=2), 1)
    load = Load(make_chips(1, ROOT), 50)

    async def scene(service: Service) -> None:
        async with MqttModules(broker.host, broker.port, load.senders, "t") as modules:
            for sender in half.senders:
                modules.publish(sender.device, hello_of(sender))
            await modules.run()
            await until(lambda: service.hub.connections <= 4)
        assert service.hub.metrics.dropped._value.get() >= 16

    path = site(tmp_path, 30, broker.port, "[links]\nmax_unauthenticated = 3\n")
    assert play(path, scene) == sent(load)


def test_refusals_of_the_broker_are_named(tmp_path: Path) -> None:
    """A wrong user is told by ``status``; the link goes on trying."""
    with NatsBroker(tmp_path / "broker", users={"u": ("p", "weldgate/1/t")}) as broker:
        path = site(tmp_path, 1, broker.port)

        async def scene() -> None:
            service = Service(load_config(path))
            await service.start()
            try:
                async with asyncio.timeout(20):
                    await until(lambda: "refuses" in str(link(service)["trouble"]))
            finally:
                await service.stop()

        asyncio.run(scene())


def test_check_names_the_link_and_its_files(tmp_path: Path) -> None:
    """A missing authority or password file is found before the start."""
    assert "link mqtt at 127.0.0.1:1, weldgate/1/t/chip/+/up" in check(site(tmp_path, 1, 1))
    for more in ('tls_ca_file = "none.pem"\n', 'password_file = "none"\n'):
        with pytest.raises(CollectorError, match="none"):
            check(site(tmp_path, 1, 1, more))


def hello_of(sender: object) -> bytes:
    """Return a valid hello of a sender's chip."""
    import secrets

    from weldgate_simulator import load

    conversation = sender._conversation  # type: ignore[attr-defined]
    hello = {**load.HELLO, "highest": 1}
    wire: bytes = conversation.start(secrets.token_bytes(16), hello, bytes(4), load.stamp(), 0)
    return wire
