"""What ``[[upstream]]`` tables may hold: one section a kind, each key with its type, range and default."""

from typing import Annotated, Any, Literal

import msgspec

__all__ = [
    "BrokerSection",
    "FileName",
    "FileSection",
    "Host",
    "JsonSection",
    "Name",
    "PacksSection",
    "RecordSection",
    "UpstreamSection",
]

Name = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9_-]{1,32}\Z")]  # goes into MQTT topics and file names
# What the name look-up takes: ASCII, no empty label, none above 63.
Host = Annotated[str, msgspec.Meta(pattern=r"\A(?!\.)(?!.*\.\.)(?!.*[^.]{64})[!-~]{1,255}\Z")]
FileName = Annotated[str, msgspec.Meta(pattern=r"\A[^\x00]*\Z")]

_Text = Annotated[str, msgspec.Meta(max_length=512, pattern=r"\A[^\x00]*\Z")]
_Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
_Seconds = Annotated[float, msgspec.Meta(gt=0, le=3_600)]
_Window = Annotated[int, msgspec.Meta(ge=1, le=8_192)]
_Tries = Annotated[int, msgspec.Meta(ge=1, le=100)]


class UpstreamSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What every kind has. ``kind`` is the name of an entry point; several upstreams have a cursor each."""

    name: Name
    kind: str = "mqtt"
    required: bool = True


class BrokerSection(UpstreamSection, frozen=True):
    """What every kind that speaks to an MQTT broker has."""

    host: Host = "127.0.0.1"
    port: _Port = 1883
    client_id: Annotated[str, msgspec.Meta(max_length=64, pattern=r"\A[^\x00]*\Z")] = ""
    username: _Text = ""
    password_file: FileName = ""
    tls_ca_file: FileName = ""
    backoff_max_s: _Seconds = 30.0


class PacksSection(BrokerSection, frozen=True):
    """``kind = "mqtt"``: numbered packs with receipts (DESIGN §2.12)."""

    pack_ms: Annotated[int, msgspec.Meta(ge=0, le=60_000)] = 100
    window_packs: Annotated[int, msgspec.Meta(ge=1, le=256)] = 16
    receipt_timeout_s: Annotated[float, msgspec.Meta(gt=0, le=600)] = 5.0


class RecordSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How a record becomes JSON: ``[upstream.record]``. Without ``map`` it is the document of docs/upstream-json.md."""

    ids: Literal["text", "number"] = "text"
    types: tuple[str, ...] = ()
    raw: bool = False
    utc_offset_min: Annotated[int, msgspec.Meta(ge=-720, le=840)] = 0
    map: dict[str, Any] = {}


class JsonSection(BrokerSection, frozen=True):
    """``kind = "mqtt-json"``: one record a publish, as JSON."""

    topic: Annotated[str, msgspec.Meta(pattern=r"\A[^\x00]{1,512}\Z")] = "weldgate/1/{collector}/json/{device}"
    qos: Annotated[int, msgspec.Meta(ge=0, le=1)] = 1
    protocol: Literal[4, 5] = 4
    proof: Literal["echo", "answer", "puback"] = "echo"
    proof_timeout_s: Annotated[float, msgspec.Meta(gt=0, le=45)] = 15.0
    answer_topic: _Text = ""
    answer_id: str = "id"
    answer_ref: Annotated[str, msgspec.Meta(min_length=1, max_length=512)] = "{id}"
    answer_ok: str = "ok"
    answer_good: Annotated[tuple[bool | int | str, ...], msgspec.Meta(min_length=1, max_length=64)] = (True, 1)
    answer_reason: str = "reason"
    window: _Window = 2_000
    tries: _Tries = 5
    record: RecordSection = RecordSection()


class FileSection(UpstreamSection, frozen=True):
    """``kind = "file"``: JSON lines in a folder."""

    folder: Annotated[str, msgspec.Meta(pattern=r"\A[^\x00]+\Z")]
    rotate_mb: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 64
    rotate_s: Annotated[int, msgspec.Meta(ge=1, le=31_536_000)] = 86_400
    keep_files: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 0
    window: _Window = 4_000
    tries: _Tries = 5
    backoff_max_s: _Seconds = 30.0
    record: RecordSection = RecordSection()
