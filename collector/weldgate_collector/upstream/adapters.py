"""Finds the kinds of upstream that are installed: entry points of the group ``weldgate.upstream``."""

from importlib.metadata import entry_points

from .base import Adapter

__all__ = ["adapter", "kinds"]

_GROUP = "weldgate.upstream"


def kinds() -> list[str]:
    """Return the names of all kinds installed."""
    return sorted({point.name for point in entry_points(group=_GROUP)})


def adapter(kind: str) -> Adapter:
    """Return the adapter of a kind.

    Raises:
        LookupError: none is installed, or what is installed is no adapter; the message says what there is.
        ImportError: one of ours lacks its package.
    """
    for point in entry_points(group=_GROUP, name=kind):
        try:
            found = point.load()
        except ImportError as error:
            if point.value.startswith("weldgate_collector."):
                raise  # a package of our own extra, which the command line knows how to name
            raise LookupError(f"`{kind}` can't be loaded: {error}") from error
        if not isinstance(found, Adapter):
            raise LookupError(f"`{kind}` is no adapter: {point.value}")  # noqa: TRY004 - what is there is not usable
        return found
    raise LookupError(f"no upstream of kind `{kind}` is installed; there are: {', '.join(kinds())}")
