"""The service's secret key, and the OAuth secrets that are derived from it."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

from timetric.server.storage import Storage, StorageError

#: Kinds of what is derived: the secrets of applications and tokens, and the verifiers.
APPLICATION, REQUEST_TOKEN, ACCESS_TOKEN = "application", "request token", "access token"
VERIFIER = "verifier"

_SIZE = 32  # bytes


class Keyring:
    """Secrets by kind and key, none of which is stored: a stolen store holds no secret."""

    def __init__(self, secret_key: bytes) -> None:
        self._secret_key = secret_key

    def derive(self, kind: str, key: str) -> str:
        """The secret that belongs to a key: HMAC-SHA256 of (kind, 0, key), in hexadecimal."""
        text = f"{kind}\0{key}".encode()
        return hmac.new(self._secret_key, text, hashlib.sha256).hexdigest()

    @property
    def fingerprint(self) -> bytes:
        """What may be stored, to tell the key from others."""
        return bytes.fromhex(self.derive("fingerprint", ""))


def open_keyring(path: Path, storage: Storage, *, shared: bool = False) -> Keyring:
    """The keyring of the key file; a missing one is made while the store has no applications.

    One that is ``shared`` by machines is made only once: where it is missing on one, another may
    have it. Raises StorageError where the file is missing, or is not the one that the store began
    with.
    """
    if not shared and not path.exists():
        storage.grants.forget_fingerprint()
    if storage.grants.fingerprint() is None:
        _make(path)
    keyring = Keyring(_read(path))
    if storage.grants.keep_fingerprint(keyring.fingerprint) != keyring.fingerprint:
        raise StorageError(
            f"{path} is not the secret key that this store's OAuth tokens were made with; "
            "put that one there, or name it with --secret-key-file"
        )
    return keyring


def _read(path: Path) -> bytes:
    try:
        secret_key = path.read_bytes()
    except FileNotFoundError as error:
        raise StorageError(
            f"the secret key file {path} is missing; bring it back from a backup or another "
            "machine of the service, or name it with --secret-key-file"
        ) from error
    except OSError as error:
        raise StorageError(f"can't read the secret key file {path}: {error.strerror}") from error
    if len(secret_key) != _SIZE:
        raise StorageError(f"the secret key file {path} does not hold {_SIZE} bytes")
    return secret_key


def _make(path: Path) -> None:
    """A new key file, where there is none. It appears whole: another process may look for it."""
    try:
        with NamedTemporaryFile(dir=path.parent, prefix=f"{path.name}.") as draft:  # 0600
            draft.write(secrets.token_bytes(_SIZE))
            draft.flush()
            os.fsync(draft.fileno())
            with suppress(FileExistsError):  # there is one, or another process was faster
                os.link(draft.name, path)
    except OSError as error:
        raise StorageError(f"can't make the secret key file {path}: {error.strerror}") from error
