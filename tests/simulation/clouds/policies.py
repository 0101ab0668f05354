"""``aws.iam-policy``: inline policies, with a deadline in each, on people's users and a role."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from jitcloud.model import EntitlementId, PersonId
from jitcloud.ports import Mechanism, SlotKind
from jitcloud.providers.aws import timed_policy
from jitcloud.providers.aws.iam_policy import IamPolicy, InlinePolicy
from tests.simulation.clouds.account import Account
from tests.simulation.clouds.aws import HOME, PROD, WAY_IN
from tests.simulation.clouds.aws_stage import AwsStage, allowing, entitlement
from tests.simulation.clouds.groups import FEW, MANY, add_users
from tests.simulation.clouds.http import HttpWire
from tests.simulation.clouds.past import Past
from tests.simulation.clouds.reach import POLICY, Reach, Wire, calls_of
from tests.simulation.dice import Dice
from tests.simulation.stage import PEOPLE, Access, Setting

RESOURCE = "arn:aws:dynamodb:us-east-1:111122223333:table/orders"
ACTIONS = {
    "policy-read": "dynamodb:GetItem",
    "policy-write": "dynamodb:PutItem",
    "policy-admin": "dynamodb:DeleteTable",
}
"""By entitlement, what it allows the user of whoever has it."""

DUTIES = {"duty-read": "dynamodb:Scan", "duty-write": "dynamodb:UpdateItem"}
"""By entitlement, what it allows a role, and so everybody who may assume that."""

ROLE, BOUNDS = "duty", "duty-bounds"
DUTY = PersonId("the role duty")
RIGHTS = allowing("logs:*")
"""What the role may do whatever is granted."""

_NAMES = {action: EntitlementId(name) for name, action in (ACTIONS | DUTIES).items()}

AUDIT = "audit"
"""An inline policy of somebody else's."""

DELETED = "a role is deleted for a while"


def _target(id_: str) -> str:
    if id_ in DUTIES:
        return _of_role(id_)
    condition = ""
    if id_ == "policy-admin":  # what the catalog demands besides stays demanded
        account = f'StringEquals = {{ "aws:PrincipalAccount" = "{HOME}" }}'
        begun = 'DateGreaterThan = { "aws:CurrentTime" = "2026-01-01T00:00:00Z" }'
        condition = f", Condition = {{ {account}, {begun} }}"
    statement = f'Effect = "Allow", Action = "{ACTIONS[id_]}", Resource = "{RESOURCE}"{condition}'
    policy = f'policy = {{ Version = "2012-10-17", Statement = [{{ {statement} }}] }}'
    users = FEW if id_ == "policy-admin" else MANY
    return f"users = {{ {users} }}, {policy}"


def _of_role(id_: str) -> str:
    home = f"arn:aws:iam::{PROD}"
    whose = (
        f'role_arn = "{home}:role/{ROLE}", account_role = "{home}:role/{WAY_IN}", '
        f'permissions_boundary = "{home}:policy/{BOUNDS}"'
    )
    allows = f'Effect = "Allow", Action = ["{DUTIES[id_]}"], Resource = "{RESOURCE}"'
    statements = f'{{ Sid = "Duty", {allows} }}'
    if id_ == "duty-write":
        statements += ', { Sid = "Logs", Effect = "Allow", Action = "logs:Get*", Resource = "*" }'
    return f'{whose}, policy = {{ Version = "2012-10-17", Statement = [{statements}] }}'


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose inline policies are meant: the user of a person, or the role."""

    who: PersonId
    account: Account
    kind: str
    name: str

    @property
    def policies(self) -> Mapping[str, Past[str]]:
        return self.account.inline_of(self.kind, self.name)

    @property
    def is_there(self) -> bool:
        known = self.account.users if self.kind == "user" else self.account.roles
        return known[self.name].now is not None

    def may(self, then: datetime) -> Iterable[str]:
        """What of all that is granted here they may do now, by what was written then."""
        if self.kind == "user":
            return self.account.user_may_of(self.name, ACTIONS.values(), RESOURCE, then)
        return self.account.role_may_of(self.name, DUTIES.values(), RESOURCE, then)


class IamPolicies(AwsStage):
    """Three rights, each an inline policy of its own on the user of whoever has it, and two on a
    role in another account, each one policy for all who asked for it."""

    name = POLICY
    wire = Wire
    held_by_cloud = True
    own_faults = (*AwsStage.own_faults, DELETED)
    catalog: ClassVar[str] = "".join(
        entitlement(
            POLICY,
            id_,
            "dev" if id_.endswith("-read") else "prod",
            id_.partition("-")[2],
            _target(id_),
        )
        for id_ in (*ACTIONS, *DUTIES)
    )
    lets_in: ClassVar[Mapping[EntitlementId, PersonId]] = {
        EntitlementId(id_): DUTY for id_ in DUTIES
    }
    calls = calls_of(
        POLICY,
        iam=(
            "PutUserPolicy DeleteUserPolicy GetUserPolicy ListUserPolicies "
            "PutRolePolicy DeleteRolePolicy GetRolePolicy ListRolePolicies GetRole"
        ),
        sts="AssumeRole GetCallerIdentity",
    )

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        home, prod = self.aws.accounts[HOME], self.aws.accounts[PROD]
        add_users(home)
        prod.add_policy(BOUNDS, allowing("dynamodb:*"))
        prod.add_role(ROLE, RIGHTS, boundary=prod.arn(f"policy/{BOUNDS}"))
        self._role = Owner(DUTY, prod, "role", ROLE)
        self._users = tuple(Owner(PersonId(name), home, "user", name) for name in PEOPLE)
        self._owners = {each.who: each for each in (*self._users, self._role)}
        self._foreign: dict[tuple[PersonId, str], str] = {}
        self._known: dict[str, tuple[int, Iterable[Owner]]] = {}

    def put_together(self, reach: Reach) -> tuple[Mapping[str, Mechanism], Mapping[str, SlotKind]]:
        return {POLICY: IamPolicy(reach)}, {POLICY: InlinePolicy(reach)}

    def who_can(self) -> Iterator[Access]:
        yield from self._able(self._users)
        yield from self._able((self._role,))

    def _able(self, owners: tuple[Owner, ...]) -> Iterator[Access]:
        """Who of these, who are in one account, can do what."""
        account = owners[0].account
        instants = self.instants(account.changed_at)
        for owner in self._worth_asking(owners) if len(instants) == 1 else owners:
            may: set[str] = set()
            for then in instants:
                may.update(owner.may(then))
            for action in may:
                yield Access(owner.who, _NAMES[action])

    def _worth_asking(self, owners: tuple[Owner, ...]) -> Iterable[Owner]:
        """Who may be able to do anything at all, beside what a role may by its own rights."""
        account = owners[0].account
        changes, able = self._known.get(account.id, (-1, ()))
        if changes != account.changes:
            able = [
                owner
                for owner in owners
                if any(past.now not in {None, RIGHTS} for past in owner.policies.values())
            ]
            self._known[account.id] = (account.changes, able)
        return able

    def has(self) -> frozenset[Access]:
        now = self.clock()
        return frozenset(
            Access(owner.who, _NAMES[action])
            for owner in self._owners.values()
            for action in owner.may(now)
        )

    def keeps(self, person: PersonId) -> bool:
        return super().keeps(person) or any(who == person for who, _ in self._foreign)

    def complaints(self) -> tuple[str, ...]:
        wrong = [
            f"the inline policy {name} of {who} is not as others wrote it"
            for (who, name), text in sorted(self._foreign.items())
            if self._owners[who].policies[name].now != text
        ]
        if self._role.is_there and self._role.policies["rights"].now != RIGHTS:
            wrong.append(f"{DUTY} has lost the rights that it had")
        return tuple(wrong)

    def edited(self, dice: Dice, *, before: bool) -> str | None:
        person, name = PersonId(dice.pick(PEOPLE)), dice.pick((*ACTIONS, *DUTIES))
        owner = self._owners[self.lets_in.get(EntitlementId(name), person)]
        if before:
            action = ACTIONS.get(name) or DUTIES[name]
            self._write(owner, f"{AUDIT}-{name}", allowing(action, RESOURCE))
            self._standing |= {Access(owner.who, EntitlementId(name))}
            return f"{owner.who} has {name} from before, by a policy of somebody's"
        if dice.chance(0.4):
            self._write(owner, AUDIT, allowing("cloudtrail:*"))
            return f"somebody writes another policy for {owner.who}"
        if dice.chance(0.3):
            return self._delete_role(dice)
        ours = [
            (each, policy, past)
            for each in self._owners.values()
            for policy, past in sorted(each.policies.items())
            if past.now is not None and timed_policy.is_ours(policy)
        ]
        if not ours:
            return None
        owner, policy, past = dice.pick(ours)
        had = self.has()
        owner.account.take(past)
        self._taken |= had - self.has()
        return f"somebody deletes {policy} of {owner.who}"

    def _write(self, owner: Owner, name: str, text: str) -> None:
        if owner.is_there:
            self._foreign[owner.who, name] = text
            owner.account.put_inline(owner.kind, owner.name, name, text)

    def _delete_role(self, dice: Dice) -> str | None:
        """Delete the role, if others gave it nothing; one of that name is made anew later."""
        account = self._role.account
        if not self._role.is_there or self.keeps(DUTY):
            return None
        if not self.chaos.strikes(self.name, DELETED, 1):
            return None
        self.loses(DUTY)
        account.delete_role(ROLE)
        away, bounds = timedelta(minutes=dice.number(1, 8)), account.arn(f"policy/{BOUNDS}")
        self.aws.later(self.clock() + away, lambda: account.add_role(ROLE, RIGHTS, boundary=bounds))
        return f"somebody deletes {DUTY}, for {away}"


class IamPoliciesOverHttp(IamPolicies):
    """The same through boto3."""

    wire = HttpWire
