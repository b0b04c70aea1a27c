"""Facts that wait for flash: written in order, replaced by newer ones, kept when flash fails."""

import unittest

from weldgate_firmware.log import LATCH, LOCK
from weldgate_firmware.pending import PENDING_MAX, Pending
from weldgate_protocol.errors import StorageError
from weldgate_protocol.reasons import STORAGE_FAILED, STORAGE_FULL


class Log:
    """A log that remembers what it was told, and fails when it should."""

    def __init__(self):
        self.told = []
        self.broken = False

    def put(self, kind, value, key=b"", may_erase=False):
        if self.broken:
            raise StorageError(STORAGE_FAILED, "broken")
        self.told.append((kind, key, value))

    def remove(self, kind, key=b"", may_erase=False):
        self.put(kind, None, key, may_erase)


class TestPending(unittest.TestCase):
    """The queue before the log."""

    def setUp(self):
        self.log = Log()
        self.pending = Pending(self.log)

    def test_written_in_order(self):
        """Facts and removals reach the log in the order they came, one a call."""
        self.pending.put(1, b"a", b"k")
        self.pending.remove(2)

        self.assertTrue(self.pending.flush(True))
        self.assertEqual(len(self.pending), 1)
        self.assertTrue(self.pending.flush(True))
        self.assertFalse(self.pending.flush(True))
        self.assertEqual(self.log.told, [(1, b"k", b"a"), (2, b"", None)])

    def test_newer_replaces_older(self):
        """Of one fact only the newest value is written, at the newest's place."""
        self.pending.put(1, b"a")
        self.pending.put(2, b"b")
        self.pending.remove(1)
        self.pending.flush(True)
        self.pending.flush(True)

        self.assertEqual(self.log.told, [(2, b"", b"b"), (1, b"", None)])

    def test_failing_flash_keeps_the_fact(self):
        """What flash did not take stays queued, and `failing` says so until it is written."""
        self.pending.put(1, b"a")
        self.log.broken = True
        with self.assertRaises(StorageError):
            self.pending.flush(False)
        self.assertTrue(self.pending.failing)
        self.assertEqual(len(self.pending), 1)

        self.log.broken = False
        self.assertTrue(self.pending.flush(False))
        self.assertFalse(self.pending.failing)

    def test_bounded(self):
        """More than can wait is refused, not kept."""
        for number in range(PENDING_MAX):
            self.pending.put(1, b"a", bytes([number]))
        with self.assertRaises(StorageError) as caught:
            self.pending.put(1, b"a", b"one more")

        self.assertEqual(caught.exception.code, STORAGE_FULL)

    def test_a_full_queue_has_room_for_every_hold(self):
        """Eight locks, eight latches and the removals of one order find room where nothing else does."""
        for number in range(PENDING_MAX):
            self.pending.put(1, b"a", bytes([number]))
        for kind in (LATCH, LOCK):
            for number in range(8):
                self.pending.put(kind, b"a", bytes([number]))
        for number in range(8, 16):
            self.pending.remove(LATCH, bytes([number]))
        with self.assertRaises(StorageError):
            self.pending.put(1, b"a", b"one more")
        while self.pending.flush(False):
            pass

        self.assertEqual(len(self.log.told), PENDING_MAX + 24)


if __name__ == "__main__":
    unittest.main()
