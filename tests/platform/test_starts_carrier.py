"""From a pressed button to a collector and back: envelopes, repeats, results in any order, and a real broker."""

import queue
import threading
from datetime import datetime, timedelta
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from django.utils import timezone
from paho.mqtt.enums import CallbackAPIVersion

from weldgate_platform.accounts.models import User
from weldgate_platform.accounts.roles import Role
from weldgate_platform.ingest.sessions import apply_frames
from weldgate_platform.people.models import Person
from weldgate_platform.starts.carrier import Carrier
from weldgate_platform.starts.courier import REPEAT, Courier
from weldgate_platform.starts.models import Dispatch, Start
from weldgate_protocol import messages, reasons
from weldgate_protocol.envelope import ResultEnvelope, decode_order, encode_result
from weldgate_protocol.frame import Frame
from weldgate_simulator.broker import NatsBroker

from .packs import ARC, START, STOP, SUSPEND, TOKEN, raw

KEY = bytes(range(32))
NOW = timezone.now()
ORDER, DEVICE = bytes.fromhex("0102030405060708"), (0x10).to_bytes(8, "big")
State = Dispatch.State


@pytest.fixture
def dispatch(county) -> Dispatch:
    """Return a token that has just been signed."""
    user = county.user(Role.WELDER)
    person = Person.objects.create(name="试", identity="1", identity_hash="1", area=county.here.area, user=user)
    start = Start.objects.create(person=person, machine=county.here.machine, expires=NOW + timedelta(hours=12))
    return Dispatch.objects.create(
        start=start, order_id=ORDER.hex(), device=0x10, type=messages.TOKEN, object=b"signed", collector="site",
        expires=start.expires,
    )  # fmt: skip


@pytest.fixture
def courier() -> Courier:
    return Courier({"site": KEY})


def result(state: int, *, reason: int = 0, key: bytes = KEY, order: bytes = ORDER, device: bytes = DEVICE) -> bytes:
    """Return a collector's word."""
    changed_s = int(NOW.timestamp())
    return encode_result(ResultEnvelope(order, device, messages.TOKEN, state, reason, changed_s), key)


def _state(dispatch: Dispatch) -> int:
    return Dispatch.objects.get(pk=dispatch.pk).state


def test_new_order_is_due_at_once_and_again_until_it_is_answered(dispatch, courier) -> None:
    """As an authentic envelope; a broker that forgets it costs ten seconds."""
    ((collector, envelope),) = courier.due(NOW)

    order = decode_order(envelope, KEY)
    assert (collector, order.device, order.type, order.object) == ("site", DEVICE, messages.TOKEN, b"signed")
    assert courier.due(NOW + REPEAT / 2) == []
    assert courier.due(NOW + REPEAT) == [(collector, envelope)]
    courier.take("site", result(State.SENT))
    assert courier.due(NOW + 3 * REPEAT) == [(collector, envelope)]


@pytest.mark.parametrize("final", [State.APPLIED, State.REFUSED, State.EXPIRED])
def test_final_word_ends_it(dispatch, courier, final: int) -> None:
    """Nothing is repeated, nothing changes it, and the object is dropped."""
    courier.due(NOW)

    assert courier.take("site", result(final, reason=reasons.GATE_LATCHED))

    for later in State.values:
        if later:
            assert not courier.take("site", result(later))
    found = Dispatch.objects.get()
    assert (found.state, found.reason, bytes(found.object)) == (final, reasons.GATE_LATCHED, b"")
    assert courier.due(NOW + 9 * REPEAT) == []


def test_late_word_does_not_go_back(dispatch, courier) -> None:
    """Waiting after sent is late."""
    courier.take("site", result(State.SENT))

    assert not courier.take("site", result(State.WAITING))

    assert _state(dispatch) == State.SENT


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        result(State.APPLIED, key=bytes(32)),
        result(State.APPLIED)[:-1],
        result(State.APPLIED, order=bytes(8)),
        result(State.APPLIED, device=bytes(8)),
    ],
    ids=["nothing", "another key", "cut", "another order", "another chip"],
)
def test_word_of_somebody_else_or_of_another_order_changes_nothing(dispatch, courier, payload: bytes) -> None:
    """And is counted."""
    assert not courier.take("site", payload)
    assert not courier.take("elsewhere", result(State.APPLIED))

    assert _state(dispatch) == State.NEW
    assert courier.refused == 2


def test_another_collectors_key_answers_for_its_own_orders_alone(dispatch) -> None:
    """Though it is one of ours."""
    courier = Courier({"site": KEY, "other": bytes(32)})

    assert not courier.take("other", result(State.APPLIED, key=bytes(32)))

    assert _state(dispatch) == State.NEW


def test_expired_token_is_sent_to_nobody(dispatch, courier) -> None:
    """It ends by itself where the collector never answered."""
    assert courier.due(dispatch.expires) == []

    assert _state(dispatch) == State.EXPIRED


def test_page_follows_it(dispatch, courier, signed_in) -> None:
    """On its way, taken: press the button, and goes on until the session is over; another's does not exist."""
    client = signed_in(dispatch.start.person.user)
    address = f"/starts/{dispatch.start_id}"
    page = client.get(address).content.decode()
    assert "hx-get" in page
    assert "htmx.min.js" in page

    courier.take("site", result(State.APPLIED))
    fragment = client.get(f"{address}/state").content.decode()

    assert "按下按钮" in fragment
    assert "hx-get" in fragment
    assert signed_in(User.objects.create_superuser("operator")).get(f"{address}/state").status_code == 404


def test_refusal_of_the_chip_is_told_with_its_reason(dispatch, courier, signed_in) -> None:
    """The same number that stands on the box."""
    courier.take("site", result(State.REFUSED, reason=reasons.GATE_LOCKED))

    page = signed_in(dispatch.start.person.user).get(f"/starts/{dispatch.start_id}/state").content.decode()

    assert f">{reasons.GATE_LOCKED}<" in page
    assert "hx-get" not in page


def test_page_goes_on_with_the_session_that_the_token_opened(dispatch, courier, signed_in) -> None:
    """Running, paused, over, as its frames come in."""
    Start.objects.update(token_id=TOKEN.hex())
    client, address = signed_in(dispatch.start.person.user), f"/starts/{dispatch.start_id}/state"
    courier.take("site", result(State.APPLIED))

    def after(*frames: bytes) -> str:
        apply_frames([Frame(one) for one in frames])
        return client.get(address).content.decode()

    running = after(raw(messages.SESSION_START, 1, START), raw(messages.ARC, 2, ARC))
    assert "起作业中" in running
    assert "燃弧 7 秒，共 1 段" in running
    assert "停电后已暂停" in after(raw(messages.SESSION_SUSPEND, 3, SUSPEND))
    over = after(raw(messages.SESSION_STOP, 4, STOP))
    assert "作业已结束" in over
    assert ">120<" in over
    assert "hx-get" not in over


class Shelf:
    """A courier that has one thing to publish, and keeps what comes."""

    def __init__(self) -> None:
        self.keys = {"site": KEY}
        self.ready = [("site", b"order")]
        self.came: queue.Queue[tuple[str, bytes]] = queue.Queue()

    def due(self, _now: datetime) -> list[tuple[str, bytes]]:
        ready, self.ready = self.ready, []
        return ready

    def take(self, collector: str, payload: bytes) -> bool:
        if payload == b"odd":
            raise OverflowError("a number that nobody thought of")
        self.came.put((collector, payload))
        return True


@pytest.mark.broker
def test_carrier_brings_orders_and_takes_results_over_a_real_broker(tmp_path: Path) -> None:
    """What is due goes out as soon as somebody says so, and the answer comes in; one that fails ends nothing."""
    shelf, wake, got, ready = Shelf(), threading.Event(), queue.Queue(), threading.Event()
    with NatsBroker(tmp_path) as broker:
        collector = paho.Client(CallbackAPIVersion.VERSION2, "site")
        collector.on_message = lambda _client, _data, message: got.put(message.payload)
        collector.on_subscribe = lambda *_: ready.set()
        collector.connect(broker.host, broker.port)
        collector.loop_start()
        collector.subscribe("weldgate/1/site/order")
        assert ready.wait(20)
        carrier = Carrier(broker.host, broker.port, "platform", shelf, wake)
        carrier.start()
        try:
            assert got.get(timeout=20) == b"order"
            collector.publish("weldgate/1/site/result", b"odd")
            collector.publish("weldgate/1/site/result", b"result")
            assert shelf.came.get(timeout=20) == ("site", b"result")
            shelf.ready = [("site", b"second")]
            wake.set()
            assert got.get(timeout=20) == b"second"
        finally:
            carrier.stop()
            collector.disconnect()
            collector.loop_stop()
            collector.on_message = collector.on_subscribe = None
