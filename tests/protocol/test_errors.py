"""The error tree: codes, sentences, families."""

import unittest

from weldgate_protocol import errors

REMOTE = ("FrameError", "CborError", "MessageError", "CoseError", "Refused", "ConversationError")
LOCAL = ("EncodeError", "StorageError", "ConfigError")


class ErrorsTest(unittest.TestCase):
    """What a caller relies on."""

    def test_code_and_sentence_are_kept(self):
        """An error carries its number and prints its sentence."""
        error = errors.FrameError(202, "frame length 1200, at most 1024")

        self.assertEqual(error.code, 202)
        self.assertEqual(error.message, "frame length 1200, at most 1024")
        self.assertEqual(str(error), "frame length 1200, at most 1024")

    def test_what_the_peer_sent_is_remote(self):
        """All that a peer can cause is a RemoteError and no LocalError."""
        for name in REMOTE:
            with self.subTest(name=name):
                family = getattr(errors, name)
                self.assertTrue(issubclass(family, errors.RemoteError))
                self.assertFalse(issubclass(family, errors.LocalError))

    def test_what_we_asked_is_local(self):
        """Our own mistakes are a LocalError and no RemoteError."""
        for name in LOCAL:
            with self.subTest(name=name):
                family = getattr(errors, name)
                self.assertTrue(issubclass(family, errors.LocalError))
                self.assertFalse(issubclass(family, errors.RemoteError))

    def test_one_root(self):
        """One except clause catches the whole tree."""
        for name in REMOTE + LOCAL:
            with self.subTest(name=name), self.assertRaises(errors.WeldgateError):
                raise getattr(errors, name)(1, "x")
