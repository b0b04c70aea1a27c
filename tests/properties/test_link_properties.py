"""What links read from strangers: any cut gives the same packets, any bytes raise what is declared and nothing else."""

import ssl
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from weldgate_collector import mqtt_packets as packets
from weldgate_collector.links.tls import Certificates, TlsPipe
from weldgate_simulator.certificates import Authority


@cache
def context() -> ssl.SSLContext:
    """A server's context."""
    with TemporaryDirectory() as folder:
        return Certificates(*Authority(Path(folder)).issue("collector")).context


@given(st.lists(st.tuples(st.binary(max_size=40), st.binary(max_size=300)), max_size=8), st.data())
def test_packets_do_not_depend_on_the_cut(messages: list[tuple[bytes, bytes]], data: st.DataObject) -> None:
    """Each publish comes out whole, in order, wherever its bytes are cut."""
    stream = b"".join(packets.encode_publish(topic, payload) for topic, payload in messages)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    reader = packets.PacketStream()

    found = [
        packets.read_publish(*packet)
        for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)
        for packet in reader.feed(stream[start:end])
    ]

    assert [(one.topic, one.payload) for one in found] == messages


@given(st.binary(max_size=300))
def test_any_bytes_from_a_broker_raise_what_is_declared(data: bytes) -> None:
    """A packet, more to come, or ValueError; never more kept than one packet."""
    reader = packets.PacketStream()
    try:
        for first, body in reader.feed(data):
            packets.read_publish(first, body)
            packets.read_publish(first, body, 5)
    except ValueError:
        pass


@given(st.lists(st.binary(min_size=1, max_size=200), max_size=5), st.booleans())
def test_any_bytes_from_a_client_raise_what_is_declared(pieces: list[bytes], like_tls: bool) -> None:
    """Before a handshake nothing is heard and nothing is said but TLS's own words."""
    pipe = TlsPipe(context())
    try:
        for piece in pieces:
            assert pipe.decrypt(b"\x16\x03\x01\x00\x20" + piece if like_tls else piece) == b""
            assert pipe.encrypt(b"secret") == b""
    except ssl.SSLError:
        pass
    assert not pipe.ready
    assert pipe.end() == b""
    assert b"secret" not in pipe.take()
