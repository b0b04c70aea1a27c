"""Base45 against its vectors."""

import json
import os
import unittest

from weldgate_protocol import base45
from weldgate_protocol.errors import CoseError

with open(os.getenv("WELDGATE_VECTORS", "tests/vectors") + "/base45.json") as file:
    CASES = json.load(file)


class Base45Test(unittest.TestCase):
    """One text for each byte string, and no other text."""

    def test_text_is_read_and_written(self):
        """M-TOK-02: a token's text is Base45 of its bytes, the same both ways, from text and from ASCII bytes."""
        for case in CASES:
            if "expect" in case:
                with self.subTest(name=case["name"]):
                    data = bytes.fromhex(case["expect"])
                    self.assertEqual(base45.decode(case["text"]), data)
                    self.assertEqual(base45.decode(case["text"].encode()), data)
                    self.assertEqual(base45.encode(data), case["text"])

    def test_other_text_is_refused(self):
        """M-TOK-02: characters, lengths and groups that no bytes encode to are refused with their reason."""
        for case in CASES:
            if "error" in case:
                with self.subTest(name=case["name"]):
                    for text in (case["text"], case["text"].encode()):
                        with self.assertRaises(CoseError) as caught:
                            base45.decode(text)
                        self.assertEqual(caught.exception.code, case["error"])
