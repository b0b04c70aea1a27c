"""What takes the bench's load where no collector is: frames are counted, acked and forgotten.

It shows what the load generator can do: whatever is slower than this is not the generator's doing. Hello, welcome and
heartbeat are the protocol's own; after that nothing is parsed, checked or stored. Frames are counted by their
delimiters, one ack follows each chunk.

    python -m weldgate_simulator.load_sink --chips-file FILE     prints its port, ends when standard input does
"""

import argparse
import asyncio
import os
import sys
import time
from pathlib import Path
from typing import cast

from weldgate_collector import Chips
from weldgate_protocol import cbor, messages
from weldgate_protocol.conversation_collector import CAME_ONLINE, SEND, CollectorConversation
from weldgate_protocol.frame import FLAG_DOWN, FLAG_PARITY, QUALITY_SYNCED, encode_body, seal, to_wire
from weldgate_protocol.keys import HmacKey, connection_key
from weldgate_protocol.stream import FrameStream

__all__ = ["main"]

_LISTEN = 4_096


class _Sink(asyncio.Protocol):
    """One chip's connection."""

    def __init__(self, chips: Chips) -> None:
        self._chips = chips
        self._nonce = os.urandom(16)
        self._conversation = CollectorConversation(
            chips.lookup, lambda _device, _epoch: None, lambda: (int(time.time()), 0, QUALITY_SYNCED), self._random
        )
        self._stream = FrameStream()
        self._transport: asyncio.Transport | None = None
        self._conn: HmacKey | None = None
        self._delimiters = self._through = 0
        self._seq = 1_000

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._conn is None:
            self._meet(data)
            return
        self._delimiters += data.count(b"\x7e")
        through = self._delimiters // 2
        if through > self._through and self._transport is not None:
            self._through = through
            self._seq += 1
            conversation = self._conversation
            payload = cbor.encode({1: conversation.epoch, 2: through})
            body = encode_body(
                FLAG_DOWN | self._parity | QUALITY_SYNCED, messages.ACK, conversation.device, conversation.epoch,
                self._seq, int(time.time()), 0, payload,
            )  # fmt: skip
            self._transport.write(to_wire(seal(body, self._conn)))

    def _random(self, count: int) -> bytes:
        return self._nonce[:count]

    def _meet(self, data: bytes) -> None:
        self._stream.feed(data)
        while (raw := self._stream.take()) is not None:
            for event in self._conversation.receive(raw):
                if event[0] == SEND and self._transport is not None:
                    self._transport.write(event[1])
                elif event[0] == CAME_ONLINE:
                    self._parity = raw[0] & FLAG_PARITY
                    keys = self._chips.lookup(self._conversation.device)
                    down = keys.down_of(1 if self._parity else 0) if keys is not None else b""
                    self._conn = HmacKey(connection_key(down, event[3]["nonce"], self._nonce))


async def _serve(chips: Chips) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Sink(chips), "127.0.0.1", 0, backlog=_LISTEN)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


def main(arguments: list[str] | None = None) -> int:
    """Run the program until standard input ends.

    Returns:
        The exit code, 0.
    """
    parser = argparse.ArgumentParser(prog="weldgate_simulator.load_sink", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--chips-file", required=True, type=Path, help="as the collector's")
    asyncio.run(_serve(Chips(parser.parse_args(arguments).chips_file)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
