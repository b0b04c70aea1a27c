"""JSON over real brokers: what proves delivery, what is named when nothing does, refusals, and large ids."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "contracts"))  # tests are no package; the world stands there

import pytest
from upstream_world import Listener, PackPlatform, Store, frame_row, presence_row, section_of, wait_until

from weldgate_collector import CollectorConfigError
from weldgate_collector.config import parse_config
from weldgate_collector.upstream.settings import JsonSection
from weldgate_simulator.broker import MosquittoBroker, NatsBroker

pytestmark = pytest.mark.broker
needs_mosquitto = pytest.mark.skipif(MosquittoBroker.find() is None, reason="mosquitto is not installed")

SLIP = {"proof_timeout_s": 1.0}
USERS = {"site": ("right", "weldgate/1/site")}


def test_publish_that_nats_acknowledges_and_drops_is_named(tmp_path: Path) -> None:
    """A slip in the ACL: the user may read its topics and publish to others. Nothing moves the cursor."""
    with (
        NatsBroker(tmp_path / "b", users=USERS, publishes={"site": "weldgate/1/sight"}) as broker,
        Store(tmp_path) as store,
    ):
        store.password = "right"
        upstream = store.upstream("mqtt-json", port=broker.port, username="site", **SLIP)
        store.frames(3)
        wait_until(lambda: upstream.status().undelivered, upstream.status)
        status = upstream.status()

    assert status.waiting_rows == 3
    assert "weldgate/1/site/json/9223372036854775807" in status.trouble
    assert "`site`" in status.trouble


@needs_mosquitto
@pytest.mark.parametrize("qos", [0, 1])
def test_publish_that_mosquitto_denies_is_named_and_comes_after_the_slip_is_mended(tmp_path: Path, qos: int) -> None:
    """The same with another broker, which drops at QoS 0 and hangs up at 1; with the ACL mended all of it goes."""
    broker = MosquittoBroker(tmp_path / "b", acl=["topic read weldgate/#"])
    with Store(tmp_path) as store:
        with broker:
            upstream = store.upstream("mqtt-json", port=broker.port, qos=qos, **SLIP)
            store.frames(30)
            wait_until(lambda: upstream.status().undelivered, upstream.status)
            assert upstream.status().waiting_rows == 30
        mended = MosquittoBroker(tmp_path / "b2", broker.port, acl=["topic readwrite weldgate/#"])
        with mended:
            store.drained(upstream)  # whoever listens by then: here the broker's echo is what was missing
            assert not upstream.status().undelivered
            with Listener(mended.port) as listener:
                store.frames(5)
                wait_until(lambda: len(listener.ids()) == 5)


def test_subscription_that_would_prove_is_denied(tmp_path: Path) -> None:
    """Then nothing can be proven, and the way out is named; with another proof it goes on."""
    users = {"site": ("right", "weldgate/1/other")}
    with NatsBroker(tmp_path / "b", users=users, publishes={"site": "weldgate"}) as broker, Store(tmp_path) as store:
        store.password = "right"
        asked: dict[str, Any] = {"port": broker.port, "username": "site"}
        upstream = store.upstream("mqtt-json", **asked)
        store.frames(3)
        wait_until(lambda: 'proof = "answer" or "puback"' in upstream.status().trouble, upstream.status)
        assert upstream.status().undelivered
        assert upstream.status().waiting_rows == 3
        store.drained(store.upstream("mqtt-json", name="other", proof="puback", **asked))


@pytest.mark.parametrize("kind", ["mqtt", "mqtt-json"])
def test_new_password_is_taken_up_without_a_restart(tmp_path: Path, kind: str) -> None:
    """Whoever rotates passwords writes the file anew; the next connection has it."""
    with NatsBroker(tmp_path / "b", users=USERS) as broker, Store(tmp_path) as store:
        store.password = "old"
        upstream = store.upstream(kind, port=broker.port, username="site", client_id="site")
        wait_until(lambda: "refuse" in upstream.status().trouble, upstream.status)
        store.password = "right"
        wait_until(lambda: upstream.status().connected, upstream.status)


def test_packs_that_a_broker_drops_are_named(tmp_path: Path) -> None:
    """Numbered packs have receipts: none comes, so that is said, with the topic and the user."""
    with (
        NatsBroker(tmp_path / "b", users=USERS, publishes={"site": "weldgate/1/sight"}) as broker,
        Store(tmp_path) as store,
    ):
        store.password = "right"
        upstream = store.upstream(
            "mqtt", port=broker.port, username="site", client_id="site", receipt_timeout_s=0.2, pack_ms=0
        )
        store.frames(3)
        wait_until(lambda: upstream.status().undelivered, upstream.status)
        status = upstream.status()

    assert status.connected
    assert "`weldgate/1/site/pack`" in status.trouble
    assert "`site`" in status.trouble


def test_packs_without_a_platform_are_named_and_go_when_one_is_there(tmp_path: Path) -> None:
    """The same words, since from here it looks the same; a receipt ends it."""
    with NatsBroker(tmp_path / "b") as broker, Store(tmp_path) as store:
        upstream = store.upstream("mqtt", port=broker.port, receipt_timeout_s=0.2, pack_ms=0)
        store.frames(3)
        wait_until(lambda: upstream.status().undelivered, upstream.status)
        with PackPlatform(tmp_path, broker.port):
            store.drained(upstream)
            wait_until(lambda: not upstream.status().undelivered)

        assert upstream.status().trouble == ""


def test_platform_s_refusal_sets_a_record_aside(tmp_path: Path) -> None:
    """Proof by answer: what the platform has counts, what it refuses is tried and set aside with its words."""

    def answer(document: Any) -> Any:
        good = document["seq"] != 7
        return {"ack": {"ok": good}, "id": document["id"], "result": good, "why": "" if good else "no such machine"}

    with (
        NatsBroker(tmp_path / "b") as broker,
        Listener(broker.port, answer=answer) as listener,
        Store(tmp_path) as store,
    ):
        upstream = store.upstream(
            "mqtt-json", port=broker.port, proof="answer", answer_topic="answers", answer_ok="result",
            answer_reason="why", tries=2,
        )  # fmt: skip
        store.frames(20)
        store.drained(upstream)
        with store.reader() as reader:
            aside = reader.aside()

    assert [(one.idx, one.tries) for one in aside] == [(7, 2)]
    assert "no such machine" in aside[0].reason
    assert listener.ids().count("9223372036854775807:a0000001:7") == 2
    assert len(set(listener.ids())) == 20


def test_platform_may_answer_for_many_records_at_once(tmp_path: Path) -> None:
    """A list is as good as answer after answer; what is none of ours in it harms nothing."""

    def answer(document: Any) -> Any:
        return ["no answer", {"id": "another's", "ok": True}, {"id": document["id"], "ok": True}]

    with (
        NatsBroker(tmp_path / "b") as broker,
        Listener(broker.port, answer=answer),
        Store(tmp_path) as store,
    ):
        upstream = store.upstream("mqtt-json", port=broker.port, proof="answer", answer_topic="answers")
        store.frames(20)
        store.drained(upstream)

        assert upstream.status().aside == 0


PROVINCE = """
[collector]
name = "site"
[[upstream]]
name = "province"
kind = "mqtt-json"
port = %d
topic = "hn/v2/{collector}/{device:012}/event"
proof = "answer"
answer_topic = "answers"
answer_id = "data.msgId"
answer_ref = "HN{device:012}{seq:010}"
answer_ok = "code"
answer_good = [0, "0"]
answer_reason = "msg"
tries = 2

[upstream.record]
types = ["telemetry"]
ids = "number"
utc_offset_min = 480

[upstream.record.map]
msgId = "HN{device:012}{seq:010}"
ver = "2.0"

[upstream.record.map.head]
vendor = { code = 4110, name = "焊机" }
deviceNo = "HN-{device:012}"
reportTime = "{time_ms:%%Y-%%m-%%d %%H:%%M:%%S}"
ts = { "$from" = "$.time_ms", "$times" = 0.001, "$as" = "integer" }

[upstream.record.map.body]
current = { "$from" = "$.fields.mean_ma", "$times" = 0.001 }
working = { "$from" = "$.fields.gate", "$values" = { 5 = "1", 6 = "1" }, "$else" = "0" }
tags = ["county", "{collector}"]
"""


def test_platform_of_a_province_is_met_by_configuration_alone(tmp_path: Path) -> None:
    """Topics, nesting, words and types of its own, its own reference, answers where 0 means yes: no line of code."""

    def answer(document: Any) -> Any:
        bad = document["msgId"].endswith("7")
        return {
            "data": {"msgId": document["msgId"]},
            "code": 17 if bad else 0,
            "msg": "no such machine" if bad else "ok",
        }

    with (
        NatsBroker(tmp_path / "b") as broker,
        Listener(broker.port, "hn/v2/#", answer) as listener,
        Store(tmp_path) as store,
    ):
        section = parse_config(PROVINCE % broker.port).upstream[0]
        upstream = store.upstream(**{name: getattr(section, name) for name in section.__struct_fields__})
        store.put(*[frame_row(seq, 410811001, gate=5 if seq == 2 else 2) for seq in range(1, 10)], presence_row())
        store.drained(upstream)
        with store.reader() as reader:
            aside = reader.aside()

    assert [(one.idx, one.reason) for one in aside] == [(7, "platform refuses it: no such machine")]
    assert set(listener.topics) == {"hn/v2/site/000410811001/event"}
    assert listener.documents[1] == {
        "msgId": "HN0004108110010000000002",
        "ver": "2.0",
        "head": {
            "vendor": {"code": 4110, "name": "焊机"}, "deviceNo": "HN-000410811001", "ts": 1_790_000_000,
            "reportTime": "2026-09-21 22:13:20",
        },
        "body": {"current": 0.002, "working": "1", "tags": ["county", "site"]},
    }  # fmt: skip
    assert len({document["msgId"] for document in listener.documents}) == 9


def test_platform_that_does_not_answer_is_named(tmp_path: Path) -> None:
    """Neither words on that topic that are no answers nor silence move the cursor."""
    with (
        NatsBroker(tmp_path / "b") as broker,
        Listener(broker.port, answer=lambda _document: ["no answer"]),
        Store(tmp_path) as store,
    ):
        upstream = store.upstream("mqtt-json", port=broker.port, proof="answer", answer_topic="answers", **SLIP)
        store.frames(2)
        wait_until(lambda: upstream.status().undelivered, upstream.status)

        assert "answers" in upstream.status().trouble
        assert upstream.status().waiting_rows == 2


@needs_mosquitto
def test_record_that_ends_the_connection_is_set_aside(tmp_path: Path) -> None:
    """The broker closes on a packet that it finds too large; the others get through, and it alone is set aside."""
    broker = MosquittoBroker(tmp_path / "b", extra=["max_packet_size 900"])
    large = {"map": {"id": "$.id", "pad": {"$from": "$.fields.mean_ma", "$values": {"5": "x" * 2_000}}}}
    with broker, Listener(broker.port) as listener, Store(tmp_path) as store:
        upstream = store.upstream("mqtt-json", port=broker.port, tries=2, record=large)
        store.frames(40)
        store.drained(upstream)
        with store.reader() as reader:
            aside = reader.aside()

    assert [one.idx for one in aside] == [5]
    assert "ends the connection" in aside[0].reason
    assert len(set(listener.ids())) == 39


@needs_mosquitto
def test_mqtt_5_names_what_the_acl_denies(tmp_path: Path) -> None:
    """There the broker says so itself."""
    broker = MosquittoBroker(tmp_path / "b", acl=["topic read weldgate/#"])
    with broker, Store(tmp_path) as store:
        upstream = store.upstream("mqtt-json", port=broker.port, protocol=5)
        store.frames(1)
        wait_until(lambda: "not authorized" in upstream.status().trouble, upstream.status)

        assert upstream.status().waiting_rows == 1


@needs_mosquitto
def test_mqtt_5_names_that_nobody_listens(tmp_path: Path) -> None:
    """A PUBACK that says so is no proof."""
    with MosquittoBroker(tmp_path / "b") as broker, Store(tmp_path) as store:
        upstream = store.upstream("mqtt-json", port=broker.port, protocol=5, proof="puback")
        store.frames(1)
        wait_until(lambda: upstream.status().undelivered, upstream.status)
        assert "no subscriber" in upstream.status().trouble
        with Listener(broker.port):
            store.drained(upstream)


def test_map_that_fails_on_a_record_sets_it_aside(tmp_path: Path) -> None:
    """A text can't be multiplied by half: told with the reason, and the rest arrives as mapped, ids unharmed."""
    record = {"ids": "number", "map": {"id": "$.id", "no": "$.device", "v": {"$from": "$.message", "$times": 0.5}}}
    good = {"ids": "number", "map": {"id": "$.id", "no": "$.device", "at": "{time_ms:%H:%M}"}, "utc_offset_min": 480}
    with NatsBroker(tmp_path / "b") as broker, Listener(broker.port) as listener, Store(tmp_path) as store:
        asked: dict[str, Any] = {"port": broker.port, "topic": "weldgate/1/site/json/{message}"}
        bad = store.upstream("mqtt-json", name="bad", tries=1, record=record, **asked)
        fine = store.upstream("mqtt-json", name="fine", record=good, **asked)
        store.put(frame_row(1))
        store.drained(bad)
        store.drained(fine)
        wait_until(lambda: len(listener.documents) >= 1)
        with store.reader() as reader:
            aside = reader.aside()

    assert listener.documents == [{"id": "9223372036854775807:a0000001:1", "no": 2**63 - 1, "at": "22:13"}]
    assert listener.topics == ["weldgate/1/site/json/telemetry"]
    assert [(one.upstream, one.idx) for one in aside] == [("bad", 1)]
    assert "TypeError" in aside[0].reason


@pytest.mark.parametrize(
    ("text", "key", "line"),
    [
        ('proof = "answer"\n', "upstream[0].answer_topic", 3),
        ('answer_id = "a..b"\n', "upstream[0].answer_id", 6),
        ('answer_ref = "{nothing}"\n', "upstream[0].answer_ref", 6),
        ('proof = "puback"\nqos = 0\n', "upstream[0].qos", 7),
        ('topic = "a/#"\n', "upstream[0].topic", 6),
        ('proof = "answer"\nanswer_topic = "a/+"\n', "upstream[0].answer_topic", 7),
        ('[upstream.record.map]\nx = 1\ny = "$.nothing"\n', "upstream[0].record.map.y", 8),
        ('[upstream.record]\ntypes = ["arcs"]\n', "upstream[0].record.types[0]", 7),
        ('[upstream.record]\nids = "no"\n', "upstream[0].record.ids", 7),
        ("pack_ms = 3\n", "upstream[0].pack_ms", 6),
    ],
)
def test_setting_that_can_not_be_used_names_key_and_line(text: str, key: str, line: int) -> None:
    """As every other error of the configuration."""
    with pytest.raises(CollectorConfigError) as caught:
        section_of('kind = "mqtt-json"\n' + text)

    assert f"line {line}:" in str(caught.value)
    assert f"`{key}`" in str(caught.value)


def test_defaults() -> None:
    """The proof is the broker's echo, and it is missed within a minute whatever is set."""
    settings = section_of('kind = "mqtt-json"\n')

    assert isinstance(settings, JsonSection)
    assert settings.proof == "echo"
    with pytest.raises(CollectorConfigError, match="proof_timeout_s"):
        section_of('kind = "mqtt-json"\nproof_timeout_s = 50\n')
