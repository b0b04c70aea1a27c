"""The layout of a site's folder, as `weldgate init` makes it and the other commands find it.

issuer/          the site's keys (`weldgate_issuer`), mode 0700
collector.toml   the collector's configuration, every setting with a comment
collector.key    shared by the collector and its platform, mode 0600
chips.jsonl      the known chips and their keys, mode 0600
key-set.cose     the signed key set that new chips are given
chips/           flash images of the demo chips
data/            the collector's store
broker/          the broker's files
"""

from dataclasses import dataclass
from pathlib import Path

from weldgate_protocol.errors import LocalError
from weldgate_protocol.reasons import TOOL_NOT_FOUND

__all__ = ["Site", "config_file", "config_text"]


@dataclass(frozen=True)
class Site:
    """Where things are in a site's folder."""

    folder: Path

    @property
    def issuer(self) -> Path:
        """The site's keys."""
        return self.folder / "issuer"

    @property
    def config(self) -> Path:
        """The collector's configuration."""
        return self.folder / "collector.toml"

    @property
    def key(self) -> Path:
        """The key that packs are under."""
        return self.folder / "collector.key"

    @property
    def chips_file(self) -> Path:
        """The known chips."""
        return self.folder / "chips.jsonl"

    @property
    def key_set(self) -> Path:
        """The signed key set."""
        return self.folder / "key-set.cose"

    @property
    def images(self) -> Path:
        """The demo chips' flash."""
        return self.folder / "chips"

    @property
    def broker(self) -> Path:
        """The broker's files."""
        return self.folder / "broker"

    @property
    def consumer(self) -> Path:
        """The counting consumer's database."""
        return self.folder / "consumer.sqlite3"

    def checked(self) -> "Site":
        """Return this site if `init` made it.

        Raises:
            LocalError: TOOL_NOT_FOUND.
        """
        if not self.config.is_file():
            raise LocalError(TOOL_NOT_FOUND, f"{self.folder}: no site is there; make one with `weldgate init`")
        return self


def config_file(place: Path) -> Path:
    """Return a collector's configuration: the file itself, or the one in a site's folder.

    Raises:
        LocalError: TOOL_NOT_FOUND.
    """
    found = Site(place).config if place.is_dir() else place
    if not found.is_file():
        raise LocalError(TOOL_NOT_FOUND, f"{place}: no collector.toml is there; make a site with `weldgate init`")
    return found


def config_text(name: str, port: int, broker_port: int, metrics_port: int) -> str:
    """Return a configuration in which every setting stands with what it does.

    Args:
        name: the collector's, which goes into MQTT topics.
        port: TCP port for chips.
        broker_port: MQTT port of the broker on this machine.
        metrics_port: of `/metrics` and `/healthz`.
    """
    return f"""# A weldgate collector: docs/collector.md explains each setting, `weldgate collector check` reads it.

[collector]
name = "{name}"               # letters, digits, - and _; part of the MQTT topics
data_dir = "data"             # the store; back it up with `weldgate store backup`, never by copying a running one
chips_file = "chips.jsonl"    # known chips and their keys, mode 0600
key_file = "collector.key"    # shared with the platform, mode 0600

[tcp]
host = "0.0.0.0"              # where chips connect; 127.0.0.1 for this machine alone
port = {port}
max_connections = 15000

# [tls]                       # the same by TLS 1.3, also beside [tcp]
# certificate_file = "tls.pem"
# key_file = "tls.key"        # mode 0600
# client_ca_file = "ca.pem"   # with it chips must show a certificate of this authority
# port = 7461

# [[serial]]                  # a USB or RS-232 line, or an RS-485 bus; needs weldgate[serial]
# name = "line-1"
# port = "/dev/serial/by-id/…"
# baud = 115200
# devices = ["410811001"]     # chips on a bus, polled in turn; leave it out where a chip speaks by itself

# [mqtt]                      # modules that publish their chip's frames
# host = "127.0.0.1"
# port = 1883

[links]
max_unauthenticated = 4000    # connections that have not proved who they are
throttle_s = 30.0             # how long a source of wrong tags is kept out
record_max_mb = 1024          # where a recording (weldgate collector run --record) ends

[store]
commit_ms = 10                # a batch is committed when it is full or so old, and acknowledged after that
batch_rows = 4000
backlog_rows = 40000          # beyond it chips are made to wait; nothing is lost

[metrics]
host = "127.0.0.1"
port = {metrics_port}              # /metrics for Prometheus, /healthz

[log]
level = "info"                # debug, info, warning or error
format = "json"               # json or console

# What is stored goes on from here in numbered packs. Without a consumer it waits in the store.
[[upstream]]
name = "platform"
kind = "mqtt"
host = "127.0.0.1"
port = {broker_port}
pack_ms = 100                 # a pack is made when it is full or so old
window_packs = 16             # packs on their way without a receipt
receipt_timeout_s = 5.0       # then they are sent again
"""
