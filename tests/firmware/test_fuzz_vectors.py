"""What the fuzzer met, replayed: each parser says of each input what it said then, in every interpreter."""

import json
import os
import unittest

from weldgate_simulator.fuzz_parsers import PARSERS, World, judge

with open((os.getenv("WELDGATE_VECTORS") or "tests/vectors") + "/fuzz.json") as file:
    VECTORS = json.load(file)


class TestFuzzVectors(unittest.TestCase):
    """Inputs of the fuzzer, finds among them."""

    def test_each_verdict_stays(self):
        """Taken means the same thing taken, refused the same number; an error of no type is never right."""
        world = World(VECTORS["world"])
        for case in VECTORS["cases"]:
            with self.subTest(case["parser"] + " " + case["hex"][:40]):
                verdict, _ = judge(world, case["parser"], bytes.fromhex(case["hex"]))
                self.assertEqual(verdict, case["verdict"])
                self.assertTrue(verdict[0] != "?")

    def test_every_parser_has_some(self):
        """No parser is left out."""
        self.assertEqual(sorted({case["parser"] for case in VECTORS["cases"]}), sorted(PARSERS))
