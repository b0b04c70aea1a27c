"""The conversation as properties: a bad line loses nothing for good, and no bytes break either end."""

import sys
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))  # tests are no package; the world stands beside them

from conversation_world import DEVICE, HEARTBEAT, K_DOWN, K_UP, STAMP, UP, World

from weldgate_protocol import conversation_chip as chip
from weldgate_protocol import conversation_collector as collector
from weldgate_protocol import messages
from weldgate_protocol._compat import HmacKey
from weldgate_protocol.frame import encode_body, from_wire, seal
from weldgate_protocol.keys import ChipKeys, connection_key

LINE = ("lose", "double", "swap", "cut")
ORDINARY = ("write", "write", "connect", "speak", "hear", "listen", "commit", "forget", "flow", "flow", "work")
TROUBLE = ("skip_tail", "overwrite", "rot", "reboot", "kill", "restore", "listen_older", "settle_a_little", "format")
STEPS = st.lists(st.sampled_from(ORDINARY + LINE + TROUBLE), min_size=10, max_size=120)
SLOW = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def play(world: World, steps: list[str]) -> None:
    """Let things happen."""
    for step in steps:
        if step == "listen_older":
            world.listen(-2)
        elif step == "settle_a_little":
            world.settle(2)
        elif step == "work":
            for _ in range(5):
                world.write()
        else:
            getattr(world, step)()


@SLOW
@given(STEPS)
def test_any_trouble_ends_contiguous_once_the_line_is_good(steps: list[str]) -> None:
    """M-CONV-09, M-CONV-10, M-CONV-12: stored ∪ declared is contiguous, nothing twice, nothing acked uncommitted."""
    world = World()
    play(world, steps)
    world.settle()

    spool = world.spool
    assert world.store.conflicts == 0
    reached = 0
    for epoch, first, last, raw in world.store.rows:
        if epoch == spool.epoch:
            assert first == reached + 1  # so no frame is there twice, and no number is missing
            reached = last
            if raw:
                assert raw == spool.written[last]
    assert reached == spool.highest
    assert all(seq <= world.chip.acked for seq in spool.frames)


@SLOW
@given(STEPS)
def test_all_that_is_held_comes_back_after_a_restore(steps: list[str]) -> None:
    """M-CONV-09: when the high-water goes backward, the chip fills it up again as far as its ring holds."""
    world = World()
    play(world, steps)
    world.settle()
    world.restore()
    before = len(world.store.rows)
    world.settle()

    stored = {last for epoch, _, last, raw in world.store.rows if epoch == world.spool.epoch and raw}
    kept = {last for epoch, _, last, _ in world.store.rows[:before] if epoch == world.spool.epoch}
    line = max(kept, default=0)
    assert {seq for seq in world.spool.frames if seq > line} <= stored


@SLOW
@given(st.lists(st.sampled_from((*ORDINARY, "lose", "double", "cut", "reboot", "kill", "go_back")), max_size=120))
def test_what_a_collector_that_is_ahead_lacks_comes_to_it(steps: list[str]) -> None:
    """M-CONV-19, M-CONV-20: flash that went back, on a line that loses frames: all that is held gets there.

    Nothing is released that is neither stored nor kept as evidence, and the line stays contiguous.
    """
    world = World()
    released: list[bytes] = []
    for step in [*steps, "go_back"]:
        before = dict(world.spool.frames)
        play(world, [step])
        if step == "forget":
            released += [raw for seq, raw in before.items() if seq not in world.spool.frames]
    world.write()  # an ack above the high-water needs a record above it
    world.settle()

    stored = {raw for *_, raw in world.store.rows}
    assert set(released) <= stored | world.store.evidence
    assert set(world.spool.frames.values()) <= stored | world.store.evidence
    assert world.spool.acked == world.spool.highest
    reached = 0
    for _, first, last, _ in world.store.rows:
        assert first == reached + 1
        reached = last
    assert reached >= world.spool.highest


def test_a_repeat_that_the_line_lost_is_sent_again() -> None:
    """M-CONV-19, M-CONV-20: the collector does not miss a repeat, so the ack tells how many came."""
    world = World()
    play(world, ["write"] * 4 + ["flow", "go_back", "speak"])
    mine = world.spool.frames[3]
    repeats = [index for index, wire in enumerate(world.connections[-1].up) if from_wire(wire[1:-1]) == mine]
    del world.connections[-1].up[repeats[0]]
    world.settle(2)
    assert (world.spool.acked, world.spool.ahead) == (0, 4)
    world.settle()
    world.write()  # an ack above the high-water needs a record above it
    world.settle()

    assert mine in world.store.evidence
    assert (world.spool.acked, world.spool.ahead) == (world.spool.highest, 0)


def ends() -> tuple[chip.ChipConversation, collector.CollectorConversation, bytes]:
    """Return both ends online, and their key."""
    nonce = b"n" * 16
    near = chip.ChipConversation(DEVICE, UP, K_DOWN, 0)
    far = collector.CollectorConversation(
        lambda device: ChipKeys(0, K_UP, K_DOWN), lambda device, epoch: 3, lambda: STAMP, lambda size: nonce[:size]
    )
    fields = {"oldest": 1, "highest": 5, "boot": 1, "firmware": "", "profile": ""}
    fields |= {"key_set_version": 0, "config_version": 0, "revocations_version": 0}
    events = far.receive(from_wire(near.start(b"c" * 16, fields, b"epoc", STAMP, 0)[1:-1]))
    near.receive(from_wire(events[0][1][1:-1]), 0)
    far.receive(from_wire(near.volatile(messages.HEARTBEAT, HEARTBEAT, STAMP)[1:-1]))
    return near, far, connection_key(K_DOWN, b"c" * 16, nonce)


BODIES = st.builds(
    lambda flags, type_, seq, device, epoch, payload: (flags, type_, seq, device, epoch, payload),
    st.sampled_from((0x00, 0x02, 0x08, 0x0A, 0x10, 0x12)),
    st.integers(0, 255),
    st.integers(1, 0xFFFFFFFF) | st.integers(1, 9),
    st.sampled_from((DEVICE, bytes(8))),
    st.sampled_from((b"epoc", b"othr")),
    st.binary(max_size=60) | st.sampled_from((b"\xa0", b"\xa2\x02\x04\x04\x01", b"\xa2\x01\x44epoc\x02\x05")),
)


@SLOW
@given(st.lists(st.binary(max_size=80) | st.binary(min_size=34, max_size=34), max_size=8))
def test_random_bytes_change_nothing_but_the_count(frames: list[bytes]) -> None:
    """M-CONV-03: bytes without a valid tag never raise, never bring an event but a refusal, and the third closes."""
    near, far, _ = ends()
    acked = near.acked
    near.authentic = False
    for i, raw in enumerate(frames, 1):
        assert near.receive(raw, 0) == (chip.BAD if i <= 3 else chip.IGNORED)
        kinds = [event[0] for event in far.receive(raw)]
        assert kinds == (["refused"] if i < 3 else ["close"] if i == 3 else [])
    assert (near.closed, near.acked, near.authentic) == (len(frames) >= 3, acked, False)


@SLOW
@given(st.lists(st.tuples(BODIES, st.sampled_from(("up", "conn", "other"))), max_size=6))
def test_authentic_nonsense_is_an_event(frames: list[tuple[tuple[int, int, int, bytes, bytes, bytes], str]]) -> None:
    """Whatever a peer with the right key may send, both ends answer with events of their table, never an exception."""
    near, far, conn = ends()
    keys = {"up": UP, "conn": HmacKey(conn), "other": HmacKey(b"x" * 32)}
    for (flags, type_, seq, device, epoch, payload), key in frames:
        kind = 0x08 if 0x40 <= type_ < 0x80 else 0x10 if 0x80 <= type_ < 0xF0 else flags & 0x18 if type_ >= 0xF0 else 0
        body = encode_body(kind | flags & 3, type_, device, epoch, seq, 0, 0, payload)
        raw = seal(body, keys[key])
        acked = near.acked
        event = near.receive(raw, 0)
        assert 0 <= event <= chip.BAD
        if key != "conn":
            assert event in (chip.BAD, chip.IGNORED)
            assert not near.authentic
        if event != chip.ACKED:
            assert near.acked == acked
        for kind_, *_ in far.receive(raw):
            assert kind_ in ("durable", "bridge", "repeat", "volatile", "send", "refused", "close")


@SLOW
@given(st.lists(st.integers(0, 200), min_size=1, max_size=6), st.integers(0, 7))
def test_one_bit_makes_a_frame_worthless(positions: list[int], bit: int) -> None:
    """M-CONV-03: an authentic lock with any one bit changed opens nothing but the count of bad tags."""
    near, far, _ = ends()
    lock = from_wire(far.downlink(messages.LOCK, {"mode": 2, "id": b"lock-id.", "reason": 125})[1:-1])
    position = positions[0] % len(lock)
    changed = lock[:position] + bytes((lock[position] ^ 1 << bit,)) + lock[position + 1 :]
    assert near.receive(changed, 0) == chip.BAD
    assert not near.authentic
    assert near.receive(lock, 0) == chip.LOCK
