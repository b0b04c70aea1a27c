"""The load generator: what it sends is valid, bounded by its window, and its ledger says only what was acknowledged."""

import asyncio
import json
import secrets
import subprocess
import sys
from pathlib import Path

from weldgate_collector import Reader, Service, add_chips, load_config
from weldgate_protocol._compat import HmacKey
from weldgate_protocol.frame import parse, tag_matches
from weldgate_simulator.certificates import Authority
from weldgate_simulator.load import Load, Sender, make_chips, tls_client


def site(folder: Path, count: int) -> Path:
    """Write a site's files and return its configuration."""
    path = folder / "collector.toml"
    path.write_text('[collector]\nname = "t"\n\n[tcp]\nhost = "127.0.0.1"\nport = 0\n', "utf-8")
    add_chips(folder / "chips.jsonl", make_chips(count, secrets.token_bytes(32)))
    return path


def test_frames_are_valid_and_of_the_size_asked_for() -> None:
    """Every frame carries a right tag, and 66 bytes of payload make 100."""
    (chip,) = make_chips(1, bytes(32))
    sender = Sender(chip, 3, 8, 66)

    assert [parse(raw).seq for raw in sender.raws] == [1, 2, 3]
    assert all(tag_matches(raw, HmacKey(bytes.fromhex(chip.up))) for raw in sender.raws)
    assert {len(raw) for raw in sender.raws} == {100}


def test_everything_is_acknowledged_and_stored(tmp_path: Path) -> None:
    """When the run ends the ledger and the store agree."""
    config = load_config(site(tmp_path, 3))
    load = Load(make_chips(3, bytes(32)), 200, window=7)
    add_chips(config.chips_file, make_chips(3, bytes(32)))

    async def scene() -> None:
        service = Service(config)
        await service.start()
        try:
            assert service.tcp is not None
            await load.run("127.0.0.1", service.tcp.port)
        finally:
            await service.stop()

    asyncio.run(scene())
    with Reader(config.data_dir) as reader:
        stored = {record.raw for record in reader.records(kind=1)}
    assert load.acknowledged == load.total == 600
    assert stored == {raw for sender in load.senders for raw in sender.raws}


def test_program_prints_its_result_as_json(tmp_path: Path) -> None:
    """The program signs first, starts when told, and prints one object."""
    config = load_config(site(tmp_path, 2))

    async def scene() -> str:
        service = Service(config)
        await service.start()
        try:
            assert service.tcp is not None
            command = [
                sys.executable, "-m", "weldgate_simulator.load", "--collector", f"127.0.0.1:{service.tcp.port}",
                "--chips-file", str(config.chips_file), "--frames", "50", "--wait",
            ]  # fmt: skip
            done = await asyncio.to_thread(
                subprocess.run, command, input="go\n", capture_output=True, text=True, check=True, timeout=60
            )
            return str(done.stdout)
        finally:
            await service.stop()

    lines = asyncio.run(scene()).splitlines()
    assert lines[0] == "ready"
    assert json.loads(lines[1])["acknowledged"] == 100


def test_load_goes_through_mutual_tls_and_over_a_new_certificate(tmp_path: Path) -> None:
    """With the authority's file the senders connect by TLS; a certificate replaced meanwhile needs no restart."""
    authority = Authority(tmp_path)
    certificate, key = authority.issue("collector")
    path = site(tmp_path, 2)
    chips = make_chips(2, bytes(32))
    add_chips(tmp_path / "chips.jsonl", chips)
    path.write_text(
        f'[collector]\nname = "t"\n\n[tls]\nhost = "127.0.0.1"\nport = 0\ncertificate_file = "{certificate.name}"\n'
        f'key_file = "{key.name}"\nclient_ca_file = "{authority.file.name}"\n',
        "utf-8",
    )
    client = tls_client(authority.file, *authority.issue("chip"))

    async def scene() -> tuple[int, int]:
        service = Service(load_config(path))
        await service.start()
        try:
            assert service.tls is not None
            first = Load(chips, 50, window=7)
            await first.run("127.0.0.1", service.tls.port, client)
            authority.issue("collector")
            service.reload()
            second = Load(chips, 50, window=7)
            await second.run("127.0.0.1", service.tls.port, client)
            assert service.tls.status().faults == 0
            return first.acknowledged, second.acknowledged
        finally:
            await service.stop()

    assert asyncio.run(scene()) == (100, 100)


def test_throttled_source_costs_no_tls_handshake(tmp_path: Path) -> None:
    """After three wrong tags by TLS, the next connection of that address ends before its handshake."""
    authority = Authority(tmp_path)
    certificate, key = authority.issue("collector")
    path = site(tmp_path, 2)
    path.write_text(
        f'[collector]\nname = "t"\n\n[tls]\nhost = "127.0.0.1"\nport = 0\ncertificate_file = "{certificate.name}"\n'
        f'key_file = "{key.name}"\n',
        "utf-8",
    )
    forger = Load(make_chips(1, bytes(32)), 1).senders[0]

    async def scene() -> None:
        service = Service(load_config(path))
        await service.start()
        try:
            assert service.tls is not None
            running = asyncio.create_task(forger.run("127.0.0.1", service.tls.port, tls_client(authority.file)))
            async with asyncio.timeout(20):
                while not service.metrics.throttled._value.get():
                    await asyncio.sleep(0)
            running.cancel()
            assert service.metrics.bad_tags._value.get() == 3
            assert service.tls.status().faults == 0
        finally:
            await service.stop()

    asyncio.run(scene())
    assert forger.acknowledged == 0
