"""Whose keys a frame's tag is checked with: a site's, a collector's list of chips, a captured connection's own."""

from collections.abc import Callable
from pathlib import Path

from weldgate_protocol import messages
from weldgate_protocol.errors import RemoteError
from weldgate_protocol.frame import parse, tag_matches
from weldgate_protocol.keys import HmacKey, connection_key
from weldgate_tools.places import issuer_folder
from weldgate_tools.site import Site

__all__ = ["FindKeys", "Keys", "listed_keys", "site_keys"]

FindKeys = Callable[[bytes, int], tuple[bytes, bytes]]


class Keys:
    """What tags can be checked with: a chip's keys, and the connections seen in the capture itself.

    Args:
        find: (device, key parity of the frame) -> (K_up, K_down), either of them empty when it is not known.
    """

    def __init__(self, find: FindKeys | None = None) -> None:
        self._find = find
        self._nonces: dict[bytes, bytes] = {}
        self._connections: dict[bytes, HmacKey] = {}

    def judge(self, raw: bytes) -> str:
        """Return `right`, `wrong` or `not checked`; learns a connection's key from its hello and welcome."""
        if self._find is None:
            return "not checked"
        found = parse(raw)
        up, down = self._find(found.device, found.parity)
        if found.type == messages.HELLO or found.durable:
            self._learn_hello(raw)
            if not up:
                return "not checked"
            return "right" if tag_matches(raw, HmacKey(up)) else "wrong"
        if found.type == messages.WELCOME:
            nonce = _nonce(raw)
            if nonce and down and found.device in self._nonces:
                key = connection_key(down, self._nonces[found.device], nonce)
                self._connections[found.device] = HmacKey(key)
        key_conn = self._connections.get(found.device)
        if key_conn is None:
            return "not checked"
        return "right" if tag_matches(raw, key_conn) else "wrong"

    def _learn_hello(self, raw: bytes) -> None:
        found = parse(raw)
        nonce = _nonce(raw)
        if found.type == messages.HELLO and nonce:
            self._nonces[found.device] = nonce


def site_keys(site: Path) -> FindKeys:
    """Return what finds the keys of a site's chips, derived from its root.

    A frame tells the parity of its generation alone; the chip's generation is the newest of that parity that its
    collector knows, else 0 or 1.
    """
    from weldgate_collector import list_chips  # here, since frames without keys need neither
    from weldgate_issuer import Issuer

    issuer = Issuer.open(issuer_folder(site))
    listed = Site(site).chips_file
    newest = {int(device): generation for device, generation in list_chips(listed)} if listed.is_file() else {}

    def find(device: bytes, parity: int) -> tuple[bytes, bytes]:
        generation = newest.get(int.from_bytes(device, "big"), parity)
        if generation % 2 != parity:
            generation = generation - 1 if generation else 1
        secrets = issuer.chip_secrets(device, generation)
        return secrets.up, secrets.down

    return find


def listed_keys(path: Path) -> FindKeys:
    """Return what finds the keys in a collector's list of chips, where there is no issuer.

    Raises:
        ChipsError: the list is wrong.
        KeyFileError: it is missing or readable by others.
    """
    from weldgate_collector import read_chips

    known = {int(chip.device): chip for chip in read_chips(path)}

    def find(device: bytes, parity: int) -> tuple[bytes, bytes]:
        chip = known.get(int.from_bytes(device, "big"))
        if chip is None:
            return b"", b""
        if chip.generation % 2 == parity:
            return bytes.fromhex(chip.up), bytes.fromhex(chip.down)
        return bytes.fromhex(chip.previous_up), b""

    return find


def _nonce(raw: bytes) -> bytes:
    """Return the nonce of a hello or welcome, empty when it can't be read."""
    found = parse(raw)
    try:
        nonce = messages.decode(found.type, found.payload).get("nonce", b"")
    except RemoteError:
        return b""
    return nonce if isinstance(nonce, bytes) else b""
