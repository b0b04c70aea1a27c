"""The links that a configuration names. A link's library is imported only where such a link is wanted."""

from functools import partial

import msgspec

from weldgate_protocol.reasons import TOOL_BAD_INPUT, TOOL_NOT_FOUND

from ..chips import read_secret
from ..config import Config
from ..errors import KeyFileError
from .base import Link
from .mqtt import MqttLink
from .tcp import TcpLink
from .tls import Certificates

__all__ = ["certificates", "configured_links", "read_password"]


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
    if config.mqtt is not None:
        password = partial(read_password, config, config.mqtt.password_file)
        password()  # says now what can't be read
        ca_file = str(config.path(config.mqtt.tls_ca_file)) if config.mqtt.tls_ca_file else ""
        try:
            links.append(MqttLink(config.mqtt, config.collector.name, password, ca_file))
        except OSError as error:
            raise KeyFileError(TOOL_NOT_FOUND, f"{ca_file}: can't be used: {error}") from error
    return links


def read_password(config: Config, name: str) -> str:
    """Return the password in a file, empty where none is named.

    Raises:
        CollectorError: the file is missing, readable by others, or no text.
    """
    if not name:
        return ""
    path = config.path(name)
    try:
        return read_secret(path).decode().strip()
    except UnicodeDecodeError:
        raise KeyFileError(TOOL_BAD_INPUT, f"{path}: no text in UTF-8, as a password is") from None
