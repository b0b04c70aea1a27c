"""The authority on people, machines and permits. Holds only its version until the platform is built."""

__version__ = "0.1.0"
