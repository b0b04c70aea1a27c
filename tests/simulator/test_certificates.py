"""The laboratory's certificate authority."""

import ssl
from pathlib import Path

from weldgate_simulator.certificates import Authority


def test_certificate_fits_its_key_and_its_authority(tmp_path: Path) -> None:
    """Python's own TLS takes the files, the key is nobody else's to read, and each certificate is another one."""
    authority = Authority(tmp_path)
    certificate, key = authority.issue("server")
    first = certificate.read_bytes()

    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
    ssl.create_default_context(cafile=authority.file)
    authority.issue("server")

    assert key.stat().st_mode & 0o777 == 0o600
    assert certificate.read_bytes() != first
