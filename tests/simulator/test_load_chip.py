"""One chip of the bench's load: valid frames, one flipped tag, and no ack believed that is not the collector's."""

import hashlib
import os
import time

import pytest

from weldgate_protocol import conversation_collector as cc
from weldgate_protocol import messages
from weldgate_protocol.errors import LocalError
from weldgate_protocol.frame import QUALITY_SYNCED, from_wire, to_wire
from weldgate_protocol.keys import ChipKeys
from weldgate_protocol.stream import FrameStream
from weldgate_simulator.load import make_chips
from weldgate_simulator.load_chip import LoadChip, plain

(CHIP,) = make_chips(1, bytes(32))
FRAMES = 10


def _now() -> tuple[int, int, int]:
    return int(time.time()), 0, QUALITY_SYNCED


class World:
    """A chip of the load and the protocol's own collector."""

    def __init__(self, flip: int = 0) -> None:
        keys = ChipKeys(CHIP.generation, bytes.fromhex(CHIP.up), bytes.fromhex(CHIP.down))
        self.chip = LoadChip(CHIP, FRAMES, plain, flip)
        self.conversation = cc.CollectorConversation(
            lambda _device: keys, lambda _device, _epoch: None, _now, os.urandom
        )
        self.stored: list[bytes] = []
        self.refused = 0
        self._stream = FrameStream()
        self.chip.take(self.carry(self.carry_to_chip(self.carry(self.chip.hello()))))

    def carry(self, data: bytes) -> bytes:
        """Bring bytes to the collector; return its own."""
        answer = b""
        self._stream.feed(data)
        while (raw := self._stream.take()) is not None:
            for event in self.conversation.receive(raw):
                answer += event[1] if event[0] == cc.SEND else b""
                self.refused += event[0] == cc.REFUSED
                if event[0] == cc.DURABLE:
                    self.stored.append(event[2])
        return answer

    def carry_to_chip(self, data: bytes) -> bytes:
        return self.chip.take(data)


def test_frames_are_what_the_ledger_says() -> None:
    """Hundred bytes each, in order, believed by the collector; the digest is over just these."""
    world = World()
    world.carry(bytes(world.chip.due(4)))
    world.carry(bytes(world.chip.due(FRAMES)))
    world.chip.take(world.conversation.acknowledge(world.conversation.epoch, FRAMES))

    entry = world.chip.entry
    assert [len(raw) for raw in world.stored] == [100] * FRAMES
    assert entry.acknowledged == entry.frames == FRAMES
    assert entry.digest == hashlib.sha256(b"".join(world.stored)).hexdigest()


def test_one_flipped_tag_is_sent_beside_the_good_frame() -> None:
    """The collector refuses one frame and misses none."""
    world = World(flip=5)
    world.carry(bytes(world.chip.due(FRAMES)))

    assert world.refused == 1
    assert len(world.stored) == FRAMES


def test_latency_is_taken_of_each_frame_while_timed() -> None:
    """From its sending to the ack that covers it."""
    world = World()
    world.chip.timed = True
    for number in (1, 2, 3):
        world.carry(bytes(world.chip.due(number)))
    world.chip.take(world.conversation.acknowledge(world.conversation.epoch, 2))

    assert len(world.chip.latencies_s) == 2
    assert min(world.chip.latencies_s) > 0


@pytest.mark.parametrize("place", [30, -1])
def test_ack_that_is_not_the_collectors_ends_the_run(place: int) -> None:
    """A changed byte of an ack, or of its tag, is no ack."""
    world = World()
    world.carry(bytes(world.chip.due(FRAMES)))
    ack = bytearray(from_wire(world.conversation.acknowledge(world.conversation.epoch, FRAMES)[1:-1]))
    ack[place] ^= 1

    with pytest.raises(LocalError):
        world.chip.take(to_wire(bytes(ack)))
    assert world.chip.acknowledged == 0


def test_ack_beyond_what_was_sent_ends_the_run() -> None:
    """The ledger never holds what did not leave."""
    world = World()
    world.carry(bytes(world.chip.due(FRAMES)))
    ack = world.conversation.acknowledge(world.conversation.epoch, FRAMES)
    world.chip.sent = 3

    with pytest.raises(LocalError, match="sent 3"):
        world.chip.take(ack)


def test_orders_are_noted_with_their_time() -> None:
    """By the type of the message."""
    world = World()
    fields = {"mode": 1, "id": bytes(8), "reason": 1}
    world.chip.take(world.conversation.downlink(messages.LOCK, fields))

    assert [type_ for type_, _ in world.chip.orders] == [messages.LOCK]
