"""What granting AWS sessions would mean, told beforehand: limits, leftovers, early end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from jitcloud.durations import format_duration
from jitcloud.model import Guarantee, Plan, RequestId
from jitcloud.providers.aws import deny_text, escapes
from jitcloud.providers.aws.facts import Facts, RoleFacts
from jitcloud.providers.aws.session_policy import MOST_CHARACTERS, SessionPolicy
from jitcloud.providers.aws.target import REQUEST_TAG, Target

SOME_DAY = datetime(2030, 1, 1, tzinfo=UTC)
"""A deadline for measuring: every deadline is as long."""

_SOME_REQUEST = RequestId("0" * 26)

NOTE_FROM = 90
"""From which estimated use of the packed limit on a plan says so, in percent."""

STAYS_OPEN = (
    "SSM, SSH and database sessions that are open at the end go on until they close, and so do "
    "compute, resource policies and shares that were changed meanwhile."
)
IDENTITY = (
    "What accepts a proof of identity alone (Kubernetes on EKS, Vault) accepts it until the "
    "credentials expire, after an early end too: at the latest 15 minutes after the deadline."
)
CONSOLE = (
    "A console window made from the credentials may stay open for up to 12 hours; "
    "it carries the session's policy, so AWS denies it everything from the deadline on."
)
TRUST_UNKNOWN = "Whether the role's trust policy lets the broker in shows only when it is tried."
ENDS_EARLY = (
    "Giving back or revoking denies these sessions everything, by name, in the account's "
    "deny document; IAM acts on it within seconds."
)
SHORTEN = (
    "Shorten narrow_policy, or move it into a managed policy named in narrow_policy_arns; "
    "drop session_tags; or open in allow_escape what need not be denied."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What is asked, and where to look what it would mean."""

    target: Target
    policy: SessionPolicy
    facts: Facts
    duration: timedelta
    now: datetime

    def plan(self) -> Plan:
        """Say what granting would mean. Raises ``Throttled`` or ``OutcomeUnknown``."""
        role = self.facts.role(self.target, self.now)
        obstacle = next(self._obstacles(role), "")
        early_end = ENDS_EARLY
        if obstacle:
            early_end = (
                "Given back or revoked early, credentials already handed out work until the "
                f"deadline, because {obstacle}."
            )
        opened = escapes.opened(self.target.allow_escape)
        return Plan(
            guarantee=Guarantee.CLOUD,
            early_end=early_end,
            residual=(
                *(f"{escape.name} is open: {escape.outlives}" for escape in opened),
                *((early_end,) if obstacle else ()),
                STAYS_OPEN,
                IDENTITY,
                CONSOLE,
            ),
            notes=tuple(self._notes(role)),
            problems=(*too_large(self.policy), *self._problems(role)),
        )

    def _problems(self, role: RoleFacts) -> Iterator[str]:
        if not role.exists:
            yield (
                f"The role {self.target.role_arn} does not exist; "
                "create it, or correct the catalog."
            )
        elif not role.unseen and self.duration > role.longest_session:
            yield (
                f"The role allows sessions of {format_duration(role.longest_session)} at most; "
                "ask for no longer, or raise its MaxSessionDuration."
            )

    def _notes(self, role: RoleFacts) -> Iterator[str]:
        yield TRUST_UNKNOWN
        if role.unseen:
            yield f"The broker could not look at the role: {role.unseen.rstrip('.')}."
        longest = self.facts.longest_set(self.target, self.now)
        if self.duration > longest:
            yield (
                f"One set of credentials lives {format_duration(longest)} at most; "
                "another is issued, as often as needed, until the deadline."
            )
        percent = self.policy.packed_percent(tags(self.target, _SOME_REQUEST))
        if percent > NOTE_FROM:
            yield (
                f"The session policy and tags take about {percent} % of the room that STS has for "
                f"them packed (an estimate: only AWS can tell). {SHORTEN}"
            )
        apart = self.facts.clients.watch.difference
        if apart is not None and self.facts.clients.watch.is_apart:
            yield clocks_differ(apart)

    def _obstacles(self, role: RoleFacts) -> Iterator[str]:
        """Why an early end would not end what was handed out; the first one matters."""
        document = self.target.deny_document
        if document is None:
            yield "the catalog names no deny document for this role"
            return
        if role.unseen:
            yield "the broker cannot look whether the deny document is the role's boundary"
        if role.boundary != document:
            yield "the deny document is not attached to the role as its permissions boundary"
        seen = self.facts.document(document, self.target.account_role, self.now)
        if seen.unseen:
            yield f"the broker cannot read the deny document ({seen.unseen.rstrip('.')})"
        if not deny_text.takes_request(document, seen.ended):
            yield f"the deny document is full: it ends {len(seen.ended)} sessions already"


def tags(target: Target, request: RequestId) -> Mapping[str, str]:
    """The session tags. Who asked is the source identity, which takes no room from these."""
    return {REQUEST_TAG: request, **target.session_tags}


def too_large(policy: SessionPolicy) -> tuple[str, ...]:
    """A sentence when STS would not take a policy of this length: that can be told beforehand."""
    if policy.characters <= MOST_CHARACTERS:
        return ()
    said = (
        f"The session policy has {policy.characters} characters with its policy ARNs, and STS "
        f"takes {MOST_CHARACTERS}. {SHORTEN}"
    )
    return (said,)


def clocks_differ(difference: timedelta) -> str:
    """What to tell when the broker and AWS do not mean the same instant by a deadline."""
    side = "behind that of" if difference > timedelta(0) else "ahead of that of"
    return (
        f"This machine's clock is {side} AWS by {format_duration(abs(difference))} or more, "
        "so no credentials are handed out; set it right (NTP)."
    )
