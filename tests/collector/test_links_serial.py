"""Serial lines over pseudo-terminals: one chip, a polled bus, noise, lost bytes, and the plug pulled."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest

from weldgate_collector import CollectorConfigError, Reader, Service, add_chips, check, load_config
from weldgate_protocol.bus import TURN_END
from weldgate_simulator.load import Load, make_chips
from weldgate_simulator.serial_line import SerialLine

ROOT = bytes(range(32))


async def until(true: Callable[[], bool]) -> None:
    """Wait until something is so that no event tells of."""
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.001)


def site(folder: Path, chips: int, more: str = "") -> Path:
    """Write a site with one serial line and return its configuration's path."""
    path = folder / "collector.toml"
    path.write_text(
        f'[collector]\nname = "t"\n[store]\ncommit_ms = 1\n[[serial]]\nname = "line"\nport = "tty"\n{more}', "utf-8"
    )
    add_chips(folder / "chips.jsonl", make_chips(chips, ROOT))
    return path


def bus(chips: int, answer_ms: int = 150) -> str:
    """Return what makes a line a bus; a long wait for an answer, where a busy machine must not look like silence."""
    names = ", ".join(f'"{number}"' for number in range(1, chips + 1))
    return f"devices = [{names}]\npoll_ms = 1\nanswer_ms = {answer_ms}\nbaud = 4000000\n"


def play(path: Path, scene: Callable[[Service], Awaitable[None]]) -> set[bytes]:
    """Run a scene with the collector running, and return the frames that it stored."""
    config = load_config(path)

    async def whole() -> None:
        service = Service(config)
        await service.start()
        try:
            async with asyncio.timeout(20):
                await scene(service)
        finally:
            await service.stop()

    asyncio.run(whole())
    with Reader(config.data_dir / "store.sqlite3") as reader:
        rows = [record.raw for record in reader.records(kind=1)]
    assert len(rows) == len(set(rows))
    return set(rows)


def sent(load: Load) -> set[bytes]:
    """Return all frames of a load."""
    return {raw for sender in load.senders for raw in sender.raws}


def acknowledged(load: Load, count: int) -> bool:
    """Tell whether so many frames of a load were acknowledged."""
    return load.acknowledged >= count


def line(service: Service) -> dict[str, object]:
    """Return the state of the line."""
    links = service.health()["links"]
    assert isinstance(links, dict)
    found: dict[str, object] = links["line"]
    return found


def test_one_chip_on_a_usb_line_among_its_boot_messages(tmp_path: Path) -> None:
    """What is no frame is passed over, everything else is stored and acknowledged."""
    load = Load(make_chips(1, ROOT), 300, window=8)

    async def scene(_service: Service) -> None:
        async with SerialLine(tmp_path / "tty", load.senders) as port:
            port.say(b"ets Jul 29 2019 12:21:46\r\nrst:0x1 (POWERON_RESET)\r\n~~~")
            await port.run()

    assert play(site(tmp_path, 1), scene) == sent(load)
    assert load.acknowledged == 300


def test_chips_on_a_bus_speak_in_turn(tmp_path: Path) -> None:
    """M-BUS-01, M-BUS-05: nothing is sent into a chip's turn, and every chip gets its own."""
    load = Load(make_chips(4, ROOT), 100, window=16)

    async def scene(service: Service) -> None:
        async with SerialLine(tmp_path / "tty", load.senders, bus=True) as port:
            await port.run()
            assert port.intrusions == 0
        assert service.hub.metrics.bad_tags._value.get() == 0

    assert play(site(tmp_path, 4, bus(4, 5_000)), scene) == sent(load)
    assert load.acknowledged == 400


def test_chip_that_is_absent_holds_nobody_up(tmp_path: Path) -> None:
    """M-BUS-05: it is asked ever more seldom, and the others get their turns."""
    load = Load(make_chips(2, ROOT), 100, window=8)

    async def scene(_service: Service) -> None:
        async with SerialLine(tmp_path / "tty", load.senders, bus=True) as port:
            await port.run()

    assert play(site(tmp_path, 5, bus(5, 20)), scene) == sent(load)


@pytest.mark.parametrize("polled", [False, True], ids=["line", "bus"])
def test_noise_and_lost_bytes_lose_no_record(tmp_path: Path, polled: bool) -> None:
    """Bytes changed, dropped and added in both directions: all is stored once, and nothing is held for a forgery."""
    count = 3 if polled else 1
    load = Load(make_chips(count, ROOT), 50, window=8)

    async def scene(service: Service) -> None:
        async with SerialLine(
            tmp_path / "tty", load.senders, bus=polled, noise=0.0015, seed=7, patience_s=0.15
        ) as port:
            await port.run()
            assert port.spoiled > 10
        assert service.hub.metrics.bad_tags._value.get() == 0

    assert play(site(tmp_path, count, bus(count, 40) if polled else ""), scene) == sent(load)
    assert load.acknowledged == count * 50


def test_lost_frame_is_told_by_a_goodbye(tmp_path: Path) -> None:
    """M-BUS-06: the chip learns at once that its conversation is over, instead of waiting out its patience."""
    load = Load(make_chips(1, ROOT), 20, window=4)

    class Dropping(SerialLine):
        dropped = 0

        def speak(self, data: bytes) -> None:
            lost = load.senders[0]._wires[9]
            if lost in data and not self.dropped:
                self.dropped = 1
                data = data.replace(lost, b"")
            super().speak(data)

    async def scene(service: Service) -> None:
        async with Dropping(tmp_path / "tty", load.senders, patience_s=90) as port:
            await until(lambda: bool(line(service)["up"]))
            await port.run()
            assert (port.dropped, load.senders[0].connections) == (1, 2)

    assert play(site(tmp_path, 1), scene) == sent(load)


@pytest.mark.parametrize("polled", [False, True], ids=["line", "bus"])
def test_plug_pulled_and_put_back(tmp_path: Path, polled: bool) -> None:
    """The port is opened again under the same path; what was not acknowledged comes again."""
    count = 2 if polled else 1
    load = Load(make_chips(count, ROOT), 400, window=4)

    async def scene(service: Service) -> None:
        async with SerialLine(tmp_path / "tty", load.senders, bus=polled) as port:
            running = asyncio.create_task(port.run())
            for part in (load.total // 5, load.total // 2):
                await until(partial(acknowledged, load, part))
                port.unplug()
                await until(lambda: not line(service)["up"])
                assert line(service)["connections"] == 0
                port.plug()
            await running
        assert line(service)["faults"] >= 2  # type: ignore[operator]

    assert play(site(tmp_path, count, bus(count) if polled else ""), scene) == sent(load)


def test_wrong_tags_on_a_bus_throttle_their_chip_alone(tmp_path: Path) -> None:
    """A forger among the polled chips is counted and kept out; the others get their turns and their acks."""
    load = Load(make_chips(2, ROOT), 100, window=8)
    forger = Load(make_chips(1, bytes(32), first=3), 1)

    async def scene(service: Service) -> None:
        metrics = service.hub.metrics
        async with SerialLine(tmp_path / "tty", [*load.senders, *forger.senders], bus=True) as port:
            running = asyncio.create_task(port.run())
            await until(lambda: load.acknowledged == 200 and metrics.throttled._value.get() > 0)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        assert metrics.bad_tags._value.get() == 3

    assert play(site(tmp_path, 3, bus(3)), scene) == sent(load)
    assert forger.acknowledged == 0


def test_port_that_is_not_there_is_waited_for(tmp_path: Path) -> None:
    """The collector starts all the same, says what is missing, and takes the port when it comes."""
    load = Load(make_chips(1, ROOT), 5)

    async def scene(service: Service) -> None:
        assert "tty" in str(line(service)["trouble"])
        async with SerialLine(tmp_path / "tty", load.senders) as port:
            await port.run()
        assert line(service)["trouble"] == "" or not line(service)["up"]

    assert play(site(tmp_path, 1), scene) == sent(load)


def test_chip_that_is_not_asked_is_not_heard(tmp_path: Path) -> None:
    """On a bus a frame of a chip that is not in the list is passed over and counted; our own echo is passed over."""
    load = Load(make_chips(2, ROOT), 5)

    async def scene(service: Service) -> None:
        async with SerialLine(tmp_path / "tty", [], bus=True) as port:
            wires = load.senders[1]._wires
            await until(lambda: bool(line(service)["up"]))
            port.say(wires[0] + TURN_END)
            await until(lambda: bool(line(service)["refused"]))
            assert line(service)["connections"] == 0

    assert play(site(tmp_path, 2, bus(1)), scene) == set()


def test_check_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``check`` names the line; without pyserial it says what to install."""
    path = site(tmp_path, 1, bus(1))

    assert f"link line: serial {tmp_path / 'tty'} at 4000000 baud, 1 chips polled" in check(path)
    monkeypatch.setitem(sys.modules, "serial", None)
    with pytest.raises(CollectorConfigError, match=r"weldgate\[serial\]"):
        check(path)


def test_line_that_takes_nothing_is_opened_anew(tmp_path: Path) -> None:
    """What waits for a dead line is bounded."""
    load = Load(make_chips(1, ROOT), 1)

    async def scene(service: Service) -> None:
        async with SerialLine(tmp_path / "tty", load.senders) as port:
            await port.run()
            link = service._links[0]
            link._queue("1", bytes(300_000))  # type: ignore[attr-defined]
            assert "takes nothing" in str(line(service)["trouble"])

    play(site(tmp_path, 1), scene)
