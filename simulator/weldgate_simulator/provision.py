"""Lays a chip's identity and key set into its flash, as the installer's bench does before the chip leaves it."""

import os
from collections.abc import Callable

from weldgate_firmware.identity import Identity, encode
from weldgate_firmware.slots import IDENTITY, KEY_SET
from weldgate_firmware.storage import PARTITION_SECTORS, Storage
from weldgate_issuer import Issuer
from weldgate_simulator.flash import VirtualFlash

__all__ = ["identity_of", "new_flash", "provision"]

GENERATION = 0


def identity_of(
    issuer: Issuer, device: bytes, host: str, port: int, *, area: str = "411081", profile: str = "dc-hall-mains"
) -> Identity:
    """Return the identity that an issuer gives a chip.

    Args:
        issuer: whose root secret and root keys the chip is born with.
        device: chip id, 8 bytes.
        host: address of the collector in charge, empty for none.
        port: its TCP port.
        area: administrative code of the place.
        profile: the installation's numbers, by name.
    """
    secrets = issuer.chip_secrets(device, GENERATION)
    return Identity(
        {
            "device": device,
            "k_up": secrets.up,
            "k_down": secrets.down,
            "k_seal": secrets.seal,
            "generation": GENERATION,
            "roots": list(issuer.root_publics),
            "area": area,
            "host": host,
            "port": port,
            "ssid": "",
            "password": "",
            "wiring": "esp32-relay",
            "profile": profile,
        }
    )


def provision(
    flash: VirtualFlash, identity: Identity, key_set: bytes, random: Callable[[int], bytes] = os.urandom
) -> None:
    """Write identity and key set into a chip's flash and erase the rest ahead.

    Args:
        flash: at least `PARTITION_SECTORS` sectors for the default ring.
        identity: who the chip is.
        key_set: the signed object.
        random: of whatever the stores draw.

    Raises:
        StorageError: flash did not take them.
    """
    storage = Storage(flash, random)
    storage.slots.store(IDENTITY, encode(identity))
    storage.slots.store(KEY_SET, key_set)
    storage.mount()
    while storage.service(True):
        pass  # erase ahead here, where nobody waits, so that the first start finds room


def new_flash(seed: int = 1, sectors: int = PARTITION_SECTORS) -> VirtualFlash:
    """Return an erased partition of the default size."""
    return VirtualFlash(sectors, seed=seed)
