"""What the instruction counts count: a frame, a tick of the gate, a check of a token, run by the chip's own modules.

Each is a `Snippet` for `cachegrind.count`. The tick is that of the whole app on the firmware's own board, with flash in
memory, ticks by hand and sixteen samples; the interrupt that takes the samples and the link are not in it.
"""

import time
from array import array
from collections.abc import Callable
from typing import Any, NamedTuple

from weldgate_firmware import slots
from weldgate_firmware.identity import encode
from weldgate_firmware.meter import dc_hall_1000a
from weldgate_issuer import Issuer, IssuerError, token_text
from weldgate_protocol import claims, cose
from weldgate_simulator import provision
from weldgate_simulator.arc import Envelope, Phase, Stretch, Welder

__all__ = [
    "FRAME_BYTES",
    "Snippet",
    "frame_snippets",
    "tick_snippets",
    "token_heap_programs",
    "token_slices",
    "token_snippets",
]

FRAME_BYTES = 100  # header 26, payload 66, tag 8
TICKS = 200  # two seconds: what happens once a window and once a second is in the mean
_DEVICE = (7).to_bytes(8, "big")
_AREA = "411081"
_NOTE_MAX = 64

_FRAME = f"""
from weldgate_protocol.keys import HmacKey
from weldgate_protocol.frame import encode_body, parse, seal, tag_matches, to_wire
from weldgate_protocol.stream import FrameStream
key = HmacKey(bytes(range(32)))
payload = bytes(range({FRAME_BYTES - 34}))
wire = to_wire(seal(encode_body(0x0A, 0x45, bytes(range(8)), b"epoc", 7, 1790000000, 5, payload), key))
stream = FrameStream()
"""
_ENCODE = 'to_wire(seal(encode_body(0x0A, 0x45, bytes(8), b"epoc", 7, 1790000000, 5, payload), key))'
_DECODE = """
stream.feed(wire)
raw = stream.take()
if parse(raw).seq != 7 or not tag_matches(raw, key):
  raise ValueError("the frame did not come back")
"""

_APP = """
import sys
from weldgate_simulator.mpy import pipe
pipe.ask = lambda *_: b"\\x01\\x00\\x50\\x06\\x40"
pipe.tell = lambda *_: None
from weldgate_simulator.mpy import esp32, machine, network
sys.modules["esp32"], sys.modules["machine"], sys.modules["network"] = esp32, machine, network
from array import array
from weldgate_firmware import app, board, storage
class Flash:
  sector_size, sector_count = 4096, 80
  data = bytearray(b"\\xff" * 327680)
  def read(self, offset, buffer):
    buffer[:] = self.data[offset:offset + len(buffer)]
  def program(self, offset, new):
    for i in range(len(new)):
      self.data[offset + i] &= new[i]
  def erase(self, sector):
    self.data[4096 * sector:4096 * sector + 4096] = b"\\xff" * 4096
class Bench(board.Board):
  now_ms = 0
  wave = array("H", {quiet!r})
  def ticks_ms(self):
    return self.now_ms
  def sample(self, buffer):
    for i in range(16):
      buffer[i] = self.wave[i]
    return 16
  def mirror(self):
    return None
def step():
  bench.now_ms += 10
  running.tick()
flash = Flash()
stores = storage.Storage(flash, board.Board.random)
stores.slots.store({identity_slot}, bytes.fromhex("{identity}"))
stores.slots.store({key_set_slot}, bytes.fromhex("{key_set}"))
stores.mount()
while stores.service(True):
  pass
stores = storage.Storage(flash, board.Board.random)
bench = Bench(flash)
running = app.App(bench, app.load_identity(stores), stores)
running.boot()
for _ in range(100):
  step()
  while running.driver.work():
    pass
"""
_LIVE = """
running.driver.token("{token}", 1)
for _ in range(2000):
  step()
  running.driver.work()
  if running.driver.closed:
    break
bench.wave = array("H", {arc!r})
for _ in range(200):
  step()
  running.driver.work()
if not running.driver.closed or not running.driver.core.sense.burning:
  raise ValueError("no arc burns: %d" % running.driver.core.last_reason)
"""

_CHECK_SETUP = """
from weldgate_protocol import claims, ec_comb, keyset, p256, sm2, token
key_set = keyset.decode(bytes.fromhex("{key_set}"))
context = claims.Context(bytes.fromhex("{device}"), "{area}", key_set, {now}, {quality}, lambda _: False)
"""
_PART = """
def part(slices):
  steps = token.verify_steps("{token}", context)
  done = 0
  for done in range(1, slices + 1):
    if next(steps, True):
      break
  steps.close()
  return done
"""
_SLICES_MAX = 1000
_TIDY = """
import gc
gc.collect()
"""  # what the setup left would else be collected in the middle of what is counted
_COLD = """
for table in ec_comb.tables:
  table.public = b""
"""


class Snippet(NamedTuple):
    """One thing to count."""

    name: str
    setup: str
    text: str
    repeat: int


def frame_snippets() -> list[Snippet]:
    """Return: a frame encoded and tagged; the same found in a stream, decoded, its tag verified."""
    return [Snippet("encoded and tagged", _FRAME, _ENCODE, 100), Snippet("decoded and verified", _FRAME, _DECODE, 100)]


def tick_snippets() -> list[Snippet]:
    """Return a tick with an arc burning, and one with the relay open and nothing to do."""
    now_s = int(time.time())
    issuer = Issuer.generate(now_s)
    setup = _APP.format(
        quiet=list(_wave(0)),
        identity_slot=slots.IDENTITY,
        key_set_slot=slots.KEY_SET,
        identity=encode(provision.identity_of(issuer, _DEVICE, "", 0, area=_AREA)).hex(),
        key_set=issuer.issue_key_set(issued_s=now_s).hex(),
    )
    token = token_text(issuer.issue_token(device=_DEVICE, holder=bytes(8), issued_s=now_s))
    live = setup + _LIVE.format(token=token, arc=list(_wave(180_000)))
    return [Snippet("an arc burns", live, "step()", TICKS), Snippet("idle", setup, "step()", TICKS)]


def _token_setup(alg: int = cose.ES256) -> tuple[str, str]:
    """Return what a check needs, and the largest token as text."""
    now_s = int(time.time())
    issuer = Issuer.generate(now_s, alg=alg)
    key_set = issuer.issue_key_set(issued_s=now_s)
    setup = _CHECK_SETUP.format(
        key_set=key_set.hex(), device=_DEVICE.hex(), area=_AREA, now=now_s, quality=claims.QUALITY_SYNCED
    )
    return setup, token_text(largest_token(issuer, now_s))


def token_snippets(alg: int = cose.ES256) -> list[Snippet]:
    """Return the check of the largest token, as text from the scanner: its key's table is there, or is to be made.

    Args:
        alg: what it is signed by.
    """
    setup, text = _token_setup(alg)
    check = f'token.verify("{text}", context)'
    return [
        Snippet("its key known", f"{setup}{check}{_TIDY}", check, 3),
        Snippet("its key new", f"{setup}{check}{_TIDY}", f"{_COLD}{check}", 1),
    ]


def token_slices(known: bool = True, alg: int = cose.ES256) -> tuple[str, Callable[[int], Snippet]]:
    """Return a program that prints how many slices the same check comes in, and what counts the first so many.

    Args:
        known: whether the key's table is there.
        alg: what the token is signed by.
    """
    setup, text = _token_setup(alg)
    setup = f'{setup}{_PART.format(token=text)}token.verify("{text}", context){_TIDY}'
    cold = "" if known else _COLD

    def first(slices: int) -> Snippet:
        return Snippet(f"first {slices}", setup, f"{cold}part({slices})", 1)

    return f'{setup}{cold}print("@slices", part({_SLICES_MAX}))', first


def token_heap_programs(alg: int = cose.ES256) -> tuple[str, str]:
    """Return a program that prints the heap taken without any table, and one that does the whole check.

    The second makes the key's table, and checks the token three times with it.

    Args:
        alg: what the token is signed by.
    """
    setup, text = _token_setup(alg)
    without = "p256.CURVE.table = sm2.CURVE.table = None\nec_comb.tables[:] = []\nimport gc\ngc.collect()"
    bare = f"{setup}{without}\nprint('@heap', gc.mem_alloc())"
    check = f'for _ in range(3):\n  token.verify("{text}", context)\nprint("@held")'
    return bare, f"import gc\ngc.threshold(8192)\n{setup}gc.threshold(-1)\n{check}"  # as boot.py and main do


def largest_token(issuer: Issuer, now_s: int) -> bytes:
    """Issue the longest token there is: with a permit and its window, and a remark that fills it up to 200 bytes."""
    permit: dict[str, Any] = {"permit": bytes(8), "permit_from_s": now_s, "permit_to_s": now_s + 3600}
    for length in range(_NOTE_MAX, 0, -1):
        try:
            return issuer.issue_token(
                device=_DEVICE,
                holder=bytes(8),
                issued_s=now_s,
                domain=65535,
                not_before_s=now_s,
                note="x" * length,
                **permit,
            )
        except IssuerError:
            continue  # too long by a byte or more
    raise ValueError("no token of this form fits")


def _wave(current_ma: int) -> "array[int]":
    """Return the sixteen samples of a tick at a constant current."""
    welder = Welder(dc_hall_1000a())
    welder.play(Envelope([Stretch(0, Phase.ARC, current_ma)], 1_000), 0)
    samples = array("H", bytes(32))
    welder.fill(samples, 0, 0, 16, True)
    return samples
