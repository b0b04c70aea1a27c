"""Live codes on the chip: a copied start code alone starts nothing, and an answer from afar is no local act."""

import json
import os
import sys
import unittest

sys.path.append(os.getenv("WELDGATE_VECTORS", "tests/vectors") + "/../firmware")  # tests are no package

from driver_world import CONSOLE, DOWNLINK, SCANNER, World

from weldgate_firmware import gate
from weldgate_protocol import live, messages, reasons

with open(os.getenv("WELDGATE_VECTORS", "tests/vectors") + "/live.json") as file:
    CASES = json.load(file)
GOOD = CASES[0]
ANSWER, PUBLIC = live.from_text(GOOD["text"])
PROOF = bytes.fromhex(GOOD["proof"])
CHALLENGE = bytes.fromhex(GOOD["challenge"])


class TestLiveCode(unittest.TestCase):
    """A token that names its holder's key."""

    def setUp(self):
        self.world = World().settle()

    def show(self, via=SCANNER, **more):
        """Show the token of the vectors and let the chip ask their challenge."""
        self.world.show(self.world.token("t1", proof=PROOF, **more), via)
        self.asked = self.world.driver.core.challenge
        self.world.driver.core.challenge = CHALLENGE

    def answer(self, text=GOOD["text"], via=SCANNER):
        self.world.driver.token(text, via)
        self.world.run(1500)

    def test_a_copied_code_alone_starts_nothing(self):
        """M-LIVE-01: shown to the chip's own scanner it arms, asks, and neither scanner nor button starts it."""
        self.show()
        self.assertEqual(self.world.driver.state, gate.ARMED)
        self.assertEqual(len(self.asked), 16)
        self.assertIn(reasons.TOKEN_LIVE_CODE, self.world.outputs.shown)
        self.world.press()
        self.world.run(500)

        self.assertEqual(self.world.outputs.closings, 0)
        self.assertEqual(self.world.refusals(), [reasons.TOKEN_LIVE_CODE])

    def test_the_holders_answer_at_the_scanner_starts(self):
        """M-LIVE-04: the right answer, shown to the chip's own scanner, is the local act."""
        self.show()
        self.answer()

        self.assertTrue(self.world.outputs.closed)
        self.assertEqual(self.world.last(messages.SESSION_START)["act"], 1)

    def test_an_answer_from_afar_is_no_act(self):
        """M-LIVE-04: by downlink or console the answer proves the holder, and the button is still needed."""
        for via in (DOWNLINK, CONSOLE):
            world = self.world = World().settle()
            self.show(CONSOLE)
            if via == DOWNLINK:
                world.driver.live_code(ANSWER, PUBLIC)
                world.run(1500)
            else:
                self.answer(via=CONSOLE)
            with self.subTest(via=via):
                self.assertEqual((world.driver.state, world.outputs.closings), (gate.ARMED, 0))
                world.press()
                world.run(500)
                self.assertTrue(world.outputs.closed)

    def test_wrong_answers_start_nothing(self):
        """M-LIVE-02: each wrong answer of the vectors is refused, and the right one still counts after it."""
        for case in CASES[1:]:
            self.world = World().settle()
            self.show()
            self.answer(case["text"])
            with self.subTest(case["name"]):
                self.assertEqual(self.world.outputs.closings, 0)
                self.assertEqual(self.world.refusals(), [reasons.TOKEN_LIVE_CODE_WRONG])
        self.answer()
        self.assertTrue(self.world.outputs.closed)

    def test_an_old_answer_does_not_fit_a_new_challenge(self):
        """M-LIVE-01: each time a token is armed the challenge is another, so a filmed answer is worth nothing."""
        self.show()
        first = self.asked
        self.show()
        self.assertTrue(self.asked != first)
        self.world.driver.core.challenge = self.asked
        self.answer()

        self.assertEqual(self.world.refusals(), [reasons.TOKEN_LIVE_CODE_WRONG])
        self.assertEqual(self.world.outputs.closings, 0)

    def test_an_answer_that_nobody_asked_for(self):
        """An answer without a question, and one to a token that needs none, are refused and change nothing."""
        self.answer()
        self.world.show(self.world.token("t2"), CONSOLE)
        self.answer()

        self.assertEqual(self.world.refusals(), [reasons.GATE_NO_SESSION])  # the second is a repeat of the first
        self.assertEqual(self.world.driver.state, gate.ARMED)

    def test_an_answer_that_comes_too_late(self):
        """An answer that is still being verified when its token's time is over starts nothing."""
        self.show()
        self.world.driver.token(GOOD["text"], SCANNER)
        self.world.driver.work()
        self.world.driver.lock(2, b"lock-001", 0)
        self.world.run(1500)

        self.assertEqual(self.world.outputs.closings, 0)
        self.assertEqual(self.world.driver.state, gate.LOCKED)

    def test_one_verification_at_a_time(self):
        """While an answer is verified, a token and another answer are refused as busy."""
        self.show()
        self.world.driver.token(GOOD["text"], SCANNER)
        self.world.driver.token(GOOD["text"], SCANNER)
        self.world.driver.token(self.world.token("t2"), CONSOLE)
        self.world.run(1500)

        self.assertEqual(self.world.refusals(), [reasons.GATE_BUSY, reasons.GATE_BUSY])
        self.assertTrue(self.world.outputs.closed)

    def test_the_challenge_is_sent_once(self):
        """M-LIVE-01: the challenge message names the token; it is handed to the link once for each challenge."""
        self.assertEqual(self.world.driver.take_challenge(), None)
        self.show()

        self.assertEqual(
            self.world.driver.take_challenge(), {"challenge": CHALLENGE, "token": bytes.fromhex(GOOD["token"])}
        )
        self.assertEqual(self.world.driver.take_challenge(), None)
        self.answer()
        self.assertEqual(self.world.driver.take_challenge(), None)

    def test_a_machine_that_wants_them_takes_no_other_token(self):
        """M-LIVE-05: with the setting on, a token that names no key is refused; an emergency one is not."""
        self.world.order("c1", messages.CONFIG, version=5, settings={11: 1})
        self.world.show(self.world.token("t2"), SCANNER)
        self.assertEqual(self.world.refusals(), [reasons.TOKEN_NO_HOLDER_KEY])
        self.world.show(self.world.token("t3", purpose=5), SCANNER)
        self.world.run(500)

        self.assertTrue(self.world.outputs.closed)

    def test_a_session_goes_on_without_one(self):
        """M-LIVE-01: it guards the start; what extends a live session or resumes one by an act needs none."""
        self.show()
        self.answer()
        self.world.show(self.world.token("t2", proof=PROOF), DOWNLINK)
        self.world.run(500)
        self.assertEqual(self.world.driver.core.session.extensions, 1)
        self.world.power_cut()
        self.world.run(500)
        self.assertEqual(self.world.driver.state, gate.SUSPENDED)
        self.world.press()
        self.world.run(500)

        self.assertTrue(self.world.outputs.closed)


if __name__ == "__main__":
    unittest.main()
