"""Base45, envelopes and P-256: round trips, and nothing but declared errors."""

from collections.abc import Callable

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from hypothesis import example, given, settings
from hypothesis import strategies as st

from weldgate_protocol import base45, cbor, cose, p256
from weldgate_protocol.errors import CoseError

N = p256.CURVE.n
EDGES = [0, 1, 2, 3, N - 1, N - 2, N, N + 1, N // 2, 2**255, 2**256 - 1, p256.CURVE.p - N]
OPTIONAL = st.none() | st.sampled_from(EDGES) | st.integers(0, 2**256 - 1)
SECRETS = st.sampled_from(EDGES) | st.integers(1, N - 1)


def _or_code(call: Callable[[], object]) -> object:
    """Return what a call gives, or the number it refuses with; any other exception goes through."""
    try:
        return call()
    except CoseError as e:
        return e.code


@given(st.binary(max_size=300))
def test_base45_round_trip(data: bytes) -> None:
    """Any bytes come back from their text."""
    assert base45.decode(base45.encode(data)) == data


TEXTS = st.text(max_size=60) | st.text("0189AZ $%*+-./:", max_size=60) | st.text(st.characters(categories=["Cs"]))


@given(TEXTS)
@example("\ud800")
def test_base45_text_is_unique(text: str) -> None:
    """A text is refused with its reason, or is the one that its bytes encode to."""
    data = _or_code(lambda: base45.decode(text))

    assert data == 272 or (isinstance(data, bytes) and base45.encode(data) == text)


@given(st.binary(max_size=300))
def test_any_bytes_as_an_envelope(data: bytes) -> None:
    """Any bytes are an envelope that encodes back to them, or refused with a reason."""
    sign1 = _or_code(lambda: cose.parse_sign1(data))

    if isinstance(sign1, cose.Sign1):
        assert cbor.encode([sign1.protected, {}, sign1.payload, sign1.signature]) == data
    else:
        assert sign1 in (270, 271)


@given(st.integers(-(2**16), 2**16), st.binary(min_size=8, max_size=8), st.binary(max_size=100), st.binary(max_size=20))
def test_envelope_round_trip(alg: int, kid: bytes, payload: bytes, kind: bytes) -> None:
    """What is put into an envelope comes out, and the kind changes what is signed."""
    data = cbor.encode([cbor.encode({1: alg, 4: kid}), {}, payload, bytes(64)])

    sign1 = cose.parse_sign1(data)

    assert (sign1.alg, sign1.kid, sign1.payload) == (alg, kid, payload)
    assert cose.to_be_signed(sign1, kind) != cose.to_be_signed(sign1, kind + b"x")


@settings(max_examples=150, deadline=None)
@given(SECRETS, st.binary(min_size=32, max_size=32), OPTIONAL, OPTIONAL)
def test_verdicts_equal_those_of_cryptography(secret: int, digest: bytes, r: int | None, s: int | None) -> None:
    """Good, bent and invented signatures get the verdict that OpenSSL gives."""
    private = ec.derive_private_key(max(1, min(secret, N - 1)), ec.SECP256R1())
    numbers = private.public_key().public_numbers()
    good_r, good_s = utils.decode_dss_signature(private.sign(digest, ec.ECDSA(utils.Prehashed(hashes.SHA256()))))
    r, s = good_r if r is None else r, good_s if s is None else s
    try:
        der = utils.encode_dss_signature(r, s)
        private.public_key().verify(der, digest, ec.ECDSA(utils.Prehashed(hashes.SHA256())))
        expected = True
    except InvalidSignature:
        expected = False

    public64 = numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")

    assert p256.verify(public64, digest, r.to_bytes(32, "big") + s.to_bytes(32, "big")) == expected


@given(st.binary(max_size=70), st.binary(max_size=40), st.binary(max_size=70))
def test_any_bytes_as_a_signature_are_a_no(public64: bytes, digest: bytes, signature: bytes) -> None:
    """Arbitrary arguments are a no and never an exception."""
    assert p256.verify(public64, digest, signature) is False


def test_run_hands_errors_on() -> None:
    """An error inside a resumable routine reaches who runs it."""

    def steps():  # type: ignore[no-untyped-def]
        yield
        raise CoseError(270, "inside")

    with pytest.raises(CoseError):
        p256.run(steps())
