"""Configuration: what is accepted, and errors that name key and line."""

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from weldgate_collector.config import load_config, parse_config
from weldgate_collector.errors import CollectorConfigError
from weldgate_collector.upstream.adapters import kinds

GOOD = """
[collector]
name = "yuzhou-1"

[tcp]
port = 7460

[[upstream]]
name = "platform"
port = 1883

[[upstream]]
name = "province"
window_packs = 4
"""


def test_good_configuration_is_read_with_defaults() -> None:
    """What the file leaves out has its default, what it says is taken."""
    config = parse_config(GOOD)

    assert config.collector.name == "yuzhou-1"
    assert config.tcp is not None
    assert config.links.max_unauthenticated == 12_000
    assert [upstream.name for upstream in config.upstream] == ["platform", "province"]
    assert config.upstream[1].window_packs == 4
    assert config.metrics is None


@pytest.mark.parametrize(
    ("old", "new", "line", "key"),
    [
        ("port = 7460", "prot = 7460", 6, "tcp.prot"),
        ("port = 7460", 'port = "x"', 6, "tcp.port"),
        ("port = 7460", "port = 70000", 6, "tcp.port"),
        ('name = "yuzhou-1"', 'name = "a/b"', 3, "collector.name"),
        ('name = "yuzhou-1"', "", 2, "collector.name"),
        ("window_packs = 4", "window_packs = 0", 14, "upstream[1].window_packs"),
        ('name = "province"', 'name = "platform"', 13, "upstream[1].name"),
        ("[tcp]", "[tpc]", 5, "tpc"),
        ("port = 1883", 'kind = "kafka"', 10, "upstream[0].kind"),
        ("port = 1883", 'kind = "file"', 8, "upstream[0].folder"),
        ("port = 1883", "required = 1", 10, "upstream[0].required"),
        ('name = "yuzhou-1"', 'name = "yuzhou-1\\n"', 3, "collector.name"),
        ("port = 7460", 'host = "a\\u0000b"', 6, "tcp.host"),
        ("[tcp]", '[[serial]]\nname = "tcp"\nport = "tty"\n[tcp]', 6, "serial[0].name"),
        ("[tcp]", '[[serial]]\nname = "a"\nport = "tty"\n' * 2 + "[tcp]", 9, "serial[1].name"),
        ("[tcp]", '[[serial]]\nname = "a"\nport = "tty"\ndevices = ["07"]\n[tcp]', 8, "serial[0].devices[0]"),
        ("[tcp]", '[mqtt]\nup_topic = "a/+/{device}"\n[tcp]', 6, "mqtt.up_topic"),
        ("[tcp]", '[mqtt]\ndown_topic = "a/b"\n[tcp]', 6, "mqtt.down_topic"),
        ("[tcp]", '[tls]\nkey_file = "a"\n[tcp]', 5, "tls.certificate_file"),
        ("port = 7460", f'host = "{"a" * 64}"', 6, "tcp.host"),
        ("port = 7460", 'host = "a..b"', 6, "tcp.host"),
        ("window_packs = 4", 'password_file = "a\\u0000b"', 14, "upstream[1].password_file"),
        ('name = "yuzhou-1"', 'name = "t"\nchips_file = "a\\u0000b"', 4, "collector.chips_file"),
    ],
)
def test_error_names_key_and_line(old: str, new: str, line: int, key: str) -> None:
    """A wrong value, an unknown key and a missing one are each told with their place."""
    with pytest.raises(CollectorConfigError) as caught:
        parse_config(GOOD.replace(old, new, 1), source="site.toml")

    assert f"site.toml: line {line}:" in str(caught.value)
    assert f"`{key}`" in str(caught.value)


def test_not_toml_names_the_line() -> None:
    """A syntax error names its line."""
    with pytest.raises(CollectorConfigError, match="line 2"):
        parse_config('[collector]\nname "x"\n')


def test_number_of_too_many_digits_is_a_configuration_error() -> None:
    """Python itself refuses to read it, with an error of its own."""
    with pytest.raises(CollectorConfigError):
        parse_config(GOOD.replace("7460", "7" * 5_000, 1))


def test_missing_section_is_told() -> None:
    """An empty file says which table is missing."""
    with pytest.raises(CollectorConfigError, match="`collector` is missing"):
        parse_config("")


def test_folder_is_no_key_of_the_file() -> None:
    """The program's own field can't be set from the file."""
    with pytest.raises(CollectorConfigError, match="unknown key `folder`"):
        parse_config('folder = "/"\n' + GOOD)


def test_relative_paths_count_from_the_file(tmp_path: Path) -> None:
    """A configuration can be moved together with its data."""
    (tmp_path / "site.toml").write_text(GOOD, encoding="utf-8")

    config = load_config(tmp_path / "site.toml")

    assert config.data_dir == tmp_path / "data"
    assert config.control_socket == tmp_path / "data" / "control.sock"


def test_unreadable_file_is_a_configuration_error(tmp_path: Path) -> None:
    """A missing file is told by name."""
    with pytest.raises(CollectorConfigError, match=r"nowhere\.toml"):
        load_config(tmp_path / "nowhere.toml")


def test_kinds_are_found_by_entry_point() -> None:
    """Those of weldgate itself; an unknown one is told with what there is."""
    assert {"file", "mqtt", "mqtt-json"} <= set(kinds())
    with pytest.raises(CollectorConfigError, match="there are: file, mqtt, mqtt-json"):
        parse_config(GOOD.replace("port = 1883", 'kind = "kafka"'))


def test_entry_point_that_is_no_adapter_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else's mistake, or a library of it that is missing."""
    wrong = [
        EntryPoint("odd", "weldgate_collector.config:load_config", "weldgate.upstream"),
        EntryPoint("gone", "no_such_module:ADAPTER", "weldgate.upstream"),
    ]
    monkeypatch.setattr(
        "weldgate_collector.upstream.adapters.entry_points",
        lambda group, name: [point for point in wrong if point.name == name and point.group == group],
    )
    with pytest.raises(CollectorConfigError, match="is no adapter"):
        parse_config(GOOD.replace("port = 1883", 'kind = "odd"'))
    with pytest.raises(CollectorConfigError, match="can't be loaded"):
        parse_config(GOOD.replace("port = 1883", 'kind = "gone"'))
