"""The weldgate wire protocol: frames, messages, tokens, conversation. No I/O, no clock; both interpreters."""

__version__ = "0.1.0"
