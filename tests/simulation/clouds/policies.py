"""``aws.iam-policy``: inline policies, with a deadline in each, on IAM users of people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar

from jitcloud.model import EntitlementId, PersonId
from jitcloud.ports import Mechanism, SlotKind
from jitcloud.providers.aws import timed_policy
from jitcloud.providers.aws.iam_policy import IamPolicy, InlinePolicy
from tests.simulation.clouds.aws import HOME
from tests.simulation.clouds.aws_stage import AwsStage, allowing, entitlement
from tests.simulation.clouds.groups import FEW, MANY, add_users
from tests.simulation.clouds.http import HttpWire
from tests.simulation.clouds.reach import POLICY, Reach, Wire, calls_of
from tests.simulation.dice import Dice
from tests.simulation.stage import PEOPLE, Access, Setting

RESOURCE = "arn:aws:dynamodb:us-east-1:111122223333:table/orders"
ACTIONS = {
    "policy-read": "dynamodb:GetItem",
    "policy-write": "dynamodb:PutItem",
    "policy-admin": "dynamodb:DeleteTable",
}
"""By entitlement, what it allows."""

_NAMES = {action: EntitlementId(name) for name, action in ACTIONS.items()}

AUDIT = "audit"
"""An inline policy of somebody else's."""


def _target(id_: str) -> str:
    condition = ""
    if id_ == "policy-admin":  # what the catalog demands besides stays demanded
        account = f'StringEquals = {{ "aws:PrincipalAccount" = "{HOME}" }}'
        begun = 'DateGreaterThan = { "aws:CurrentTime" = "2026-01-01T00:00:00Z" }'
        condition = f", Condition = {{ {account}, {begun} }}"
    statement = f'Effect = "Allow", Action = "{ACTIONS[id_]}", Resource = "{RESOURCE}"{condition}'
    policy = f'policy = {{ Version = "2012-10-17", Statement = [{{ {statement} }}] }}'
    users = FEW if id_ == "policy-admin" else MANY
    return f"users = {{ {users} }}, {policy}"


class IamPolicies(AwsStage):
    """Three rights, each an inline policy of its own on the user of whoever has it."""

    name = POLICY
    wire = Wire
    held_by_cloud = True
    catalog: ClassVar[str] = "".join(
        entitlement(
            POLICY,
            id_,
            "dev" if id_ == "policy-read" else "prod",
            id_.partition("-")[2],
            _target(id_),
        )
        for id_ in ACTIONS
    )
    calls = calls_of(
        POLICY,
        iam="PutUserPolicy DeleteUserPolicy GetUserPolicy ListUserPolicies",
        sts="GetCallerIdentity",
    )

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self.account = self.aws.accounts[HOME]
        add_users(self.account)
        self._foreign: dict[tuple[str, str], str] = {}
        self._known: tuple[int, Iterable[str]] = (-1, ())

    def put_together(self, reach: Reach) -> tuple[Mapping[str, Mechanism], Mapping[str, SlotKind]]:
        return {POLICY: IamPolicy(reach)}, {POLICY: InlinePolicy(reach)}

    def who_can(self) -> Iterator[Access]:
        account = self.account
        instants = self.instants(account.changed_at)
        for person in self._people(is_settled=len(instants) == 1):
            may: set[str] = set()
            for then in instants:
                may.update(account.user_may_of(person, _NAMES, RESOURCE, then))
            for action in may:
                yield Access(PersonId(person), _NAMES[action])

    def _people(self, *, is_settled: bool) -> Iterable[str]:
        """Who may be able to do anything at all."""
        account = self.account
        if not is_settled:
            return PEOPLE
        if self._known[0] != account.changes:
            able = [
                person
                for person in PEOPLE
                if any(past.now is not None for past in account.inline_of("user", person).values())
            ]
            self._known = (account.changes, able)
        return self._known[1]

    def has(self) -> frozenset[Access]:
        now = self.clock()
        return frozenset(
            Access(PersonId(person), _NAMES[action])
            for person in PEOPLE
            for action in self.account.user_may_of(person, _NAMES, RESOURCE, now)
        )

    def keeps(self, person: PersonId) -> bool:
        return super().keeps(person) or any(user == person for user, _ in self._foreign)

    def complaints(self) -> tuple[str, ...]:
        return tuple(
            f"the inline policy {name} of {person} is not as others wrote it"
            for (person, name), text in sorted(self._foreign.items())
            if self.account.inline_of("user", person)[name].now != text
        )

    def edited(self, dice: Dice, *, before: bool) -> str | None:
        person, name = dice.pick(PEOPLE), dice.pick(tuple(ACTIONS))
        if before:
            text = allowing(ACTIONS[name], RESOURCE)
            self._write(person, f"{AUDIT}-{name}", text)
            self._standing |= {Access(PersonId(person), EntitlementId(name))}
            return f"{person} has {name} from before, by a policy of somebody's"
        if dice.chance(0.4):
            self._write(person, AUDIT, allowing("cloudtrail:*"))
            return f"somebody writes another policy for {person}"
        ours = [
            (who, policy, past)
            for who in PEOPLE
            for policy, past in sorted(self.account.inline_of("user", who).items())
            if past.now is not None and timed_policy.is_ours(policy)
        ]
        if not ours:
            return None
        who, policy, past = dice.pick(ours)
        had = self.has()
        self.account.take(past)
        self._taken |= had - self.has()
        return f"somebody deletes {policy} of {who}"

    def _write(self, person: str, name: str, text: str) -> None:
        if self.account.users[person].now is not None:
            self._foreign[person, name] = text
            self.account.put_inline("user", person, name, text)


class IamPoliciesOverHttp(IamPolicies):
    """The same through boto3."""

    wire = HttpWire
