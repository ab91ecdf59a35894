"""TLS 1.2 or newer, with the service's certificate verified.

Loaded with the first request, since ssl is slow to import.
"""

from __future__ import annotations

import os
import socket
import ssl
from functools import lru_cache

from timetric.exceptions import ConfigError


def secured(sock: socket.socket, host: str, ca_certs: str | None) -> ssl.SSLSocket:
    """The connection, encrypted, to who has proved to be ``host``.

    By an authority in ``ca_certs``, a file or a directory as OpenSSL knows them, or without it by
    one that the system trusts. Raises ConfigError where ``ca_certs`` can't be read, and OSError.
    """
    context = _context(ca_certs, ssl.get_default_verify_paths())
    return context.wrap_socket(sock, server_hostname=host)


@lru_cache(maxsize=4)
def _context(ca_certs: str | None, trusted: ssl.DefaultVerifyPaths) -> ssl.SSLContext:
    """One for each setting of SSL_CERT_FILE and SSL_CERT_DIR: making it takes 20 ms."""
    in_directory = ca_certs is not None and os.path.isdir(ca_certs)
    try:
        context = ssl.create_default_context(
            cafile=None if in_directory else ca_certs, capath=ca_certs if in_directory else None
        )
    except OSError as error:  # no such file, no permission; nothing in it is a certificate
        raise ConfigError(
            f"ca_certs is {ca_certs!r}, where no certificates can be read; it names a PEM file of "
            "the authorities to trust"
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
