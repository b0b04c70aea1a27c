"""A site's folder: what is kept, with which modes, and what works without the keys that were moved away."""

import stat
from pathlib import Path

import pytest

from weldgate_issuer import Issuer, IssuerError, SigningKey
from weldgate_protocol import cose, keyset, order, reasons, token
from weldgate_protocol.claims import read_payload
from weldgate_protocol.keys import unwrap

NOW = 1795500000
DEVICE = bytes(7) + b"\x07"


def test_site_comes_back_as_it_was(tmp_path: Path) -> None:
    """A site read from its folder has the same secret, roots, keys and versions."""
    made = Issuer.create(tmp_path / "site", NOW, "4110")
    made.issue_key_set(issued_s=NOW)

    got = Issuer.open(tmp_path / "site")

    assert got.root_secret == made.root_secret
    assert got.root_publics == made.root_publics
    assert [key.kid for key in got.keys] == [key.kid for key in made.keys]
    assert [key.area for key in got.keys] == ["4110"] * 3
    assert got.next_version(order.KEY_SET, NOW) == NOW + 1


def test_nobody_else_may_read_the_folder(tmp_path: Path) -> None:
    """The folder has mode 0700 and each file 0600, and no half-written file stays."""
    Issuer.create(tmp_path / "site", NOW)

    assert stat.S_IMODE((tmp_path / "site").stat().st_mode) == 0o700
    files = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "site").iterdir()}
    assert files == dict.fromkeys(
        [
            "issuer.json",
            "key-emergency.pem",
            "key-service.pem",
            "key-start.pem",
            "root-offline.pem",
            "root-online.pem",
            "root.secret",
        ],
        0o600,
    )


def test_index_holds_no_secret(tmp_path: Path) -> None:
    """issuer.json names public halves and limits, nothing that signs or derives."""
    made = Issuer.create(tmp_path / "site", NOW)

    text = (tmp_path / "site" / "issuer.json").read_text()

    assert made.root_secret.hex() not in text
    assert "PRIVATE" not in text


@pytest.mark.parametrize("name", ["root.secret", "key-start.pem", "root-online.pem", "issuer.json"])
def test_readable_by_others_is_refused(tmp_path: Path, name: str) -> None:
    """A secret that others may read is not used until its mode is right again."""
    Issuer.create(tmp_path / "site", NOW)
    (tmp_path / "site" / name).chmod(0o644)

    with pytest.raises(IssuerError) as caught:
        Issuer.open(tmp_path / "site")

    assert caught.value.code == reasons.TOOL_PERMISSIONS


def test_existing_site_is_never_overwritten(tmp_path: Path) -> None:
    """Creating a site where one is leaves that one alone."""
    Issuer.create(tmp_path / "site", NOW)
    before = (tmp_path / "site" / "root.secret").read_bytes()

    with pytest.raises(IssuerError) as caught:
        Issuer.create(tmp_path / "site", NOW)

    assert caught.value.code == reasons.TOOL_EXISTS
    assert (tmp_path / "site" / "root.secret").read_bytes() == before


def test_site_works_without_the_keys_kept_elsewhere(tmp_path: Path) -> None:
    """With offline root and emergency key gone, key sets still name all keys and tokens are still signed."""
    made = Issuer.create(tmp_path / "site", NOW)
    (tmp_path / "site" / "root-offline.pem").unlink()
    (tmp_path / "site" / "key-emergency.pem").unlink()

    got = Issuer.open(tmp_path / "site")
    key_set = keyset.decode(got.issue_key_set(issued_s=NOW))

    assert [key.kid for key in key_set.keys] == [key.kid for key in made.keys]
    assert got.root_publics == made.root_publics
    assert got.issue_token(device=DEVICE, holder=bytes(8), issued_s=NOW)
    with pytest.raises(IssuerError) as caught:
        got.issue_token(device=DEVICE, holder=bytes(8), issued_s=NOW, purpose=token.PURPOSE_EMERGENCY)
    assert caught.value.code == reasons.TOOL_NOT_FOUND
    with pytest.raises(IssuerError) as caught:
        got.issue_key_set(issued_s=NOW, root="offline")
    assert caught.value.code == reasons.TOOL_NOT_FOUND


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("issuer.json", b"{", reasons.TOOL_CONFIG),
        ("issuer.json", b"[]", reasons.TOOL_CONFIG),
        ("issuer.json", b"[" * 100_000, reasons.TOOL_CONFIG),
        ("issuer.json", b'{"format": 1, "roots": [], "keys": [], "versions": {"a": Infinity}}', reasons.TOOL_CONFIG),
        ("issuer.json", b'{"format": 2}', reasons.TOOL_CONFIG),
        ("issuer.json", b'{"format": 1, "roots": ["x"], "keys": [], "versions": {}}', reasons.TOOL_CONFIG),
        ("issuer.json", b'{"format": 1, "roots": [], "keys": [{}], "versions": {}}', reasons.TOOL_CONFIG),
        ("root.secret", b"zz", reasons.KEY_MALFORMED),
        ("root.secret", b"\xff", reasons.KEY_MALFORMED),
        ("root.secret", b"00", reasons.KEY_MALFORMED),
        ("key-start.pem", b"", reasons.KEY_MALFORMED),
    ],
)
def test_damaged_files_are_named(tmp_path: Path, name: str, content: bytes, code: int) -> None:
    """A damaged file gives a numbered sentence, not a traceback of json or cryptography."""
    Issuer.create(tmp_path / "site", NOW)
    (tmp_path / "site" / name).write_bytes(content)

    with pytest.raises(IssuerError) as caught:
        Issuer.open(tmp_path / "site")

    assert caught.value.code == code


def test_exchanged_key_file_is_noticed(tmp_path: Path) -> None:
    """A PEM that is not of the key issuer.json names is refused."""
    Issuer.create(tmp_path / "site", NOW)
    (tmp_path / "site" / "key-service.pem").replace(tmp_path / "site" / "key-start.pem")

    with pytest.raises(IssuerError) as caught:
        Issuer.open(tmp_path / "site")

    assert caught.value.code == reasons.KEY_MALFORMED


def test_missing_site_is_named(tmp_path: Path) -> None:
    """A folder without a site says so."""
    with pytest.raises(IssuerError) as caught:
        Issuer.open(tmp_path)

    assert caught.value.code == reasons.TOOL_NOT_FOUND


def test_version_is_kept_before_it_is_used(tmp_path: Path) -> None:
    """A version given out is on disk, so that no restart gives it out twice."""
    made = Issuer.create(tmp_path / "site", NOW)
    version = made.next_version(order.CONFIG, NOW)

    assert Issuer.open(tmp_path / "site").next_version(order.CONFIG, NOW) == version + 1


def test_a_key_kept_elsewhere_signs_with_the_site_s_public_index_alone(tmp_path: Path) -> None:
    """The duty officer's folder holds `issuer.json` and the emergency key: no root secret, no other key."""
    issuer = Issuer.create(tmp_path / "issuer", NOW)
    safe = tmp_path / "safe"
    safe.mkdir()
    for name in ("issuer.json", "key-emergency.pem"):
        (safe / name).write_bytes((tmp_path / "issuer" / name).read_bytes())
        (safe / name).chmod(0o600)
    key = Issuer.key_from(safe, safe / "key-emergency.pem")
    (tmp_path / "stranger.pem").write_bytes(SigningKey.generate().to_pem())
    (tmp_path / "stranger.pem").chmod(0o600)

    assert (key.name, key.scopes) == ("emergency", keyset.SCOPE_EMERGENCY)
    assert key.kid == issuer.index.keys["emergency"].kid
    with pytest.raises(IssuerError) as refused:
        Issuer.key_from(safe, tmp_path / "stranger.pem")
    assert refused.value.code == reasons.TOOL_NOT_FOUND


def test_rekey_wraps_the_next_generation_for_one_chip() -> None:
    """M-KEY-04: only K_seal of the generation in force opens it, and the chip's verifier takes the order."""
    issuer = Issuer.generate(NOW)
    device = (7).to_bytes(8, "big")
    data = issuer.issue_rekey(device, 4, issued_s=NOW)
    found = order.TABLES[order.REKEY][1]
    claims = read_payload(cose.parse_sign1(data).payload, found, order.CODES)
    new = issuer.chip_secrets(device, 5)
    k_seal = issuer.chip_secrets(device, 4).seal

    assert claims["version"] == 5
    assert unwrap(k_seal, claims["id"], 5, claims["wrapped"]) == new.up + new.down + new.seal
    assert issuer.issue_rekey(device, 4, issued_s=NOW) != data
