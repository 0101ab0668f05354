"""What an issuer signs with, and how it publishes the public half (RFC 7517, RFC 7518)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Self

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

Algorithm = Literal["RS256", "ES256"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """One key pair, with the id that tokens name it by (``kid``)."""

    id: str
    algorithm: Algorithm
    private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey = field(repr=False)

    @classmethod
    def make(cls, algorithm: Algorithm) -> Self:
        """Make a new one; the id is another each time, so that no cache takes it for an old one."""
        private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
        if algorithm == "RS256":
            private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        else:
            private = ec.generate_private_key(ec.SECP256R1())
        return cls(id=secrets.token_hex(8), algorithm=algorithm, private=private)

    def signed(self, claims: Mapping[str, object], **header: object) -> str:
        """Write a token; more for its header comes beside the usual, or in place of it."""
        return jwt.encode(
            dict(claims),
            self.private,
            algorithm=self.algorithm,
            headers={"kid": self.id, **header},
        )

    def public(self) -> dict[str, object]:
        """The public half, as a JSON web key."""
        if isinstance(self.private, rsa.RSAPrivateKey):
            written = RSAAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        else:
            written = ECAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        written.pop("key_ops", None)
        return {**written, "kid": self.id, "alg": self.algorithm, "use": "sig"}

    def public_pem(self) -> bytes:
        """The public half, as everybody can write it down from ``public``."""
        return self.private.public_key().public_bytes(
            Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        )
