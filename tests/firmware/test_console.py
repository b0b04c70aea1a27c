"""The service terminal's grammar: plain and JSON, tokens bare, errors typed, memory bounded."""

import json
import os
import unittest

from weldgate_firmware.console import LINE_MAX, Console, ConsoleError
from weldgate_protocol import reasons

with open((os.getenv("WELDGATE_VECTORS") or "tests/vectors") + "/console.json") as file:
    VECTORS = json.load(file)


def echo(argument):
    return [("argument", argument), ("yes", True), ("none", None), ("many", [1, 2]), ("empty", [])]


def refuse(argument):
    raise ConsoleError(reasons.CONSOLE_ARGUMENT, "not like this")


class TestConsole(unittest.TestCase):
    def setUp(self):
        self.said = b""
        commands = {"echo": (echo, "says it again"), "no": (refuse, "refuses"), "token": (echo, "takes a token")}
        self.console = Console(self.write, commands)

    def write(self, data):
        self.said += data

    def ask(self, line):
        self.said = b""
        self.console.feed(line)
        return self.said.decode()

    def test_vectors(self):
        """Each line of the vectors is answered, or refused with its number."""
        for case in VECTORS:
            with self.subTest(case["name"]):
                text = self.ask(bytes.fromhex(case["hex"]) + b"\n")
                if "expect" in case:
                    self.assertTrue(text.endswith("ok\r\n") or '"ok": true' in text)
                elif text.startswith("{"):
                    self.assertEqual(json.loads(text)["code"], case["error"])
                else:
                    self.assertIn("error %d:" % case["error"], text)

    def test_words_are_answered_in_lines(self):
        """Name and value a line, and an end that a program sees too."""
        self.assertEqual(
            self.ask(b"echo a b \n"),
            "argument: a b\r\nyes: yes\r\nnone: -\r\nmany: 1 2\r\nempty: -\r\nok\r\n",
        )

    def test_json_is_answered_in_one_line_with_its_id(self):
        """One grammar: the same command as a program asks it."""
        answer = json.loads(self.ask(b'{"cmd": "echo", "arg": "x", "id": 7}\n'))

        self.assertEqual(answer["id"], 7)
        self.assertTrue(answer["ok"])
        self.assertEqual(answer["argument"], "x")
        self.assertEqual(answer["many"], [1, 2])

    def test_bare_token_is_the_command_token(self):
        """What a scanner types is enough."""
        self.assertIn("argument: WG1:ABC DEF", self.ask(b"WG1:ABC DEF\r\n"))

    def test_help_lists_every_command(self):
        """With a line each."""
        text = self.ask(b"help\n")
        for word in ("echo: says it again", "no: refuses"):
            self.assertIn(word, text)

    def test_errors_have_numbers_in_both_forms(self):
        """Typed, and told."""
        for line, code in (
            (b"nonsense\n", reasons.CONSOLE_UNKNOWN_COMMAND),
            (b"no\n", reasons.CONSOLE_ARGUMENT),
            (b"x" * (LINE_MAX + 1) + b"\n", reasons.CONSOLE_TOO_LONG),
            (b"ec\xffho\n", reasons.CONSOLE_ARGUMENT),
            (b"{\n", reasons.CONSOLE_ARGUMENT),
            (b"{}\n", reasons.CONSOLE_ARGUMENT),
            (b'{"cmd": 5}\n', reasons.CONSOLE_ARGUMENT),
            (b'{"cmd": "echo", "arg": 5}\n', reasons.CONSOLE_ARGUMENT),
            (b'{"cmd": "echo", "id": [1]}\n', reasons.CONSOLE_ARGUMENT),
            (b'{"cmd": "nonsense"}\n', reasons.CONSOLE_UNKNOWN_COMMAND),
        ):
            with self.subTest(line[:20]):
                text = self.ask(line)
                if line[:1] == b"{":
                    self.assertEqual(json.loads(text)["code"], code)
                else:
                    self.assertIn("error %d:" % code, text)

    def test_deep_json_is_no_crash(self):
        """Nesting as deep as a line allows is answered like any other nonsense."""
        self.assertIn("code", self.ask(b'{"a":' + b"[" * 400 + b"\n"))

    def test_after_noise_the_next_line_works(self):
        """A cable plugged in half-way costs one answer."""
        self.ask(b"\x00\xfe\x12garbage\n")
        self.assertIn("ok", self.ask(b"echo\n"))
        self.assertEqual(self.console.errors, 1)

    def test_memory_does_not_grow(self):
        """A line that never ends is kept to its limit."""
        for _ in range(200):
            self.console.feed(b"y" * 64)
        self.assertIn("error %d" % reasons.CONSOLE_TOO_LONG, self.ask(b"\n"))
