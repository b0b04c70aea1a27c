"""A bad way to the broker: reorders, drops and doubles the packs that pass, and the receipts that come back.

Only whole MQTT packets are moved about, since TCP itself loses and doubles nothing: what is spoiled is what a broker,
a bridge or a cluster that fails over does with QoS 0. Only PUBLISH is spoiled; a cut ends it in the middle of a packet.
"""

import random
from collections.abc import Callable

from .faults import LossyLine
from .mqtt_bytes import PUBLISH, cut_wires
from .proxy import Proxy

__all__ = ["PackProxy"]


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
            for packet in cut_wires(pending):
                if self.spoiling and packet[0] & 0xF6 == PUBLISH:
                    out += b"".join(line.carry(packet))
                else:
                    out += b"".join(line.flush()) + packet
            return bytes(out)

        return spoil
