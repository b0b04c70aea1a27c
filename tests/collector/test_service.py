"""The whole collector in process, with a real socket: start, stop, check, control, health."""

import asyncio
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from weldgate_collector import (
    CollectorConfigError,
    CollectorError,
    MemoryLink,
    Reader,
    Service,
    add_chips,
    check,
    load_config,
    request,
    write_secret,
)
from weldgate_collector import config as config_module
from weldgate_collector.chips import Chip
from weldgate_collector.metrics import Metrics
from weldgate_collector.upstream.adapters import adapter, kinds
from weldgate_collector.upstream.settings import RecordSection
from weldgate_protocol import reasons
from weldgate_protocol.collector_record import decode_record


def site(folder: Path, extra: str = "") -> Path:
    """Write a site's files and return its configuration."""
    path = folder / "collector.toml"
    path.write_text(
        f'[collector]\nname = "t"\n\n[tcp]\nhost = "127.0.0.1"\nport = 0\n\n[metrics]\nport = 0\n{extra}', "utf-8"
    )
    add_chips(folder / "chips.jsonl", [Chip("9", 1, secrets.token_hex(32), secrets.token_hex(32))])
    return path


def test_check_says_what_is_there(tmp_path: Path) -> None:
    """``check`` starts nothing, and names what it found."""
    path = site(tmp_path, '\n[[upstream]]\nname = "u"\n')
    write_secret(tmp_path / "collector.key", b"11" * 32)

    lines = check(path)

    assert lines[0] == "collector t"
    assert "1 chips known" in lines[1]
    assert lines[2] == "link tcp at 127.0.0.1:0"
    assert lines[3] == "upstream u: mqtt at 127.0.0.1:1883"
    assert lines[4].endswith("will be made")
    assert not (tmp_path / "data").exists()


def test_check_refuses_what_can_not_work(tmp_path: Path) -> None:
    """A missing key and a wrong file are found before the start."""
    path = site(tmp_path, '\n[[upstream]]\nname = "u"\n')
    with pytest.raises(CollectorError, match=r"collector\.key"):
        check(path)
    with pytest.raises(CollectorConfigError):
        check(tmp_path / "nowhere.toml")


def test_password_that_is_no_text_is_told(tmp_path: Path) -> None:
    """A file of any bytes is a typed error, without its content."""
    path = site(tmp_path, '\n[[upstream]]\nname = "u"\npassword_file = "password"\n')
    write_secret(tmp_path / "collector.key", b"11" * 32)
    write_secret(tmp_path / "password", b"\xff\xfe")

    with pytest.raises(CollectorError, match="password: no text"):
        check(path)


def test_frames_stop_and_start(tmp_path: Path, talker: Any) -> None:
    """A graceful stop keeps everything, also what was not acknowledged yet; a second start goes on."""
    config = load_config(site(tmp_path))
    add_chips(config.chips_file, [_known()])

    async def once(seqs: range) -> None:
        link = MemoryLink()
        service = Service(config, (link,))
        await service.start()
        try:
            chip = talker(1)
            await chip.come_online(link, highest=seqs.start - 1)
            assert chip.conversation.high_water == seqs.start - 1
            chip.send(*[chip.frame(seq) for seq in seqs])
            await asyncio.sleep(0)
        finally:
            await service.stop()

    asyncio.run(once(range(1, 6)))
    asyncio.run(once(range(6, 9)))

    with Reader(config.data_dir) as reader:
        assert [record.seq for record in reader.records(kind=1)] == list(range(1, 9))


def test_health_metrics_and_status(tmp_path: Path, eventually: Any, full_disk: Any) -> None:
    """The three ways to ask how it is agree."""
    config = load_config(site(tmp_path))

    async def ask(port: int, path: str) -> tuple[str, str]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        answer = (await reader.read()).decode()
        writer.close()
        await writer.wait_closed()
        head, _, body = answer.partition("\r\n\r\n")
        return head.split("\r\n")[0], body

    async def scene() -> None:
        service = Service(config, open_connection=full_disk.seam)
        await service.start()
        try:
            assert service.metrics_port is not None
            port = service.metrics_port.port
            await asyncio.wrap_future(service.writer.submit(lambda _connection: None))
            status, body = await ask(port, "/healthz")
            assert status.endswith("200 OK")
            assert json.loads(body)["ok"] is True

            full_disk.full = True
            service.writer.submit(lambda _connection: None)
            await eventually(lambda: bool(service.writer.trouble))
            assert "503" in (await ask(port, "/healthz"))[0]
            assert "weldgate_store_trouble 1.0" in (await ask(port, "/metrics"))[1]
            assert "404" in (await ask(port, "/"))[0]
            answer = await asyncio.to_thread(request, config.control_socket, {"do": "status"})
            assert answer["store"] == "database or disk is full"
        finally:
            full_disk.full = False
            await service.stop()

    asyncio.run(scene())


def test_chips_are_reloaded_while_running(tmp_path: Path, talker: Any) -> None:
    """A chip that is added becomes known; a wrong file changes nothing."""
    config = load_config(site(tmp_path))

    async def scene() -> None:
        link = MemoryLink()
        service = Service(config, (link,))
        await service.start()
        try:
            add_chips(config.chips_file, [_known()])
            service.reload()
            write_secret(config.chips_file, b"{}")
            service.reload()
            chip = talker(1)
            await chip.come_online(link)
            chip.send(chip.frame(1))
            await chip.acked(1)
        finally:
            await service.stop()

    asyncio.run(scene())


def test_program_stops_gracefully_on_sigterm(tmp_path: Path) -> None:
    """``python -m weldgate_collector`` ends with 0 on SIGTERM, and tells in one line why it can't start."""
    path = site(tmp_path)
    with subprocess.Popen([sys.executable, "-m", "weldgate_collector", str(path)], stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if b"collector_started" in line:
                break
        process.send_signal(signal.SIGTERM)
        rest = process.stderr.read()
        assert process.wait(20) == 0
    assert b"collector_stopped" in rest

    failed = subprocess.run(
        [sys.executable, "-m", "weldgate_collector", str(tmp_path / "no.toml")],
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert failed.returncode == 1
    assert failed.stderr.count(b"\n") == 1


def _known() -> Chip:
    """Return the chip that the scripted talker 1 is."""
    from weldgate_protocol.keys import derive

    root, device = bytes(range(32)), (1).to_bytes(8, "big")
    return Chip("1", 1, derive(root, b"up", device, 1).hex(), derive(root, b"down", device, 1).hex())


def test_second_collector_on_the_same_data_is_refused(tmp_path: Path) -> None:
    """Two writers would break the line of rows; the second is told, and the first goes on."""
    config = load_config(site(tmp_path))

    async def scene() -> None:
        first = Service(config)
        await first.start()
        try:
            with pytest.raises(CollectorError, match="another collector runs here"):
                await Service(config).start()
            answer = await asyncio.to_thread(request, config.control_socket, {"do": "status"})
            assert answer["ok"]
        finally:
            await first.stop()

    asyncio.run(scene())


def test_start_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    """A port that is taken ends the start; what was started is stopped again, and the data is free."""
    config = load_config(site(tmp_path))

    async def scene() -> None:
        link = MemoryLink()
        blocker = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)
        port = blocker.sockets[0].getsockname()[1]
        text = (tmp_path / "collector.toml").read_text("utf-8").replace("port = 0", f"port = {port}", 1)
        (tmp_path / "taken.toml").write_text(text, "utf-8")
        taken = load_config(tmp_path / "taken.toml")
        with pytest.raises(OSError, match="address already in use"):
            await Service(taken, (link,)).start()
        with pytest.raises(ConnectionRefusedError):
            link.connect(None)  # type: ignore[arg-type]
        blocker.close()
        await blocker.wait_closed()
        service = Service(config)
        await service.start()
        await service.stop()

    asyncio.run(scene())


def test_silent_chip_is_told_everywhere(tmp_path: Path, talker: Any, eventually: Any) -> None:
    """S5: a running collector notices silence by itself; store, metrics and status agree, and on the return."""
    config = load_config(site(tmp_path))
    add_chips(config.chips_file, [_known()])
    late_s = [0.0]

    async def scene() -> None:
        link = MemoryLink()
        service = Service(config, (link,))
        await service.start()
        service.hub.silence._clock_s = lambda: time.monotonic() + late_s[0]
        try:
            chip = talker(1)
            await chip.connect(link)
            chip.heartbeat(gate=5, token=b"token-01")
            await chip.until(lambda: len(chip.events) > 1)
            assert service.health()["chips_silent"] == []
            late_s[0] = 100.0
            await eventually(lambda: service.health()["chips_silent"] == ["1"])
            assert b"weldgate_chips_silent 1.0" in service._refreshed().text()
            chip.heartbeat(gate=5, token=b"token-01")
            await eventually(lambda: service.health()["chips_silent"] == [])
        finally:
            await service.stop()

    asyncio.run(scene())
    with Reader(config.data_dir / "store.sqlite3") as reader:
        told = [decode_record(record.raw) for record in reader.records(kind=2)]
    assert [(record.online, record.reason) for record in told[:3]] == [
        (True, 0), (False, reasons.ALARM_SILENT), (True, 0),
    ]  # fmt: skip


def test_documentation_names_every_key_and_metric(tmp_path: Path) -> None:
    """``docs/collector.md`` is checked against the code."""
    text = Path("docs/collector.md").read_text("utf-8")
    sections = {
        "collector": config_module.CollectorSection, "tcp": config_module.TcpSection,
        "tls": config_module.TlsSection, "serial[]": config_module.SerialSection, "mqtt": config_module.MqttSection,
        "links": config_module.LinksSection,
        "store": config_module.StoreSection,
        "metrics": config_module.MetricsSection,
        "log": config_module.LogSection, "control": config_module.ControlSection,
    }  # fmt: skip
    upstreams = {f"upstream[] {kind}": adapter(kind).section for kind in kinds()}
    for table, section in {**sections, **upstreams, "upstream[].record": RecordSection}.items():
        for field in section.__struct_fields__:
            if field != "record":
                key = f"{table.split()[0]}.{field}"
                assert f"`{key}`" in text or f"`.{field}`" in text, key
    for line in Metrics().text().decode().splitlines():
        if line.startswith("# TYPE ") and not line.split()[2].endswith("_created"):
            assert f"`{line.split()[2].removeprefix('weldgate_')}`" in text, line


def test_reload_by_sighup_keeps_the_old_configuration_when_the_new_one_is_wrong(tmp_path: Path) -> None:
    """Key and line are told, in the log and by the health; a mended file holds at once, as far as it can."""
    path = site(tmp_path)
    good = path.read_text("utf-8")
    config = load_config(path)
    log = tmp_path / "log"

    def until(what: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        deadline_s = time.monotonic() + 20
        while time.monotonic() < deadline_s:
            try:
                status = request(config.control_socket, {"do": "status"})
            except OSError:
                continue
            if what(status):
                return status
        raise AssertionError(log.read_text("utf-8"))

    with log.open("wb") as file:
        process = subprocess.Popen([sys.executable, "-m", "weldgate_collector", str(path)], stderr=file)
        try:
            until(lambda _: '"tcp_listening"' in log.read_text("utf-8"))
            path.write_text(good + "\n[links]\nthrotle_s = 5\n", "utf-8")
            process.send_signal(signal.SIGHUP)
            status = until(lambda status: bool(status["configuration"]["trouble"]))
            assert "line 12: unknown key `links.throtle_s`" in status["configuration"]["trouble"]
            assert status["ok"] is True

            path.write_text(good.replace('name = "t"', 'name = "u"') + '\n[log]\nlevel = "error"\n', "utf-8")
            process.send_signal(signal.SIGHUP)
            status = until(lambda status: not status["configuration"]["trouble"])
            assert status["configuration"]["restart_needed"] == ["collector.name"]
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
    told = log.read_text("utf-8")
    assert '"configuration_not_reloaded"' in told
    assert '"collector_stopped"' not in told  # an info line: the new level held


def test_store_is_the_owners_alone(tmp_path: Path) -> None:
    """Tokens wait in the store for their chips, so nobody else reads it, wherever the folder lies."""
    before = os.umask(0o022)

    async def scene() -> dict[str, int]:
        service = Service(load_config(site(tmp_path)))
        await service.start()
        modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "data").rglob("*")}
        await service.stop()
        return modes

    modes = asyncio.run(scene())
    os.umask(before)
    name = f"{1:019d}.sqlite3"
    assert {"segments", name, f"{name}-wal", f"{name}-shm"} <= set(modes)
    assert {mode & 0o077 for mode in modes.values()} == {0}
