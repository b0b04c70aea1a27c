"""The MQTT upstream against a real broker: orders and results, credentials, TLS, refusals."""

import asyncio
import datetime
import ipaddress
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from paho.mqtt.enums import CallbackAPIVersion

from weldgate_collector import Chip, MemoryLink, Service, add_chips, load_config, write_secret
from weldgate_protocol import cbor, messages
from weldgate_protocol.conversation_chip import ORDER
from weldgate_protocol.envelope import OrderEnvelope, decode_result, encode_order
from weldgate_protocol.keys import derive
from weldgate_simulator.broker import MosquittoBroker, NatsBroker
from weldgate_simulator.upstream import Consumer, Journal

KEY = secrets.token_bytes(32)
DEVICE = (1).to_bytes(8, "big")

pytestmark = pytest.mark.broker


def site(folder: Path, port: int, extra: str = "") -> Any:
    """Write a site with an upstream on this broker, and return its configuration."""
    path = folder / "collector.toml"
    path.write_text(
        '[collector]\nname = "site"\n\n[[upstream]]\nname = "platform"\npack_ms = 0\nbackoff_max_s = 0.2\n'
        f"port = {port}\n{extra}",
        "utf-8",
    )
    write_secret(folder / "collector.key", KEY.hex().encode())
    root = bytes(range(32))
    add_chips(
        folder / "chips.jsonl",
        [Chip("1", 1, derive(root, b"up", DEVICE, 1).hex(), derive(root, b"down", DEVICE, 1).hex())],
    )
    return load_config(path)


class Platform:
    """A platform's client: publishes, and keeps what comes on a topic."""

    def __init__(self, port: int, topic: str) -> None:
        self.came: list[bytes] = []
        self._ready = threading.Event()
        self._changed = threading.Condition()
        self.client = paho.Client(CallbackAPIVersion.VERSION2, "platform")
        self.client.on_connect = lambda client, *_: client.subscribe(topic)
        self.client.on_subscribe = lambda *_: self._ready.set()
        self.client.on_message = self._message
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()

    def __enter__(self) -> "Platform":
        assert self._ready.wait(20)
        return self

    def __exit__(self, *_: object) -> None:
        self.client.disconnect()
        self.client.loop_stop()
        self.client.on_message = None  # no ring of references: its wake-up sockets close with it

    def wait(self, count: int) -> None:
        """Wait until so many messages came."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.came) >= count, 20)

    def _message(self, _client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        with self._changed:
            self.came.append(bytes(message.payload))
            self._changed.notify_all()


@contextmanager
def receipts(folder: Path, port: int) -> Iterator[None]:
    """Let somebody take packs and answer for them."""
    journal = Journal(folder / "journal.sqlite3", KEY)
    consumer = Consumer(journal, "127.0.0.1", port, "site")
    thread = threading.Thread(target=consumer.run)
    thread.start()
    try:
        yield
    finally:
        consumer.stop()
        thread.join()
        journal.close()


async def until(true: Callable[[], bool]) -> None:
    """Wait until something is so; the loop goes on meanwhile."""
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.005)


def signed(identity: bytes) -> bytes:
    """Return an object in a signed one's shape."""
    claims = cbor.encode({3: DEVICE, 4: 4_000_000_000, 7: identity})
    return cbor.encode([cbor.encode({1: -7, 4: b"k" * 8}), {}, claims, bytes(64)])


def test_order_goes_to_the_chip_and_its_result_comes_back(tmp_path: Path, talker: Any) -> None:
    """An authentic order reaches the chip, a forged one doesn't, and the result is under the collector's key."""

    async def scene(config: Any, platform: Platform) -> None:
        link = MemoryLink()
        service = Service(config, (link,))
        await service.start()
        try:
            await until(lambda: service.health()["upstreams"]["platform"]["connected"])  # type: ignore[index]
            chip = talker(1)
            await chip.come_online(link)
            forged = encode_order(OrderEnvelope(DEVICE, messages.RELEASE, signed(b"FORGED..")), b"o" * 32)
            order = encode_order(OrderEnvelope(DEVICE, messages.RELEASE, signed(b"ORDER..1")), KEY)
            for envelope in (forged, b"noise", order):
                platform.client.publish("weldgate/1/site/order", envelope)
            await chip.until(lambda: ORDER in chip.events)
            chip.send(chip.frame(1, type_=messages.ORDER_RESULT, order=b"ORDER..1", type=messages.RELEASE, result=0))
            await chip.acked(1)
            await asyncio.to_thread(platform.wait, 3)
            platform.client.publish("weldgate/1/site/order", order)
            await asyncio.to_thread(platform.wait, 4)
            assert chip.events.count(ORDER) == 1
        finally:
            await service.stop()

    with NatsBroker(tmp_path / "broker") as broker, Platform(broker.port, "weldgate/1/site/result") as platform:
        asyncio.run(scene(site(tmp_path, broker.port), platform))
        results = [decode_result(data, KEY) for data in platform.came]

    assert [(result.order, result.device, result.state) for result in results] == [
        (b"ORDER..1", DEVICE, state) for state in (1, 2, 3, 3)
    ]


@pytest.mark.skipif(MosquittoBroker.find() is None, reason="mosquitto is not installed")
def test_results_that_the_broker_drops_are_named(tmp_path: Path, talker: Any) -> None:
    """A slip in the ACL: receipts come, and the platform never reads that its order ended, so it asks again."""
    order = encode_order(OrderEnvelope(DEVICE, messages.RELEASE, signed(b"ORDER..1")), KEY)

    async def scene(config: Any, platform: Platform) -> None:
        link = MemoryLink()
        service = Service(config, (link,))
        await service.start()

        def told() -> Any:
            return service.health()["upstreams"]["platform"]  # type: ignore[index]

        try:
            await until(lambda: told()["connected"])
            chip = talker(1)
            await chip.come_online(link)
            platform.client.publish("weldgate/1/site/order", order)
            await chip.until(lambda: ORDER in chip.events)
            chip.send(chip.frame(1, type_=messages.ORDER_RESULT, order=b"ORDER..1", type=messages.RELEASE, result=0))
            await chip.acked(1)
            async with asyncio.timeout(20):
                while "`weldgate/1/site/result`" not in told()["trouble"]:  # as a platform repeats what has no result
                    platform.client.publish("weldgate/1/site/order", order)
                    await asyncio.sleep(0.1)
            assert told()["undelivered"]
        finally:
            await service.stop()

    acl = [f"topic readwrite weldgate/1/site/{name}" for name in ("pack", "receipt", "order")]
    with (
        MosquittoBroker(tmp_path / "broker", acl=acl) as broker,
        Platform(broker.port, "weldgate/1/site/result") as platform,
        receipts(tmp_path, broker.port),
    ):
        asyncio.run(scene(site(tmp_path, broker.port), platform))
        assert platform.came == []


async def status(config: Any, true: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Start a collector, wait until its upstream's status is so, and return it."""
    service = Service(config)
    await service.start()
    found: dict[str, Any] = {}

    def look() -> bool:
        upstreams: Any = service.health()["upstreams"]
        found.update(upstreams["platform"])
        return true(found)

    try:
        await until(look)
    finally:
        await service.stop()
    return found


def test_credential_with_rights_to_its_own_topics_is_enough(tmp_path: Path) -> None:
    """One user a collector: its own topics are granted, another collector's are not, a wrong password is told."""
    users = {"site": ("right", "weldgate/1/site"), "other": ("right", "weldgate/1/other")}
    write_secret(tmp_path / "password", b"right\n")
    write_secret(tmp_path / "wrong", b"wrong\n")

    with NatsBroker(tmp_path / "broker", users=users) as broker:

        def asked(user: str, file: str) -> Any:
            return site(tmp_path, broker.port, f'username = "{user}"\npassword_file = "{file}"\nclient_id = "{user}"\n')

        assert asyncio.run(status(asked("site", "password"), lambda s: s["connected"]))["trouble"] == ""
        denied = asyncio.run(status(asked("other", "password"), lambda s: "denies" in s["trouble"]))
        refused = asyncio.run(status(asked("site", "wrong"), lambda s: "refuses" in s["trouble"]))

    assert not denied["connected"]
    assert not refused["connected"]


# paho 2.2 leaves the socket of a failed handshake to the garbage collector, which closes it with a warning.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_tls_broker_is_verified(tmp_path: Path) -> None:
    """With the right authority the upstream connects, with another it says why not."""
    ca = certificate(tmp_path, "broker")
    other = certificate(tmp_path, "other")

    with NatsBroker(tmp_path / "nats", tls=(tmp_path / "broker.pem", tmp_path / "broker.key")) as broker:
        good = site(tmp_path, broker.port, f'tls_ca_file = "{ca.name}"\n')
        assert asyncio.run(status(good, lambda s: s["connected"]))["trouble"] == ""
        bad = site(tmp_path, broker.port, f'tls_ca_file = "{other.name}"\n')
        assert "CERTIFICATE_VERIFY_FAILED" in asyncio.run(status(bad, lambda s: "CERT" in s["trouble"]))["trouble"]


def certificate(folder: Path, name: str) -> Path:
    """Write a self-signed certificate and key for 127.0.0.1, and return the certificate's path."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / f"{name}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / f"{name}.pem"
