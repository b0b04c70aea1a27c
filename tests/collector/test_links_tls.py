"""TLS on the TCP link, with real sockets: versions, mutual TLS, new certificates, strangers who never finish."""

import asyncio
import json
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from weldgate_collector import add_chips
from weldgate_collector.errors import KeyFileError
from weldgate_collector.links.base import Connection
from weldgate_collector.links.tcp import TcpLink
from weldgate_collector.links.tls import Certificates
from weldgate_simulator.certificates import Authority


class Peer:
    """The collector's side: answers what it hears."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.ended = asyncio.Event()
        self.heard = b""

    def received(self, data: bytes) -> None:
        """Answer."""
        self.heard += data
        self.connection.send(data.upper())

    def closed(self) -> None:
        """Note the end."""
        self.ended.set()


def play(certificates: Certificates, scene: Callable[[TcpLink, list[Peer]], Awaitable[None]], **limits: Any) -> TcpLink:
    """Run a scene with a TLS link."""
    link = TcpLink("127.0.0.1", 0, 10, certificates, **limits)

    async def whole() -> None:
        peers: list[Peer] = []

        def accept(connection: Connection) -> Peer:
            peers.append(Peer(connection))
            return peers[-1]

        await link.start(accept)
        try:
            await asyncio.wait_for(scene(link, peers), 20)
        finally:
            await link.stop()

    asyncio.run(whole())
    return link


async def talk(link: TcpLink, context: ssl.SSLContext) -> tuple[bytes, str, bytes]:
    """Say hello; return (answer, TLS version, the server's certificate)."""
    reader, writer = await asyncio.open_connection("127.0.0.1", link.port, ssl=context)
    try:
        writer.write(b"hello")
        answer = await reader.readexactly(5)
        tls: ssl.SSLObject = writer.get_extra_info("ssl_object")
        return answer, str(tls.version()), tls.getpeercert(binary_form=True) or b""
    finally:
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


def test_speaks_1_3_and_nothing_older(tmp_path: Path) -> None:
    """A client that has only TLS 1.2 is turned away and counted."""
    authority = Authority(tmp_path)
    files = authority.issue("collector")
    modern = ssl.create_default_context(cafile=str(authority.file))
    old = ssl.create_default_context(cafile=str(authority.file))
    old.maximum_version = ssl.TLSVersion.TLSv1_2

    async def scene(link: TcpLink, peers: list[Peer]) -> None:
        assert (await talk(link, modern))[:2] == (b"HELLO", "TLSv1.3")
        with pytest.raises(OSError):  # noqa: PT011 - an alert or a reset, as it happens
            await talk(link, old)
        await peers[1].ended.wait()
        assert peers[1].heard == b""

    assert play(Certificates(*files), scene).status().faults == 1


def test_mutual_tls_asks_for_a_certificate_of_the_right_authority(tmp_path: Path) -> None:
    """Without a certificate, or with another authority's, nothing of what a client says is heard."""
    authority, chips, strangers = (Authority(tmp_path, name) for name in ("site", "chips", "strangers"))

    def client(issuer: Authority | None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(authority.file))
        if issuer is not None:
            context.load_cert_chain(*issuer.issue("chip"))
        return context

    async def scene(link: TcpLink, peers: list[Peer]) -> None:
        assert (await talk(link, client(chips)))[0] == b"HELLO"
        for wrong in (None, strangers):
            with pytest.raises((OSError, asyncio.IncompleteReadError)):
                await talk(link, client(wrong))
        await asyncio.gather(*(peer.ended.wait() for peer in peers))
        assert [peer.heard for peer in peers] == [b"hello", b"", b""]

    assert play(Certificates(*authority.issue("collector"), chips.file), scene).handshakes_failed == 2


def test_new_certificate_is_served_without_a_restart(tmp_path: Path) -> None:
    """New connections get the new one, standing ones go on, and a wrong file changes nothing."""
    authority = Authority(tmp_path)
    certificate, key = authority.issue("collector")
    client = ssl.create_default_context(cafile=str(authority.file))
    certificates = Certificates(certificate, key)

    async def scene(link: TcpLink, _peers: list[Peer]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", link.port, ssl=client)
        first = (await talk(link, client))[2]
        assert not certificates.reload()
        authority.issue("collector")
        assert certificates.reload()
        second = (await talk(link, client))[2]
        key.write_text("no key", "utf-8")
        with capture_logs() as logs:
            assert not certificates.reload()
            assert not certificates.reload()
        assert [entry["event"] for entry in logs] == ["certificates_not_reloaded"]
        certificate.unlink()
        assert not certificates.reload()
        third = (await talk(link, client))[2]
        writer.write(b"still")
        assert await reader.readexactly(5) == b"STILL"
        writer.close()
        await writer.wait_closed()
        assert first != second == third

    play(certificates, scene)


def test_handshake_that_never_comes_holds_nothing_for_long(tmp_path: Path) -> None:
    """Noise, silence and an early end are each closed, counted, and told to the peer once."""
    files = Authority(tmp_path).issue("collector")

    async def scene(link: TcpLink, peers: list[Peer]) -> None:
        noise_in, noise = await asyncio.open_connection("127.0.0.1", link.port)
        noise.write(b"\x7e" * 100)
        silent_in, silent = await asyncio.open_connection("127.0.0.1", link.port)
        _, gone = await asyncio.open_connection("127.0.0.1", link.port)
        gone.close()
        for reader in (noise_in, silent_in):
            await asyncio.gather(reader.read(), return_exceptions=True)
        await asyncio.gather(*(peer.ended.wait() for peer in peers))
        assert [peer.heard for peer in peers] == [b""] * 3
        noise.close()
        silent.close()

    assert play(Certificates(*files), scene, handshake_s=0.2).handshakes_failed == 3


def test_peer_may_close_before_the_handshake(tmp_path: Path) -> None:
    """A source that is throttled costs no handshake, and what is said before one is not sent in the clear."""
    files = Authority(tmp_path).issue("collector")

    async def scene(link: TcpLink, peers: list[Peer]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
        async with asyncio.timeout(20):
            while not peers:
                await asyncio.sleep(0)
        peers[0].connection.send(b"secret")
        peers[0].connection.pause()
        peers[0].connection.resume()
        peers[0].connection.close()
        said = (await asyncio.gather(reader.read(), return_exceptions=True))[0]
        assert said == b"" or isinstance(said, ConnectionResetError)
        await peers[0].ended.wait()
        writer.close()

    assert play(Certificates(*files), scene).handshakes_failed == 0


def test_what_is_sent_in_the_clear_is_not_heard(tmp_path: Path) -> None:
    """A frame without TLS reaches nobody, and is answered with no frame."""
    files = Authority(tmp_path).issue("collector")

    async def scene(link: TcpLink, peers: list[Peer]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
        writer.write(b"~hello~" * 10)
        answer = (await asyncio.gather(reader.read(), return_exceptions=True))[0]
        await peers[0].ended.wait()
        assert peers[0].heard == b""
        assert not isinstance(answer, bytes) or b"HELLO" not in answer
        writer.close()

    play(Certificates(*files), scene)


def test_much_at_once_passes_in_both_directions(tmp_path: Path) -> None:
    """More than a TLS record, in pieces of any size."""
    authority = Authority(tmp_path)
    certificates = Certificates(*authority.issue("collector"))
    client = ssl.create_default_context(cafile=str(authority.file))

    async def scene(link: TcpLink, peers: list[Peer]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", link.port, ssl=client)
        sent = bytes(97 + n % 26 for n in range(100_000))
        for at in range(0, len(sent), 9_973):
            writer.write(sent[at : at + 9_973])
        assert await reader.readexactly(len(sent)) == sent.upper()
        peers[0].connection.close()
        assert await reader.read() == b""
        writer.close()

    play(certificates, scene)


def test_files_that_can_not_be_used_are_told(tmp_path: Path) -> None:
    """A missing file, a key that others may read, and a key of another certificate are named."""
    authority = Authority(tmp_path)
    certificate, key = authority.issue("collector")
    _, other = authority.issue("other")

    for files in ((tmp_path / "none.pem", key), (certificate, other), (certificate, key, tmp_path / "none.pem")):
        with pytest.raises(KeyFileError, match="TLS files can't be used"):
            Certificates(*files)
    key.chmod(0o644)
    with pytest.raises(KeyFileError, match="at most 0600"):
        Certificates(certificate, key)


def test_running_collector_takes_new_files_up_and_keeps_the_old_over_bad_ones(tmp_path: Path) -> None:
    """The program itself, on SIGHUP: the next handshake has the new certificate; a wrong key changes nothing."""
    authority = Authority(tmp_path)
    certificate, key = authority.issue("collector")
    add_chips(tmp_path / "chips.jsonl", [])
    config = tmp_path / "collector.toml"
    config.write_text(
        f'[collector]\nname = "t"\n[tls]\nhost = "127.0.0.1"\nport = 0\ncertificate_file = "{certificate.name}"\n'
        f'key_file = "{key.name}"\n',
        "utf-8",
    )
    client = ssl.create_default_context(cafile=str(authority.file))

    def served(port: int) -> bytes:
        with (
            socket.create_connection(("127.0.0.1", port), 20) as plain,
            client.wrap_socket(plain, server_hostname="127.0.0.1") as secured,
        ):
            return secured.getpeercert(binary_form=True) or b""

    with subprocess.Popen([sys.executable, "-m", "weldgate_collector", str(config)], stderr=subprocess.PIPE) as process:
        assert process.stderr is not None

        def told(event: bytes) -> dict[str, Any]:
            assert process.stderr is not None
            line = next(line for line in process.stderr if event in line)
            found: dict[str, Any] = json.loads(line)
            return found

        try:
            port = told(b"tcp_listening")["port"]
            told(b"collector_started")
            first = served(port)
            authority.issue("collector")
            process.send_signal(signal.SIGHUP)
            told(b"certificates_reloaded")
            second = served(port)
            key.write_text("no key", "utf-8")
            process.send_signal(signal.SIGHUP)
            assert str(key) in told(b"certificates_not_reloaded")["reason"]
            assert first != second == served(port)
        finally:
            process.terminate()
