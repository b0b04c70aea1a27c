"""The `weldgate` command for installers, technicians and operators."""

__version__ = "0.1.0"
