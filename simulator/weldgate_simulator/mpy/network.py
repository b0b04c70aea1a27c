"""``network`` on a virtual board: the host's own network is up from the start."""

STAT_CONNECTING = 1001
STAT_GOT_IP = 1010


class WLAN:
    """A station that is connected; the interpreter opens its sockets itself."""

    IF_STA = 0

    def __init__(self, interface: int) -> None:
        self._active = False

    def active(self, on: bool) -> None:
        """Switch the radio."""
        self._active = on

    def isconnected(self) -> bool:
        """Return whether there is an address."""
        return self._active

    def status(self) -> int:
        """Return the station's state."""
        return STAT_GOT_IP if self._active else 0

    def connect(self, ssid: str, password: str) -> None:
        """Join a network."""
