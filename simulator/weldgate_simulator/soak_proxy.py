"""A bad way to the broker: reorders, drops and doubles the packs that pass, and the receipts that come back.

Only whole MQTT packets are moved about, since TCP itself loses and doubles nothing: what is spoiled is what a broker,
a bridge or a cluster that fails over does with QoS 0. Only PUBLISH is spoiled; a cut ends it in the middle of a packet.
"""

import random
from collections.abc import Callable, Iterator

from .faults import LossyLine
from .proxy import Proxy

__all__ = ["PackProxy", "packets"]

_PUBLISH = 0x30  # MQTT 3.1.1 §3.3, without flags: QoS 0


def packets(buffer: bytearray) -> Iterator[bytes]:
    """Take whole MQTT packets (§2.2: type, remaining length of 1 to 4 bytes) from the front of a buffer."""
    while len(buffer) >= 2:
        size = shift = 0
        place = 1
        while place < len(buffer) and place < 5:
            byte = buffer[place]
            size |= (byte & 0x7F) << shift
            shift += 7
            place += 1
            if byte < 0x80:
                break
        else:
            return  # the length itself is not whole yet
        if len(buffer) < place + size:
            return
        yield bytes(buffer[: place + size])
        del buffer[: place + size]


class PackProxy(Proxy):
    """A wire to a broker that can be cut, and can spoil what it carries.

    Attributes:
        spoiling: whether it does now.
    """

    def __init__(self, host: str, port: int, seed: int, permille: int = 150) -> None:
        """Remember the broker.

        Args:
            host, port: the broker's.
            seed: of the damage.
            permille: of packets that vanish; as many come twice, and as many change places.
        """
        super().__init__(host, port)
        self.spoiling = False
        self._permille = permille
        self._draw = random.Random(seed)  # noqa: S311 - repeatable by its seed
        self._lines: list[LossyLine] = []

    @property
    def counts(self) -> dict[str, int]:
        """Return what was done to packs and receipts, by the damage's name."""
        return {name: sum(line.counts[name] for line in self._lines) for name in ("lost", "repeated", "reordered")}

    def _changes(self, _up: bool) -> Callable[[bytes], bytes]:
        each = self._permille
        line = LossyLine(self._draw.getrandbits(32), lost=each, repeated=each, reordered=each)
        self._lines.append(line)
        pending = bytearray()

        def spoil(data: bytes) -> bytes:
            pending.extend(data)
            out = bytearray()
            for packet in packets(pending):
                if self.spoiling and packet[0] & 0xF6 == _PUBLISH:
                    out += b"".join(line.carry(packet))
                else:
                    out += b"".join(line.flush()) + packet
            return bytes(out)

        return spoil
