"""What is shipped beside the code for those who operate a collector: a systemd unit and a Grafana dashboard."""

from importlib import resources
from pathlib import Path

from .config import Config

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
        ("DATA", _quoted(config.data_dir.absolute())),
        ("USER", user),
    ):
        text = text.replace(f"@{name}@", value)
    return text


def dashboard_text() -> str:
    """Return the Grafana dashboard, JSON; it asks for a Prometheus data source when it is imported."""
    return _read("grafana-dashboard.json")


def _read(name: str) -> str:
    return resources.files(__package__).joinpath(_FOLDER, name).read_text(encoding="utf-8")


def _quoted(path: Path) -> str:
    """Return a path as systemd reads it: % doubled, quoted where it has a space or a quote."""
    text = str(path).replace("%", "%%")
    if any(sign in text for sign in " \t\"'\\"):
        text = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return text
