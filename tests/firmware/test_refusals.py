"""Refusals: the first at once, repeats as a count, never a flood."""

import unittest

from weldgate_firmware.refusals import KINDS_MAX, WINDOW_S, Refusals


class TestRefusals(unittest.TestCase):
    """What is recorded and when."""

    def test_first_at_once_then_a_count(self):
        """The first is recorded at once, a hundred repeats within a minute as one count."""
        one = Refusals()
        self.assertEqual(one.note(5, 1, {}), {"reason": 5, "via": 1, "count": 1})
        for _ in range(100):
            self.assertIsNone(one.note(5, 1, {}))

        self.assertEqual(one.passed(WINDOW_S - 1), [])
        self.assertEqual(one.passed(1), [{"reason": 5, "via": 1, "count": 100}])
        self.assertEqual(one.passed(WINDOW_S), [])

    def test_alike_means_reason_and_way(self):
        """Another reason, or another way, is another refusal."""
        one = Refusals()
        one.note(5, 1, {})

        self.assertTrue(one.note(6, 1, {}) is not None)
        self.assertTrue(one.note(5, 2, {}) is not None)
        self.assertTrue(one.note(5, 4, {}) is not None)

    def test_too_many_kinds_are_counted(self):
        """What finds no place is counted, once told forgotten."""
        one = Refusals()
        for reason in range(KINDS_MAX):
            one.note(reason + 1, 1, {})

        self.assertIsNone(one.note(99, 1, {}))
        self.assertEqual(one.take_overflow(), 1)
        self.assertEqual(one.take_overflow(), 0)

    def test_who_is_carried(self):
        """What a verified token said of itself is in the record."""
        self.assertEqual(Refusals().note(9, 1, {"holder": b"holder-1"})["holder"], b"holder-1")


if __name__ == "__main__":
    unittest.main()
