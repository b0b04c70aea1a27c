"""A new configuration is taken whole or not at all."""

from pathlib import Path

import pytest

from weldgate_collector import CollectorConfigError, entry
from weldgate_collector.config import Config, load_config, parse_config
from weldgate_collector.reload import AT_ONCE, Reload, differences

TEXT = '[collector]\nname = "t"\n\n[tcp]\nport = 7460\n\n[links]\nthrottle_s = 30.0\n'


class House:
    """What a reload acts on."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "collector.toml"
        self.path.write_text(TEXT, "utf-8")
        self.applied: list[Config] = []
        self.refuse = False
        self.reload = Reload(self.path, load_config(self.path), self._check, self.applied.append)

    def _check(self, _config: Config) -> None:
        if self.refuse:
            raise CollectorConfigError(521, "platform.password: can't be read")

    def write(self, old: str, new: str) -> None:
        """Change the file."""
        self.path.write_text(TEXT.replace(old, new), "utf-8")


def test_what_can_change_at_once_does(tmp_path: Path) -> None:
    """And nothing is due at the next start."""
    house = House(tmp_path)
    house.write("30.0", "5.0")

    assert house.reload.reload()
    assert house.applied[0].links.throttle_s == 5.0
    assert house.reload.told() == {"trouble": "", "restart_needed": []}


def test_what_can_not_is_named_until_it_is_taken_back(tmp_path: Path) -> None:
    """The rest of the file holds all the same."""
    house = House(tmp_path)
    house.path.write_text(TEXT.replace("7460", "7461").replace("30.0", "5.0"), "utf-8")

    assert house.reload.reload()
    assert house.reload.restart == ["tcp.port"]
    assert house.applied[0].links.throttle_s == 5.0
    house.write("7460", "7460")
    assert house.reload.reload()
    assert house.reload.restart == []


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("throttle_s", "throtle_s", "line 8: unknown key `links.throtle_s`"),
        ("7460", "70000", "line 5: key `tcp.port`"),
        ("[tcp]", "[tcp", "line 4"),
    ],
)
def test_wrong_file_changes_nothing_and_says_where(tmp_path: Path, old: str, new: str, told: str) -> None:
    """Until it is mended and read again."""
    house = House(tmp_path)
    house.write(old, new)

    assert not house.reload.reload()
    assert told in house.reload.trouble
    assert house.applied == []
    assert house.reload.config.links.throttle_s == 30.0
    house.write("x", "x")
    assert house.reload.reload()
    assert house.reload.trouble == ""


def test_secret_that_can_not_be_read_changes_nothing(tmp_path: Path) -> None:
    """What a start would refuse, a reload refuses."""
    house = House(tmp_path)
    house.refuse = True

    assert not house.reload.reload()
    assert "password" in house.reload.trouble


def test_what_a_link_needs_is_looked_at_too(tmp_path: Path) -> None:
    """A link that a start could not have is refused; a new one that it could have holds from the next start."""
    path = tmp_path / "collector.toml"
    path.write_text(TEXT, "utf-8")
    applied: list[Config] = []
    reload = Reload(path, load_config(path), entry._check_files, applied.append)
    path.write_text(TEXT + '[mqtt]\nusername = "u"\npassword_file = "broker.password"\n', "utf-8")

    assert not reload.reload()
    assert "broker.password" in reload.trouble
    path.write_text(TEXT + '[tls]\ncertificate_file = "tls.pem"\nkey_file = "tls.key"\n', "utf-8")
    assert not reload.reload()
    assert "tls.pem" in reload.trouble or "tls.key" in reload.trouble
    assert applied == []
    (tmp_path / "broker.password").write_text("secret word", "utf-8")
    (tmp_path / "broker.password").chmod(0o600)
    path.write_text(TEXT + 'record_max_mb = 5\n[mqtt]\npassword_file = "broker.password"\n', "utf-8")
    assert reload.reload()
    assert reload.restart == ["mqtt", "links.record_max_mb"]


def test_differences_name_keys_or_whole_tables() -> None:
    """A table that comes or goes is one name."""
    one = parse_config(TEXT)
    other = parse_config(TEXT.replace("[tcp]\nport = 7460", "").replace("30.0", "1.0"))

    assert differences(one, one) == []
    assert differences(one, other) == ["tcp", "links.throttle_s"]


def test_every_key_that_holds_at_once_exists() -> None:
    """No name in the list is misspelt."""
    config = parse_config(TEXT)
    for key in AT_ONCE:
        table, _, name = key.partition(".")
        assert name in getattr(config, table).__struct_fields__, key
