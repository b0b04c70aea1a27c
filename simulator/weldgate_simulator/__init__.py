"""Virtual boards, welders, clocks and faults: the real firmware without hardware, one chip or thousands."""

__version__ = "0.1.0"
