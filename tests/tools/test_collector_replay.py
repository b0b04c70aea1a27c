"""`weldgate collector replay`: into a running site, as text and as JSON, with numbers for what went wrong."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import Result

from weldgate_collector import Reader, Service, add_chips, load_config
from weldgate_protocol.errors import WeldgateError
from weldgate_protocol.reasons import TOOL_BAD_INPUT, WIRE_UNKNOWN_CHIP
from weldgate_simulator.load import Load, make_chips

Run = Callable[..., Result]
CHIPS = make_chips(2, bytes(32))


@contextmanager
def running(folder: Path, record: Path | None = None) -> Iterator[Service]:
    """Run a collector in a thread, with a configuration that names its port."""
    folder.mkdir()
    config = folder / "collector.toml"
    config.write_text('[collector]\nname = "t"\n[tcp]\nhost = "127.0.0.1"\nport = 0\n', "utf-8")
    add_chips(folder / "chips.jsonl", CHIPS)
    loop = asyncio.new_event_loop()
    service = Service(load_config(config), record=record)
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(service.start(), loop).result(20)
        assert service.tcp is not None
        config.write_text(config.read_text("utf-8").replace("port = 0", f"port = {service.tcp.port}"), "utf-8")
        yield service
        asyncio.run_coroutine_threadsafe(service.stop(), loop).result(20)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Two chips, ten frames each, recorded."""
    path = tmp_path / "a.wgr"
    with running(tmp_path / "first", path) as service:
        assert service.tcp is not None
        asyncio.run(Load(CHIPS, 10).run("127.0.0.1", service.tcp.port))
    return path


def test_replay_with_keys_into_a_site(run: Run, recording: Path, tmp_path: Path) -> None:
    """Everything arrives; the answer is one document, or two lines and progress."""
    chips = tmp_path / "first" / "chips.jsonl"
    with running(tmp_path / "lab"):
        asked = ("collector", "replay", recording, "--site", tmp_path / "lab", "--chips-file", chips, "--speed", 0)
        result = run(*asked, "--json")
        again = run(*asked)

    document = result.stdout[result.stdout.index("{\n") : result.stdout.index("\n}\n") + 2]  # logs stand around it
    found = json.loads(document)
    assert result.exit_code == again.exit_code == 0
    assert (found["connections"], found["acknowledged"], found["errors"]) == (2, 20, {})
    assert "20 records acknowledged" in again.stdout
    assert "s of the recording" in again.stderr
    with Reader(tmp_path / "lab" / "data" / "store.sqlite3") as reader:
        assert len(list(reader.records(kind=1))) == 20


def test_refusals_are_numbered(run: Run, recording: Path, tmp_path: Path) -> None:
    """A chip without a key has its number, and the exit code is 1; a file that is no recording is named."""
    other = tmp_path / "other.jsonl"
    add_chips(other, make_chips(1, bytes(32)))
    with running(tmp_path / "lab") as service:
        assert service.tcp is not None
        url = f"tcp://127.0.0.1:{service.tcp.port}"
        result = run("collector", "replay", recording, "--to", url, "--chips-file", other, "--speed", 0)

    assert result.exit_code == 1
    assert f"{WIRE_UNKNOWN_CHIP} WIRE_UNKNOWN_CHIP, 1 times" in result.stdout
    wrong = run("collector", "replay", other, "--to", "tcp://127.0.0.1:1")
    assert isinstance(wrong.exception, WeldgateError)
    assert wrong.exception.code == TOOL_BAD_INPUT


def test_site_without_tcp_has_to_be_told_where(run: Run, recording: Path, tmp_path: Path) -> None:
    """Then ``--to`` is needed."""
    (tmp_path / "collector.toml").write_text('[collector]\nname = "t"\n', "utf-8")

    result = run("collector", "replay", recording, "--site", tmp_path / "collector.toml")

    assert result.exit_code != 0
