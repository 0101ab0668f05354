"""An inline policy on an IAM role or user, which IAM itself ends at the deadline.

Whoever may write a role's inline policies can give it any right there is, so the broker that
does this needs a bound: see "IAM groups and policies" in ``docs/operations.md``.

The place is what is granted to whom, not one request's: two grants of the same statements to the
same role are one policy, until the later deadline. Apart, the end of one would be recorded as
seen while the other still gave the same rights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from datetime import UTC, datetime, timedelta

from jitcloud.model import (
    Entitlement,
    Guarantee,
    PersonId,
    Place,
    Places,
    Plan,
    RequestId,
    Sight,
    Slot,
    SlotKey,
)
from jitcloud.providers.aws import iam_targets, inline_policies, timed_policy
from jitcloud.providers.aws.clients import Clients
from jitcloud.providers.aws.iam_outlook import policy_plan
from jitcloud.providers.aws.iam_targets import PolicyTarget
from jitcloud.providers.aws.principals import iam_of, one_spelling, principal
from jitcloud.providers.aws.session_policy import Statement
from jitcloud.providers.aws.target import Arn

KIND = "aws.iam-policy"

NEVER = datetime(9999, 12, 31, tzinfo=UTC)
"""The deadline of a policy that is not as we wrote it: for all we know, it has none."""


@dataclass(frozen=True, slots=True)
class InlinePolicy:
    """The slot kind. A slot's ``where`` holds the statements, and whose they are."""

    clients: Clients
    _: KW_ONLY
    settle: timedelta = timedelta(seconds=10)
    """As of a group membership: see ``iam_group``."""
    timeout: timedelta = timedelta(seconds=10)
    """For one call, and before it the one that says who the broker is, or assumes its way in."""
    name: str = KIND
    grants: bool = True
    takes_standing: bool = False

    def see(self, slot: Slot, now: datetime) -> Sight:
        """Read whether the policy is there, and until when it grants."""
        of, statements, through = _where(slot)
        iam = iam_of(self.clients, of, through)
        policy = inline_policies.get(iam, of, timed_policy.policy_name(statements))
        if policy is None:
            return Sight(at=now, present=False)
        until = timed_policy.deadline_in(policy, statements)
        return Sight(at=now, present=True, until=until or NEVER)

    def put(self, slot: Slot, wish: Sequence[RequestId], until: datetime) -> None:  # noqa: ARG002 - whoever holds it holds the same
        """Write the policy, with this deadline."""
        of, statements, through = _where(slot)
        iam = iam_of(self.clients, of, through)
        text = timed_policy.document(statements, until)
        inline_policies.put(iam, of, timed_policy.policy_name(statements), text)

    def remove(self, slot: Slot) -> None:
        """Delete the policy."""
        of, statements, through = _where(slot)
        iam = iam_of(self.clients, of, through)
        inline_policies.delete(iam, of, timed_policy.policy_name(statements))


@dataclass(frozen=True, slots=True)
class IamPolicy:
    """The mechanism ``aws.iam-policy``. Safe for several threads."""

    clients: Clients
    name: str = KIND
    guarantee: Guarantee = Guarantee.CLOUD

    def check(self, entitlement: Entitlement) -> tuple[str, ...]:
        """Say what is wrong with the target table."""
        return iam_targets.check(PolicyTarget, entitlement)

    def plan(self, entitlement: Entitlement, duration: timedelta, now: datetime) -> Plan:  # noqa: ARG002 - it is the same for all
        """Say what granting would mean, from what is in IAM now."""
        return policy_plan(self.clients, iam_targets.read(PolicyTarget, entitlement))

    def places(self, entitlement: Entitlement, person: PersonId) -> Places:
        """Name the policy. Raises ``Refused`` for whom the catalog names no IAM user."""
        target = iam_targets.read(PolicyTarget, entitlement)
        of = target.of(person, entitlement)
        where: dict[str, object] = {
            "principal_arn": target.role_arn or (target.users or {})[person],
            "statements": list(target.statements),
        }
        if target.account_role is not None:
            where["account_role"] = target.account_role
        key = f"{KIND}/{one_spelling(of)}/{timed_policy.policy_name(target.statements)}"
        return Places(grant=Place(key=SlotKey(key), kind=KIND, where=where))


def _where(slot: Slot) -> tuple[Arn, Sequence[Statement], str | None]:
    statements, through = slot.where["statements"], slot.where.get("account_role")
    return (
        principal(str(slot.where["principal_arn"])),
        statements if isinstance(statements, list) else [],
        None if through is None else str(through),
    )
