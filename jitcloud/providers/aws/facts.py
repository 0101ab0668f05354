"""What AWS says about roles and deny documents, remembered for five minutes.

Issuing credentials must not wait for anything but the call that makes them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from jitcloud.errors import CloudRefused
from jitcloud.providers.aws import deny_text
from jitcloud.providers.aws.clients import Clients, translated
from jitcloud.providers.aws.deny_subjects import NOBODY, Denials
from jitcloud.providers.aws.target import Target, parse_arn

T = TypeVar("T")

REMEMBERED = timedelta(minutes=5)

DEFAULT_SESSION = timedelta(hours=1)
"""What every role allows: AWS sets no maximum below it."""

CHAINED_SESSION = timedelta(hours=1)
"""What a role session may hand out at most, whatever the role says (AWS: role chaining)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleFacts:
    """What IAM says about a role."""

    exists: bool = True
    longest_session: timedelta = DEFAULT_SESSION
    boundary: str | None = None
    unseen: str = ""
    """Why IAM could not be asked; the other facts are then what is safe to assume."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentFacts:
    """What IAM says about a deny document."""

    ended: Denials = NOBODY
    """Whom it denies everything."""
    unseen: str = ""
    """Why it could not be read."""


@dataclass(slots=True)
class Facts:
    """Asks IAM, at most every five minutes for each thing. Safe for several threads."""

    clients: Clients
    _known: dict[tuple[str, str | None], tuple[datetime, object]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def role(self, target: Target, now: datetime) -> RoleFacts:
        """Raise ``Throttled`` or ``OutcomeUnknown`` when AWS does not answer."""
        return self._remember(
            (target.role_arn, target.account_role), now, lambda: self._role(target)
        )

    def document(self, policy_arn: str, through: str | None, now: datetime) -> DocumentFacts:
        """Raise ``Throttled`` or ``OutcomeUnknown`` when AWS does not answer."""
        key = policy_arn, through
        return self._remember(key, now, lambda: self._document(policy_arn, through))

    def longest_set(self, target: Target, now: datetime) -> timedelta:
        """How long one set of credentials for the role may live."""
        longest = self.role(target, now).longest_session
        return min(longest, CHAINED_SESSION) if self.is_chained(target) else longest

    def is_chained(self, target: Target) -> bool:
        """Whether the broker itself has a role session, as it has on Lambda."""
        return ":assumed-role/" in self.clients.identity(target.role.partition)

    def forget(self, target: Target) -> None:
        """Ask anew about the role next time."""
        with self._lock:
            self._known.pop((target.role_arn, target.account_role), None)

    def _remember(self, key: tuple[str, str | None], now: datetime, ask: Callable[[], T]) -> T:
        with self._lock:
            known = self._known.get(key)
        if known is not None and abs(now - known[0]) < REMEMBERED:
            return known[1]  # type: ignore[return-value] # each key has one kind of fact
        fact = ask()
        with self._lock:
            self._known[key] = (now, fact)
        return fact

    def _role(self, target: Target) -> RoleFacts:
        arn, through = target.role, target.account_role
        try:
            if self.clients.account(arn.partition, through) != arn.account:
                return RoleFacts(
                    unseen="the role is in another account, and no account_role is named"
                )
            iam = self.clients.iam(arn.partition, through)
            with translated(f"iam:GetRole on {target.role_arn}"):
                try:
                    role = iam.get_role(RoleName=arn.name)["Role"]
                except iam.exceptions.NoSuchEntityException:
                    return RoleFacts(exists=False)
        except CloudRefused as exc:
            return RoleFacts(unseen=str(exc))
        longest = role.get("MaxSessionDuration")
        return RoleFacts(
            # Names are unique in an account, so another path means another role was meant.
            exists=role["Arn"] == target.role_arn,
            longest_session=DEFAULT_SESSION if longest is None else timedelta(seconds=longest),
            boundary=role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn"),
        )

    def _document(self, policy_arn: str, through: str | None) -> DocumentFacts:
        try:
            policy = read_policy(self.clients, policy_arn, through)
        except CloudRefused as exc:
            return DocumentFacts(unseen=str(exc))
        if policy is None:
            return DocumentFacts(unseen="it does not exist")
        return DocumentFacts(ended=deny_text.denials_in(policy_arn, policy))


def read_policy(clients: Clients, policy_arn: str, through: str | None) -> dict[str, object] | None:
    """The policy in effect; None when IAM says that there is no such policy.

    Raises ``CloudError``, also when the broker could only look in another account: what is not
    found there proves nothing.
    """
    arn = parse_arn(policy_arn)
    if clients.account(arn.partition, through) != arn.account:
        raise CloudRefused(
            f"{policy_arn} is in another account than the broker; name an account_role there."
        )
    iam = clients.iam(arn.partition, through)
    with translated(f"iam:GetPolicy on {policy_arn}"):
        try:
            version = iam.get_policy(PolicyArn=policy_arn)["Policy"]["DefaultVersionId"]
        except iam.exceptions.NoSuchEntityException:
            return None
    with translated(f"iam:GetPolicyVersion on {policy_arn}"):
        # A version that is gone by now proves nothing: whoever deleted it made another.
        answer = iam.get_policy_version(PolicyArn=policy_arn, VersionId=version)
    document = answer["PolicyVersion"]["Document"]
    return dict(document) if isinstance(document, dict) else {}
