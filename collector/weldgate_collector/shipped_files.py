"""What is shipped beside the code for those who operate a collector: a systemd unit and a Grafana dashboard."""

from importlib import resources
from pathlib import Path

from .config import Config
from .upstream.settings import FileSection

__all__ = ["dashboard_text", "unit_text"]

_FOLDER = "shipped"


def unit_text(config: Config, config_path: Path, program: Path, user: str) -> str:
    """Return the systemd unit of one collector.

    Args:
        config: its configuration.
        config_path: where that stands.
        program: the `weldgate` command.
        user: whom it runs as.
    """
    text = _read("weldgate-collector.service")
    for name, value in (
        ("NAME", config.collector.name),
        ("PROGRAM", _quoted(program.absolute())),
        ("CONFIG", _quoted(config_path.absolute())),
        ("WRITES", _writes(config)),
        ("USER", user),
    ):
        text = text.replace(f"@{name}@", value)
    return text


def dashboard_text() -> str:
    """Return the Grafana dashboard, JSON; it asks for a Prometheus data source when it is imported."""
    return _read("grafana-dashboard.json")


def _read(name: str) -> str:
    return resources.files(__package__).joinpath(_FOLDER, name).read_text(encoding="utf-8")


def _writes(config: Config) -> str:
    """Return where the collector writes: its data, its socket's folder, and files for others, which may be missing."""
    data = config.data_dir.absolute()
    more = [config.control_socket.absolute().parent]
    more += [config.path(one.folder).absolute() for one in config.upstream if isinstance(one, FileSection)]
    optional = [_quoted(path, "-") for path in dict.fromkeys(more) if not path.is_relative_to(data)]
    return " ".join([_quoted(data), *optional])


def _quoted(path: Path, before: str = "") -> str:
    """Return a path as systemd reads it: % doubled, quoted where it has a space or a quote."""
    text = before + str(path).replace("%", "%%")
    if any(sign in text for sign in " \t\"'\\"):
        text = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return text
