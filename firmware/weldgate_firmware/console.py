"""The service terminal: lines in, answers out, for a technician's hands and for a program alike.

One grammar. ``word argument`` is answered in plain lines, ``{"cmd": "word", "arg": "…", "id": 7}`` by one JSON line
that repeats the id. A bare token (``WG1:…``) is the command ``token``. What a command does is decided by whoever
registers it; nothing here relaxes anything, and nothing a line can hold raises more than an answered error. Noise
costs one answer a line at most, memory never.
"""

import json

from weldgate_firmware.lines import LineBuffer
from weldgate_protocol import reasons
from weldgate_protocol._compat import const
from weldgate_protocol.errors import RemoteError, WeldgateError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    # An answer is a list of (name, value) pairs, since MicroPython's dicts keep no order.
    Answer = list[tuple[str, Any]]
    Command = Callable[[str], Answer]

LINE_MAX = const(512)  # a token of the largest legal size takes 311 characters, its JSON form some 40 more
QR_PREFIX = "WG1:"
ESCAPES = '"\\/bfnrt'  # of JSON, but for \\u: no command takes what is not ASCII


class ConsoleError(RemoteError):
    """A line that is no command of ours."""


class Console:
    """Collects lines and answers them.

    Args:
        write: sends bytes to the terminal.
        commands: name -> (function of the argument, one line of help).
    """

    def __init__(self, write: "Callable[[bytes], None]", commands: "dict[str, tuple[Command, str]]") -> None:
        self._write = write
        self._commands = commands
        self._lines = LineBuffer(LINE_MAX)
        self.errors = 0

    def feed(self, data: "bytes | bytearray | memoryview") -> None:
        """Take bytes from the terminal; answers whole lines."""
        for line in self._lines.feed(data):
            self._answer(line)

    def _answer(self, line: bytes) -> None:
        number: Any = None
        as_json = line[:1] == b"{"
        try:
            if self._lines.overlong:
                raise ConsoleError(reasons.CONSOLE_TOO_LONG, "line too long, at most %d bytes" % LINE_MAX)
            text = _text(line)
            if as_json:
                name, argument, number = _request(text)
            else:
                name, argument = _words(text)
            answer = self._run(name, argument)
        except WeldgateError as error:
            self.errors += 1
            self._refuse(as_json, number, error)
            return
        self._reply(as_json, number, answer)

    def _run(self, name: str, argument: str) -> "Answer":
        if name == "help":
            return [(word, self._commands[word][1]) for word in sorted(self._commands)]
        command = self._commands.get(name)
        if command is None:
            raise ConsoleError(reasons.CONSOLE_UNKNOWN_COMMAND, "no command of that name; help lists them")
        return command[0](argument)

    def _reply(self, as_json: bool, number: "Any", answer: "Answer") -> None:
        if as_json:
            self._send_json([("id", number), ("ok", True)] + answer)
            return
        for name, value in answer:
            self._write(("%s: %s\r\n" % (name, _plain(value))).encode())
        self._write(b"ok\r\n")

    def _refuse(self, as_json: bool, number: "Any", error: WeldgateError) -> None:
        if as_json:
            self._send_json([("id", number), ("ok", False), ("code", error.code), ("error", str(error))])
        else:
            self._write(("error %d: %s\r\n" % (error.code, error)).encode())

    def _send_json(self, pairs: "Answer") -> None:
        parts = ["%s: %s" % (json.dumps(name), json.dumps(value)) for name, value in pairs]
        self._write(("{%s}\r\n" % ", ".join(parts)).encode())


def _text(line: bytes) -> str:
    """Read a line as ASCII; anything else is noise, and noise is told apart from an unknown command."""
    for byte in line:
        if not 32 <= byte < 127:
            raise ConsoleError(reasons.CONSOLE_ARGUMENT, "byte %02x in the line, allowed are printable ASCII" % byte)
    return line.decode()


def _words(text: str) -> "tuple[str, str]":
    if text.startswith(QR_PREFIX):
        return "token", text
    text = text.strip()
    space = text.find(" ")
    if space < 0:
        return text, ""
    return text[:space], text[space:].strip()


def _request(text: str) -> "tuple[str, str, Any]":
    """Read a JSON request: cmd text, arg text (optional), id integer or text (optional); other members are passed over.

    Raises:
        ConsoleError: no JSON object, or a member of another kind (CONSOLE_ARGUMENT).
    """
    # MicroPython 1.25 reads what is cut off as if it were whole, and takes commas and colons for blanks: a byte lost or
    # turned must not run a command.
    if not _is_request(text):
        raise ConsoleError(reasons.CONSOLE_ARGUMENT, "the line begins like JSON and is cut off or no request")
    try:
        request = json.loads(text)
    except (ValueError, RuntimeError, MemoryError):  # too deep is a RuntimeError on both interpreters
        raise ConsoleError(reasons.CONSOLE_ARGUMENT, "the line begins like JSON and is none")
    if not isinstance(request, dict):
        raise ConsoleError(reasons.CONSOLE_ARGUMENT, "a request is a JSON object")
    name = request.get("cmd")
    argument = request.get("arg", "")
    number = request.get("id")
    if not isinstance(name, str) or not isinstance(argument, str):
        raise ConsoleError(reasons.CONSOLE_ARGUMENT, 'a request has "cmd" and perhaps "arg", both text')
    return name, argument, number


def _is_request(text: str) -> bool:
    """Tell whether a text is one flat JSON object whose values are text, integers or null."""
    bare = ""  # each string as one quotation mark
    inside = False
    escaped = False
    for char in text:
        if escaped:
            escaped = False
            if char not in ESCAPES:
                return False
        elif inside and char == "\\":
            escaped = True
        elif char == '"':
            inside = not inside
            if inside:
                bare += char
        elif not inside:
            bare += char
    if inside or bare[:1] != "{" or bare[-1:] != "}":
        return False
    for member in bare[1:-1].split(","):
        colon = member.find(":")
        value = member[colon + 1 :].strip()
        if member[: max(colon, 0)].strip() != '"' or not (value == '"' or value == "null" or _is_integer(value)):
            return False
    return True


def _is_integer(text: str) -> bool:
    digits = text[1:] if text[:1] == "-" else text
    return digits.isdigit() and (digits[0] != "0" or digits == "0")


def _plain(value: "Any") -> str:
    if value is None:
        return "-"
    if value is True:
        return "yes"
    if value is False:
        return "no"
    if isinstance(value, list):
        return " ".join([_plain(item) for item in value]) or "-"
    return str(value)
