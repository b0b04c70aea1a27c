"""The ``mqtt-json`` upstream: one record a publish as JSON, for platforms that know nothing of packs.

A PUBACK proves little: brokers acknowledge what nobody gets, and what their ACL denies (FACTS). So a record counts as
delivered when there is proof, one of

    echo     the broker passed it, or a later one on this connection, back to us: now and then we subscribe to a
             record's own topic just before it goes out. Proves the way through the broker, ACL included.
    answer   the platform answered with the record's reference on ``answer_topic``. Proves the platform.
    puback   the broker acknowledged it.

Nothing that lacks its proof moves the cursor; when none comes for a while the connection is given up, that is told,
and all of it goes out again. An echo costs little: one record is held back until its topic is subscribed to, at most
ten times a second at rest and once a second at full speed.
"""

import time
from collections import deque
from functools import partial
from typing import NamedTuple

import msgspec

from .. import mqtt_packets as packets
from ..mqtt_packets import Packet
from .answers import Answers
from .base import Adapter, SettingError, Surroundings
from .carrier import Refused, Settled, UndeliveredError
from .connection import BrokerConnection
from .document import Row
from .encoder import Encoder
from .mapping import compile_text, compile_topic
from .records import Pace, RecordUpstream
from .settings import JsonSection

__all__ = ["ADAPTER", "JsonCarrier"]

_QUEUED_MAX_BYTES = 1_000_000
_PROBE_S = 0.1
_PROBE_BUSY_S = 1.0
_IDLE_S = 0.5
_RECORD_REASONS = (0x80, 0x83, 0x90, 0x99)  # MQTT 5: about this publish; others are about us
_NOBODY = 0x10  # MQTT 5: no matching subscribers


class _Sent:
    """A publish on its way."""

    __slots__ = ("acknowledged", "index", "proven", "sent_s")

    def __init__(self, index: int, acknowledged: bool, proven: bool, sent_s: float) -> None:
        self.index = index
        self.acknowledged = acknowledged
        self.proven = proven
        self.sent_s = sent_s


class _Probe(NamedTuple):
    """The record whose topic is subscribed to."""

    idx: int
    topic: str
    data: bytes
    packet_id: int
    began_s: float


class JsonCarrier:
    """Carries records to an MQTT broker, one a publish."""

    def __init__(self, settings: JsonSection, surroundings: Surroundings) -> None:
        """Compile the settings.

        Raises:
            SettingError: a setting that can't be used.
        """
        self._settings = settings
        self._client_id = settings.client_id or f"{surroundings.collector}-{settings.name}"
        self._password = partial(surroundings.password, settings.password_file)  # a new one needs no restart
        self._password()
        authority = str(surroundings.path(settings.tls_ca_file)) if settings.tls_ca_file else ""
        self._broker = msgspec.structs.replace(settings, tls_ca_file=authority)
        self._topic = compile_topic(settings.topic, surroundings.collector, "topic")
        self._answer_topic = settings.answer_topic.replace("{collector}", surroundings.collector)
        self._answers = Answers(settings)
        self._reference = compile_text(settings.answer_ref, "answer_ref")
        self._encoder = Encoder(settings.record, surroundings.collector)
        self._connection: BrokerConnection | None = None
        self._ready = False
        self._last_id = self._answers_asked = 0
        self._unacknowledged: dict[int, _Sent] = {}  # by packet id
        self._unproven: deque[_Sent] = deque()  # in order of publication
        self._asked: dict[str, tuple[int, float]] = {}  # with `answer`: reference → row and when
        self._held: tuple[int, str, bytes] | None = None
        self._probe: _Probe | None = None
        self._probe_sent = False
        self._probed_s = float("-inf")
        self._latest = (0, "", b"")  # published last
        self._published_s = 0.0

    def begin(self, store_id: bytes) -> None:
        """Take the store's id."""
        self._encoder.begin(store_id)

    def wants(self, row: Row) -> bool:
        """Tell whether a row is to go out at all."""
        return self._encoder.wants(row)

    def open(self) -> None:
        """Connect; with ``answer``, subscribe."""
        self._forget()
        protocol = self._settings.protocol
        self._connection = BrokerConnection(self._broker, self._client_id, self._password(), protocol)
        self._ready = self._settings.proof != "answer"
        if not self._ready:
            self._answers_asked = self._next_id()
            self._connection.send(packets.encode_subscribe(self._answers_asked, self._answer_topic, protocol))

    def room(self) -> int:
        """Return how many records may be offered now."""
        connection = self._connection
        if connection is None or not self._ready or self._held is not None or connection.queued > _QUEUED_MAX_BYTES:
            return 0
        return max(0, min(self._settings.window, connection.receive_max) - len(self._unacknowledged))

    def offer(self, rows: list[Row], more: bool) -> list[Refused]:
        """Publish records; with ``echo``, hold the last one back now and then to prove the way."""
        now_s = time.monotonic()
        refused: list[Refused] = []
        ready: list[tuple[int, str, bytes, str]] = []
        for row in rows:
            try:
                encoded = self._encoder.encode(row)
                topic, reference = self._topic(encoded.document), self._reference(encoded.document)
            except Exception as error:  # the configuration's map on a record that nobody thought of
                refused.append(Refused(row.idx, f"can't be encoded: {error!r}"))
                continue
            ready.append((row.idx, topic, encoded.data, reference))
        # Held back too when half a window has no proof: with a whole one there would be no record left to hold.
        full = self._probe is None and len(self._unproven) + len(ready) >= self._settings.window // 2
        holds = not more or full or now_s - self._probed_s >= _PROBE_BUSY_S
        if ready and holds and self._settings.proof == "echo":
            index, topic, data, _ = ready.pop()
            self._held = (index, topic, data)
        for index, topic, data, reference in ready:
            self._publish(index, topic, data, now_s)
            if self._settings.proof == "answer":
                self._asked[reference] = (index, now_s)
        self._prove(now_s)
        return refused

    def turn(self) -> Settled:
        """Move bytes; return what is proven and what was refused."""
        connection = self._connection
        if connection is None:
            raise OSError("not connected")
        now_s = time.monotonic()
        settled = Settled([], [])
        self._prove(now_s)
        for packet in connection.turn():
            self._take(packet, settled, now_s)
        self._prove(now_s)
        self._judge(now_s)
        return settled

    def fileno(self) -> int:
        """Return the socket's descriptor."""
        return self._connection.fileno() if self._connection is not None else -1

    def wants_write(self) -> bool:
        """Tell whether bytes wait for the socket."""
        return self._connection is not None and self._connection.queued > 0

    def wait_s(self) -> float:
        """Return how long there is nothing to do unless the broker speaks."""
        if self._connection is not None and self._connection.has_decrypted():
            return 0.0
        if self._held is not None and self._probe is None:
            return max(0.0, self._probed_s + _PROBE_S - time.monotonic())
        if self._unproven and self._probe is None:
            return max(0.0, self._published_s + _IDLE_S - time.monotonic())
        return 1.0

    def close(self) -> None:
        """Disconnect."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _forget(self) -> None:
        """Begin anew: nothing of an earlier connection counts."""
        self._ready = False
        self._last_id = self._answers_asked = 0
        self._unacknowledged.clear()
        self._unproven.clear()
        self._asked.clear()
        self._held = self._probe = None
        self._probe_sent = False
        self._probed_s = float("-inf")

    def _next_id(self) -> int:
        while True:
            self._last_id = self._last_id % 65_535 + 1
            if self._last_id not in self._unacknowledged:
                return self._last_id

    def _publish(self, index: int, topic: str, data: bytes, now_s: float) -> None:
        settings, connection = self._settings, self._connection
        if connection is None:
            raise OSError("not connected")
        sent = _Sent(index, settings.qos == 0, settings.proof != "echo", now_s)
        packet_id = 0
        if settings.qos:
            packet_id = self._next_id()
            self._unacknowledged[packet_id] = sent
        if settings.proof == "echo":
            self._unproven.append(sent)
            self._latest, self._published_s = (index, topic, data), now_s
        connection.send(packets.encode_publish(topic.encode(), data, packet_id, settings.protocol))

    def _prove(self, now_s: float) -> None:
        """Subscribe to the topic of the record that is held back, unless another proof is under way."""
        if self._held is None and self._unproven and self._probe is None and now_s - self._published_s >= _IDLE_S:
            self._held = self._latest  # nothing follows that could be held back: this one goes out again
        busy = len(self._unproven) >= self._settings.window // 4
        if self._held is None or self._probe is not None or (now_s - self._probed_s < _PROBE_S and not busy):
            return
        index, topic, data = self._held
        if self._connection is not None:
            self._probe, self._probe_sent = _Probe(index, topic, data, self._next_id(), now_s), False
            self._connection.send(packets.encode_subscribe(self._probe.packet_id, topic, self._settings.protocol))

    def _take(self, packet: Packet, settled: Settled, now_s: float) -> None:
        first, body = packet
        kind = first & 0xF0
        if kind == packets.PUBACK:
            self._acknowledged(body, settled)
        elif kind == packets.PUBLISH:
            self._came(packet, settled, now_s)
        elif kind == packets.SUBACK:
            self._subscribed(body, now_s)
        elif kind == packets.DISCONNECTED:
            raise OSError(f"broker disconnects: {packets.reason(body[0] if body else 0)}")

    def _acknowledged(self, body: bytes, settled: Settled) -> None:
        sent = self._unacknowledged.pop(int.from_bytes(body[:2], "big"), None)
        if sent is None:
            return
        if self._settings.protocol == 5:
            code, words = packets.puback_fault(body)
            if code in _RECORD_REASONS:
                settled.refused.append(Refused(sent.index, f"broker refuses it: {words}"))
                sent.index = 0  # a later echo proves nothing of it
                return
            if code:
                raise OSError(f"broker refuses to be published to: {words}")
            if len(body) > 2 and body[2] == _NOBODY:
                raise UndeliveredError("the broker has no subscriber for what is published: does the platform listen?")
        sent.acknowledged = True
        if sent.proven and self._settings.proof != "answer" and sent.index:
            settled.done.append(sent.index)

    def _came(self, packet: Packet, settled: Settled, now_s: float) -> None:
        connection, protocol = self._connection, self._settings.protocol
        try:
            name, data, packet_id = packets.read_publish(*packet, protocol)
            topic = name.decode()
        except ValueError as error:
            raise OSError(f"broker speaks no MQTT: {error}") from error
        if packet_id and connection is not None:
            connection.send(packets.encode_puback(packet_id))
        if self._settings.proof == "answer" and topic == self._answer_topic:
            self._answered(data, settled)
        probe = self._probe
        if probe is None or not self._probe_sent or topic != probe.topic or data != probe.data:
            return
        self._probe, self._probed_s = None, now_s
        if connection is not None:
            connection.send(packets.encode_unsubscribe(self._next_id(), topic, protocol))
        while self._unproven:
            sent = self._unproven.popleft()
            sent.proven = True
            if sent.acknowledged and sent.index:
                settled.done.append(sent.index)
            if sent.index == probe.idx:
                break

    def _answered(self, data: bytes, settled: Settled) -> None:
        for answer in self._answers.read(data):
            index = self._asked.pop(answer.reference, (0, 0.0))[0]
            if index and answer.good:
                settled.done.append(index)
            elif index:
                settled.refused.append(Refused(index, f"platform refuses it: {answer.words}"))

    def _subscribed(self, body: bytes, now_s: float) -> None:
        packet_id, code = int.from_bytes(body[:2], "big"), body[-1]
        if packet_id == self._answers_asked:
            if code >= 0x80:
                raise OSError(f"broker denies the subscription to `{self._answer_topic}`")
            self._ready = True
            return
        probe = self._probe
        if probe is None or packet_id != probe.packet_id or self._held is None:
            return
        if code >= 0x80:
            raise UndeliveredError(
                f"broker denies the subscription to `{probe.topic}`, which would prove that records get through;"
                ' allow it, or set proof = "answer" or "puback"'
            )
        index, topic, data = self._held
        self._held, self._probe_sent = None, True
        self._publish(index, topic, data, now_s)

    def _judge(self, now_s: float) -> None:
        """Give up where no proof comes."""
        patience_s, probe = self._settings.proof_timeout_s, self._probe
        if probe is not None and now_s - probe.began_s > patience_s:
            raise UndeliveredError(
                f"what is published to `{probe.topic}` does not come through the broker: may"
                f" `{self._settings.username or self._client_id}` publish and read it? An ACL drops without a word"
            )
        if self._asked:
            index, asked_s = next(iter(self._asked.values()))
            if now_s - asked_s > patience_s:
                raise UndeliveredError(f"no answer on `{self._answer_topic}` to row {index}: does the platform listen?")
        if self._unacknowledged and self._settings.proof == "puback":
            sent = next(iter(self._unacknowledged.values()))
            if now_s - sent.sent_s > patience_s:
                raise OSError("the broker does not acknowledge what is published")


def _describe(settings: JsonSection) -> str:
    if settings.proof == "answer" and not settings.answer_topic:
        raise SettingError("answer_topic", 'is missing; proof = "answer" needs it')
    if settings.proof == "puback" and settings.qos == 0:
        raise SettingError("qos", 'is 0, which nobody acknowledges; set proof = "echo" or "answer"')
    if "+" in settings.answer_topic or "#" in settings.answer_topic:
        raise SettingError("answer_topic", "is a filter, not a topic: no + and no # in it")
    compile_topic(settings.topic, "collector", "topic")
    compile_text(settings.answer_ref, "answer_ref")
    Answers(settings)
    Encoder(settings.record, "collector")
    return f"at {settings.host}:{settings.port}, topic {settings.topic}, proof by {settings.proof}"


def _make(settings: JsonSection, surroundings: Surroundings) -> RecordUpstream:
    carrier = JsonCarrier(settings, surroundings)
    pace = Pace(settings.window, settings.tries, settings.backoff_max_s)
    return RecordUpstream(settings.name, carrier, pace, surroundings, carrier.wants)


ADAPTER = Adapter(JsonSection, _describe, _make)
