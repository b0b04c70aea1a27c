"""A lock's whole way through the chip, from bytes of the stream to the pin: nothing on it allocates.

Stream, link, conversation, driver, gate and the app's own `relay` are the chip's; the socket and the pin are stand-ins.
The heap is locked when the lock's tag has been verified and let go when the pin moves, so whatever allocates between
the two fails with MemoryError, as it would on a chip whose heap is full.
"""

import os
import sys
import unittest

sys.path.append(os.getenv("WELDGATE_VECTORS", "tests/vectors") + "/../firmware")  # tests are no package

from driver_world import DEVICE, Identity, World

from weldgate_firmware import gate
from weldgate_firmware.app import App
from weldgate_firmware.link import Link
from weldgate_protocol import conversation, messages, reasons
from weldgate_protocol._compat import HmacKey
from weldgate_protocol.conversation_chip import ChipConversation
from weldgate_protocol.frame import FLAG_PARITY, encode_body, seal, tag_matches, to_wire
from weldgate_protocol.keys import connection_key

try:
    from micropython import heap_lock, heap_unlock
except ImportError:

    def heap_lock():
        """Stand for MicroPython's lock; CPython has none, the suite run there proves the rest."""

    heap_unlock = heap_lock

K_DOWN = b"d" * 32
NONCE = b"n" * 16  # the collector's; the chip's is what `random` below gives
LOCK = b"lock-001"
DOWN_SYNCED = 0x20 | 0x10 | 0x02


class Pin:
    """The board with its relay: lets a locked heap go and remembers whether it was locked when the pin moved."""

    def __init__(self):
        self.locked = False
        self.opened_locked = False
        self.closed = True

    def relay(self, closed):
        if self.locked and not closed:
            self.opened_locked = True
        self.unlock()
        self.closed = closed

    def unlock(self):
        if self.locked:
            self.locked = False
            heap_unlock()


class Outputs:
    """What the driver moves: the app's own `relay` on the pin; display and heartbeat go to the world."""

    relay = App.relay

    def __init__(self, pin, world):
        self.board = pin
        self.show = world.outputs.show
        self.changed = world.outputs.changed


class TestLockPath(unittest.TestCase):
    """A lock from the wire."""

    def setUp(self):
        self.pin = Pin()
        self.verified = []
        self.world = World().settle().live()
        self.world.driver.core.outputs = Outputs(self.pin, self.world)
        parity = FLAG_PARITY if Identity.generation & 1 else 0
        self.flags = DOWN_SYNCED | parity
        self.key = HmacKey(connection_key(K_DOWN, b"c" * 16, NONCE))
        self.talk = ChipConversation(DEVICE, HmacKey(Identity.k_up), K_DOWN, Identity.generation, self.matches)
        self.link = Link(self.talk, self.world.driver, lambda count: b"c" * count, "127.0.0.1", 1)
        self.link._hello()
        self.receive(messages.WELCOME, 1, {"nonce": NONCE, "status": 0, "high_water": 0})
        self.talk.volatile(messages.HEARTBEAT, self.world.driver.heartbeat(), self.world.driver.stamp())

    def matches(self, raw, key):
        """Check a tag as always; from a lock's on the heap is locked."""
        verdict = tag_matches(raw, key)
        if raw[1] == messages.LOCK:
            self.verified.append(verdict)
            if verdict:
                self.pin.locked = True
                heap_lock()
        return verdict

    def receive(self, type_, seq, fields, key=None):
        """Let a frame come in as the bytes of a stream."""
        payload = messages.encode(type_, fields)
        stamp = self.world.driver.stamp()
        body = encode_body(self.flags, type_, DEVICE, self.world.storage.spool.epoch, seq, stamp[0], stamp[1], payload)
        self.link._stream.feed(to_wire(seal(body, key or self.key)))
        self.link._receive(self.link._stream.take())

    def lock_now(self, key=None):
        try:
            self.receive(messages.LOCK, 2, {"mode": 2, "id": LOCK, "reason": reasons.END_LOCK_NOW}, key)
        finally:
            self.pin.unlock()

    def test_lock_now_reaches_the_pin_without_allocating(self):
        """S3: between a lock's verified tag and the relay's pin nothing is allocated, with an arc burning or not."""
        for arc in (False, True):
            with self.subTest(arc):
                self.setUp()
                if arc:
                    self.world.driver.sensed(self.world.sense.strike())
                self.assertEqual(self.talk.state, conversation.CHIP_ONLINE)
                self.assertEqual(self.world.driver.state, gate.LIVE)

                self.lock_now()

                self.assertEqual(self.verified, [True])
                self.assertTrue(self.pin.opened_locked)
                self.assertFalse(self.pin.closed)
                self.assertEqual(self.world.driver.state, gate.LOCKED)
                self.assertEqual(self.world.driver.core.failures, 0)

    def test_lock_under_another_key_moves_nothing(self):
        """A lock whose tag does not match leaves session and pin as they were."""
        self.lock_now(HmacKey(b"x" * 32))

        self.assertEqual(self.verified, [False])
        self.assertTrue(self.pin.closed)
        self.assertEqual(self.world.driver.state, gate.LIVE)
