"""A session's account: which limit comes first, what is kept, what survives a power cut."""

import unittest

from weldgate_firmware import sessions
from weldgate_firmware.clock import FLOOR, HELD, SYNCED
from weldgate_firmware.sessions import Session
from weldgate_protocol.reasons import END_EXPIRED, END_OFFLINE_ALLOWANCE, END_SESSION_LIMIT

NOW_S = 1000000


class Now:
    """A clock at one moment."""

    def __init__(self, now_s=NOW_S, quality=SYNCED):
        self.now_s = now_s
        self.quality = quality


def session(expires=10000, limit=5000, offline=3000):
    """Return a session granted at NOW_S."""
    one = Session(b"token-01", b"kid-0001", b"holder-1")
    one.grant(NOW_S + expires, limit, offline, NOW_S)
    return one


class TestLimits(unittest.TestCase):
    """Which limit comes first."""

    def test_the_nearest_limit_counts(self):
        """Seconds left and cause are those of the limit that comes first."""
        for grant, want in (
            ((100, 200, 300), (100, END_EXPIRED)),
            ((200, 100, 300), (100, END_SESSION_LIMIT)),
            ((300, 200, 100), (100, END_OFFLINE_ALLOWANCE)),
        ):
            with self.subTest(grant=grant):
                self.assertEqual(session(*grant).left(Now()), want)

    def test_at_rest_the_offline_allowance_waits(self):
        """With the relay open the offline allowance ends nothing."""
        one = session(300, 200, 100)
        one.second(150)

        self.assertEqual(one.left(Now())[0], -50)
        self.assertEqual(one.left(Now(), True), (50, END_SESSION_LIMIT))

    def test_heard_makes_the_allowance_whole(self):
        """A downlink sets the offline count back, and nothing else."""
        one = session(300, 200, 100)
        one.second(90)
        one.heard()

        self.assertEqual(one.left(Now(NOW_S + 90)), (100, END_OFFLINE_ALLOWANCE))
        self.assertEqual(one.powered_s, 90)

    def test_the_expiry_counts_in_powered_seconds_too(self):
        """The expiry ends by powered seconds, although the wall clock stands still, and whatever its quality."""
        one = session(100, 5000, 5000)
        one.second(100)

        for quality in (FLOOR, HELD, SYNCED):
            self.assertEqual(one.left(Now(NOW_S, quality)), (0, END_EXPIRED))
        one = session(100, 5000, 5000)
        self.assertEqual(one.left(Now(NOW_S + 100, SYNCED)), (0, END_EXPIRED))

    def test_a_new_grant_counts_from_now(self):
        """An extension grants its limits from this moment on."""
        one = session(1000, 500, 300)
        one.second(400)
        one.grant(NOW_S + 2000, 600, 300, NOW_S + 400)

        self.assertEqual(one.limit_s, 1000)
        self.assertEqual(one.granted_s(END_SESSION_LIMIT), 1000)
        self.assertEqual(one.granted_s(END_OFFLINE_ALLOWANCE), 300)

    def test_warned_once_early_and_once_late(self):
        """Each warning comes once; when the limit moves away it may come again."""
        one = session()

        told = [left for left in (500, 420, 400, 181, 180, 100) if one.warn(left)]
        self.assertEqual(told, [420, 180])
        self.assertFalse(one.warn(3000))
        self.assertTrue(one.warn(400))


class TestKeeping(unittest.TestCase):
    """What flash keeps."""

    def test_powered_seconds_are_kept_ahead_rounded_up(self):
        """The kept count is the next full minute, so a cut anywhere inside it costs the whole minute."""
        one = session()
        self.assertEqual(one.keep_next(), b"\0\0\0\x3c")
        self.assertFalse(one.second(59))
        self.assertTrue(one.second(1))
        self.assertEqual(one.keep_next(), b"\0\0\0\x78")

    def test_round_trip(self):
        """All that a resumption needs survives encoding."""
        one = session()
        one.latest = b"token-02"
        one.epoch = b"abcd"
        one.start_seq = 77
        one.extensions = 3
        one.suspended = True
        one.totals.arc_ms = 123456
        one.totals.peak_ma = 201000
        two = sessions.decode(one.encode())

        for name in ("token", "latest", "kid", "holder", "epoch", "start_seq", "expires_s", "limit_s", "offline_s"):
            self.assertEqual(getattr(two, name), getattr(one, name))
        self.assertEqual((two.life_s, two.extensions, two.suspended), (one.life_s, 3, True))
        self.assertEqual((two.totals.arc_ms, two.totals.peak_ma), (123456, 201000))

    def test_loading_counts_everything_since_the_grant_as_unheard(self):
        """After a power cut all powered time since the last grant counts against the offline allowance."""
        one = session(limit=5000, offline=3000)
        one.load_powered(b"\0\0\x0b\xb8")

        self.assertEqual(one.powered_s, 3000)
        self.assertEqual(one.left(Now())[0], 0)
        self.assertTrue(one.left(Now(), True)[0] > 0)

    def test_a_missing_count_is_all_used_up(self):
        """Without the kept count the session is over."""
        one = session()
        one.load_powered(b"")

        self.assertTrue(one.left(Now())[0] <= 0)

    def test_a_fact_of_another_length_is_none(self):
        """A fact that this firmware does not write is no session."""
        self.assertIsNone(sessions.decode(session().encode()[:-1]))


if __name__ == "__main__":
    unittest.main()
