"""What a token claims, once its signature has been verified: whether it counts, and for whom. Pure.

OpenID Connect Core 1.0, 3.1.3.7 (https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation),
JSON Web Token Best Current Practices (RFC 8725).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from jitcloud.binding import digest_in
from jitcloud.durations import format_duration
from jitcloud.errors import Invalid, Unauthenticated
from jitcloud.model import Digest, GroupId
from jitcloud.text import one_line, quoted

MOST_GROUPS = 200
"""How many groups a token may name: as many as Entra ID puts into one."""

MOST_CLAIMS = 200

_LATEST = 253_370_764_800
"""In 9999: what comes after has no date, or none that something can be added to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """Whose tokens count, and how they are read."""

    url: str
    audiences: frozenset[str]
    algorithms: frozenset[str]
    subject_claim: str = "sub"
    prefix: str = ""
    """Stands before what the subject claim says, and makes it the person's id."""
    unverified_emails: bool = False
    groups_claim: str | None = None
    multi_factor: frozenset[str] = frozenset()
    """What ``amr`` or ``acr`` must say for a sign-in to count; empty for any."""
    leeway: timedelta = timedelta(seconds=60)
    oldest: timedelta = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a token says that counts."""

    handle: str
    """What names the person in the directory."""
    name: str
    email: str | None
    """Only one that the issuer vouches for, or is trusted with."""
    groups: tuple[GroupId, ...] | None
    """None where they are not read from tokens."""
    issued_at: datetime
    signed_in_at: datetime | None
    bound_to: Digest | None
    id: str | None = field(default=None)
    """The token's own name (``jti``), where that can be shown."""


def read(claims: Mapping[str, Any], issuer: Issuer, now: datetime) -> Said:
    """Check the claims of a token that this issuer has signed. Raises ``Unauthenticated``."""
    if len(claims) > MOST_CLAIMS:
        raise Unauthenticated(
            f"The token makes more than {MOST_CLAIMS} claims; have the issuer leave out what"
            " jitcloud does not need."
        )
    if "events" in claims or "cnf" in claims:
        raise Unauthenticated(
            "The token tells of something else than a sign-in, or belongs to a key that was not"
            " shown with it; sign in again."
        )
    _check_audience(claims, issuer.audiences)
    issued_at = _check_times(claims, issuer, now)
    subject = _text(claims, "sub")
    named = subject if issuer.subject_claim == "sub" else _text(claims, issuer.subject_claim)
    handle = _shown(issuer.prefix + named)
    if handle is None:
        raise _wrong(issuer.subject_claim)
    email = _email(claims, issuer)
    if issuer.subject_claim == "email" and email is None:
        raise Unauthenticated(
            "The issuer has not verified the e-mail that names you; have it verified there, and"
            " sign in again."
        )
    return Said(
        handle=handle,
        name=_shown(claims.get("name")) or handle,
        email=email,
        groups=None if issuer.groups_claim is None else _groups(claims, issuer.groups_claim),
        issued_at=issued_at,
        signed_in_at=_signed_in_at(claims, issuer, now),
        bound_to=digest_in(claims.get("nonce")),
        id=_shown(claims.get("jti")),
    )


def _check_audience(claims: Mapping[str, Any], ours: frozenset[str]) -> None:
    audience = claims.get("aud")
    named = [audience] if isinstance(audience, str) else audience
    if not isinstance(named, list) or not all(isinstance(each, str) for each in named):
        raise _wrong("aud")
    if not ours.intersection(named):
        raise Unauthenticated("The token is meant for somebody else than jitcloud; sign in again.")
    # Whoever else it is meant for can show it here, too: then it must have been made for us.
    if not ours.issuperset(named) and claims.get("azp") not in list(ours):
        raise Unauthenticated(
            "The token is meant for others besides jitcloud, and was not asked for by it; sign in"
            " again."
        )


def _check_times(claims: Mapping[str, Any], issuer: Issuer, now: datetime) -> datetime:
    expires_at, issued_at = _instant(claims, "exp"), _instant(claims, "iat")
    not_before = _instant(claims, "nbf") if "nbf" in claims else issued_at
    if now >= expires_at + issuer.leeway:
        raise Unauthenticated("The token has expired; sign in again.")
    if max(issued_at, not_before) > now + issuer.leeway:
        raise Unauthenticated(
            "The token is of the future; set the clock of this machine or of the issuer."
        )
    if now - issued_at > issuer.oldest + issuer.leeway:
        raise Unauthenticated(
            f"The token is older than the {format_duration(issuer.oldest)} that one may be; sign in"
            " again."
        )
    return issued_at


def _signed_in_at(claims: Mapping[str, Any], issuer: Issuer, now: datetime) -> datetime | None:
    if "auth_time" not in claims:
        return None
    signed_in_at = _instant(claims, "auth_time")
    if signed_in_at > now + issuer.leeway:
        raise Unauthenticated(
            "The token tells of a sign-in in the future; set the clock of this machine or of the"
            " issuer."
        )
    if issuer.multi_factor and not issuer.multi_factor.intersection(_methods(claims)):
        return None
    return min(signed_in_at, now)


def _methods(claims: Mapping[str, Any]) -> list[str]:
    methods, level = claims.get("amr", []), claims.get("acr", "")
    if not isinstance(methods, list) or not all(isinstance(each, str) for each in methods):
        raise _wrong("amr")
    if not isinstance(level, str):
        raise _wrong("acr")
    return [*methods, level]


def _email(claims: Mapping[str, Any], issuer: Issuer) -> str | None:
    is_verified = claims.get("email_verified") is True
    if "email" not in claims or not (is_verified or issuer.unverified_emails):
        return None
    return _text(claims, "email")


def _groups(claims: Mapping[str, Any], claim: str) -> tuple[GroupId, ...]:
    # Entra ID names no group at all where there are too many, and says where to ask for them:
    # https://learn.microsoft.com/en-us/entra/identity-platform/id-token-claims-reference
    elsewhere = claims.get("_claim_names")
    if claims.get("hasgroups") or (isinstance(elsewhere, dict) and claim in elsewhere):
        raise _too_many()
    found = claims.get(claim, [])
    named = [found] if isinstance(found, str) else found
    if not isinstance(named, list) or not all(isinstance(each, str) for each in named):
        raise _wrong(claim)
    if len(named) > MOST_GROUPS:
        raise _too_many()
    for each in named:
        if _shown(each) is None:
            raise _wrong(claim)
    return tuple(GroupId(each) for each in sorted(set(named)))


def _too_many() -> Unauthenticated:
    return Unauthenticated(
        f"You are in more groups than the {MOST_GROUPS} that a token may name; have the issuer name"
        " only those that matter to jitcloud."
    )


def _instant(claims: Mapping[str, Any], claim: str) -> datetime:
    value = claims.get(claim)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= _LATEST:
        raise _wrong(claim)
    return datetime.fromtimestamp(value, UTC)


def _text(claims: Mapping[str, Any], claim: str) -> str:
    found = _shown(claims.get(claim))
    if found is None:
        raise _wrong(claim)
    return found


def _shown(value: object) -> str | None:
    """Return a text that can be shown and kept; None for anything else."""
    try:
        return one_line(value, "claim", limit=200) if isinstance(value, str) else None
    except Invalid:
        return None


def _wrong(claim: str) -> Unauthenticated:
    return Unauthenticated(
        f"The token lacks the claim {quoted(claim)}, or it is not as it has to be; sign in again,"
        " or have the issuer mended."
    )
