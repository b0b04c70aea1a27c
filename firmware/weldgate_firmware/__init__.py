"""What the chip runs: the gate, the sensor, flash, the link and whatever joins them."""

__version__ = "0.1.0"
