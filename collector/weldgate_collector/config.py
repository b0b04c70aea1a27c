"""The collector's configuration: TOML in, one immutable ``Config`` out.

Decides which keys exist, their types, ranges and defaults. Opens no socket and no database; relative paths count from
the configuration file's folder. Every error names the file, the line and the key, so that it can be mended without a
manual.
"""

import re
import tomllib
from pathlib import Path
from typing import Annotated, Any

import msgspec

from weldgate_protocol.reasons import TOOL_CONFIG

from .errors import CollectorConfigError
from .upstream.adapters import adapter
from .upstream.base import SettingError
from .upstream.settings import FileName, Host, Name, UpstreamSection

__all__ = [
    "CollectorSection",
    "Config",
    "ControlSection",
    "LinksSection",
    "LogSection",
    "MetricsSection",
    "MqttSection",
    "SerialSection",
    "StoreSection",
    "TcpSection",
    "TlsSection",
    "UpstreamSection",
    "load_config",
    "parse_config",
]

_Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
_LineName = Annotated[str, msgspec.Meta(pattern=r"\A(?!(tcp|tls|mqtt|memory)\Z)[A-Za-z0-9_-]{1,32}\Z")]  # a link's own
_Device = Annotated[str, msgspec.Meta(pattern=r"\A(0|[1-9][0-9]{0,18})\Z")]  # a chip's number
# One level holds the chip's number; no wildcard, since the link makes its own.
_Topic = Annotated[
    str, msgspec.Meta(pattern=r"\A([^+#{}\x00]|\{collector\})*(\A|/)\{device\}(/([^+#{}\x00]|\{collector\})*)?\Z")
]


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the file; an unknown key in it is an error, since it is most often a misspelt one."""


class CollectorSection(_Section, frozen=True):
    """Who this collector is and where its files are."""

    name: Name
    data_dir: FileName = "data"
    chips_file: FileName = "chips.jsonl"
    key_file: FileName = "collector.key"


class TcpSection(_Section, frozen=True):
    """The TCP link. Port 0 takes a free one, which the log names."""

    # Chips come from the site's network, and security holds on plain TCP (DESIGN §2.13).
    host: Host = "0.0.0.0"  # noqa: S104
    port: _Port = 7460
    max_connections: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 15_000


class TlsSection(_Section, frozen=True):
    """The TLS link, version 1.3 only. Clients must show a certificate where an authority for them is named."""

    certificate_file: FileName
    key_file: FileName
    client_ca_file: FileName = ""
    host: Host = "0.0.0.0"  # noqa: S104 - as TCP
    port: _Port = 7461
    max_connections: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 15_000
    handshake_s: Annotated[float, msgspec.Meta(gt=0, le=60)] = 10.0


class SerialSection(_Section, frozen=True):
    """A serial line: one that a chip speaks on by itself (USB), or a bus whose ``devices`` are polled (RS-485)."""

    name: _LineName
    port: Annotated[str, msgspec.Meta(pattern=r"\A[^\x00]{1,255}\Z")]
    baud: Annotated[int, msgspec.Meta(ge=1_200, le=4_000_000)] = 115_200
    devices: Annotated[tuple[_Device, ...], msgspec.Meta(max_length=247)] = ()
    poll_frames: Annotated[int, msgspec.Meta(ge=1, le=255)] = 8
    poll_ms: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 20
    answer_ms: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 100
    hardware_rs485: bool = False


class MqttSection(_Section, frozen=True):
    """The MQTT link, for modules that publish their frames. ``{collector}`` and ``{device}`` stand in both topics."""

    host: Host = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 1883
    client_id: Annotated[str, msgspec.Meta(max_length=64)] = ""
    username: str = ""
    password_file: FileName = ""
    tls_ca_file: FileName = ""
    up_topic: _Topic = "weldgate/1/{collector}/chip/{device}/up"
    down_topic: _Topic = "weldgate/1/{collector}/chip/{device}/down"
    max_connections: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 15_000
    backoff_max_s: Annotated[float, msgspec.Meta(gt=0, le=3_600)] = 30.0


class LinksSection(_Section, frozen=True):
    """What holds on all links together."""

    max_unauthenticated: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 12_000
    max_connections: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 14_500
    throttle_s: Annotated[float, msgspec.Meta(ge=0, le=3_600)] = 30.0
    chip_bytes_s: Annotated[int, msgspec.Meta(ge=1_024, le=1 << 30)] = 131_072
    chip_burst_bytes: Annotated[int, msgspec.Meta(ge=16_384, le=1 << 30)] = 8_388_608
    record_max_mb: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 1_024


class StoreSection(_Section, frozen=True):
    """How commits are batched, and how long rows are kept; 0 days or megabytes = no such limit."""

    commit_ms: Annotated[int, msgspec.Meta(ge=0, le=1_000)] = 25
    batch_rows: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 4_000
    backlog_rows: Annotated[int, msgspec.Meta(ge=1, le=10_000_000)] = 40_000
    segment_rows: Annotated[int, msgspec.Meta(ge=100, le=100_000_000)] = 500_000
    keep_days: Annotated[int, msgspec.Meta(ge=0, le=36_500)] = 400
    keep_mb: Annotated[int, msgspec.Meta(ge=0)] = 0
    min_free_mb: Annotated[int, msgspec.Meta(ge=0)] = 256
    prove_s: Annotated[float, msgspec.Meta(ge=0, le=86_400)] = 300.0  # 0 = never


class MetricsSection(_Section, frozen=True):
    """``/metrics`` and ``/healthz``; absent means no port is opened."""

    host: Host = "127.0.0.1"
    port: _Port = 9464


class LogSection(_Section, frozen=True):
    """Structured logs on standard error."""

    level: Annotated[str, msgspec.Meta(pattern=r"\A(debug|info|warning|error)\Z")] = "info"
    format: Annotated[str, msgspec.Meta(pattern=r"\A(json|console)\Z")] = "json"


class ControlSection(_Section, frozen=True):
    """The operator's local socket, mode 0600; empty = ``control.sock`` in ``data_dir``."""

    socket: FileName = ""


class _Tables(_Section, frozen=True):
    """What stands in a configuration as it stands in its file."""

    collector: CollectorSection
    tcp: TcpSection | None = None
    tls: TlsSection | None = None
    serial: Annotated[tuple[SerialSection, ...], msgspec.Meta(max_length=64)] = ()
    mqtt: MqttSection | None = None
    links: LinksSection = LinksSection()
    store: StoreSection = StoreSection()
    metrics: MetricsSection | None = None
    log: LogSection = LogSection()
    control: ControlSection = ControlSection()


class _File(_Tables, frozen=True):
    """The whole file; each upstream's table is the affair of its kind."""

    upstream: Annotated[tuple[dict[str, Any], ...], msgspec.Meta(max_length=8)] = ()


class Config(_Tables, frozen=True, kw_only=True):
    """The whole configuration, with ``folder`` = where relative paths start."""

    upstream: tuple[UpstreamSection, ...]
    folder: str = ""

    def path(self, name: str) -> Path:
        """Return ``name`` as a path, relative ones counted from the configuration file's folder."""
        return Path(self.folder, name)

    @property
    def data_dir(self) -> Path:
        """Where the database lives."""
        return self.path(self.collector.data_dir)

    @property
    def chips_file(self) -> Path:
        """The file of known chips and their keys."""
        return self.path(self.collector.chips_file)

    @property
    def key_file(self) -> Path:
        """The key shared with the platform, for packs, receipts and orders."""
        return self.path(self.collector.key_file)

    @property
    def control_socket(self) -> Path:
        """The operator's local socket."""
        return self.path(self.control.socket) if self.control.socket else self.data_dir / "control.sock"


def load_config(path: str | Path) -> Config:
    """Read and check a configuration file.

    Args:
        path: the TOML file.

    Returns:
        The checked configuration.

    Raises:
        CollectorConfigError: the file can't be read, or is wrong; the message names line and key.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CollectorConfigError(TOOL_CONFIG, f"{path}: can't be read: {error}") from error
    return parse_config(text, source=str(path), folder=path.absolute().parent)


def parse_config(text: str, source: str = "configuration", folder: str | Path = "") -> Config:
    """Check a configuration's text.

    Args:
        text: TOML.
        source: the name errors give it.
        folder: where relative paths start.

    Returns:
        The checked configuration.

    Raises:
        CollectorConfigError: not TOML, an unknown or missing key, a value of the wrong type or out of range.
    """
    try:
        data = tomllib.loads(text)
    except ValueError as error:  # TOML's own, and a number of too many digits
        raise CollectorConfigError(TOOL_CONFIG, f"{source}: not TOML: {error}") from error
    except RecursionError:
        raise CollectorConfigError(TOOL_CONFIG, f"{source}: not TOML: nested too deep") from None
    try:
        file = msgspec.convert(data, _File)
    except (msgspec.ValidationError, RecursionError) as error:
        raise CollectorConfigError(TOOL_CONFIG, f"{source}: {_explain(text, str(error), '')}") from error
    upstreams = tuple(_upstream(table, text, source, position) for position, table in enumerate(file.upstream))
    for table, named in (("upstream", upstreams), ("serial", file.serial)):
        names = [section.name for section in named]
        for position, name in enumerate(names):
            if name in names[:position]:
                raise _wrong(text, source, f"{table}[{position}].name", f"`{name}` is there twice")
    tables = {name: getattr(file, name) for name in _Tables.__struct_fields__}
    return Config(**tables, upstream=upstreams, folder=str(folder))


def _upstream(table: dict[str, Any], text: str, source: str, position: int) -> UpstreamSection:
    """Check one upstream's table by its kind."""
    key = f"upstream[{position}]"
    kind = table.get("kind", "mqtt")
    try:
        found = adapter(str(kind))
    except LookupError as error:
        raise _wrong(text, source, f"{key}.kind", str(error.args[0])) from error
    try:
        section = msgspec.convert(table, found.section)
        found.describe(section)
    except msgspec.ValidationError as error:
        raise CollectorConfigError(TOOL_CONFIG, f"{source}: {_explain(text, str(error), key)}") from error
    except SettingError as error:
        raise _wrong(text, source, f"{key}.{error.key}", error.text) from error
    return section


def _wrong(text: str, source: str, key: str, what: str) -> CollectorConfigError:
    return CollectorConfigError(TOOL_CONFIG, f"{source}: line {_line_of(text, key)}: key `{key}`: {what}")


def _explain(text: str, message: str, table: str) -> str:
    """Turn msgspec's message and ``$.key`` path below ``table`` into one with line and key."""
    what, _, where = message.partition(" - at `")
    path = where.rstrip("`").lstrip("$").lstrip(".")
    if table:
        path = f"{table}.{path}" if path else table
    field = re.search(r"(unknown|missing required) field `([^`]+)`", what)
    if field:
        parent, path = path, f"{path}.{field[2]}" if path else field[2]
        if field[1] == "unknown":
            return f"line {_line_of(text, path)}: unknown key `{path}`"
        return f"line {_line_of(text, parent) if parent else 1}: key `{path}` is missing"
    return f"line {_line_of(text, path)}: key `{path}`: {what[:1].lower()}{what[1:]}"


def _line_of(text: str, path: str) -> int:
    """Return the 1-based line that sets ``path`` (``table.key``, ``array[1].key``), or its table's, or 1."""
    found = 1
    depth = -1
    table = ""
    counts: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]", line)
        key = re.match(r"""\s*([A-Za-z0-9_."'-]+)\s*=""", line)
        if header:
            table = header[2].replace('"', "").replace(" ", "")
            first, dot, rest = table.partition(".")
            if header[1] == "[[":
                counts[table] = counts.get(table, -1) + 1
                table = f"{table}[{counts[table]}]"
            elif dot and first in counts:
                table = f"{first}[{counts[first]}].{rest}"  # a table in the array's latest one
            here = table
        elif key:
            name = key[1].replace('"', "").replace("'", "")
            here = f"{table}.{name}" if table else name
        else:
            continue
        if (path == here or re.match(rf"{re.escape(here)}[.\[]", path)) and len(here) > depth:
            found, depth = number, len(here)
    return found
