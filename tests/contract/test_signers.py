"""The signer that keeps its own key, held to the contract; ``tests/aws/test_kms.py`` has KMS."""

from __future__ import annotations

from pathlib import Path

import pytest

from jitcloud.audit import keys
from jitcloud.audit.keys import Ed25519Signer
from jitcloud.audit.public_keys import PublicKey, public_keys
from tests.contract.signers import SignerContract


class TestEd25519Signer(SignerContract):
    @pytest.fixture
    def signer(self, tmp_path: Path) -> Ed25519Signer:
        return keys.create(tmp_path)

    @pytest.fixture
    def public(self, signer: Ed25519Signer, tmp_path: Path) -> PublicKey:
        (found,) = public_keys(tmp_path)
        assert found == signer.public
        return found
