"""The broker's own Ed25519 key, for one machine: signs decisive events and verifies them.

The private half is the one secret that a single-machine deployment keeps; it lies in a file
that only its owner may read, and it opens no cloud. Public halves of former keys stay beside
it, so that old trails still verify after a rotation.
"""

from __future__ import annotations

import base64
import os
import stat
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from jitcloud.audit.public_keys import TrustedKeys, file_name, key_name, pem, public_keys
from jitcloud.errors import Misconfigured
from jitcloud.model import Signature

PRIVATE = "signing-key.pem"


class Ed25519Signer:
    """Signs with a private key held in memory. Its repr shows the key's name only."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.key = key_name(private.public_key())

    def __repr__(self) -> str:
        return f"Ed25519Signer({self.key})"

    def sign(self, message: bytes) -> Signature:
        """Sign the message (RFC 8032, Ed25519)."""
        return Signature(key=self.key, value=base64.b64encode(self._private.sign(message)).decode())

    def verifier(self) -> TrustedKeys:
        """A verifier that knows this key alone."""
        return TrustedKeys([self._private.public_key()])

    @property
    def public(self) -> Ed25519PublicKey:
        """The public half."""
        return self._private.public_key()


def create(folder: Path) -> Ed25519Signer:
    """Make a new key in a folder that has none. Raises ``Misconfigured`` if it has one."""
    signer = Ed25519Signer(Ed25519PrivateKey.generate())
    private = signer._private.private_bytes(  # noqa: SLF001 - the one place that writes it
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    path = folder / PRIVATE
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as exc:
        message = f"There is a signing key at {path} already; it is not overwritten."
        raise Misconfigured(message) from exc
    except OSError as exc:
        message = f"No signing key can be written to {path}: {exc.strerror}."
        raise Misconfigured(message) from exc
    with os.fdopen(handle, "wb") as file:
        file.write(private)
    (folder / file_name(signer.public)).write_text(pem(signer.public))
    return signer


def load(folder: Path) -> tuple[Ed25519Signer, TrustedKeys]:
    """Read the key and all public halves beside it. Raises ``Misconfigured``."""
    path = folder / PRIVATE
    try:
        mode = path.stat().st_mode
        text = path.read_bytes()
    except FileNotFoundError as exc:
        message = (
            f"There is no signing key at {path}. Restore it from your backup, or make a new one "
            "with `jitcloud init --key`; requests signed with the lost key will then need its "
            "public half to verify."
        )
        raise Misconfigured(message) from exc
    except OSError as exc:
        message = f"The signing key at {path} cannot be read: {exc.strerror}."
        raise Misconfigured(message) from exc
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        message = f"Others may read the signing key at {path}; run `chmod 600` on it."
        raise Misconfigured(message)
    signer = Ed25519Signer(_private(path, text))
    return signer, TrustedKeys([signer.public, *public_keys(folder)])


def _private(path: Path, text: bytes) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(text, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        message = f"{path} is not a private key in PEM form; restore it from your backup."
        # The cause is left out: it could quote the file.
        raise Misconfigured(message) from None
    if not isinstance(key, Ed25519PrivateKey):
        message = f"{path} is not an Ed25519 key; restore it from your backup."
        raise Misconfigured(message)
    return key
