"""Who is calling, by the word of an issuer of OpenID Connect tokens."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta

from jwt import PyJWS
from jwt.exceptions import PyJWTError

from jitcloud.errors import NotFound, Refused, Unauthenticated
from jitcloud.identities import claims, compact
from jitcloud.identities.claims import Issuer, Said
from jitcloud.identities.compact import Compact
from jitcloud.identities.jwks import IssuerKeys
from jitcloud.model import Caller, Digest, PersonId, Presented, SignedIn, Token
from jitcloud.ports import Directory
from jitcloud.sign_ins import SignInBook
from jitcloud.text import quoted

GROUPS_LAST = timedelta(hours=12)
"""For how long what a token says of groups counts, unless something else is said."""

_NAMED = 16


class OidcIdentities:
    """Believes some issuers about the people whom their tokens name. Safe for several threads."""

    def __init__(
        self,
        issuers: Iterable[Issuer],
        directory: Directory | None,
        *,
        book: SignInBook | None = None,
        groups_last: timedelta = GROUPS_LAST,
    ) -> None:
        """Take whom to believe, and who knows people; asks nobody anything yet.

        Without a directory people are whom their tokens name, and are kept in the book. Without a
        book nothing that tokens say of groups is kept, and so none of it counts.
        """
        self._issuers = {issuer.url: issuer for issuer in issuers}
        self._keys = {url: IssuerKeys(url) for url in self._issuers}
        self._directory = directory
        self._book = book
        self._groups_last = groups_last

    def identify(self, presented: Presented, now: datetime) -> Caller:
        token = compact.parse(presented.text)
        issuer = self._issuer(token)
        self._verify(presented.text, token, issuer, now)
        said = claims.read(token.claims, issuer, now)
        person = self._person(said, issuer)
        self._note(person, said)
        sha256 = hashlib.sha256(presented.text.encode()).hexdigest()
        return Caller(
            person=person,
            token=Token(kind="oidc", id=said.id or sha256[:_NAMED], sha256=Digest(sha256)),
            signed_in_at=said.signed_in_at,
            bound_to=said.bound_to,
        )

    def _issuer(self, token: Compact) -> Issuer:
        named = token.claims.get("iss")
        issuer = self._issuers.get(named) if isinstance(named, str) else None
        if issuer is None:
            raise Unauthenticated(
                "The token is of an issuer whose tokens do not count here; sign in with another."
            )
        return issuer

    def _verify(self, text: str, token: Compact, issuer: Issuer, now: datetime) -> None:
        if token.algorithm not in issuer.algorithms:
            raise Unauthenticated(
                "The token is not signed, or not in a way that counts here; have the issuer sign by"
                f" {' or '.join(sorted(issuer.algorithms))}."
            )
        for key in self._keys[issuer.url].fitting(token.key_id, token.algorithm, now):
            try:
                PyJWS().decode_complete(text, key.public, algorithms=[token.algorithm])
            except PyJWTError:
                continue
            return
        raise Unauthenticated("The token's signature is not its issuer's; sign in again.")

    def _person(self, said: Said, issuer: Issuer) -> PersonId:
        if self._directory is None:
            return PersonId(said.handle)
        try:
            person = self._directory.person(said.handle)
        except (NotFound, Refused) as exc:
            raise Unauthenticated(
                f"{quoted(issuer.url)} calls you {quoted(said.handle)}, by which the directory"
                " knows nobody, or several people; have an operator mend that."
            ) from exc
        if person.id == said.handle:
            return person.id
        # It was an e-mail, then, and whoever can choose that must not thereby choose who to be.
        email = _folded(said.handle)
        vouched = said.email is not None and _folded(said.email) == email
        if email not in set(map(_folded, person.emails)) or not (
            vouched or issuer.unverified_emails
        ):
            raise Unauthenticated(
                f"{quoted(issuer.url)} calls you {quoted(said.handle)}, which is nobody's id, and"
                " no e-mail that it vouches for; have an operator mend that."
            )
        return person.id

    def _note(self, person: PersonId, said: Said) -> None:
        if self._book is None or (said.groups is None and self._directory is not None):
            return
        self._book.note(
            SignedIn(
                person=person,
                name=said.name,
                emails=() if said.email is None else (said.email,),
                groups=said.groups or (),
                at=said.issued_at,
                until=said.issued_at + self._groups_last,
            )
        )


def _folded(email: str) -> str:
    """An e-mail without the case of its ASCII letters alone.

    Unicode folds ``straße`` to ``strasse``, and these are domains of two owners (RFC 5892).
    """
    return "".join(char.lower() if char.isascii() else char for char in email)
