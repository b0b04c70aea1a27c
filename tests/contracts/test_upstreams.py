"""What every kind of upstream promises (``upstream/base.py``): one case class, one subclass a kind and broker."""

import json
import sqlite3
import sys
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # tests are no package; the world stands beside them

from upstream_world import Listener, PackPlatform, Store, presence_row, wait_until

from weldgate_simulator.broker import Broker, MosquittoBroker, NatsBroker

needs_mosquitto = pytest.mark.skipif(MosquittoBroker.find() is None, reason="mosquitto is not installed")


class UpstreamCases:
    """The promises."""

    kind = ""
    count = 5_500  # several windows

    def settings(self) -> dict[str, Any]:
        """Return what the upstream's table has."""
        return {}

    def far_end(self) -> AbstractContextManager[Any]:
        """Return the far end, not started; it keeps what it has over a second start."""
        raise NotImplementedError

    def delivered(self) -> list[str]:
        """Return the identities of what the far end has, repeats included."""
        raise NotImplementedError

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path
        self.prepare()

    def prepare(self) -> None:
        """Make what lasts for one test."""

    def test_every_row_arrives(self) -> None:
        """Frames and own records, those stored before the start and those after."""
        with Store(self.folder) as store, self.far_end():
            store.frames(self.count)
            store.put(presence_row())
            upstream = store.upstream(self.kind, **self.settings())
            store.drained(upstream)
            store.frames(300)
            store.drained(upstream)
            status = upstream.status()
            wait_until(lambda: len(set(self.delivered())) >= self.count + 301)
            found = self.delivered()

        assert len(found) == len(set(found)) == self.count + 301
        assert status.connected
        assert not status.trouble
        assert not status.undelivered
        assert status.aside == 0

    def test_graceful_stop_repeats_nothing(self) -> None:
        """The cursor is stored with the stop, and the next start goes on behind it."""
        with self.far_end():
            for _ in range(3):
                with Store(self.folder) as store:
                    upstream = store.upstream(self.kind, **self.settings())
                    store.frames(100)
                    store.drained(upstream)
            wait_until(lambda: len(self.delivered()) >= 300)

        assert len(self.delivered()) == len(set(self.delivered())) == 300

    def test_dead_far_end_is_told_and_loses_nothing(self) -> None:
        """What was stored while nobody was there arrives when somebody is, and another upstream never waited."""
        with Store(self.folder) as store:
            upstream = store.upstream(self.kind, **self.dead())
            other = store.upstream("file", name="other", folder="other")
            store.frames(500)
            store.drained(other)
            wait_until(lambda: bool(upstream.status().trouble), upstream.status)
            assert upstream.status().waiting_rows == 500
            self.revive()
            with self.far_end():
                store.drained(upstream)
                wait_until(lambda: len(set(self.delivered())) >= 500)
                wait_until(lambda: not upstream.status().trouble)

        assert len(set(self.delivered())) == 500

    def dead(self) -> dict[str, Any]:
        """Return settings with which the far end is not there until ``revive``."""
        return self.settings()

    def revive(self) -> None:
        """Let the far end be there again."""


class BrokerCases(UpstreamCases):
    """Those with a broker."""

    broker_class: type[Broker] = NatsBroker

    def prepare(self) -> None:
        """Draw a port."""
        self.broker = self.broker_class(self.folder / "broker")

    def settings(self) -> dict[str, Any]:
        """Return where the broker is."""
        return {"port": self.broker.port}


@pytest.mark.broker
class TestPacks(BrokerCases):
    """Numbered packs with receipts."""

    kind = "mqtt"

    def settings(self) -> dict[str, Any]:
        """Return settings that do not wait for a fuller pack."""
        return {**super().settings(), "pack_ms": 10, "receipt_timeout_s": 1.0}

    def far_end(self) -> AbstractContextManager[Any]:
        """Return a broker and a platform that takes packs."""
        stack = ExitStack()
        stack.enter_context(self.broker)
        stack.enter_context(PackPlatform(self.folder, self.broker.port))
        return stack

    def delivered(self) -> list[str]:
        """Return what the platform's database has."""
        connection = sqlite3.connect(self.folder / "journal.sqlite3")
        try:
            frames = connection.execute("SELECT device, epoch, seq FROM frames").fetchall()
            own = connection.execute("SELECT store_id, idx FROM own_records").fetchall()
        finally:
            connection.close()
        return [repr(row) for row in [*frames, *own]]


@pytest.mark.broker
class TestJson(BrokerCases):
    """JSON over the broker that pip installs, which syncs each publish at QoS 1 to disk."""

    kind = "mqtt-json"
    count = 1_500

    def prepare(self) -> None:
        """Keep what comes over restarts of the far end."""
        super().prepare()
        self.listeners: list[Listener] = []

    def far_end(self) -> AbstractContextManager[Any]:
        """Return a broker and a listener."""
        stack = ExitStack()
        stack.enter_context(self.broker)
        self.listeners.append(stack.enter_context(Listener(self.broker.port)))
        return stack

    def delivered(self) -> list[str]:
        """Return the ids that were heard."""
        return [identity for listener in self.listeners for identity in listener.ids()]

    def test_dead_far_end_is_told_and_loses_nothing(self) -> None:
        """The listener has to be there before the upstream connects, as a platform with a session would."""
        super().test_dead_far_end_is_told_and_loses_nothing()

    def dead(self) -> dict[str, Any]:
        """Return settings with a port where nobody listens yet, and a wait long enough for the listener."""
        return {**self.settings(), "proof": "answer", "answer_topic": "answers", "proof_timeout_s": 1.0}

    def revive(self) -> None:
        """Let the listener answer from now on: proof by answer loses nothing to a listener that comes late."""
        listeners, broker = self.listeners, self.broker

        def far_end() -> AbstractContextManager[Any]:
            stack = ExitStack()
            stack.enter_context(broker)
            listener = Listener(broker.port, answer=lambda document: {"id": document["id"], "ok": True})
            listeners.append(stack.enter_context(listener))
            return stack

        self.far_end = far_end  # type: ignore[method-assign]


@pytest.mark.broker
@needs_mosquitto
class TestJsonMosquitto(TestJson):
    """The same over mosquitto."""

    count = 5_500

    broker_class = MosquittoBroker


@pytest.mark.broker
@needs_mosquitto
class TestJsonMqtt5(TestJsonMosquitto):
    """The same as MQTT 5, whose window the broker says."""

    def settings(self) -> dict[str, Any]:
        """Return settings of MQTT 5."""
        return {**super().settings(), "protocol": 5}


@pytest.mark.broker
@needs_mosquitto
class TestJsonAtMostOnce(TestJsonMosquitto):
    """QoS 0, which an echo proves too."""

    def settings(self) -> dict[str, Any]:
        """Return settings of QoS 0."""
        return {**super().settings(), "qos": 0}


class TestFile(UpstreamCases):
    """JSON lines in a folder."""

    kind = "file"

    def settings(self) -> dict[str, Any]:
        """Return the folder."""
        return {"folder": "out"}

    def far_end(self) -> AbstractContextManager[Any]:
        """Return nothing: a folder is there or is made."""
        return ExitStack()

    def delivered(self) -> list[str]:
        """Return the ids of every line of every file."""
        files = sorted((self.folder / "out").glob("*.jsonl"))
        return [json.loads(line)["id"] for file in files for line in file.read_text("utf-8").splitlines()]

    def dead(self) -> dict[str, Any]:
        """Put something in the folder's place."""
        (self.folder / "out").write_text("not a folder", "utf-8")
        return self.settings()

    def revive(self) -> None:
        """Take it away."""
        (self.folder / "out").unlink()
