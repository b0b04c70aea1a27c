"""Any bytes into console, configuration and identity: an answer or a typed error, in bounded memory."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from weldgate_firmware import config as configs
from weldgate_firmware import identity as identities
from weldgate_firmware.console import LINE_MAX, Console, ConsoleError
from weldgate_firmware.lines import LineBuffer
from weldgate_protocol import cbor, reasons
from weldgate_protocol.errors import ConfigError

_CODES = (reasons.CONFIG_UNKNOWN_KEY, reasons.CONFIG_TYPE, reasons.CONFIG_RANGE, reasons.CONFIG_MALFORMED)
_VALUES = st.recursive(
    st.integers(-(1 << 63), (1 << 64) - 1) | st.binary(max_size=70) | st.text(max_size=70) | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)


def _code(judge: Any, given: Any) -> int:
    """Return the number that something is refused with, 0 when it is taken."""
    try:
        judge(given)
    except ConfigError as error:
        return error.code
    return 0


def _refuse(argument: str) -> list[tuple[str, Any]]:
    raise ConsoleError(reasons.CONSOLE_ARGUMENT, argument[:10])


@given(st.lists(st.binary(max_size=700), max_size=8))
def test_console_answers_any_bytes(pieces: list[bytes]) -> None:
    """No byte stream raises, answers without end, or grows the buffer."""
    said: list[bytes] = []
    console = Console(said.append, {"echo": (lambda argument: [("argument", argument)], "echoes"), "no": (_refuse, "")})
    for piece in pieces:
        console.feed(piece)

    ends = sum(piece.count(b"\n") + piece.count(b"\r") for piece in pieces)
    assert len([text for text in said if text.startswith((b"error", b"{")) or text == b"ok\r\n"]) <= ends
    assert len(console._lines._line) == LINE_MAX


@given(st.binary(max_size=600), st.integers(1, 50))
def test_lines_do_not_depend_on_the_cuts(data: bytes, size: int) -> None:
    """Whole or in pieces, the same lines."""
    whole = list(LineBuffer(64).feed(data))
    cut = LineBuffer(64)

    assert [line for i in range(0, len(data), size) for line in cut.feed(data[i : i + size])] == whole


@given(st.binary(max_size=200))
def test_configuration_of_any_bytes(data: bytes) -> None:
    """Settings, or a ConfigError."""
    assert _code(configs.decode, data) in (0, *_CODES)


@given(st.dictionaries(st.integers(1, 10), st.integers(0, 1000), max_size=10))
def test_configuration_round_trips(settings: dict[int, Any]) -> None:
    """What is in force is stored and read back the same."""
    if not _code(configs.Config, settings):
        config = configs.Config(settings)
        assert configs.decode(configs.encode(config)).changed() == config.changed()


@given(st.dictionaries(st.integers(0, 14), _VALUES, max_size=14))
def test_configuration_of_any_map(settings: dict[int, Any]) -> None:
    """Every value of every kind is judged by type and range."""
    assert _code(configs.Config, settings) in (0, *_CODES)


@given(st.binary(max_size=300) | st.dictionaries(st.integers(0, 15), _VALUES, max_size=14).map(cbor.encode))
def test_identity_of_any_bytes(data: bytes) -> None:
    """Whatever is in the slot, a bare chip stays a chip: an identity or a ConfigError."""
    assert _code(identities.decode, data) in (0, *_CODES)
