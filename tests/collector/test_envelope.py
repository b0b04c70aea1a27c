"""Envelopes of orders and results: round trip, and every refusal (host only, so not among the chip's suites)."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weldgate_protocol import reasons
from weldgate_protocol.envelope import (
    OBJECT_MAX,
    OrderEnvelope,
    ResultEnvelope,
    decode_order,
    decode_result,
    encode_order,
    encode_result,
)
from weldgate_protocol.errors import EncodeError
from weldgate_protocol.pack import PackError

KEY = b"k" * 32
VECTORS = Path(__file__).resolve().parents[1] / "vectors"
VECTOR_KEY = bytes(range(100, 132))  # PACK_KEY of build_packs.py
ORDER = OrderEnvelope(b"\0" * 7 + b"\7", 0x85, b"signed")
RESULT = ResultEnvelope(b"o" * 8, b"\0" * 7 + b"\7", 0x85, 4, 41, 1_790_000_000)


def _vectors(name: str) -> list[Any]:
    cases: dict[str, list[Any]] = json.loads((VECTORS / "pack.json").read_text())
    return cases[name]


@pytest.mark.parametrize("kind", ["order", "result"])
def test_vectors_are_held(kind: str) -> None:
    """M-PACK-08: what another implementation made is read the same, and refused for the same reason."""
    for case in _vectors(kind):
        decode = decode_order if kind == "order" else decode_result
        data = bytes.fromhex(case["hex"])
        if "error" in case:
            with pytest.raises(PackError) as caught:
                decode(data, VECTOR_KEY)
            assert caught.value.code == case["error"], case["name"]
            continue
        found = decode(data, VECTOR_KEY)._asdict()
        for name, value in case["expect"].items():
            got = found[name]
            assert (got.hex() if isinstance(got, bytes) else got) == value, case["name"]


def test_round_trip() -> None:
    """What was put in comes out."""
    assert decode_order(encode_order(ORDER, KEY), KEY) == ORDER
    assert decode_result(encode_result(RESULT, KEY), KEY) == RESULT


@pytest.mark.parametrize("position", [0, 5, 13, -40, -1])
def test_changed_byte_is_refused(position: int) -> None:
    """The MAC covers everything."""
    for data, decode in ((encode_order(ORDER, KEY), decode_order), (encode_result(RESULT, KEY), decode_result)):
        changed = bytearray(data)
        changed[position] ^= 1
        with pytest.raises(PackError):
            decode(bytes(changed), KEY)


def test_another_key_is_refused() -> None:
    """Another collector's platform has no say here."""
    with pytest.raises(PackError) as caught:
        decode_order(encode_order(ORDER, b"o" * 32), KEY)

    assert caught.value.code == reasons.PACK_MAC


@pytest.mark.parametrize(
    "order",
    [
        ORDER._replace(device=b"x"),
        ORDER._replace(type=256),
        ORDER._replace(object=b""),
        ORDER._replace(object=bytes(OBJECT_MAX + 1)),
    ],
)
def test_order_that_does_not_fit_is_refused(order: OrderEnvelope) -> None:
    """Bounds hold on the way out too."""
    with pytest.raises(EncodeError):
        encode_order(order, KEY)


@pytest.mark.parametrize(
    "result", [RESULT._replace(order=b"x"), RESULT._replace(state=0), RESULT._replace(reason=1 << 16)]
)
def test_result_that_does_not_fit_is_refused(result: ResultEnvelope) -> None:
    """Bounds hold on the way out too."""
    with pytest.raises(EncodeError):
        encode_result(result, KEY)


@given(st.binary(max_size=1200))
def test_any_bytes_give_a_typed_error(data: bytes) -> None:
    """Whatever comes over the broker, the error is ours."""
    for decode in (decode_order, decode_result):
        with pytest.raises(PackError):
            decode(data, KEY)
        with pytest.raises(PackError):
            decode(b"WGO1" + data, KEY)
