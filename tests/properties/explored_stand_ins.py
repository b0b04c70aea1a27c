"""What stands in for gate and flash in a world that is explored."""

from weldgate_firmware import gate
from weldgate_simulator.flash import VirtualFlash


class Heard(gate.Gate):
    """A gate that notes each pair (state, event) it is asked about, and shares its table with all others."""

    TABLE = gate.Gate()._table

    def __init__(self, posted: set[int]) -> None:
        super().__init__()
        self._table = self.TABLE
        self.posted = posted

    def post(self, event: int) -> tuple[int, ...]:
        """As the gate's."""
        self.posted.add(self.state << 8 | event)
        return super().post(event)


class StubbornFlash(VirtualFlash):
    """Flash that takes nothing at all where it fails: what half a record leaves is other tests' business."""

    def _draw(self, below: int) -> int:
        return 0

    def copy(self, seed: int = 1) -> "StubbornFlash":
        """As every flash's."""
        return StubbornFlash(self.sector_count, self.sector_size, bytearray(self.data), self._charge, seed)
