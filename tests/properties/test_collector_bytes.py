"""Any bytes into the collector: configuration, chips, control socket and connection give declared errors only."""

import asyncio
import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from weldgate_collector.chips import Chips, read_chips, write_secret
from weldgate_collector.config import parse_config
from weldgate_collector.control import Asked, ControlSocket, read_token
from weldgate_collector.downlink import Downlink
from weldgate_collector.errors import ChipsError, CollectorConfigError, OrderError
from weldgate_collector.hub import Hub, Limits
from weldgate_collector.ingest import Lines
from weldgate_collector.links.memory import MemoryEnd, MemoryLink
from weldgate_collector.metrics import Metrics
from weldgate_collector.orders import signed_order
from weldgate_collector.store import Reader, Writer
from weldgate_protocol.errors import WeldgateError
from weldgate_protocol.frame import to_wire

KEYS = st.sampled_from(["collector", "tcp", "store", "upstream", "name", "port", "host", "commit_ms", "x", "folder"])
VALUES = st.recursive(
    st.one_of(st.integers(-5, 99999), st.booleans(), st.text("ab/-_ ", max_size=5), st.floats(allow_nan=False)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=12,
)


def toml(value: Any) -> str:
    """Return a value as TOML, tables inline."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(toml(item) for item in value) + "]"
    return json.dumps(value)


TABLES = st.dictionaries(KEYS, VALUES).map(lambda table: toml(table)[1:-1].replace(", ", "\n"))
LINES = st.dictionaries(st.text(max_size=9), st.integers() | st.text()).map(lambda table: json.dumps(table).encode())
DEEP = st.sampled_from([b"[" * 9000, b'{"do":' + b"[" * 9000, b'{"x":' * 3000])
DEEP_TOML = st.sampled_from(["a=" + "[" * 9000, "a" + ".a" * 5000 + "=1"])


@settings(deadline=None)
@given(st.one_of(st.text(max_size=200), TABLES, DEEP_TOML))
def test_any_text_is_a_configuration_or_a_typed_error(text: str) -> None:
    """A configuration is right, or the error names a line."""
    try:
        parse_config(text)
    except CollectorConfigError as error:
        assert "line" in str(error) or "not TOML" in str(error)  # noqa: PT017 - either outcome is fine


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.one_of(st.binary(max_size=300), LINES, DEEP))
def test_any_bytes_are_chips_or_a_typed_error(tmp_path: Path, data: bytes) -> None:
    """A wrong file of chips names its line and never ends the program."""
    path = tmp_path / "chips.jsonl"
    write_secret(path, data)
    try:
        list(read_chips(path))
    except ChipsError as error:
        assert "line" in str(error)  # noqa: PT017


@given(st.text(max_size=100), st.binary(max_size=300), st.integers(0, 255))
def test_any_token_or_order_is_taken_or_refused(text: str, obj: bytes, type_: int) -> None:
    """What can't be carried is refused with a number."""
    for asked in (text, "WG1:" + text):
        try:
            read_token(asked)
        except OrderError as error:
            assert error.code  # noqa: PT017
    try:
        signed_order(bytes(8), type_, obj, "x", 0)
    except WeldgateError as error:
        assert error.code  # noqa: PT017


@settings(max_examples=50, deadline=None)
@given(st.one_of(st.binary(max_size=300), LINES, DEEP))
def test_any_line_at_the_control_socket_is_answered(line: bytes) -> None:
    """Whoever may use the socket gets an answer, never a broken collector."""

    async def handle(asked: Asked, _who: str) -> dict[str, Any]:
        return {"echo": asked.do}

    socket = ControlSocket(Path("unused"), handle)
    answer = asyncio.run(socket._answer(line, "me"))

    assert "ok" in answer


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=80), st.binary(min_size=34, max_size=80).map(to_wire)), max_size=30))
def test_any_bytes_on_a_connection_store_nothing_and_break_nothing(pieces: list[bytes]) -> None:
    """Without a key nobody gets a row into the store, and the next chip is served."""

    async def scene(folder: Path) -> None:
        path = folder
        write_secret(folder / "chips.jsonl", b"")
        loop = asyncio.get_running_loop()
        writer = Writer(path, 0, 100, lambda index: loop.call_soon_threadsafe(lambda: hub.committed(index)))  # type: ignore[arg-type]
        with Reader(path) as reader:
            downlink = Downlink(writer, reader)
        chips = Chips(folder / "chips.jsonl")
        hub = Hub(chips, writer, Lines(), downlink, Metrics(), Limits(), lambda: Reader(path))
        link = MemoryLink()
        writer.start()
        await link.start(hub.accept)
        end = link.connect(MemoryEnd())
        for piece in pieces:
            end.send(piece)
            await asyncio.sleep(0)
        await link.stop()
        await hub.stop()
        await asyncio.to_thread(writer.stop)
        assert writer.committed == 0

    with tempfile.TemporaryDirectory() as name:
        asyncio.run(scene(Path(name)))
