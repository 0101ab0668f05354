"""What ``[sign_in]`` of ``jitcloud.toml`` may say: whose word counts for who is calling."""

from __future__ import annotations

import re
from datetime import timedelta
from itertools import permutations
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from jitcloud.address import Address, is_loopback
from jitcloud.durations import parse_duration
from jitcloud.text import one_line

LONGEST_LEEWAY = timedelta(seconds=60)
"""How far the clock of an issuer may be from ours."""

LONGEST_COUNT = timedelta(days=7)
"""For how long groups may count that a token spoke of."""

_ACCOUNT = re.compile(r"[0-9]{12}")
# Partitions whose STS is named by rule; others (the isolated ones) have hosts of their own.
_REGION = re.compile(r"(?:af|ap|ca|cn|eu|eusc-de|il|me|mx|sa|us|us-gov)-[a-z]{2,12}-[1-9]")
_AUDIENCE = re.compile(r"[!-~]{1,200}")


def _duration(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else value


def _line(text: str) -> str:
    return one_line(text, "text", limit=200)


def _issuer(url: str) -> str:
    Address.parse(url)
    return url


def _some(names: list[str]) -> list[str]:
    if not names:
        raise ValueError("name at least one")
    return names


def _account(text: str) -> str:
    if _ACCOUNT.fullmatch(text) is None:
        raise ValueError("an account is twelve digits, in quotes")
    return text


def _region(text: str) -> str:
    if _REGION.fullmatch(text) is None:
        raise ValueError("write the name of a region, such as eu-central-1")
    return text


def _audience(text: str) -> str:
    if _AUDIENCE.fullmatch(text) is None:
        raise ValueError("write up to 200 printable ASCII characters without a space")
    return text


def _loopback(url: str | None) -> str | None:
    if url is None:
        return None
    if not is_loopback(urlsplit(url).hostname or ""):
        raise ValueError("endpoint_url is for an emulator on this machine; leave it out for AWS")
    if Address.parse(url).path:
        raise ValueError("STS answers at /; take the path out of endpoint_url")
    return url.rstrip("/")


def _leeway(leeway: timedelta) -> timedelta:
    if leeway > LONGEST_LEEWAY:
        raise ValueError("a clock that is further off has to be set; write at most 1m")
    return leeway


def _lasting(groups_last: timedelta) -> timedelta:
    if not timedelta() < groups_last <= LONGEST_COUNT:
        raise ValueError("whoever leaves a group is in it for as long; write at most 7d")
    return groups_last


Duration = Annotated[timedelta, BeforeValidator(_duration)]
Line = Annotated[str, AfterValidator(_line)]

Algorithm = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"
]
"""Those whose key an issuer can publish: whoever can verify must not be able to sign."""


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class IssuerSettings(_Strict):
    """One issuer of OpenID Connect tokens, believed about whoever its tokens name."""

    url: Annotated[str, AfterValidator(_issuer)]
    """As ``iss`` in its tokens has it, to the letter."""
    audiences: Annotated[list[Line], AfterValidator(_some)]
    """For whom a token has to be made: client ids, or what the issuer calls this API."""
    algorithms: Annotated[list[Algorithm], AfterValidator(_some)] = ["RS256", "ES256"]
    subject_claim: Line = "sub"
    """Which claim names the person."""
    prefix: Annotated[str, Field(max_length=100)] = ""
    """What stands before that in the directory, so that two issuers never name the same person."""
    unverified_emails: bool = False
    """Whether an e-mail counts without ``email_verified``."""
    groups_claim: Line | None = None
    """Which claim lists the person's groups; they are not read from tokens unless said."""
    multi_factor: list[Line] = []
    """What ``amr`` or ``acr`` has to say for a sign-in to count; any does, unless said."""
    leeway: Annotated[Duration, AfterValidator(_leeway)] = LONGEST_LEEWAY
    oldest: Duration = timedelta(days=1)
    """For how long after it was made a token counts, whatever it says itself."""


class AwsSignInSettings(_Strict):
    """AWS identities, each proven by a presigned ``sts:GetCallerIdentity``."""

    audience: Annotated[str, AfterValidator(_audience)]
    """What names this deployment in what callers sign; no other deployment may have it."""
    accounts: Annotated[list[Annotated[str, AfterValidator(_account)]], AfterValidator(_some)]
    """Whose users and roles may call."""
    regions: Annotated[list[Annotated[str, AfterValidator(_region)]], AfterValidator(_some)] = [
        "us-east-1"
    ]
    """Whose STS is asked; that of us-east-1 also as sts.amazonaws.com."""
    identity_center: bool = False
    """Whether whoever came through Identity Center is known by their user name there."""
    endpoint_url: Annotated[str | None, AfterValidator(_loopback)] = None
    """Where an emulator of STS answers, in place of AWS."""


class SignInSettings(_Strict):
    """Who is believed about who is calling."""

    issuer: list[IssuerSettings] = []
    aws: AwsSignInSettings | None = None
    groups_last: Annotated[Duration, AfterValidator(_lasting)] = timedelta(hours=12)
    """For how long what a token said of groups counts after it was made."""
    people_from_tokens: bool = False
    """Whether people are known from their tokens alone, and there is no directory."""

    @model_validator(mode="after")
    def _is_of_use(self) -> Self:
        if not self.issuer and self.aws is None:
            raise ValueError("say who is believed: [[sign_in.issuer]], [sign_in.aws] or both")
        urls = [issuer.url for issuer in self.issuer]
        if len(set(urls)) < len(urls):
            raise ValueError("an issuer stands here twice; keep one, with all its audiences")
        if self.people_from_tokens:
            self._stands_alone()
        return self

    def _stands_alone(self) -> None:
        if self.aws is not None:
            raise ValueError(
                "AWS says nothing of groups: [sign_in.aws] and people_from_tokens do not go"
                " together"
            )
        prefixes = [issuer.prefix for issuer in self.issuer]
        if any(one.startswith(other) for one, other in permutations(prefixes, 2)):
            raise ValueError(
                "without a directory two issuers could mean two people by one name; give each a"
                " prefix of its own, with which no other begins"
            )

    @property
    def keeps_sign_ins(self) -> bool:
        """Whether anything that tokens say is kept."""
        return self.people_from_tokens or any(issuer.groups_claim for issuer in self.issuer)
