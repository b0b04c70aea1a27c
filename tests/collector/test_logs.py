"""Logs: JSON or for people, others' lines in the same form, and no secret in any."""

import json
import subprocess
import sys

import pytest

from weldgate_collector.logs import without_secrets

KEY = bytes(range(100, 132)).hex()
PROGRAM = """
import logging, structlog
from weldgate_collector.config import LogSection
from weldgate_collector.logs import configure_logging
configure_logging(LogSection(level="info", format="{form}"))
structlog.get_logger("t").info("one", device="7", token="abc", reason="{key} was wrong")
structlog.get_logger("t").debug("two")
logging.getLogger("asyncio").error("three %s", "{key}")
configure_logging(LogSection(level="debug", format="{form}"))
structlog.get_logger("t").debug("four")
"""


def told(form: str) -> str:
    """Return what a program with these settings logs."""
    program = PROGRAM.format(form=form, key=KEY)
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stderr


def test_json_lines_without_secrets() -> None:
    """One object a line, whoever logs it; the level holds, and can be changed."""
    lines = [json.loads(line) for line in told("json").splitlines()]

    assert [line["event"] for line in lines] == ["one", "three [removed]", "four"]
    assert lines[0]["token"] == "[removed]"
    assert lines[0]["reason"] == "[removed] was wrong"
    assert {"level", "timestamp"} <= set(lines[1])


def test_console_lines_without_secrets() -> None:
    """For people, without colours where no terminal is."""
    text = told("console")

    assert "\x1b" not in text
    assert KEY not in text
    assert "device" in text


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (b"\xa0\0\0\1", "a0000001"),
        (bytes(32), "[32 bytes]"),
        ("scanned WG1:6BFOXN*TS0BI$ZD", "scanned [removed]"),
        (KEY.upper(), "[removed]"),
        (41, 41),
    ],
)
def test_what_looks_like_a_secret_is_taken_out(value: object, shown: object) -> None:
    """Ids stay, keys and tokens go."""
    assert without_secrets(None, "info", {"reason": value}) == {"reason": shown}
