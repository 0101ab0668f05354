"""Signed notes: those of others are read, and others can read ours."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from jitcloud.audit import checkpoint, note
from jitcloud.audit.keys import Ed25519Signer
from jitcloud.audit.public_keys import PublicKey, canonical, is_trustable, key_name
from jitcloud.errors import Tampered
from jitcloud.model import Signature

# https://c2sp.org/signed-note, "Example"
EXAMPLE_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
EXAMPLE = """\
This is an example message.

\N{EM DASH} example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZ\
XsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=
"""

# transparency-dev/formats, note/note_verifier_test.go: keys of ECDSA, and what they have signed
REKOR_KEY = (
    "rekor.sigstore.dev+c0d23d6a+AjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABNhtmPtrWm3U1eQXBogSMdGvXwBc"
    "K5AW5i0hrZLOC96l+smGNM7nwZ4QvFK/4sueRoVj//QP22Ni4Qt9DPfkWLc="
)
REKOR = """\
Rekor
798034
f+7CoKgXKE/tNys9TTXcr/ad6U/K3xvznmzew9y6SP0=

\N{EM DASH} rekor.sigstore.dev wNI9ajBEAiARInWIWyCdyG27CO6LPnPekyw20qO0YJfoaPaowGp/XgIgc+qEHS3+GKVC\
lgqq20uDLet7MCoTURUCRdxwWBHHufk=
"""
PIXEL_KEY = (
    "pixel6_transparency_log+91c16e30+AjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABN+4x0Jk1yTwvLFI9A4NDdGZ"
    "cX0aiWVdWM5XJVy0M4VWD3AvyW5Q6Hs9A0mcDkpUoYgn+KKPNzFC0H3nN3q6JQ8="
)
PIXEL = """\
DEFAULT
10
bsWRucJU5xJPHb5eBdOm6+DM+VelCZBuvtI3sHERJ9Y=

\N{EM DASH} pixel6_transparency_log kcFuMDBFAiEAhqMAP8P6qf6QxtUJhzMhbN+MbZ9dwfUHzGQJmffJHtoCIGD0cNe\
47dHWBoPwYdgBCepB06/+g5O1FmYjXl06owL4
"""
VECTORS = {
    "signed-note": (EXAMPLE_KEY, EXAMPLE),
    "rekor": (REKOR_KEY, REKOR),
    "pixel": (PIXEL_KEY, PIXEL),
}


def verifier_key(text: str) -> tuple[str, bytes, PublicKey]:
    name, id_, material = text.split("+", 2)
    kind, *_ = raw = base64.b64decode(material)
    key = Ed25519PublicKey.from_public_bytes(raw[1:]) if kind == 1 else load_der_public_key(raw[1:])
    assert is_trustable(key)
    assert isinstance(key, PublicKey)
    return name, bytes.fromhex(id_), key


@pytest.mark.parametrize("vector", VECTORS)
def test_notes_of_others_are_read(vector: str) -> None:
    text, signed = VECTORS[vector]
    name, id_, key = verifier_key(text)
    assert note.key_id(name, key) == id_
    assert note.opened(signed, name, [key]) == signed.partition("\n\n")[0] + "\n"


@pytest.mark.parametrize("vector", VECTORS)
def test_no_bit_of_them_can_be_another(vector: str) -> None:
    text, signed = VECTORS[vector]
    name, _, key = verifier_key(text)
    for at in range(len(signed.encode()) * 8):
        edited = bytearray(signed.encode())
        edited[at // 8] ^= 1 << at % 8
        with pytest.raises(Tampered):
            note.opened(edited.decode(errors="replace"), name, [key])


class P256Signer:
    """A key as KMS keeps one, in memory."""

    def __init__(self) -> None:
        self._private = ec.derive_private_key(7, ec.SECP256R1())
        self.public = self._private.public_key()
        self.key = key_name(self.public)

    def sign(self, message: bytes) -> Signature:
        value = canonical(self._private.sign(message, ec.ECDSA(SHA256())))
        return Signature(key=self.key, value=base64.b64encode(value).decode())


SIGNERS: dict[str, Callable[[], note.NoteSigner]] = {
    "ed25519": lambda: Ed25519Signer(Ed25519PrivateKey.from_private_bytes(b"n" * 32)),
    "p256": P256Signer,
}


@pytest.mark.parametrize("kind", SIGNERS)
def test_others_can_read_ours(kind: str) -> None:
    signer = SIGNERS[kind]()
    signed = note.sign("one\ntwo\n", "example.com/log", signer)
    text, _, line = signed.partition("\n\n")
    dash, name, value = line.removesuffix("\n").split(" ")
    raw = base64.b64decode(value)
    assert (dash, name, raw[:4]) == ("\u2014", "example.com/log", note.key_id(name, signer.public))
    message = f"{text}\n".encode()
    if isinstance(signer.public, Ed25519PublicKey):
        signer.public.verify(raw[4:], message)
    else:
        signer.public.verify(raw[4:], message, ec.ECDSA(SHA256()))
    assert note.opened(signed, "example.com/log", [signer.public]) == "one\ntwo\n"


def test_signatures_of_strangers_are_passed_over() -> None:
    ours, theirs = SIGNERS["ed25519"](), SIGNERS["p256"]()
    signed = note.sign("text\n", "log", ours)
    both = signed + note.sign("another\n", "witness", theirs).partition("\n\n")[2]
    assert note.opened(both, "log", [ours.public]) == "text\n"
    with pytest.raises(Tampered, match="no key that is trusted"):
        note.opened(both, "log", [theirs.public])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "text\n",
        "text\n\n",
        "text\n\n\u2014 log\n",
        "text\n\n\u2014 log ****\n",
        "text\n\n- log AAAAAAAA\n",
        "text\n\n\u2014 log AAAAAAAA",
        "text\t\n\n\u2014 log AAAAAAAA\n",
        "x" * note.LONGEST + "\n\n\u2014 log AAAAAAAA\n",
        "\ud800\n\n\u2014 log AAAAAAAA\n",
    ],
)
def test_what_is_no_note_is_refused(text: str) -> None:
    with pytest.raises(Tampered):
        note.opened(text, "log", [SIGNERS["ed25519"]().public])


# https://c2sp.org/tlog-checkpoint, its example
BODY = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"


def test_what_a_checkpoint_says_is_read_and_written_as_specified() -> None:
    origin, size, root = checkpoint.said(BODY)
    assert (origin, size, root.hex()[:8]) == ("example.com/behind-the-sofa", 20852163, "0ac5186a")
    assert checkpoint.body(origin, size, root) == BODY
    assert checkpoint.said(REKOR.partition("\n\n")[0] + "\n")[1] == 798034
    assert checkpoint.said(f"{BODY}more\n") == (origin, size, root)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "log\n1\n",
        "log\n1\nAAAA\n",
        BODY.replace("2085", "02085"),
        BODY.replace("2085", "-2085"),
        BODY.replace("2085", "\u0662085"),
        BODY.replace("example.com/behind-the-sofa", ""),
        BODY.replace("q2I=", "q2J="),
        BODY.removesuffix("\n"),
        f"{BODY}\n",
    ],
)
def test_what_says_no_such_thing_is_refused(body: str) -> None:
    with pytest.raises(Tampered):
        checkpoint.said(body)
