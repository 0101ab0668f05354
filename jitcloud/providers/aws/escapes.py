"""What an issued AWS session may not do, because its effect would outlive the session.

Everything here is denied unless the catalog opens it by name, which approvers then see.

Not in the table, and why:

* Resource policies, shared snapshots, access lists: the list is long, and each pattern takes
  room from the little that STS leaves for a session policy (see ``session_policy``). Deny them
  in the role's own policies, where they cost nothing.
* ``sts:GetCallerIdentity`` cannot be denied: AWS answers it even against an explicit Deny.
* ``cognito-identity:GetOpenIdTokenForDeveloperIdentity``, for want of room: its tokens reach
  only roles that trust an identity pool with developer identities.
* A console sign-in address made from the credentials: the sign-in service asks IAM for no
  permission. The console session carries the session policy, and so the deadline.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True, kw_only=True)
class Escape:
    """One way out, by the name that opens it."""

    name: str
    actions: tuple[str, ...]
    outlives: str
    """What is left after the end, once the catalog has opened it: one sentence."""
    always: bool = False
    """Denied in so many words even where nothing allows it."""


# The patterns are as short as they can be without catching a read: every distinct character
# counts against STS's packed limit. Their order matters to nobody, but like stands by like,
# which packs better.
ESCAPES: tuple[Escape, ...] = (
    Escape(
        name="assume-role",
        actions=("sts:AssumeR*",),
        outlives="A session of another role, taken just before the end, lives up to an hour more.",
        # A trust policy that names the session's own ARN lets it in though nothing allows it:
        # only an explicit Deny stops that.
        always=True,
    ),
    Escape(
        name="web-identity-token",
        actions=("sts:GetW*",),
        outlives="A signed web identity token, and what other clouds gave for it, lives on.",
    ),
    Escape(
        name="delegated-token",
        actions=("sts:GetD*",),
        outlives="A delegated access token lives on.",
    ),
    Escape(
        name="registry-tokens",
        actions=("sts:GetSer*", "ecr:GetAu*", "ecr-public:GetAu*", "codeartifact:GetAu*"),
        outlives="A registry token (ECR, CodeArtifact) lives up to 12 hours.",
    ),
    Escape(
        name="iam-write",
        # All of IAM but Get, List, Generate, Simulate and PassRole.
        actions=(
            "iam:A*",
            "iam:C*",
            "iam:D*",
            "iam:E*",
            "iam:Pu*",
            "iam:R*",
            "iam:Se*",
            "iam:T*",
            "iam:U*",
        ),
        outlives="Access keys, users, roles, policies and trust made meanwhile stay.",
    ),
    Escape(
        name="pass-role",
        actions=("iam:Pa*",),
        outlives="Compute started with a role goes on with that role's rights.",
    ),
    Escape(
        name="identity-center",
        actions=("sso:*", "sso-directory:*", "identitystore:*", "account-access:*"),
        outlives="Identity Center assignments, groups and users made meanwhile stay.",
    ),
    Escape(
        name="organizations",
        actions=("organizations:*",),
        outlives="Changes to the organisation, its accounts and its control policies stay.",
    ),
    Escape(
        name="roles-anywhere",
        actions=("rolesanywhere:*",),
        outlives="Trust anchors and profiles made meanwhile hand out sessions.",
    ),
    Escape(
        name="console-login",
        actions=("signin:*",),
        outlives="A sign-in with `aws login` hands out credentials for up to 12 hours.",
    ),
    Escape(
        name="s3-access-grants",
        actions=("s3:GetDa*",),
        outlives="Credentials from S3 Access Grants live up to 12 hours.",
    ),
    Escape(
        name="kms-grants",
        actions=("kms:CreateG*",),
        outlives="A KMS grant stays until it is retired.",
    ),
)

NAMES = tuple(escape.name for escape in ESCAPES)

# AWS answers these to long-term credentials alone, so nothing is to be opened; denied all the
# same, for the day it answers them to role sessions.
_NEVER = ("sts:GetF*", "sts:GetSes*")

# What mints in STS, in one pattern that leaves GetCallerIdentity and GetAccessKeyInfo alone.
_MINTERS = frozenset({*_NEVER, "sts:GetSer*", "sts:GetW*", "sts:GetD*"})
_ALL_MINTERS = "sts:Get?e*"


def opened(allowed: Collection[str]) -> tuple[Escape, ...]:
    """The ways out that the catalog has opened by name."""
    return tuple(escape for escape in ESCAPES if escape.name in allowed)


def denied(allowed: Collection[str], reach: Collection[str] | None) -> tuple[str, ...]:
    """The action patterns to deny, where ``allowed`` names what is open.

    ``reach`` holds the action patterns that the session is allowed at all, or is None where
    that is not known. What nothing allows needs no Deny, and room is short.
    """
    table = ((escape.actions, escape.always) for escape in ESCAPES if escape.name not in allowed)
    closed = [
        action
        for actions, always in (*table, (_NEVER, False))
        for action in actions
        if always or reach is None or any(overlap(action, other) for other in reach)
    ]
    if _MINTERS.issubset(closed):
        closed = [_ALL_MINTERS, *(action for action in closed if action not in _MINTERS)]
    return tuple(closed)


def overlap(one: str, other: str) -> bool:
    """Whether some action fits both patterns. IAM reads actions without regard to case."""
    return _overlap(one.lower(), other.lower())


@cache
def _overlap(one: str, other: str) -> bool:
    if not one or not other:
        return not (one + other).strip("*")
    if one[0] == "*":
        return _overlap(one[1:], other) or _overlap(one, other[1:])
    if other[0] == "*":
        return _overlap(other, one)
    same = one[0] == other[0] or "?" in (one[0], other[0])
    return same and _overlap(one[1:], other[1:])
