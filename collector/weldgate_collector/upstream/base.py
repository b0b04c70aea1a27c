"""The contract of an upstream: what carries committed rows away, and what the service asks of it.

An upstream runs on a thread of its own, reads the store through a reader of its own, keeps a durable cursor, and
never holds back the links: when it is dead its rows wait in the store. A kind of upstream is an entry point of the
group ``weldgate.upstream`` that names an ``Adapter``. Most kinds need only a ``Carrier`` (``carrier.py``), which the
engine of ``records.py`` drives.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from ..orders import Order
from ..store.reader import Reader
from ..store.writer import Writer
from .settings import UpstreamSection

__all__ = ["Adapter", "SettingError", "Surroundings", "Upstream", "UpstreamStatus"]


class UpstreamStatus(NamedTuple):
    """What an upstream says of itself.

    Attributes:
        connected: the far end is reached.
        through: highest pack receipted, or row delivered.
        waiting_rows: committed rows that are not yet receipted or delivered.
        trouble: what keeps it from going on, or an empty string.
        undelivered: it is connected, sends, and nothing shows that anybody gets it.
        aside: records set aside, since the far end or the adapter would not take them.
    """

    connected: bool
    through: int
    waiting_rows: int
    trouble: str
    undelivered: bool = False
    aside: int = 0


class Upstream(Protocol):
    """One way out."""

    name: str

    @property
    def alive(self) -> bool:
        """Whether its thread runs."""

    def start(self) -> None:
        """Start; whatever the far end's state, it is tried for ever."""

    def committed(self, index: int) -> None:
        """Learn that rows are durable through ``index``; called on the writer's thread, returns at once."""

    def report(self, order: Order) -> None:
        """Tell the far end an order's result; from any thread."""

    def forgotten(self) -> None:
        """Learn that the operator had forgotten what was set aside; from any thread."""

    def status(self) -> UpstreamStatus:
        """Return the present state; from any thread."""

    def stop(self) -> None:
        """Stop; what is not receipted is sent again after the next start."""


class Surroundings(NamedTuple):
    """What the service hands to an adapter.

    Attributes:
        collector: this collector's name, in topics and documents.
        key: shared with the platform; empty unless the adapter needs it.
        path: a name in the configuration → a path, relative ones counted from the configuration's folder.
        password: the name of a password file → the password, empty for no name.
        writer: the store's, for cursors.
        open_reader: opens the store; called on the upstream's thread.
        on_order: (upstream's name, envelope) of an order that came; called on the upstream's thread.
    """

    collector: str
    key: bytes
    path: Callable[[str], Path]
    password: Callable[[str], str]
    writer: Writer
    open_reader: Callable[[], Reader]
    on_order: Callable[[str, bytes], None]


class SettingError(Exception):
    """A setting that its type allows and its adapter can't use.

    Attributes:
        key: its place in the section, with dots.
        text: what is wrong.
    """

    def __init__(self, key: str, text: str) -> None:
        super().__init__(text)
        self.key = key
        self.text = text


class Adapter(NamedTuple):
    """A kind of upstream; what an entry point of the group ``weldgate.upstream`` names.

    Attributes:
        section: the class its table is checked against.
        describe: section → where it goes, in a few words; raises SettingError for what it can't use.
        make: (section, surroundings) → an upstream that is not started.
        needs_key: whether it needs the key shared with the platform.
    """

    section: type[UpstreamSection]
    describe: Callable[[Any], str]
    make: Callable[[Any, Surroundings], Upstream]
    needs_key: bool = False
