"""Which signatures count, and which public keys can be trusted."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from jitcloud.audit import keys
from jitcloud.audit.public_keys import (
    ORDER,
    PublicKey,
    TrustedKeys,
    canonical,
    file_name,
    key_name,
    pem,
    public_keys,
    save,
)
from jitcloud.errors import Misconfigured, Tampered, Unavailable
from jitcloud.model import Signature

MESSAGE = b"jitcloud event v1\n{}"

OURS = ec.generate_private_key(ec.SECP256R1())
FORMER = Ed25519PrivateKey.generate()
TRUSTED = TrustedKeys([OURS.public_key(), FORMER.public_key()])


def named(key: PublicKey, value: bytes) -> Signature:
    return Signature(key=key_name(key), value=base64.b64encode(value).decode())


def by_us(message: bytes = MESSAGE, key: ec.EllipticCurvePrivateKey = OURS) -> bytes:
    return canonical(key.sign(message, ec.ECDSA(SHA256())))


def test_keys_of_both_kinds_count_side_by_side() -> None:
    TRUSTED.verify(MESSAGE, named(OURS.public_key(), by_us()))
    TRUSTED.verify(MESSAGE, named(FORMER.public_key(), FORMER.sign(MESSAGE)))


def test_a_name_says_what_kind_of_key_it_is() -> None:
    info = OURS.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert key_name(OURS.public_key()) == f"p256:{hashlib.sha256(info).hexdigest()[:16]}"
    raw = FORMER.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    assert key_name(FORMER.public_key()) == f"ed25519:{hashlib.sha256(raw).hexdigest()[:16]}"


# ── Forgeries ────────────────────────────────────────────────────────────────────────────────


def _other_half(value: bytes) -> bytes:
    r, s = decode_dss_signature(value)
    return encode_dss_signature(r, ORDER - s)


def _scaled(value: bytes) -> bytes:
    r, s = decode_dss_signature(value)
    return encode_dss_signature(r + ORDER, s)


def _padded(value: bytes) -> bytes:
    """The same numbers in BER that is no DER: ``r`` with a needless zero before it."""
    r = value[4 : 4 + value[3]]
    inner = bytes([2, len(r) + 1, 0]) + r + value[4 + value[3] :]
    return bytes([0x30, len(inner)]) + inner


FORGED: dict[str, Callable[[bytes], bytes]] = {
    "the other s": _other_half,
    "r beyond the order": _scaled,
    "a needless zero": _padded,
    "a long length": lambda value: bytes([0x30, 0x81]) + value[1:],
    "more behind it": lambda value: value + b"\0",
    "cut": lambda value: value[:-1],
    "nothing": lambda _: b"",
    "zeros": lambda _: encode_dss_signature(0, 0),
    "r and s one": lambda _: encode_dss_signature(1, 1),
    "raw numbers": lambda value: b"".join(
        number.to_bytes(32, "big") for number in decode_dss_signature(value)
    ),
    "another key": lambda _: by_us(key=ec.generate_private_key(ec.SECP256R1())),
    "another message": lambda _: by_us(b"another"),
    "another digest": lambda _: canonical(OURS.sign(MESSAGE, ec.ECDSA(SHA384()))),
    "an Ed25519 signature": lambda _: FORMER.sign(MESSAGE),
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED.keys())
def test_a_forged_signature_does_not_fit(forge: Callable[[bytes], bytes]) -> None:
    value = by_us()
    with pytest.raises(Tampered, match="does not fit"):
        TRUSTED.verify(MESSAGE, named(OURS.public_key(), forge(value)))


@given(st.integers(0, 2**16))
def test_no_bit_of_a_signature_can_be_another(at: int) -> None:
    for key, value in ((OURS.public_key(), by_us()), (FORMER.public_key(), FORMER.sign(MESSAGE))):
        place, bit = divmod(at % (8 * len(value)), 8)
        flipped = value[:place] + bytes([value[place] ^ 1 << bit]) + value[place + 1 :]
        with pytest.raises(Tampered, match="does not fit"):
            TRUSTED.verify(MESSAGE, named(key, flipped))


def test_a_signature_of_one_kind_is_none_under_the_name_of_the_other() -> None:
    for value in (by_us(), FORMER.sign(MESSAGE)):
        for key in (OURS.public_key(), FORMER.public_key()):
            is_its_own = (key == OURS.public_key()) == (value[0] == 0x30)
            if not is_its_own:
                with pytest.raises(Tampered, match="does not fit"):
                    TRUSTED.verify(MESSAGE, named(key, value))


SPELT = {
    "a line end": "{}\n",
    "a blank": " {}",
    "no end": "{:.5}",
    "more padding": "{}====",
    "another alphabet": "-_{}",
    "no ASCII": "é{}",
}


@pytest.mark.parametrize("spelt", SPELT.values(), ids=SPELT.keys())
def test_a_signature_is_spelt_in_one_way(spelt: str) -> None:
    good = named(OURS.public_key(), by_us())
    TRUSTED.verify(MESSAGE, good)
    with pytest.raises(Tampered, match="does not fit"):
        TRUSTED.verify(MESSAGE, Signature(key=good.key, value=spelt.format(good.value)))


def test_the_last_letter_of_a_signature_is_no_other() -> None:
    signature = FORMER.sign(MESSAGE)  # 64 bytes: four bits of the last letter mean nothing
    good = base64.b64encode(signature).decode()
    other = next(
        spelt
        for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        if (spelt := f"{good[:-3]}{letter}==") != good and base64.b64decode(spelt) == signature
    )
    with pytest.raises(Tampered, match="does not fit"):
        TRUSTED.verify(MESSAGE, Signature(key=key_name(FORMER.public_key()), value=other))


# ── Keys that are not known ──────────────────────────────────────────────────────────────────


def test_a_stranger_is_not_trusted_and_it_is_said_what_to_do() -> None:
    stranger = ec.generate_private_key(ec.SECP256R1())
    with pytest.raises(Tampered, match="not trusted here; `jitcloud audit public-key --save`"):
        TRUSTED.verify(MESSAGE, named(stranger.public_key(), by_us(key=stranger)))
    other = Ed25519PrivateKey.generate()
    with pytest.raises(Tampered, match="if that key was retired"):
        TRUSTED.verify(MESSAGE, named(other.public_key(), other.sign(MESSAGE)))


def test_the_key_in_use_is_fetched_only_when_a_signature_needs_it() -> None:
    asked: list[str] = []

    def fetched() -> PublicKey:
        asked.append("asked")
        return OURS.public_key()

    trusted = TrustedKeys([FORMER.public_key()], fetched)
    trusted.verify(MESSAGE, named(FORMER.public_key(), FORMER.sign(MESSAGE)))
    unknown = Ed25519PrivateKey.generate()
    with pytest.raises(Tampered):
        trusted.verify(MESSAGE, named(unknown.public_key(), unknown.sign(MESSAGE)))
    assert asked == []
    for _ in range(3):
        trusted.verify(MESSAGE, named(OURS.public_key(), by_us()))
    assert asked == ["asked"]


def test_what_cannot_be_told_now_is_not_called_a_forgery() -> None:
    def unreachable() -> PublicKey:
        raise Unavailable("Down.")

    trusted = TrustedKeys([], unreachable)
    with pytest.raises(Unavailable):
        trusted.verify(MESSAGE, named(OURS.public_key(), by_us()))


# ── Files ────────────────────────────────────────────────────────────────────────────────────


def test_public_keys_are_kept_in_a_folder_and_found_there(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    assert save(OURS.public_key(), folder) == folder / file_name(OURS.public_key())
    own = keys.create(folder)
    assert set(map(key_name, public_keys(folder))) == {own.key, key_name(OURS.public_key())}
    _, trusted = keys.load(folder)
    trusted.verify(MESSAGE, named(OURS.public_key(), by_us()))
    trusted.verify(MESSAGE, own.sign(MESSAGE))


def test_a_key_that_cannot_be_kept_is_said(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("a file")
    with pytest.raises(Misconfigured, match="No public key can be written"):
        save(OURS.public_key(), tmp_path / "keys")


OTHERS = {
    "another curve": ec.generate_private_key(ec.SECP384R1()).public_key(),
    "bitcoin's curve": ec.generate_private_key(ec.SECP256K1()).public_key(),
    "Ed448": ed448.Ed448PrivateKey.generate().public_key(),
    "RSA": rsa.generate_private_key(65537, 2048).public_key(),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_a_key_of_another_kind_is_refused(tmp_path: Path, kind: str) -> None:
    (tmp_path / "other.pub.pem").write_text(pem(OTHERS[kind]))  # type: ignore[arg-type] # on purpose
    with pytest.raises(Misconfigured, match="neither an Ed25519 key nor one over P-256"):
        public_keys(tmp_path)


@pytest.mark.parametrize("text", [b"", b"-----BEGIN PUBLIC KEY-----\n", b"\xff" * 100_000])
def test_what_is_no_key_is_refused(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "no.pub.pem").write_bytes(text)
    with pytest.raises(Misconfigured, match="not a public key in PEM form"):
        public_keys(tmp_path)
