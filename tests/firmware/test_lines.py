"""Bytes of a serial port become lines, bounded."""

import unittest

from weldgate_firmware.lines import LineBuffer


def lines(room, *pieces):
    buffer = LineBuffer(room)
    found = []
    for piece in pieces:
        found += [(line, buffer.overlong) for line in buffer.feed(piece)]
    return found


class TestLines(unittest.TestCase):
    def test_any_cut_gives_the_same_lines(self):
        """Lines do not depend on how the bytes came."""
        data = b"one\r\n\r\ntwo\nthree\r"
        whole = lines(10, data)

        self.assertEqual([line for line, _ in whole], [b"one", b"two", b"three"])
        self.assertEqual(lines(10, *[data[i : i + 1] for i in range(len(data))]), whole)

    def test_unfinished_line_waits(self):
        """Nothing is given before its end."""
        self.assertEqual(lines(10, b"one"), [])

    def test_line_too_long_is_cut_and_marked(self):
        """The buffer never grows; the next line is whole again."""
        self.assertEqual(lines(4, b"x" * 1000 + b"\nok\n"), [(b"xxxx", True), (b"ok", False)])

    def test_backspace_takes_a_character_back(self):
        """Both codes; at the beginning nothing happens."""
        self.assertEqual(lines(10, b"\x08\x7fab\x08c\n"), [(b"ac", False)])
