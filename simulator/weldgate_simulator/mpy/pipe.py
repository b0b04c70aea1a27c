"""The virtual board's end inside the interpreter: one pipe to the host that owns pins, samples and flash bytes.

Requests go out on standard output and replies come in on standard input, both big-endian. A request is
``>BIH`` operation, argument, data length, and that many data bytes; operations in ``ANSWERED`` are answered by ``>H``
length and that many bytes, the others by nothing. The host's end is ``interpreter_chip.py``.
"""

import struct
import sys

STEP = 0x01  # argument 0; answer: inputs u16, console length u16, scanner length u16, console, scanner, samples u16…
FLASH_READ = 0x02  # argument offset, data: length u16; answer: the bytes
FLASH_PROGRAM = 0x03  # argument offset, data; answer: one byte, 0 done, 1 failed
FLASH_ERASE = 0x04  # argument sector; answer: one byte, 0 done, 1 failed
START = 0x05  # argument 0; answer: reset cause u8, sector count u16, samples a second u16
PIN = 0x10  # argument GPIO number, data: level u8
FEED = 0x11  # the watchdog was fed
CONSOLE = 0x12  # data: what the chip says to the technician
SCANNER = 0x13  # data: what the chip says to the QR scanner
RESET = 0x14  # the chip restarts itself
REPORT = 0x15  # data: free text for the host's log

_in = sys.stdin.buffer
_out = sys.stdout.buffer


def tell(operation: int, argument: int = 0, data: "bytes | bytearray | memoryview" = b"") -> None:
    """Send a request that has no answer."""
    _out.write(struct.pack(">BIH", operation, argument, len(data)))
    if data:
        _out.write(data)
    _out.flush()


def ask(operation: int, argument: int = 0, data: "bytes | bytearray | memoryview" = b"") -> bytes:
    """Send a request and return its answer."""
    tell(operation, argument, data)
    return _exactly(struct.unpack(">H", _exactly(2))[0])


def ask_into(operation: int, argument: int, data: bytes, buffer: "bytearray | memoryview") -> None:
    """Send a request whose answer fills ``buffer`` exactly."""
    tell(operation, argument, data)
    size = struct.unpack(">H", _exactly(2))[0]
    if size != len(buffer):
        raise OSError(f"the host answered {size} bytes, {len(buffer)} expected")
    buffer[:] = _exactly(size)


def _exactly(size: int) -> bytes:
    data = _in.read(size) if size else b""
    while len(data) < size:
        more = _in.read(size - len(data))
        if not more:
            raise SystemExit  # the host is gone, and with it this board
        data += more
    return data
