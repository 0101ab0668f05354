"""Signed notes of C2SP: a text, and under it who signed it.

Ed25519 keys sign as type 1, keys over P-256 as type 2, which any reader of such notes knows.
https://c2sp.org/signed-note
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from jitcloud.audit.public_keys import PublicKey, TrustedKeys, key_name
from jitcloud.errors import Tampered
from jitcloud.model import Signature
from jitcloud.ports import Signer

LONGEST = 64 * 1024
"""No note is longer, in bytes: several times sixteen of the largest signatures there are."""

KEY_NAME = re.compile(r"[!-*,-~]{1,200}")
"""ASCII alone, without any space or plus; use ``fullmatch``."""

_ID = 4
_LINE = re.compile(r"\N{EM DASH} (?P<name>[^\s+]+) (?P<signed>[A-Za-z0-9+/]+={0,2})")


class NoteSigner(Signer, Protocol):
    """A signer that knows the public half of its key."""

    @property
    def public(self) -> PublicKey:
        """The public half. Raises as ``sign`` does."""
        ...


def key_id(name: str, key: PublicKey) -> bytes:
    """Return the four bytes by which a signature names its key."""
    if isinstance(key, Ed25519PublicKey):
        raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
        return hashlib.sha256(name.encode() + b"\n\x01" + raw).digest()[:_ID]
    info = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(info).digest()[:_ID]


def sign(text: str, name: str, signer: NoteSigner) -> str:
    """Return the note: the text, which ends with a line end, and one signature.

    Raises what ``signer`` does.
    """
    if not text.endswith("\n") or KEY_NAME.fullmatch(name) is None:
        message = "no text or key name of a note"
        raise ValueError(message)
    signature = base64.b64decode(signer.sign(text.encode()).value)
    signed = base64.b64encode(key_id(name, signer.public) + signature).decode()
    return f"{text}\n\N{EM DASH} {name} {signed}\n"


def opened(note: str, name: str, keys: Iterable[PublicKey]) -> str:
    """Return the text of a note that one of these keys has signed under this name.

    Signatures by others are passed over, as the specification says. Raises ``Tampered``.
    """
    text, lines = _parts(note)
    known = {key_id(name, key): key for key in keys}
    signed_by = None
    for line in lines:
        match = _LINE.fullmatch(line)
        signed = None if match is None else _decoded(match["signed"])
        if match is None or signed is None:
            raise Tampered("this is no signed note: one of its signatures cannot be read.")
        key = known.get(signed[:_ID])
        if match["name"] != name or key is None:
            continue
        value = base64.b64encode(signed[_ID:]).decode()
        TrustedKeys([key]).verify(text.encode(), Signature(key=key_name(key), value=value))
        signed_by = key
    if signed_by is None:
        raise Tampered(
            "it is signed with no key that is trusted here; if that key was retired, put its"
            " public half beside the others."
        )
    return text


def _parts(note: str) -> tuple[str, list[str]]:
    body, blank, signatures = note.rpartition("\n\n")
    has_controls = any(char < " " and char != "\n" for char in note)
    is_long = len(note.encode(errors="replace")) > LONGEST
    if not blank or not signatures.endswith("\n") or has_controls or is_long:
        raise Tampered("this is no signed note.")
    return f"{body}\n", signatures.removesuffix("\n").split("\n")


def _decoded(text: str) -> bytes | None:
    """Read what was signed; of two spellings of the same bytes, one alone."""
    try:
        found = base64.b64decode(text, validate=True)
    except binascii.Error:
        return None
    if base64.b64encode(found).decode() != text or len(found) <= _ID:
        return None
    return found
