"""The journal on a real broker: packs in, receipts out, and where it stands as soon as it is connected."""

import queue
import threading
from collections.abc import Iterable
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from django.db import DatabaseError
from paho.mqtt.enums import CallbackAPIVersion

from weldgate_platform.ingest.intake import Intake
from weldgate_simulator.broker import NatsBroker


class Shelf:
    """A journal that answers each pack with itself, after it has failed once."""

    keys = {"site": b""}

    def __init__(self, error: Exception) -> None:
        self.failing = threading.Event()
        self._error = error

    def receipts(self, collector: str) -> list[bytes]:
        return [b"here I stand"]

    def take(self, collector: str, packs: Iterable[bytes]) -> list[bytes]:
        packs = list(packs)
        if packs and not self.failing.is_set():
            self.failing.set()
            raise self._error
        return [b"have " + pack for pack in packs]


@pytest.mark.broker
@pytest.mark.parametrize("error", [DatabaseError("disk"), OverflowError("a number that nobody thought of")])
def test_packs_are_answered_and_a_failure_is_waited_out(tmp_path: Path, error: Exception) -> None:
    """Nothing is said of a pack that failed; it is answered for when it comes again, and others go on."""
    shelf, got, ready = Shelf(error), queue.Queue(), threading.Event()
    with NatsBroker(tmp_path) as broker:
        collector = paho.Client(CallbackAPIVersion.VERSION2, "site")
        collector.on_message = lambda _client, _data, message: got.put(message.payload)
        collector.on_subscribe = lambda *_: ready.set()
        collector.connect(broker.host, broker.port)
        collector.loop_start()
        collector.subscribe("weldgate/1/site/receipt")
        assert ready.wait(20)
        intake = Intake(broker.host, broker.port, "platform", shelf)
        intake.start()
        try:
            assert got.get(timeout=20) == b"here I stand"
            collector.publish("weldgate/1/site/pack", b"one")
            assert shelf.failing.wait(20)
            collector.publish("weldgate/1/site/pack", b"two")
            assert got.get(timeout=20) == b"have two"
        finally:
            intake.stop()
            collector.disconnect()
            collector.loop_stop()
            collector.on_message = collector.on_subscribe = None
