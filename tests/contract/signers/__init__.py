"""What every signer must do. To try one of yours, derive from the class here, as test_signers."""

from __future__ import annotations

import base64
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor

import pytest

from jitcloud import codec
from jitcloud.audit.public_keys import PublicKey, TrustedKeys, key_name
from jitcloud.errors import Tampered
from jitcloud.ports import Signer

MESSAGES = [
    pytest.param(b"", id="empty"),
    pytest.param(b"jitcloud event v1\n{}", id="short"),
    pytest.param(b"x" * 4096, id="as-much-as-KMS-takes"),
    pytest.param(b"x" * 4097, id="more-than-KMS-takes"),
    pytest.param(bytes(range(256)) * 4096, id="a-mebibyte"),
]


class SignerContract(ABC):
    @pytest.fixture
    @abstractmethod
    def signer(self) -> Signer: ...

    @pytest.fixture
    @abstractmethod
    def public(self) -> PublicKey:
        """The public half of its key."""

    @pytest.mark.parametrize("message", MESSAGES)
    def test_what_it_signs_verifies_with_the_public_half_alone(
        self, signer: Signer, public: PublicKey, message: bytes
    ) -> None:
        signature = signer.sign(message)
        assert signature.key == signer.key == key_name(public)
        trusted = TrustedKeys([public])
        trusted.verify(message, signature)
        for other in (message + b"x", b"x" + message, message[:-1] if message else b"\0"):
            with pytest.raises(Tampered, match="does not fit"):
                trusted.verify(other, signature)

    def test_a_signature_is_recorded_and_read_back(self, signer: Signer) -> None:
        signature = signer.sign(b"message")
        assert codec.decode_signature(codec.encode_signature(signature)) == signature
        assert base64.b64encode(base64.b64decode(signature.value)).decode() == signature.value

    def test_several_threads_may_sign_at_once(self, signer: Signer, public: PublicKey) -> None:
        trusted = TrustedKeys([public])
        messages = [str(number).encode() for number in range(16)]
        with ThreadPoolExecutor(8) as threads:
            signed = list(threads.map(signer.sign, messages))
        for message, signature in zip(messages, signed, strict=True):
            trusted.verify(message, signature)

    def test_its_repr_shows_no_secret(self, signer: Signer) -> None:
        assert "PRIVATE" not in repr(signer)
        assert len(repr(signer)) < 200
