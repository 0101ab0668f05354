"""What people's tokens said of them, kept so that it counts later, when no token is at hand.

A vote is judged again when the request is let in, and by then nobody presents a token. What is
kept is signed: whoever can write the record, and not sign, must not put anybody in a group. He
can bring an older one back, as long as that one still counts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import TypeAdapter, ValidationError

from jitcloud import codec
from jitcloud.errors import Misconfigured, Tampered
from jitcloud.model import GroupId, PersonId, SignedIn
from jitcloud.ports import Signer, SignIns, Verifier

SIGNED_AS = b"jitcloud sign-in v1\n"
"""Prefixed to what is signed, so that a signature can stand for nothing else."""

AGAIN = timedelta(hours=1)
"""Nothing is written anew that says the same as before, and is no older than this."""

_SIGNED_IN: TypeAdapter[SignedIn] = TypeAdapter(SignedIn)


def encode(signed_in: SignedIn) -> str:
    """Return the canonical text of what is kept, its signature included."""
    plain: Any = _SIGNED_IN.dump_python(signed_in, mode="json")
    return codec.canonical(plain)


def decode(text: str) -> SignedIn | None:
    """Read what is kept; None where nobody of ours has written that: it counts for nothing."""
    try:
        found = _SIGNED_IN.validate_json(text)
        if None in {found.at.tzinfo, found.until.tzinfo}:
            return None  # it is compared before its signature is looked at
        return replace(found, at=found.at.astimezone(UTC), until=found.until.astimezone(UTC))
    except (ValidationError, OverflowError):
        return None


def _message(signed_in: SignedIn) -> bytes:
    return SIGNED_AS + encode(replace(signed_in, signature=None)).encode()


@dataclass(frozen=True, slots=True)
class SignInBook:
    """Keeps what tokens say, and believes of what is kept only what the broker has signed."""

    kept: SignIns
    verifier: Verifier
    signer: Signer | None = None
    """None where nothing is to be written: who only looks people up."""

    def note(self, said: SignedIn) -> None:
        """Keep what a token has said, unless that is known, or something newer.

        Where it cannot be signed just now it is not kept, and so none of its groups counts:
        whoever is here to end something need not wait for a key. Raises ``Unavailable``.
        """
        if self.signer is None:
            return
        known = self.of(said.person)
        if known is not None and (known.at >= said.at or _says_the_same(known, said)):
            return
        try:
            signature = self.signer.sign(_message(said))
        except Misconfigured:
            return
        self.kept.put(replace(said, signature=signature))

    def of(self, person: PersonId) -> SignedIn | None:
        """Return what somebody's latest token said, however old that is. Raises ``Unavailable``."""
        found = self.kept.of(person)
        if found is None or found.person != person or not self._is_ours(found):
            return None
        return found

    def groups(self, person: PersonId, now: datetime) -> frozenset[GroupId]:
        """Return the groups that somebody's latest token named, as long as that counts."""
        return groups_of(self.of(person), now)

    def members(self, group: GroupId, now: datetime) -> frozenset[PersonId]:
        """Name everybody whose latest token named a group, as long as that counts.

        Raises ``Unavailable``, and ``Misconfigured`` for too many.
        """
        return frozenset(
            found.person
            for found in self.kept.members(group, now)
            if group in found.groups and now < found.until and self._is_ours(found)
        )

    def _is_ours(self, found: SignedIn) -> bool:
        if found.signature is None:
            return False
        try:
            self.verifier.verify(_message(found), found.signature)
        except Tampered:
            return False
        return True


def groups_of(said: SignedIn | None, now: datetime) -> frozenset[GroupId]:
    """The groups that a token named, as long as that counts."""
    return frozenset() if said is None or now >= said.until else frozenset(said.groups)


def _says_the_same(known: SignedIn, said: SignedIn) -> bool:
    again = replace(said, at=known.at, until=known.until, signature=known.signature)
    return again == known and said.at - known.at <= AGAIN
