"""Build the vectors of what a chip reads beside frames: console lines and configurations. `--check` writes nothing."""

import json
import sys
from pathlib import Path
from typing import Any

import cbor2

from weldgate_protocol import reasons

HERE = Path(__file__).resolve().parent
Case = dict[str, Any]


def build_console() -> list[Case]:
    """Return lines (hex, without their end) with the error's number, or `expect`: whether it is answered with ok."""
    lines: list[tuple[str, bytes, int]] = [
        ("a word", b"echo", 0),
        ("a word and an argument", b"echo hello  world", 0),
        ("a JSON request", b'{"cmd": "echo", "arg": "x", "id": 1}', 0),
        ("a JSON request without an argument", b'{"cmd":"echo"}', 0),
        ("a bare token", b"WG1:ABC 123", 0),
        ("help", b"help", 0),
        ("nothing but blanks", b"   ", reasons.CONSOLE_UNKNOWN_COMMAND),
        ("an unknown word", b"reboot", reasons.CONSOLE_UNKNOWN_COMMAND),
        ("an unknown word as JSON", b'{"cmd": "reboot"}', reasons.CONSOLE_UNKNOWN_COMMAND),
        ("a byte above ASCII", b"ech\xc3\xb6", reasons.CONSOLE_ARGUMENT),
        ("a control byte", b"ec\x1bho", reasons.CONSOLE_ARGUMENT),
        ("a nought byte", b"echo\x00", reasons.CONSOLE_ARGUMENT),
        ("JSON cut off", b'{"cmd": "echo"', reasons.CONSOLE_ARGUMENT),
        ("JSON cut off in a string", b'{"cmd": "echo}', reasons.CONSOLE_ARGUMENT),
        ("JSON with quotes in a string", b'{"cmd": "echo", "arg": "a\\"b"}', 0),
        ("JSON of another kind inside", b'{"cmd": ["echo"]}', reasons.CONSOLE_ARGUMENT),
        ("JSON without cmd", b'{"arg": "x"}', reasons.CONSOLE_ARGUMENT),
        ("JSON with a number as argument", b'{"cmd": "echo", "arg": 1}', reasons.CONSOLE_ARGUMENT),
        ("JSON with a list as id", b'{"cmd": "echo", "id": []}', reasons.CONSOLE_ARGUMENT),
        ("JSON with true as id", b'{"cmd": "echo", "id": true}', reasons.CONSOLE_ARGUMENT),
        ("JSON with a fraction as id", b'{"cmd": "echo", "id": 1.5}', reasons.CONSOLE_ARGUMENT),
        ("JSON with a nought before a number", b'{"cmd": "echo", "id": 05}', reasons.CONSOLE_ARGUMENT),
        ("JSON with a blank in a number", b'{"cmd": "echo", "id": 1 2}', reasons.CONSOLE_ARGUMENT),
        ("JSON with a negative id and blanks", b'{ "cmd" : "echo" , "id" : -7 }', 0),
        ("JSON without a comma", b'{"cmd": "echo" "id": 1}', reasons.CONSOLE_ARGUMENT),
        ("JSON with a comma for a colon", b'{"cmd", "echo"}', reasons.CONSOLE_ARGUMENT),
        ("JSON without a colon", b'{"cmd" "echo"}', reasons.CONSOLE_ARGUMENT),
        ("JSON with two commas", b'{"cmd": "echo",, "id": 1}', reasons.CONSOLE_ARGUMENT),
        ("JSON with a comma at its end", b'{"cmd": "echo",}', reasons.CONSOLE_ARGUMENT),
        ("JSON with an id twice in one member", b'{"cmd": "echo", "id": null"id": null}', reasons.CONSOLE_ARGUMENT),
        ("JSON with an escape that is none", b'{"cmd": "echo", "arg": "\\q"}', reasons.CONSOLE_ARGUMENT),
        ("JSON with an escape by number", b'{"cmd": "echo", "arg": "\\u0041"}', reasons.CONSOLE_ARGUMENT),
        ("JSON with a backslash last in a string", b'{"cmd": "echo", "arg": "a\\\\"}', 0),
        ("JSON with an empty object", b"{}", reasons.CONSOLE_ARGUMENT),
        ("JSON deep", b'{"a": ' + b"[" * 300, reasons.CONSOLE_ARGUMENT),
        ("the longest line", b"echo " + b"x" * 507, 0),
        ("a line of 513 bytes", b"echo " + b"x" * 508, reasons.CONSOLE_TOO_LONG),
    ]
    return [
        {"name": name, "hex": line.hex(), **({"error": code} if code else {"expect": True})}
        for name, line, code in lines
    ]


def build_config() -> list[Case]:
    """Return CBOR maps of settings with what they set, or the number they are refused with."""
    cases: list[tuple[str, bytes, int, dict[str, int]]] = [
        ("nothing named", cbor2.dumps({}), 0, {"heartbeat_s": 30, "telemetry_s": 60, "arm_s": 120}),
        ("two named", cbor2.dumps({1: 15, 2: 10}, canonical=True), 0, {"heartbeat_s": 15, "telemetry_s": 10}),
        ("the largest", cbor2.dumps({1: 600}, canonical=True), 0, {"heartbeat_s": 600}),
        ("the smallest", cbor2.dumps({3: 10}, canonical=True), 0, {"arm_s": 10}),
        ("above the range", cbor2.dumps({1: 601}, canonical=True), reasons.CONFIG_RANGE, {}),
        ("below the range", cbor2.dumps({3: 9}, canonical=True), reasons.CONFIG_RANGE, {}),
        ("negative", cbor2.dumps({1: -1}, canonical=True), reasons.CONFIG_RANGE, {}),
        ("text", cbor2.dumps({1: "15"}, canonical=True), reasons.CONFIG_TYPE, {}),
        ("true", cbor2.dumps({1: True}, canonical=True), reasons.CONFIG_TYPE, {}),
        ("a list", cbor2.dumps({1: [15]}, canonical=True), reasons.CONFIG_TYPE, {}),
        ("unknown key", cbor2.dumps({200: 1}, canonical=True), reasons.CONFIG_UNKNOWN_KEY, {}),
        ("no map", cbor2.dumps([1, 15]), reasons.CONFIG_MALFORMED, {}),
        ("no CBOR", b"\xff", reasons.CONFIG_MALFORMED, {}),
        ("nothing", b"", reasons.CONFIG_MALFORMED, {}),
        ("not the shortest form", b"\xa1\x01\x18\x05", reasons.CONFIG_MALFORMED, {}),
        ("a key twice", b"\xa2\x01\x0f\x01\x0f", reasons.CONFIG_MALFORMED, {}),
        ("cut short", b"\xa1\x01", reasons.CONFIG_MALFORMED, {}),
    ]
    return [
        {"name": name, "hex": data.hex(), **({"error": code} if code else {"expect": expect})}
        for name, data, code, expect in cases
    ]


def main(arguments: list[str]) -> int:
    """Write the files, or compare them."""
    for name, cases in (("console.json", build_console()), ("config.json", build_config())):
        text = json.dumps(cases, indent=1) + "\n"
        path = HERE / name
        if "--check" not in arguments:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            print(f"{name} is out of date: run tests/vectors/build_chip.py", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
