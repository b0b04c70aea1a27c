"""A row as the documented JSON: every field by name, large ids unharmed, and evidence that can't be read stays."""

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "contracts"))  # tests are no package; the world stands there

import pytest
from upstream_world import frame_row, presence_row

from weldgate_collector.upstream.base import SettingError
from weldgate_collector.upstream.document import NAMES, Row
from weldgate_collector.upstream.encoder import Encoder
from weldgate_collector.upstream.settings import RecordSection
from weldgate_protocol import messages, reasons
from weldgate_protocol.collector_record import RECORD_GAP, Record, encode_record

STORE = bytes(range(16))


def row_of(stored: Any, index: int = 3) -> Row:
    """Return a row as the reader yields it."""
    return Row(stored[1], stored[0], index, stored[6])


def document(stored: Any, **settings: Any) -> Any:
    """Return the JSON that goes out for a row, parsed."""
    encoder = Encoder(RecordSection(**settings), "site")
    encoder.begin(STORE)
    return json.loads(encoder.encode(row_of(stored)).data)


def test_frame() -> None:
    """The largest chip number there is, as text and as number."""
    found = document(frame_row(5, temperature_dc=-12))

    assert found == {
        "id": "9223372036854775807:a0000001:5", "collector": "site", "store": STORE.hex(), "index": 3,
        "received_ms": 1_790_000_001_000, "device": "9223372036854775807", "epoch": "a0000001", "seq": 5, "type": 69,
        "message": "telemetry", "time_ms": 1_790_000_000_005, "time_quality": "synced",
        "fields": {
            "window_s": 60, "mean_ma": 5, "peak_ma": 2, "arc_ms": 0, "gate": 2, "source": 1, "strikes": 0,
            "temperature_dc": -12,
        },
    }  # fmt: skip
    assert document(frame_row(5), ids="number")["device"] == 2**63 - 1
    assert document(frame_row(5), raw=True)["raw"] == frame_row(5)[6].hex()


def test_own_record() -> None:
    """A gap says from where to where; a presence record brings the heartbeat it knows."""
    raw = encode_record(Record(RECORD_GAP, (7).to_bytes(8, "big"), b"\xa0\0\0\1", 4, 9))
    gap = document((5, 2, 7, 0, 9, 1, raw))
    presence = document(presence_row())

    assert gap["id"] == f"{STORE.hex()}:3:5"
    assert (gap["message"], gap["device"], gap["fields"]) == ("collector-gap", "7", {"first": 4, "last": 9})
    assert (presence["message"], presence["fields"]["online"]) == ("collector-presence", True)


def test_what_can_not_be_read_stays_as_it_is() -> None:
    """A payload of a newer chip, a broken frame, a broken record: bytes in hex beside the reason."""
    good = frame_row(5)
    payload = document((*good[:6], good[6][:26] + b"\xff" * (len(good[6]) - 34) + good[6][-8:]))
    broken = document((*good[:6], b"\x00\x01"))
    own = document((5, 2, 7, 0, 9, 1, b"\xff"))

    assert payload["payload"].startswith("ffff")
    assert payload["payload_error"] > 0
    assert "fields" not in payload
    assert (broken["message"], broken["payload"]) == ("unreadable", "0001")
    assert broken["payload_error"] == reasons.FRAME_SHORT
    assert own["message"] == "unreadable"


def test_types_choose_rows() -> None:
    """Only what is asked for goes out; a name that is none is told."""
    some = Encoder(RecordSection(types=("arc", "collector-gap")), "site")

    assert not some.wants(row_of(frame_row(1)))
    assert not some.wants(row_of(presence_row()))
    assert Encoder(RecordSection(types=("telemetry",)), "site").wants(row_of(frame_row(1)))
    assert Encoder(RecordSection(types=("collector-presence",)), "site").wants(row_of(presence_row()))
    assert Encoder(RecordSection(), "site").wants(row_of(presence_row()))
    assert not some.wants(Row(2, 0, 1, b"\xff"))
    assert Encoder(RecordSection(types=("unreadable",)), "site").wants(Row(1, 0, 1, b""))
    with pytest.raises(SettingError) as caught:
        Encoder(RecordSection(types=("arc", "arcs")), "site")
    assert caught.value.key == "record.types[1]"


def test_map_replaces_the_document() -> None:
    """A platform gets its own names and nothing else."""
    found = document(frame_row(5), map={"deviceNo": "$.device", "v": {"$from": "$.fields.mean_ma", "$times": 2}})

    assert found == {"deviceNo": "9223372036854775807", "v": 10}


def test_page_names_every_key_and_message() -> None:
    """``docs/upstream-json.md`` is checked against the code."""
    text = Path("docs/upstream-json.md").read_text("utf-8")

    for name in (*NAMES, "collector-gap", "collector-conflict", "collector-presence", "collector-operator"):
        assert f"`{name}`" in text, name
    for type_, (name, _) in messages.MESSAGES.items():
        if 0x40 <= type_ < 0x80:
            assert f"`{name}`" in text, name
