"""The passphrase-encrypted backup: comes back whole, and only with file and passphrase unharmed."""

import json
import stat
from pathlib import Path

import pytest

from weldgate_issuer import Issuer, IssuerError, read_backup, write_backup
from weldgate_protocol import order, reasons

NOW = 1795500000
PASSPHRASE = "a dozen welders"


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    """Write a site's backup."""
    write_backup(Issuer.generate(NOW, "4110"), tmp_path / "backup.json", PASSPHRASE)
    return tmp_path / "backup.json"


def test_backup_restores_the_site(tmp_path: Path) -> None:
    """A restored site derives and signs the same, counts versions on, and can be saved again."""
    made = Issuer.generate(NOW, "4110")
    made.next_version(order.CONFIG, NOW)
    write_backup(made, tmp_path / "backup.json", PASSPHRASE)

    got = read_backup(tmp_path / "backup.json", PASSPHRASE)
    got.save(tmp_path / "site")

    assert got.root_secret == made.root_secret
    assert got.root_publics == made.root_publics
    assert [key.kid for key in Issuer.open(tmp_path / "site").keys] == [key.kid for key in made.keys]
    assert got.next_version(order.CONFIG, NOW) == NOW + 1


def test_backup_is_for_its_owner_only(backup: Path) -> None:
    """The file has mode 0600 and shows no key."""
    text = backup.read_text()

    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert "PRIVATE" not in text
    assert sorted(json.loads(text)) == ["format", "n", "nonce", "salt", "sealed"]


def test_other_passphrase_is_refused(backup: Path) -> None:
    """With another passphrase nothing comes out."""
    with pytest.raises(IssuerError) as caught:
        read_backup(backup, PASSPHRASE + "!")

    assert caught.value.code == reasons.TOOL_BAD_INPUT


def test_short_passphrase_is_refused(tmp_path: Path) -> None:
    """Fewer than 12 characters protect nothing and are refused before anything is written."""
    with pytest.raises(IssuerError) as caught:
        write_backup(Issuer.generate(NOW), tmp_path / "backup.json", "short")

    assert caught.value.code == reasons.TOOL_BAD_INPUT
    assert not (tmp_path / "backup.json").exists()


def test_existing_backup_is_never_overwritten(backup: Path) -> None:
    """A backup is not replaced by another."""
    before = backup.read_bytes()

    with pytest.raises(IssuerError) as caught:
        write_backup(Issuer.generate(NOW), backup, PASSPHRASE)

    assert caught.value.code == reasons.TOOL_EXISTS
    assert backup.read_bytes() == before


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "other"},
        {"n": 1 << 30},
        {"n": "32768"},
        {"n": 3},
        {"n": True},
        {"salt": "zz"},
        {"salt": "00"},
        {"nonce": ""},
        {"sealed": "????"},
        {"sealed": ""},
        {"sealed": "AAAA"},
    ],
)
def test_changed_backup_is_refused(backup: Path, changes: dict[str, object]) -> None:
    """A change anywhere, also one that would cost a gigabyte, is refused with a sentence."""
    backup.write_text(json.dumps({**json.loads(backup.read_text()), **changes}))

    with pytest.raises(IssuerError) as caught:
        read_backup(backup, PASSPHRASE)

    assert caught.value.code == reasons.TOOL_BAD_INPUT


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff\xfe", b"null"])
def test_other_files_are_refused(backup: Path, content: bytes) -> None:
    """A file that is no backup is refused with a sentence."""
    backup.write_bytes(content)

    with pytest.raises(IssuerError) as caught:
        read_backup(backup, PASSPHRASE)

    assert caught.value.code == reasons.TOOL_BAD_INPUT
