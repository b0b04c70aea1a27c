"""Live codes: what a holder's key signs, how it is written, and what is none."""

import json
import os
import unittest

from weldgate_protocol import live, p256, reasons
from weldgate_protocol.errors import Refused

with open(os.getenv("WELDGATE_VECTORS", "tests/vectors") + "/live.json") as file:
    CASES = json.load(file)


class LiveTest(unittest.TestCase):
    """The vectors, and the form."""

    def verdict(self, case):
        """Judge an answer as a chip does; return 0 or the reason."""
        try:
            answer, public = live.from_text(case["text"])
        except Refused as refused:
            return refused.code
        if live.proof_of(public).hex() != case["proof"]:
            return reasons.TOKEN_LIVE_CODE_WRONG
        fields = [bytes.fromhex(case[name]) for name in ("challenge", "token", "device")]
        return 0 if p256.verify(public, live.digest(*fields), answer) else reasons.TOKEN_LIVE_CODE_WRONG

    def test_vectors(self):
        """M-LIVE-02, M-LIVE-03: the holder's own answer is right, and every other one wrong."""
        for case in CASES:
            with self.subTest(case["name"]):
                self.assertEqual(self.verdict(case), case.get("error", 0))

    def test_text(self):
        """M-LIVE-03: an answer as text is `WGA:` and Base45 of signature and public key, and reads back."""
        good = CASES[0]
        answer, public = live.from_text(good["text"])

        self.assertEqual((answer.hex(), public.hex()), (good["expect"]["answer"], good["expect"]["public"]))
        self.assertEqual(live.to_text(answer, public), good["text"])
        self.assertEqual(len(good["text"]), 196)


if __name__ == "__main__":
    unittest.main()
