"""The operator's local socket of a whole collector: what it takes, what it answers, whose place it takes."""

import asyncio
import json
import socket
from pathlib import Path
from typing import Any

import pytest
from tests.collector.test_service import site

from weldgate_collector import (
    Reader,
    Service,
    load_config,
    request,
)
from weldgate_protocol import cbor, messages, reasons
from weldgate_protocol.collector_record import decode_record


def test_control_socket_takes_tokens_orders_and_locks(tmp_path: Path) -> None:
    """The local operator's requests are queued, audited, or refused with a number."""
    config = load_config(site(tmp_path))
    device = (9).to_bytes(8, "big")
    claims = cbor.encode({3: device, 4: 4_000_000_000, 7: b"i" * 8})
    obj = cbor.encode([cbor.encode({1: -7, 4: b"k" * 8}), {}, claims, bytes(64)]).hex()

    async def scene() -> None:
        service = Service(config)
        await service.start()
        try:

            async def ask(**asked: Any) -> dict[str, Any]:
                return await asyncio.to_thread(request, config.control_socket, asked)

            assert (config.control_socket.stat().st_mode & 0o777) == 0o600
            assert (await ask(do="token", device="9", token=obj))["online"] is False
            assert (await ask(do="order", device="9", type=messages.RELEASE, object=obj))["ok"]
            assert (await ask(do="lock", device="9", mode=2))["ok"]
            for asked in (
                {"do": "nothing", "device": "9"},
                {"do": "token", "device": "8", "token": obj},
                {"do": "token", "device": "x", "token": obj},
                {"do": "token", "device": "9", "token": "WG1:?"},
                {"do": "live-code", "device": "9", "token": "WGA:?"},
                {"do": "lock", "device": "9", "mode": 3},
            ):
                answer = await ask(**asked)
                assert not answer["ok"]
                assert answer["code"]
        finally:
            await service.stop()

    asyncio.run(scene())
    with Reader(config.data_dir) as reader:
        (record,) = reader.records(kind=2)
        text = decode_record(record.raw).text
    assert "locks, mode 2" in text


@pytest.mark.parametrize("line", [b"x" * 20_000, b"x" * 20_000 + b"\n", b"x" * 3_000_000 + b"\n"])
def test_a_request_that_is_too_long_is_answered(tmp_path: Path, line: bytes) -> None:
    """A line over the limit is answered with a number, its end come or not; then the connection is closed."""
    config = load_config(site(tmp_path))

    def ask() -> bytes:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(5)
            sock.connect(str(config.control_socket))
            sock.sendall(line)
            answer = sock.recv(65_536)
            sock.shutdown(socket.SHUT_WR)
            assert sock.recv(1) == b""
            return answer

    async def scene() -> dict[str, Any]:
        service = Service(config)
        await service.start()
        try:
            answer: dict[str, Any] = json.loads(await asyncio.to_thread(ask))
            return answer
        finally:
            await service.stop()

    answer = asyncio.run(scene())

    assert (answer["ok"], answer["code"]) == (False, reasons.TOOL_BAD_INPUT)
    assert "16384" in answer["error"]


def test_control_socket_takes_no_files_place(tmp_path: Path) -> None:
    """What a killed collector left is replaced; a file that the configuration names by mistake stays as it is."""
    path = site(tmp_path, '\n[control]\nsocket = "precious"\n')
    precious = tmp_path / "precious"
    precious.write_text("keys", encoding="utf-8")

    async def scene() -> None:
        with pytest.raises(FileExistsError):
            await Service(load_config(path)).start()

    asyncio.run(scene())
    assert precious.read_text(encoding="utf-8") == "keys"
