"""Orders of every odd shape through both doors, control socket and MQTT: a typed answer each, never a traceback."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from weldgate_collector import Service, add_chips, load_config, request, write_secret
from weldgate_collector.chips import Chip
from weldgate_collector.upstream.results import Results
from weldgate_protocol import cbor, messages, reasons
from weldgate_protocol.envelope import OrderEnvelope, decode_result, encode_order
from weldgate_protocol.reason_texts import TEXTS

DEVICE = (9).to_bytes(8, "big")
KEY = b"\x11" * 32
EDGES = (0, 1, -1, -(1 << 63), (1 << 31) - 1, (1 << 32) - 1, 1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)
ODD = st.one_of(
    st.sampled_from(EDGES),
    st.integers(1_900_000_000, 4_000_000_000),
    st.binary(max_size=12),
    st.just(DEVICE),
    st.just(b"12345678"),
    st.text(max_size=5),
    st.booleans(),
    st.none(),
    st.lists(st.integers(0, 9), max_size=2),
)
CLAIMS = st.dictionaries(st.sampled_from([3, 4, 6, 7, 16, 18, 23, 24, 63, 99]), ODD, max_size=9)
LIKELY = st.fixed_dictionaries({4: ODD, 7: st.binary(min_size=8, max_size=8)}, optional={3: ODD, 16: ODD, 23: ODD})
TYPES = st.one_of(
    st.sampled_from([messages.TOKEN, messages.LOCK, messages.RELEASE, messages.REVOCATIONS]), st.integers(0, 255)
)


def envelope(claims: Any, cut: int | None) -> bytes:
    """Return an object in a signed one's shape, cut off after so many bytes."""
    return cbor.encode([cbor.encode({1: -7, 4: b"k" * 8}), {}, cbor.encode(claims), bytes(64)])[:cut]


OBJECTS = st.one_of(
    st.binary(min_size=1, max_size=60),
    st.builds(envelope, st.one_of(CLAIMS, LIKELY, ODD), st.one_of(st.none(), st.none(), st.integers(1, 90))),
    st.builds(envelope, st.fixed_dictionaries({4: ODD, 7: st.just(b"1" * 8), 24: st.just(bytes(880))}), st.none()),
)


class Running:
    """A collector on a loop of its own, with what went wrong there."""

    def __init__(self, folder: Path) -> None:
        path = folder / "collector.toml"
        path.write_text(
            '[collector]\nname = "t"\n\n[[upstream]]\nname = "u"\nport = 9\n\n[log]\nlevel = "error"\n', "utf-8"
        )
        add_chips(folder / "chips.jsonl", [Chip("9", 1, "11" * 32, "22" * 32)])
        write_secret(folder / "collector.key", KEY.hex().encode())
        self.config = load_config(path)
        self.loop = asyncio.new_event_loop()
        self.broken: list[dict[str, Any]] = []
        self.loop.set_exception_handler(lambda _loop, context: self.broken.append(context))
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()
        self.service = self.run(self._start())

    async def _start(self) -> Service:
        service = Service(self.config)
        await service.start()
        return service

    def run(self, work: Any) -> Any:
        """Run a coroutine on the loop and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(20)

    async def settled(self) -> None:
        """Wait until everything begun is done: what an order spawned, and the store's work."""
        tasks = [task for task in asyncio.all_tasks() if "_put" in repr(task.get_coro())]
        await asyncio.gather(*tasks)
        await asyncio.wrap_future(self.service.writer.submit(lambda _connection: None))

    def stop(self) -> None:
        """Stop both."""
        self.run(self.service.stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Return a collector that runs while this module's tests do."""
    built = Running(tmp_path_factory.mktemp("site"))
    yield built
    built.stop()


def taken(results: Results) -> list[bytes]:
    """Take all results that wait for an upstream."""
    return list(iter(results.take, None))


EXAMPLES = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@EXAMPLES
@given(OBJECTS, st.one_of(TYPES, st.sampled_from(EDGES)), st.sampled_from(["token", "order"]))
def test_any_order_at_the_control_socket_gets_a_typed_answer(running: Running, obj: bytes, type_: int, do: str) -> None:
    """Taken, or refused with a number of the register."""
    asked = {"do": do, "device": "9", "token" if do == "token" else "object": obj.hex(), "type": type_}

    answer = request(running.config.control_socket, asked)
    running.run(running.settled())

    assert answer["ok"] or (answer["code"] in TEXTS and answer["error"])
    assert running.broken == []


@EXAMPLES
@given(OBJECTS, TYPES)
def test_any_order_over_mqtt_is_carried_or_answered(running: Running, obj: bytes, type_: int) -> None:
    """An authentic order that is not carried is answered as refused, with a number of the register."""
    service = running.service
    (upstream,) = service._upstreams
    results = upstream._results  # type: ignore[attr-defined]
    taken(results)
    before = len(service.downlink)

    service._order_came("u", encode_order(OrderEnvelope(DEVICE, type_, obj), KEY))
    running.run(running.settled())

    told = [decode_result(data, KEY) for data in taken(results)]
    assert all(result.device == DEVICE and result.state == 4 and result.reason in TEXTS for result in told)
    assert len(told) == 1 or len(service.downlink) in (before, before + 1)
    assert running.broken == []


@given(st.binary(max_size=120))
def test_any_bytes_over_mqtt_break_nothing(running: Running, data: bytes) -> None:
    """What is not under the collector's key is not answered, and breaks nothing."""
    (upstream,) = running.service._upstreams
    results = upstream._results  # type: ignore[attr-defined]
    taken(results)

    running.service._order_came("u", data)

    assert not taken(results)
    assert running.broken == []


@pytest.mark.parametrize("expires_s", [1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1])
def test_an_expiry_beyond_every_clock_is_refused(running: Running, expires_s: int) -> None:
    """An expiry that no chip takes is refused as out of range at both doors, and nothing is queued."""
    obj = envelope({3: DEVICE, 4: expires_s, 7: b"1" * 8}, None)
    (upstream,) = running.service._upstreams
    results = upstream._results  # type: ignore[attr-defined]
    taken(results)

    asked = {"do": "order", "device": "9", "object": obj.hex(), "type": messages.RELEASE}
    answer = request(running.config.control_socket, asked)
    running.service._order_came("u", encode_order(OrderEnvelope(DEVICE, messages.RELEASE, obj), KEY))
    running.run(running.settled())

    assert answer["code"] == reasons.ORDER_CLAIM_RANGE
    (told,) = [decode_result(data, KEY) for data in taken(results)]
    assert (told.order, told.state, told.reason) == (b"1" * 8, 4, reasons.ORDER_CLAIM_RANGE)
    assert running.broken == []
