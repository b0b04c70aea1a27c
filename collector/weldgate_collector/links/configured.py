"""The links that a configuration names. A link's library is imported only where such a link is wanted."""

import msgspec

from ..config import Config
from .base import Link
from .tcp import TcpLink
from .tls import Certificates

__all__ = ["certificates", "configured_links"]


def certificates(config: Config) -> Certificates | None:
    """Read the TLS link's files, None where there is no such link.

    Raises:
        KeyFileError: a file can't be used.
    """
    if config.tls is None:
        return None
    authority = config.path(config.tls.client_ca_file) if config.tls.client_ca_file else None
    return Certificates(config.path(config.tls.certificate_file), config.path(config.tls.key_file), authority)


def configured_links(config: Config) -> list[Link]:
    """Make every link that is named; nothing is opened yet.

    Raises:
        CollectorError: a certificate or a password file can't be used, or a link's library is not installed.
    """
    links: list[Link] = []
    if config.tcp is not None:
        links.append(TcpLink(config.tcp.host, config.tcp.port, config.tcp.max_connections))
    tls, found = config.tls, certificates(config)
    if tls is not None and found is not None:
        links.append(TcpLink(tls.host, tls.port, tls.max_connections, found, tls.handshake_s))
    if config.serial:
        from .serial import SerialLink  # its library is an extra

        ports = [msgspec.structs.replace(section, port=str(config.path(section.port))) for section in config.serial]
        links += [SerialLink(section) for section in ports]
    return links
