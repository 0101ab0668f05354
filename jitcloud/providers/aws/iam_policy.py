"""An inline policy on an IAM role or user, which IAM itself ends at the deadline.

Whoever may write a role's inline policies can give it any right there is, so the broker that
does this needs a bound: see "IAM groups and policies" in ``docs/operations.md``.

The place is what is granted to whom, not one request's: two grants of the same statements to the
same role are one policy, until the later deadline. Apart, the end of one would be recorded as
seen while the other still gave the same rights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from datetime import UTC, datetime, timedelta

from jitcloud.errors import CloudRefused
from jitcloud.model import (
    Area,
    Entitlement,
    Guarantee,
    Hold,
    Listing,
    Person,
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
    """The slot kind. A slot's ``where`` holds the statements, and whose they are.

    Of a policy that was found, and says something else than its name says, it holds the name.
    """

    clients: Clients
    _: KW_ONLY
    settle: timedelta = timedelta(seconds=10)
    """As of a group membership: see ``iam_group``."""
    timeout: timedelta = timedelta(seconds=10)
    """For one call, and before it the one that says who the broker is, or assumes its way in."""
    patience: timedelta = timedelta(minutes=2)
    page: int = 100
    """How many policies one page of a list names, and of how many of them ours are then read."""
    name: str = KIND
    grants: bool = True
    takes_standing: bool = False

    def see(self, slot: Slot, now: datetime) -> Sight:
        """Read whether the policy is there, and until when it grants."""
        at = _At.read(slot.where)
        iam = iam_of(self.clients, at.of, at.through)
        policy = inline_policies.get(iam, at.of, at.name)
        if policy is None:
            return Sight(at=now, present=False)
        until = timed_policy.deadline_in(policy, at.statements)
        return Sight(at=now, present=True, until=until or NEVER)

    def put(self, slot: Slot, wish: Sequence[RequestId], until: datetime) -> str | None:  # noqa: ARG002 - whoever holds it holds the same
        """Write the policy, with this deadline."""
        at = _At.read(slot.where)
        if not at.statements:
            raise CloudRefused(
                f"The policy {at.name} was found changed by hand, and what it is to allow is not "
                "on record; give a statement of the catalog's policy another Sid."
            )
        iam = iam_of(self.clients, at.of, at.through)
        text = timed_policy.document(at.statements, until)
        inline_policies.put(iam, at.of, at.name, text)
        return None

    def remove(self, slot: Slot) -> str | None:
        """Delete the policy."""
        at = _At.read(slot.where)
        inline_policies.delete(iam_of(self.clients, at.of, at.through), at.of, at.name)
        return None

    def hold(self, slot: Slot) -> Hold:  # noqa: ARG002 - it is the same for all
        """Each bears our mark: its name."""
        return Hold.MARKED

    def area(self, slot: Slot) -> Area:
        """All inline policies of that role or user."""
        return _area(slot.where)

    def ours(self, area: Area, after: str | None, now: datetime) -> Listing:  # noqa: ARG002 - nothing in it depends on the time
        """Read which policies bear our mark, and what they allow: with that they are ended."""
        at = _At.read(area.where)
        iam = iam_of(self.clients, at.of, at.through)
        names, more = inline_policies.page(iam, at.of, after, self.page)
        found = []
        for name in filter(timed_policy.is_ours, names):
            policy = inline_policies.get(iam, at.of, name)
            if policy is not None:
                found.append(_place(area.where, name, timed_policy.untimed(policy)))
        return Listing(found=tuple(found), after=more)


@dataclass(frozen=True, slots=True)
class IamPolicy:
    """The mechanism ``aws.iam-policy``. Safe for several threads."""

    clients: Clients
    name: str = KIND
    guarantee: Guarantee = Guarantee.CLOUD

    def check(self, entitlement: Entitlement) -> tuple[str, ...]:
        """Say what is wrong with the target table."""
        return iam_targets.check(PolicyTarget, entitlement)

    def parts(self, entitlement: Entitlement, now: datetime) -> tuple[str, ...]:  # noqa: ARG002 - a policy is one thing
        """Name none: a policy is one thing."""
        return ()

    def plan(
        self,
        entitlement: Entitlement,
        duration: timedelta,  # noqa: ARG002 - it is the same for all
        now: datetime,  # noqa: ARG002 - the same
        *,
        part: str = "",  # noqa: ARG002 - it is one thing
        person: Person | None = None,  # noqa: ARG002 - it is the same for all
    ) -> Plan:
        """Say what granting would mean, from what is in IAM now."""
        return policy_plan(self.clients, iam_targets.read(PolicyTarget, entitlement))

    def places(self, entitlement: Entitlement, person: Person, *, part: str = "") -> Places:  # noqa: ARG002 - it is one thing
        """Name the policy. Raises ``Refused`` for whom the catalog names no IAM user."""
        target = iam_targets.read(PolicyTarget, entitlement)
        target.of(person.id, entitlement)
        whose = target.role_arn or (target.users or {})[person.id]
        name = timed_policy.policy_name(target.statements)
        return Places(grant=_place(_whose(target, whose), name, target.statements))

    def areas(self, entitlement: Entitlement, now: datetime) -> tuple[Area, ...]:  # noqa: ARG002 - the catalog says it
        """All inline policies of the role, or of each user."""
        target = iam_targets.read(PolicyTarget, entitlement)
        arns = (target.users or {}).values() if target.role_arn is None else (target.role_arn,)
        return tuple(_area(_whose(target, arn)) for arn in arns)


@dataclass(frozen=True, slots=True)
class _At:
    """What the ``where`` of a place, or of an area, leads to."""

    of: Arn
    name: str
    statements: Sequence[Statement]
    through: str | None

    @classmethod
    def read(cls, where: Mapping[str, object]) -> _At:
        statements, through = where.get("statements"), where.get("account_role")
        known = statements if isinstance(statements, list) else []
        return cls(
            of=principal(str(where["principal_arn"])),
            name=str(where.get("policy_name") or timed_policy.policy_name(known)),
            statements=known,
            through=None if through is None else str(through),
        )


def _whose(target: PolicyTarget, principal_arn: str) -> Mapping[str, object]:
    """What leads to a role or user, as the record keeps it."""
    through = {} if target.account_role is None else {"account_role": target.account_role}
    return {"principal_arn": principal_arn, **through}


def _area(where: Mapping[str, object]) -> Area:
    whose = {key: where[key] for key in ("principal_arn", "account_role") if key in where}
    key = f"{KIND}/{one_spelling(principal(str(where['principal_arn'])))}"
    return Area(key=key, kind=KIND, where=whose)


def _place(whose: Mapping[str, object], name: str, statements: Sequence[Statement]) -> Place:
    known = timed_policy.policy_name(statements) == name
    said = {"statements": list(statements)} if known else {"policy_name": name}
    return Place(
        key=SlotKey(f"{_area(whose).key}/{name}"), kind=KIND, where={**_area(whose).where, **said}
    )
