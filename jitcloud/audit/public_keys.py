"""The public keys whose signatures count: Ed25519, and ECDSA over P-256 with SHA-256.

A signature has one spelling that counts. Its text is hashed into the trail: whoever can write
the record, and not sign, must not be able to make another signature of one that is there.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)

from jitcloud.errors import Misconfigured, Tampered
from jitcloud.model import Signature
from jitcloud.text import printable

PUBLIC_SUFFIX = ".pub.pem"

PublicKey = Ed25519PublicKey | EllipticCurvePublicKey
"""A key over another curve than P-256 is none that counts."""

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""How many points P-256 has (SEC 2, 2.4.2): ``(r, ORDER - s)`` is as good as ``(r, s)``."""

_P256 = "p256:"
_LARGEST = 16 * 1024


class TrustedKeys:
    """Knows public keys by name, and checks signatures against them. Safe for several threads."""

    def __init__(
        self, keys: Iterable[PublicKey], also: Callable[[], PublicKey] | None = None
    ) -> None:
        """Trust these, and one P-256 key that is fetched when a signature names none of them.

        ``also`` raises ``Misconfigured`` or ``Unavailable`` while that cannot be had.
        """
        self._keys: dict[str, PublicKey] = {key_name(key): key for key in keys}
        self._also = also
        # Within one command the same trail is believed several times.
        self._holds = lru_cache(maxsize=256)(self._verify)

    def verify(self, message: bytes, signature: Signature) -> None:
        """Raise ``Tampered`` unless a known key signed exactly this message.

        Raises ``Misconfigured`` or ``Unavailable`` when that cannot be told now.
        """
        if not self._knows(signature.key):
            raise Tampered(_untrusted(signature.key))
        if not self._holds(signature.key, signature.value, message):
            raise Tampered("its signature does not fit its text.")

    @property
    def known(self) -> tuple[PublicKey, ...]:
        """The keys that are at hand; of one that would have to be fetched, only once it was."""
        return tuple(self._keys.values())

    def _knows(self, name: str) -> bool:
        if name not in self._keys and self._also is not None and name.startswith(_P256):
            found = self._also()
            self._keys[key_name(found)] = found
        return name in self._keys

    def _verify(self, key: str, value: str, message: bytes) -> bool:
        try:
            signature = base64.b64decode(value, validate=True)
            if base64.b64encode(signature).decode() != value:
                return False
            _check(self._keys[key], signature, message)
        except (InvalidSignature, binascii.Error, ValueError):
            return False
        return True


def _untrusted(name: str) -> str:
    if name.startswith(_P256):
        return (
            "it is signed with a key that is not trusted here; `jitcloud audit public-key --save`"
            " keeps the public half of the one that KMS signs with now, and those of retired ones"
            " belong in the same folder."
        )
    return (
        "it is signed with a key that is not trusted here; if that key was retired, "
        f"put its public half beside the signing key as *{PUBLIC_SUFFIX}."
    )


def _check(key: PublicKey, signature: bytes, message: bytes) -> None:
    """Raise ``InvalidSignature`` or ``ValueError`` unless the key signed the message."""
    if isinstance(key, Ed25519PublicKey):
        key.verify(signature, message)
        return
    if signature != canonical(signature):
        raise InvalidSignature
    key.verify(signature, message, ECDSA(SHA256()))


def canonical(signature: bytes) -> bytes:
    """Return the one spelling of an ECDSA signature over P-256: DER, and the lower ``s`` of both.

    Raises ``ValueError`` for what is none.
    """
    r, s = decode_dss_signature(signature)
    return encode_dss_signature(r, min(s, ORDER - s))


def key_name(key: PublicKey) -> str:
    """Name a key after its public half: ``ed25519:`` or ``p256:``, and 16 hexadecimal digits.

    Of the SHA-256 of the key itself (RFC 8032), or of its SubjectPublicKeyInfo (RFC 5480).
    """
    if isinstance(key, Ed25519PublicKey):
        raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
        return f"ed25519:{hashlib.sha256(raw).hexdigest()[:16]}"
    info = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"{_P256}{hashlib.sha256(info).hexdigest()[:16]}"


def is_trustable(key: object) -> bool:
    """Whether this is a public key whose signatures can count."""
    if isinstance(key, EllipticCurvePublicKey):
        return isinstance(key.curve, SECP256R1)
    return isinstance(key, Ed25519PublicKey)


def pem(key: PublicKey) -> str:
    """Write a key as SubjectPublicKeyInfo in PEM form (RFC 7468)."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def file_name(key: PublicKey) -> str:
    """Name the file that a key is kept in."""
    return f"{key_name(key).replace(':', '-')}{PUBLIC_SUFFIX}"


def public_keys(folder: Path) -> tuple[PublicKey, ...]:
    """Read the public keys in a folder: enough to verify with. Raises ``Misconfigured``."""
    return tuple(_read(path) for path in sorted(folder.glob(f"*{PUBLIC_SUFFIX}")))


def _read(path: Path) -> PublicKey:
    try:
        with path.open("rb") as file:
            key = load_pem_public_key(file.read(_LARGEST))
    except (OSError, ValueError, UnsupportedAlgorithm) as exc:
        message = f"{printable(str(path))} is not a public key in PEM form."
        raise Misconfigured(message) from exc
    if not is_trustable(key):
        message = f"{printable(str(path))} is neither an Ed25519 key nor one over P-256."
        raise Misconfigured(message)
    assert isinstance(key, PublicKey)  # noqa: S101 - see above
    return key


def save(key: PublicKey, folder: Path) -> Path:
    """Keep a public key in a folder, where verifying finds it. Raises ``Misconfigured``."""
    path = folder / file_name(key)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_text(pem(key))
    except OSError as exc:
        message = f"No public key can be written to {printable(str(path))}: {exc.strerror}."
        raise Misconfigured(message) from exc
    return path
