"""A store, far ends, and waiting without sleeping, for the tests of upstreams."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from weldgate_collector.config import parse_config
from weldgate_collector.store import Reader, Writer
from weldgate_collector.upstream.adapters import adapter
from weldgate_collector.upstream.base import Surroundings, Upstream
from weldgate_protocol import messages
from weldgate_protocol.collector_record import RECORD_PRESENCE, Record, encode_record
from weldgate_protocol.frame import FLAG_DURABLE, FLAG_PARITY, encode_body
from weldgate_simulator.upstream import Consumer, Journal

KEY = b"k" * 32
PATIENCE_S = 30.0


def frame_row(seq: int, device: int = 2**63 - 1, **fields: Any) -> tuple[int, int, int, int, int, int, bytes]:
    """Return a telemetry frame as a row of the store; its tag is no one's."""
    telemetry = {
        "window_s": 60, "mean_ma": seq, "peak_ma": 2, "arc_ms": 0, "gate": 2, "source": 1, "strikes": 0, **fields,
    }  # fmt: skip
    payload = messages.encode(messages.TELEMETRY, telemetry)
    raw = encode_body(
        FLAG_DURABLE | FLAG_PARITY | 2, messages.TELEMETRY, device.to_bytes(8, "big"), b"\xa0\0\0\1", seq,
        1_790_000_000, 5, payload,
    )  # fmt: skip
    return (1_790_000_001_000, 1, device, 0xA0000001, seq, messages.TELEMETRY, raw + bytes(8))


def presence_row(device: int = 7) -> tuple[int, int, int, int, int, int, bytes]:
    """Return a presence record as a row of the store."""
    raw = encode_record(Record(RECORD_PRESENCE, device.to_bytes(8, "big"), bytes(4), online=True))
    return (1_790_000_002_000, 2, device, 0, 0, 3, raw)


def wait_until(true: Callable[[], bool], why: Callable[[], object] = lambda: "") -> None:
    """Ask again and again until something is so."""
    pause, deadline = threading.Event(), threading.Event()
    timer = threading.Timer(PATIENCE_S, deadline.set)
    timer.start()
    try:
        while not true():
            assert not deadline.is_set(), why()
            pause.wait(0.005)
    finally:
        timer.cancel()


class Store:
    """A store with its writer, and upstreams on it."""

    def __init__(self, folder: Path, segment_rows: int = 250_000) -> None:
        self.folder = folder
        self.upstreams: list[Upstream] = []
        self.password = ""
        self.writer = Writer(folder, 1, 1_000, self._committed, segment_rows=segment_rows)
        self.writer.start()
        self._highest = self.writer.committed

    def put(self, *rows: Any) -> None:
        """Store rows; they are durable when this returns."""
        index = self.writer.put(list(rows))
        wait_until(lambda: self.writer.committed >= index)

    def frames(self, count: int) -> None:
        """Store so many frames of one chip, numbered on."""
        first = self._highest + 1
        self._highest += count
        self.put(*[frame_row(seq) for seq in range(first, first + count)])

    def reader(self) -> Reader:
        """Open the store for reading."""
        return Reader(self.folder)

    def upstream(self, kind: str, wrap: Callable[[Any], Any] = lambda made: made, **settings: Any) -> Any:
        """Start an upstream; ``wrap`` may change it before."""
        found = adapter(kind)
        section = msgspec.convert({"name": kind, "kind": kind, "backoff_max_s": 0.2, **settings}, found.section)
        found.describe(section)
        around = Surroundings(
            "site", KEY, self.folder.joinpath, lambda _name: self.password, self.writer, self.reader, lambda *_: None
        )
        upstream = wrap(found.make(section, around))
        self.upstreams.append(upstream)
        upstream.start()
        return upstream

    def drained(self, upstream: Upstream) -> None:
        """Wait until an upstream has nothing left to send."""
        wait_until(lambda: upstream.status().waiting_rows == 0, upstream.status)

    def end(self, upstream: Upstream) -> None:
        """Stop one upstream."""
        self.upstreams.remove(upstream)
        upstream.stop()

    def stop(self) -> None:
        """Stop all."""
        for upstream in self.upstreams:
            upstream.stop()
        self.writer.stop()

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _committed(self, index: int) -> None:
        for upstream in self.upstreams:
            upstream.committed(index)


class Listener:
    """A platform that knows nothing of packs: keeps every JSON message of a topic, and may answer."""

    def __init__(
        self, port: int, topic: str = "weldgate/1/site/json/#", answer: Callable[[Any], Any] | None = None
    ) -> None:
        self.documents: list[Any] = []
        self.topics: list[str] = []
        self._answer = answer
        self._ready = threading.Event()
        self.client = paho.Client(CallbackAPIVersion.VERSION2, f"listener-{id(self)}")
        self.client.on_connect = lambda client, *_: client.subscribe(topic, 1)
        self.client.on_subscribe = lambda *_: self._ready.set()
        self.client.on_message = self._message
        self.client.connect_async("127.0.0.1", port)
        self.client.reconnect_delay_set(1, 1)
        self.client.loop_start()

    def __enter__(self) -> "Listener":
        assert self._ready.wait(PATIENCE_S)
        return self

    def __exit__(self, *_: object) -> None:
        self.client.disconnect()
        self.client.loop_stop()
        self.client.on_message = None  # no ring of references: its wake-up sockets close with it

    def ids(self) -> list[str]:
        """Return the ids that came, in order."""
        return [document["id"] for document in list(self.documents)]

    def _message(self, client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        document = json.loads(message.payload)
        answer = self._answer(document) if self._answer is not None else None
        if answer is not None:
            client.publish("answers", json.dumps(answer), qos=1)
        self.topics.append(message.topic)
        self.documents.append(document)


class PackPlatform:
    """A platform that takes numbered packs."""

    def __init__(self, folder: Path, port: int) -> None:
        self.journal = Journal(folder / "journal.sqlite3", KEY)
        self._consumer = Consumer(self.journal, "127.0.0.1", port, "site")
        self._thread = threading.Thread(target=self._consumer.run)
        self._thread.start()
        self._path = folder / "journal.sqlite3"

    def __enter__(self) -> "PackPlatform":
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.stop()
        self._thread.join()
        self.journal.close()


def section_of(text: str) -> Any:
    """Return the one upstream of a configuration's text."""
    return parse_config(f'[collector]\nname = "site"\n[[upstream]]\nname = "u"\n{text}').upstream[0]
