"""Real brokers: start, answer, kill, restart on the same port."""

import socket
from pathlib import Path

import pytest

from weldgate_simulator import broker as brokers
from weldgate_simulator.broker import Broker, BrokerError, MosquittoBroker, NatsBroker, free_port

BROKERS = [
    pytest.param(NatsBroker, id="nats"),
    pytest.param(
        MosquittoBroker,
        id="mosquitto",
        marks=pytest.mark.skipif(MosquittoBroker.find() is None, reason="mosquitto is not installed"),
    ),
]


@pytest.mark.broker
@pytest.mark.parametrize("kind", BROKERS)
def test_broker_comes_back_on_its_port_after_a_kill(tmp_path: Path, kind: type[Broker]) -> None:
    """A killed broker is gone at once, and its successor answers on the same port."""
    with kind(tmp_path / "broker") as broker:
        port, pid = broker.port, broker.pid
        assert broker._answers()

        broker.kill()
        assert not broker._answers()
        assert broker.pid == 0
        broker.start()

        assert broker.port == port
        assert broker.pid not in (0, pid)
    assert not broker._answers()


@pytest.mark.broker
def test_broker_that_can_not_start_says_where_to_look(tmp_path: Path) -> None:
    """A port that is taken ends the start with the log's name."""
    with NatsBroker(tmp_path / "one") as first:
        second = NatsBroker(tmp_path / "two", first.port)
        second._answers = lambda: False  # type: ignore[method-assign]  # the first one's answer is not its own

        with pytest.raises(BrokerError, match=r"broker\.log|did not answer"):
            second.start()


def test_port_is_none_that_a_system_hands_out() -> None:
    """Else it may be somebody's while its owner, which was killed, is started again."""
    with socket.socket() as handed_out:
        handed_out.bind(("127.0.0.1", 0))
        lowest = min(32_768, handed_out.getsockname()[1])

    ports = [free_port() for _ in range(50)]

    assert all(10_000 <= port < lowest for port in ports)
    assert len(set(ports)) > 1


def test_port_that_is_taken_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one is tried, and when there is none that is said."""
    with socket.socket() as taken:
        port = free_port()
        taken.bind(("127.0.0.1", port))
        monkeypatch.setattr(brokers, "_PORTS", range(port, port + 1))
        monkeypatch.setattr(brokers, "_PORT_TRIES", 1)

        with pytest.raises(BrokerError, match="no free port"):
            free_port()
