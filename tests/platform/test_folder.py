"""The folder: settings that name what is wrong, secrets that nobody else may read, one setting for PostgreSQL."""

from pathlib import Path

import pytest

from weldgate_issuer.errors import IssuerError
from weldgate_platform.folder import (
    Database,
    FolderError,
    Secrets,
    Settings,
    collector_keys,
    create_folder,
    parse_database,
)
from weldgate_protocol import reasons


def test_new_folder_reads_back_and_is_ours_alone(tmp_path: Path) -> None:
    """Settings have their defaults; secrets are of mode 0600 and differ from another folder's."""
    create_folder(tmp_path / "a", "411081")
    create_folder(tmp_path / "b", "4110")

    assert Settings.read(tmp_path / "a") == Settings()
    assert Settings.read(tmp_path / "b").site.area == "4110"
    one, other = Secrets.read(tmp_path / "a"), Secrets.read(tmp_path / "b")
    assert {one.django, one.metrics, one.identity, one.search}.isdisjoint(
        {other.django, other.metrics, other.identity, other.search}
    )
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "a" / "secrets").iterdir()} == {0o600}


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """A second init says so."""
    create_folder(tmp_path, "411081")

    with pytest.raises(FolderError) as caught:
        create_folder(tmp_path, "411081")

    assert caught.value.code == reasons.TOOL_EXISTS


@pytest.mark.parametrize("area", ["", "41108", "禹州", "４１１０８１", '41"\n'])
def test_area_is_a_code(tmp_path: Path, area: str) -> None:
    """What goes into the settings cannot break them."""
    with pytest.raises(FolderError) as caught:
        create_folder(tmp_path / "new", area)

    assert caught.value.code == reasons.TOOL_BAD_INPUT
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("text", "told"),
    [("[site]\nsecure = 1\n", "$.site.secure"), ("[site]\nsecret = 1\n", "secret"), ("[site", "platform.toml")],
)
def test_wrong_setting_is_named(tmp_path: Path, text: str, told: str) -> None:
    """An unknown or mistyped key stops the platform and is told."""
    (tmp_path / "platform.toml").write_text(text, encoding="utf-8")

    with pytest.raises(FolderError, match=told.replace("$", r"\$")) as caught:
        Settings.read(tmp_path)

    assert caught.value.code == reasons.TOOL_CONFIG


def test_secret_that_others_may_read_is_refused(tmp_path: Path) -> None:
    """As the issuer's are."""
    create_folder(tmp_path, "411081")
    (tmp_path / "secrets" / "identity.key").chmod(0o644)

    with pytest.raises(IssuerError) as caught:
        Secrets.read(tmp_path)

    assert caught.value.code == reasons.TOOL_PERMISSIONS


def test_collectors_are_known_by_name_and_key_file(tmp_path: Path) -> None:
    """Relative to the settings; two of one name, or a file that holds no key, stop the platform."""
    create_folder(tmp_path, "411081")
    key = tmp_path / "site.key"
    key.write_text("ab" * 32, encoding="utf-8")
    key.chmod(0o600)
    path = tmp_path / "platform.toml"
    one = '\n[[collector]]\nname = "site"\nkey_file = "site.key"\n'
    plain = path.read_text(encoding="utf-8")
    assert collector_keys(tmp_path) == {}

    path.write_text(plain + one, encoding="utf-8")
    assert collector_keys(tmp_path) == {"site": bytes.fromhex("ab" * 32)}
    for wrong in (plain + one + one, plain + one.replace('"site"', '"a/b"')):
        path.write_text(wrong, encoding="utf-8")
        with pytest.raises(FolderError):
            collector_keys(tmp_path)


@pytest.mark.parametrize("content", ["zz", "00" * 31])
def test_damaged_key_is_refused(tmp_path: Path, content: str) -> None:
    """A key that is none would make all that is sealed with it unreadable."""
    create_folder(tmp_path, "411081")
    (tmp_path / "secrets" / "search.key").write_text(content, encoding="utf-8")

    with pytest.raises(FolderError, match=r"search\.key") as caught:
        Secrets.read(tmp_path)

    assert caught.value.code == reasons.TOOL_CONFIG


def test_one_setting_names_the_database() -> None:
    """Empty is SQLite; a password may hold what an address may not."""
    assert parse_database("") == Database()
    assert parse_database("postgresql://weld:p%40ss@db.local:5433/weldgate") == Database(
        "weld", "p@ss", "db.local", 5433, "weldgate"
    )
    assert parse_database("postgresql://u@/w?host=/run/pg") == Database("u", "", "/run/pg", 5432, "w")


@pytest.mark.parametrize("url", ["mysql://a@b/c", "postgresql://b", "postgresql:///c", "postgresql://u:pw@h:x/c"])
def test_wrong_database_is_refused_without_its_password(url: str) -> None:
    """The message can be shown to anybody."""
    with pytest.raises(FolderError) as caught:
        parse_database(url)

    assert caught.value.code == reasons.TOOL_CONFIG
    assert "pw" not in str(caught.value)
    assert "p@ss" not in repr(parse_database("postgresql://weld:p%40ss@db.local/weldgate"))
