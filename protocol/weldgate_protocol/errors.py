"""The error tree of the protocol: what can go wrong, and whose fault it is.

Every error carries a number of the one register (`reasons.py`, texts in `reason_texts.py`), the same number
that travels in telemetry and stands in SPEC.md. The tree says who has to act::

    WeldgateError
    ├── RemoteError          the peer, the line or a signed object brought it
    │   ├── FrameError       bytes that are no frame
    │   ├── CborError        a payload that is not our strict CBOR
    │   ├── MessageError     CBOR that is no such message
    │   ├── CoseError        an envelope that is no COSE_Sign1 of ours
    │   ├── Refused          a token or order judged and refused; `code` is the reason shown to the welder
    │   └── ConversationError  a frame that does not belong at this point of the dialogue
    └── LocalError           we asked for something illegal
        ├── EncodeError      a value that has no place on the wire
        ├── StorageError     flash or file that did not do what it was told
        └── ConfigError      a setting that is not allowed
"""


class WeldgateError(Exception):
    """The root: an error with a number of the register and a sentence."""

    def __init__(self, code: int, message: str) -> None:
        """Keep the number and the sentence.

        Args:
            code: a number of `reasons.py`.
            message: what came and what was allowed; never a key, never a token's body.
        """
        super().__init__(code, message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return self.message


class RemoteError(WeldgateError):
    """The peer, the line or a signed object brought it."""


class FrameError(RemoteError):
    """Bytes that are no frame."""


class CborError(RemoteError):
    """A payload that is not our strict CBOR."""


class MessageError(RemoteError):
    """CBOR that is no such message."""


class CoseError(RemoteError):
    """An envelope that is no COSE_Sign1 of ours."""


class Refused(RemoteError):  # noqa: N818  (a judgement, not a malfunction)
    """A token or order that was judged and refused; `code` is the reason the welder sees."""


class ConversationError(RemoteError):
    """A frame that does not belong at this point of the dialogue."""


class LocalError(WeldgateError):
    """We asked for something illegal."""


class EncodeError(LocalError):
    """A value that has no place on the wire."""


class StorageError(LocalError):
    """Flash or a file did not do what it was told."""


class ConfigError(LocalError):
    """A setting that is not allowed."""
