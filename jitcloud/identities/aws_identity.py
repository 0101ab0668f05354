"""Who is calling, by AWS's own word: a presigned ``GetCallerIdentity``, sent on to STS.

What the call says itself proves nothing before STS has answered; see ``presigned`` for what its
signature binds. Whoever comes by one can be that caller here, and nowhere else, for a minute.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from jitcloud.address import Address
from jitcloud.errors import NotFound, Refused, Unauthenticated, Unavailable
from jitcloud.https import Answer, Server
from jitcloud.identities import aws_principals, presigned, sts_answer
from jitcloud.identities.presigned import PresignedCall
from jitcloud.identities.sts_answer import Answered
from jitcloud.model import SKEW, Caller, Digest, Person, Presented, Token
from jitcloud.ports import Directory
from jitcloud.text import quoted

OLDEST = timedelta(seconds=60)
"""How long ago a call may have been signed: by then it has long arrived."""

AT_ONCE = 8
"""How many calls STS is asked about at the same time, by one process."""

WITHIN = timedelta(seconds=4)
"""How long STS may take to answer, all in all."""

_LARGEST = 64 * 1024
_REMEMBERED = 1000
_OK, _TOO_MANY, _FAILED = 200, 429, 500

_PARTITIONS = {"cn": ("aws-cn", "amazonaws.com.cn"), "eusc": ("aws-eusc", "amazonaws.eu")}
_HOME = "us-east-1"
"""Whose STS answers as sts.amazonaws.com, too."""


def endpoints(regions: Iterable[str], endpoint_url: str | None = None) -> dict[str, frozenset[str]]:
    """Return where STS may be asked, and for which regions a call to it is signed.

    Whole addresses and no pattern: ``sts.s3.amazonaws.com`` could be anybody's bucket.
    https://docs.aws.amazon.com/general/latest/gr/sts.html
    """
    named = frozenset(regions)
    if endpoint_url is not None:
        return {endpoint_url: named}
    found = {f"https://sts.{name}.{_partition(name)[1]}": frozenset({name}) for name in named}
    if _HOME in named:
        found["https://sts.amazonaws.com"] = frozenset({_HOME})
    return found


def _partition(region: str) -> tuple[str, str]:
    """The partition that a region is in, and what its host names end in."""
    usual = ("aws-us-gov" if region.startswith("us-gov-") else "aws", "amazonaws.com")
    return _PARTITIONS.get(region.partition("-")[0], usual)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trusted:
    """Whose users and roles may call, and what they sign."""

    audience: str
    """What names this deployment."""
    accounts: frozenset[str]
    regions: frozenset[str]
    """Whose STS is asked."""
    identity_center: bool = False
    """Whether a session of a role that is called ``AWSReservedSSO_…`` is who it says.

    True only where nobody but Identity Center makes such roles in these accounts.
    """
    endpoint_url: str | None = None
    """An emulator on this machine, asked in place of AWS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    answered: Answered
    until: datetime


class AwsIdentities:
    """Believes AWS about its users and roles. Safe for several threads."""

    def __init__(self, directory: Directory, trusted: Trusted) -> None:
        self._directory = directory
        self._trusted = trusted
        self._endpoints = endpoints(trusted.regions, trusted.endpoint_url)
        self._servers = {
            at: Server("STS", Address.parse(at), timeout=WITHIN, limit=_LARGEST)
            for at in self._endpoints
        }
        self._lock = threading.Lock()
        self._asking = threading.BoundedSemaphore(AT_ONCE)
        self._known: dict[str, _Known] = {}

    def identify(self, presented: Presented, now: datetime) -> Caller:
        call = presigned.parse(presented.text)
        self._check(call, now)
        sha256 = hashlib.sha256(presented.text.encode()).hexdigest()
        answered = self._remembered(sha256)
        if answered is None:
            answered = self._asked(call)
            until = call.signed_at + OLDEST + SKEW
            self._remember(sha256, _Known(answered=answered, until=until), now)
        handles = aws_principals.handles(
            answered,
            partition=_partition(call.region)[0],
            accounts=self._trusted.accounts,
            identity_center=self._trusted.identity_center,
        )
        return Caller(
            person=self._person(handles).id,
            token=Token(kind="aws", id=call.access_key_id, sha256=Digest(sha256)),
        )

    def _check(self, call: PresignedCall, now: datetime) -> None:
        """Refuse what is not to be sent on, or not any more."""
        if call.region not in self._endpoints.get(call.at, ()):
            raise Unauthenticated(
                f"The AWS identity is signed for {quoted(call.at)} and {quoted(call.region)}, which"
                f" is not asked here; sign it for {' or '.join(sorted(self._endpoints))}."
            )
        if call.signed_at > now + SKEW:
            raise Unauthenticated(
                "The AWS identity is signed in the future; set the clock of the machine that signs."
            )
        if now > min(call.signed_at + OLDEST, call.expires_at) + SKEW:
            raise Unauthenticated(
                "The AWS identity was signed more than a minute ago, or has expired; sign in again,"
                " and set the clock of the machine that signs if that does not help."
            )

    def _asked(self, call: PresignedCall) -> Answered:
        # Whoever makes calls up must not keep everybody waiting whom nobody need ask STS about.
        if not self._asking.acquire(blocking=False):
            raise Unavailable("Too many AWS identities are being looked up; try again in a moment.")
        try:
            answer = self._servers[call.at].get(
                call.target, {presigned.HEADER: self._trusted.audience}
            )
        finally:
            self._asking.release()
        answered = sts_answer.identity(answer.body) if answer.status == _OK else None
        if answered is None:
            raise _refused(answer)
        return answered

    def _remembered(self, sha256: str) -> Answered | None:
        """Who has signed this call, if that is known: whether it counts still was checked."""
        with self._lock:
            known = self._known.get(sha256)
        return None if known is None else known.answered

    def _remember(self, sha256: str, known: _Known, now: datetime) -> None:
        with self._lock:
            if len(self._known) >= _REMEMBERED:
                self._known = {key: one for key, one in self._known.items() if now < one.until}
            if len(self._known) < _REMEMBERED:
                self._known[sha256] = known

    def _person(self, handles: tuple[str, ...]) -> Person:
        found: dict[str, Person] = {}
        for handle in handles:
            try:
                person = self._directory.person(handle)
            except NotFound:
                continue
            except Refused as exc:
                raise Unauthenticated(str(exc)) from exc
            found[person.id] = person
        if len(found) > 1:
            raise Unauthenticated(
                f"The directory knows {quoted(handles[0], limit=200)} and its id as two people;"
                " have an operator mend that."
            )
        if not found:
            raise Unauthenticated(
                f"AWS says that {quoted(handles[0], limit=200)} is calling, whom the directory does"
                " not know; have an operator add it to the person it belongs to."
            )
        return next(iter(found.values()))


def _refused(answer: Answer) -> Unauthenticated | Unavailable:
    code = sts_answer.error_code(answer.body)
    is_busy = answer.status in {_OK, _TOO_MANY} or answer.status >= _FAILED
    if is_busy or not code or "Throttl" in code:
        return Unavailable(
            f"STS cannot say who is calling just now ({code or answer.status}); try again in a"
            " moment."
        )
    return Unauthenticated(
        f"AWS does not accept the AWS identity ({code}): its credentials have ended, or it was"
        " signed for another jitcloud; sign in again."
    )
