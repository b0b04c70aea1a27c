"""SM2 keys of an issuer: PEM as OpenSSL writes it, signatures that chips and gmalg accept, sites that sign by them."""

import secrets
import shutil
import subprocess
from functools import partial
from pathlib import Path
from random import Random

import gmalg
import pytest

from weldgate_issuer import Issuer, IssuerError, SigningKey, read_backup, token_text, write_backup
from weldgate_issuer.sm2_key import SM2PrivateKey
from weldgate_protocol import claims, cose, keyset, order, p256, reasons, sm2, token

NOW = 1795500000
DEVICE = bytes(7) + b"\x07"


def test_signature_is_accepted_by_chip_and_oracle() -> None:
    """Each signature is new, and both verifiers say yes to it and no to another message's."""
    key = SM2PrivateKey.generate()
    signature = key.sign(b"message")

    assert p256.run(sm2.verify_steps(key.public64, b"message", signature))
    assert not p256.run(sm2.verify_steps(key.public64, b"massage", signature))
    oracle = gmalg.SM2(uid=sm2.SIGNER, pk=b"\x04" + key.public64)
    assert oracle.verify(b"message", signature[:32], signature[32:])
    assert key.sign(b"message") != signature


@pytest.mark.parametrize(("seed", "half"), [(10, slice(32, 64)), (42, slice(0, 32))])
def test_number_that_begins_with_zeros_keeps_its_length(
    monkeypatch: pytest.MonkeyPatch, seed: int, half: slice
) -> None:
    """One signature of 128 has a short half: it is 64 bytes all the same, and good. The seeds give such halves."""
    key = SM2PrivateKey((7).to_bytes(32, "big"))
    monkeypatch.setattr(gmalg, "SM2", partial(gmalg.SM2, rnd_fn=Random(seed).getrandbits))

    signature = key.sign(b"message")

    assert len(signature) == 64
    assert signature[half][0] == 0
    assert p256.run(sm2.verify_steps(key.public64, b"message", signature))


def test_small_secret_is_a_key_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """One secret of 256 begins with a zero byte, as here."""
    monkeypatch.setattr(secrets, "randbelow", lambda bound: 5)

    assert SM2PrivateKey.generate().public64 == SM2PrivateKey((6).to_bytes(32, "big")).public64


def test_pem_round_trip() -> None:
    """A key read back from its PEM is the same key, and nothing secret shows."""
    key = SigningKey.generate(cose.SM2_SM3)

    again = SigningKey.from_pem(key.to_pem())

    assert (again.alg, again.public64, again.kid) == (cose.SM2_SM3, key.public64, key.kid)
    assert again.to_pem() == key.to_pem()
    assert key.kid == cose.key_id(key.public64, cose.SM2_SM3) != cose.key_id(key.public64)
    assert repr(key.private) == "SM2PrivateKey(...)"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl to ask")
def test_openssl_reads_it_and_its_own_keys_are_read(tmp_path: Path) -> None:
    """The form of the file is OpenSSL's, both ways."""
    key, path = SM2PrivateKey.generate(), tmp_path / "key.pem"
    path.write_bytes(key.to_pem())

    told = subprocess.run(
        ["openssl", "pkey", "-in", path, "-noout", "-text"], capture_output=True, text=True, check=True
    )
    made = subprocess.run(
        ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:SM2"], capture_output=True, check=True
    )

    assert key.public64.hex() in "".join(told.stdout.split()).replace(":", "")
    assert SM2PrivateKey.from_pem(made.stdout) is not None


def test_what_is_no_good_key_is_refused() -> None:
    """Zero, n - 1, a wrong length, and a file whose halves are two keys' are no keys; other files are another's."""
    for secret in (bytes(32), (sm2.CURVE.n - 1).to_bytes(32, "big"), b"\x01"):
        with pytest.raises(IssuerError) as caught:
            SM2PrivateKey(secret)
        assert caught.value.code == reasons.KEY_MALFORMED
    mixed = SM2PrivateKey.generate()
    mixed.public64 = SM2PrivateKey.generate().public64
    with pytest.raises(IssuerError, match="another's"):
        SigningKey.from_pem(mixed.to_pem())
    assert SM2PrivateKey.from_pem(SigningKey.generate().to_pem()) is None
    assert SM2PrivateKey.from_pem(b"") is None
    assert SM2PrivateKey.from_pem(b"-----BEGIN PRIVATE KEY-----\n!\n-----END PRIVATE KEY-----\n") is None
    with pytest.raises(IssuerError, match="algorithm -8"):
        SigningKey.generate(-8)


def test_site_signs_by_sm2(tmp_path: Path) -> None:
    """Tokens and orders of such a site pass a chip's own verifier, before and after it was written and read back."""
    made = Issuer.generate(NOW, alg=cose.SM2_SM3)
    made.save(tmp_path / "site")
    write_backup(made, tmp_path / "backup", "a phrase of several words")
    restored = read_backup(tmp_path / "backup", "a phrase of several words")
    for issuer in (made, Issuer.open(tmp_path / "site"), restored):
        key_set = issuer.issue_key_set(issued_s=NOW)
        trusted = keyset.decode(key_set)
        context = claims.Context(DEVICE, "", trusted, NOW, claims.QUALITY_SYNCED, lambda _: False, locks=[bytes(8)])

        made_token = issuer.issue_token(device=DEVICE, holder=bytes(8), issued_s=NOW)
        made_order = issuer.issue_order(order.RELEASE, device=DEVICE, lock=bytes(8), issued_s=NOW)

        assert [key.alg for key in trusted.keys] == [cose.SM2_SM3] * 3
        assert token.verify(token_text(made_token), context).device == DEVICE
        assert order.verify(order.RELEASE, made_order, context).lock == bytes(8)
        context.roots = list(issuer.root_publics)
        assert p256.run(keyset.verify_steps(key_set, context)).version


def test_index_written_before_there_was_a_choice_is_of_es256(tmp_path: Path) -> None:
    """An `issuer.json` without algorithms is read as it was meant."""
    Issuer.create(tmp_path / "site", NOW)
    path = tmp_path / "site" / "issuer.json"
    path.write_text(path.read_text().replace(',\n      "alg": -7', ""))

    assert '"alg"' not in path.read_text()
    assert {key.alg for key in Issuer.open(tmp_path / "site").keys} == {cose.ES256}
