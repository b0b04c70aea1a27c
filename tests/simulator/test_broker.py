"""Real brokers: start, answer, kill, restart on the same port."""

from pathlib import Path

import pytest

from weldgate_simulator.broker import Broker, BrokerError, MosquittoBroker, NatsBroker

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
