"""The built-in issuer's RSA keys: PEM files in one private directory. The newest signs, all of them are published.

File names begin with the UTC time of their making, so the newest is the last by name. Readers look at the directory's
modification time, so that a rotation needs no restart.
"""

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from apps.identity.jose import VerificationKey, encode_number, thumbprint
from kernel.clock import now

KEY_BITS = 2048
ALGORITHM = "RS256"


class KeyringError(Exception):
    """The key directory cannot be used. The text says why."""


@dataclass(frozen=True)
class SigningKey:
    """One key pair of the issuer."""

    kid: str
    private_key: rsa.RSAPrivateKey
    path: Path

    def verification_key(self) -> VerificationKey:
        numbers = self.private_key.public_key().public_numbers()
        return VerificationKey(kid=self.kid, n=numbers.n, e=numbers.e, alg=ALGORITHM)

    def public_jwk(self) -> dict[str, Any]:
        key = self.verification_key()
        members = {"n": encode_number(key.n), "e": encode_number(key.e)}
        return {"kty": "RSA", "use": "sig", "alg": ALGORITHM, "kid": self.kid, **members}


class Keyring:
    """The keys in ``directory``, which is made with a first key when it is missing or empty."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._lock = threading.Lock()
        self._read_mtime_ns = -1
        self._keys: tuple[SigningKey, ...] = ()

    def keys(self) -> tuple[SigningKey, ...]:
        """All keys, oldest first; at least one."""
        if self._mtime_ns() != self._read_mtime_ns or not self._keys:
            self.reload()
        return self._keys

    def signing_key(self) -> SigningKey:
        return self.keys()[-1]

    def public_jwks(self) -> dict[str, Any]:
        """The JSON Web Key Set of RFC 7517."""
        return {"keys": [key.public_jwk() for key in reversed(self.keys())]}

    def reload(self) -> None:
        """Read the directory now: its time has too coarse a grain to show two changes in one moment."""
        with self._lock:
            mtime_ns = self._mtime_ns()
            self._keys = self._read()
            if not self._keys:
                with self._exclusive():
                    if not self._read():
                        self._make()
                mtime_ns = self._mtime_ns()
                self._keys = self._read()
            self._read_mtime_ns = mtime_ns

    def rotate(self) -> SigningKey:
        """Make a new key, which signs from now on. Tokens signed before stay valid: their keys stay published."""
        self.keys()
        with self._exclusive():
            self._make()
        self.reload()
        return self.signing_key()

    def prune(self, older_than: timedelta) -> list[str]:
        """Delete keys made longer ago than that, never the one that signs. Returns their kids."""
        limit = (now() - older_than).timestamp()
        with self._exclusive():
            old = [key for key in self.keys()[:-1] if key.path.stat().st_mtime < limit]
            for key in old:
                key.path.unlink()
        self.reload()
        return [key.kid for key in old]

    def _mtime_ns(self) -> int:
        try:
            return self.directory.stat().st_mtime_ns
        except FileNotFoundError:
            return -1

    def _read(self) -> tuple[SigningKey, ...]:
        keys = []
        for path in sorted(self.directory.glob("*.pem")):
            try:
                private_key = serialization.load_pem_private_key(path.read_bytes(), password=None)
            except FileNotFoundError:
                continue  # pruned by another process since the listing
            except (ValueError, TypeError) as error:
                raise KeyringError(f"{path} is not an unencrypted private key in PEM.") from error
            if not isinstance(private_key, rsa.RSAPrivateKey) or private_key.key_size < KEY_BITS:
                raise KeyringError(f"{path} is not an RSA key of at least {KEY_BITS} bits.")
            numbers = private_key.public_key().public_numbers()
            keys.append(SigningKey(thumbprint(numbers.n, numbers.e), private_key, path))
        return tuple(keys)

    def _make(self) -> None:
        private_key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
        pem = private_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        numbers = private_key.public_key().public_numbers()
        name = f"{now():%Y%m%dT%H%M%S.%fZ}-{thumbprint(numbers.n, numbers.e)[:8]}.pem"
        half_written = self.directory / f"{name}.part"  # a listing of keys would find a hidden *.pem
        with os.fdopen(os.open(half_written, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(pem)
            os.fsync(file.fileno())
        half_written.rename(self.directory / name)

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        """One process at a time makes or deletes keys."""
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(self.directory / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise KeyringError(f"The issuer's keys cannot be kept in {self.directory}: {error.strerror}.") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)
