"""``aws.iam-group``: IAM users of people, in groups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import ClassVar

from jitcloud.model import EntitlementId, PersonId
from jitcloud.ports import Mechanism, SlotKind
from jitcloud.providers.aws.iam_group import GroupMembership, IamGroup
from tests.simulation.clouds.account import Account
from tests.simulation.clouds.aws import CENTER, HOME
from tests.simulation.clouds.aws_stage import AwsStage, allowing, entitlement
from tests.simulation.clouds.http import HttpWire
from tests.simulation.clouds.reach import GROUP, Reach, Wire, calls_of
from tests.simulation.dice import Dice
from tests.simulation.stage import PEOPLE, Access, Setting

STRANGER, ELSEWHERE = "zed", "payroll"
"""A user whom the directory does not know, and a group that the catalog does not."""

RESOURCE = "arn:aws:s3:::reports/today"
GROUPS = {"group-read": "s3:GetObject", "group-write": "s3:PutObject", "group-admin": "s3:Restore"}
"""By entitlement, whose name the group has too: what it lets its members do."""

SHARED = "group-read"
"""Others put people into it too."""

FEW, MANY = (
    ", ".join(f'{name} = "arn:aws:iam::{HOME}:user/{name}"' for name in those)
    for those in (PEOPLE, (*PEOPLE, STRANGER))
)
"""Whose user is whose: of few a plan looks at each, of many at none."""


def add_users(account: Account) -> None:
    """Make everybody's user, unless another stage has."""
    if not account.users:
        for name in (*PEOPLE, STRANGER):
            account.add_user(name)


class IamGroups(AwsStage):
    """Three groups, one of which others fill too."""

    name = GROUP
    wire = Wire
    catalog: ClassVar[str] = "".join(
        entitlement(
            GROUP,
            id_,
            "dev" if id_ == SHARED else "prod",
            id_.partition("-")[2],
            f'group_arn = "arn:aws:iam::{HOME}:group/{id_}", users = {{ {MANY} }}'
            + (", exclusive = false" if id_ == SHARED else ""),
        )
        for id_ in GROUPS
    )
    calls = calls_of(
        GROUP,
        iam="AddUserToGroup RemoveUserFromGroup ListGroupsForUser GetGroup",
        sts="GetCallerIdentity",
    )

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self.account = self.aws.accounts[HOME]
        add_users(self.account)
        for name, action in GROUPS.items():
            self.account.add_group(name, allowing(action, RESOURCE))
        self.account.add_group(ELSEWHERE, allowing("payroll:*"))
        self._foreign: set[tuple[str, str]] = set()
        self._known: tuple[int, frozenset[Access]] = (-1, frozenset())

    def put_together(self, reach: Reach) -> tuple[Mapping[str, Mechanism], Mapping[str, SlotKind]]:
        return {GROUP: IamGroup(reach)}, {GROUP: GroupMembership(reach)}

    def access(self) -> frozenset[Access]:
        account = self.account
        if self._known[0] != account.changes:
            found = frozenset(self.who_can())
            settled = account.changed_at + self.acts_after <= self.clock()
            self._known = (account.changes if settled else -1, found)
        return self._known[1]

    def who_can(self) -> Iterator[Access]:
        for then in self.instants(self.account.changed_at):
            for person in PEOPLE:
                groups = self.account.members.get(person, {})
                for name, action in GROUPS.items():
                    if name in groups and self.account.user_may(person, action, RESOURCE, then):
                        yield Access(PersonId(person), EntitlementId(name))

    def has(self) -> frozenset[Access]:
        members = self.account.members
        return frozenset(
            Access(PersonId(person), EntitlementId(name))
            for person in PEOPLE
            for name in GROUPS
            if (past := members.get(person, {}).get(name)) is not None and past.now
        )

    def complaints(self) -> tuple[str, ...]:
        members = self.account.members
        return tuple(
            f"{user} is not in {group} any more, where others put them"
            for user, group in sorted(self._foreign)
            if not members[user][group].now
        )

    def edited(self, dice: Dice, *, before: bool) -> str | None:
        person, group = dice.pick(PEOPLE), dice.pick(tuple(GROUPS))
        may_fill = group == SHARED or not self.compared
        if before:
            return self._given(person, group if may_fill and dice.chance(0.5) else ELSEWHERE)
        if dice.chance(0.3):
            if not may_fill:
                return None
            self._foreign.add((STRANGER, group))
            self.account.set_member(STRANGER, group, present=True)
            return f"somebody puts {STRANGER} into {group}"
        if dice.chance(0.2):
            return self._delete(PersonId(person), dice)
        ours = sorted(self.has() - self._standing)
        if not ours:
            return None
        one = dice.pick(ours)
        self.account.take(self.account.members[one.person][one.entitlement])
        self._taken |= {one}
        return f"somebody takes {one.person} out of {one.entitlement}"

    def _given(self, person: str, group: str) -> str:
        self.account.set_member(person, group, present=True)
        if group == ELSEWHERE:
            self._foreign.add((person, group))
        else:
            self._standing |= {Access(PersonId(person), EntitlementId(group))}
        return f"{person} is in {group} from before"

    def keeps(self, person: PersonId) -> bool:
        return super().keeps(person) or any(user == person for user, _ in self._foreign)

    def _delete(self, person: PersonId, dice: Dice) -> str | None:
        """Delete a user to whom others gave nothing; one of that name is made anew later."""
        stages = [each for each in self.aws.stages if each.name != CENTER]
        if self.account.users[person].now is None or any(each.keeps(person) for each in stages):
            return None
        for each in stages:
            each.loses(person)
        self.account.delete_user(person)
        away = timedelta(minutes=dice.number(0, 8))
        self.aws.later(self.clock() + away, lambda: self.account.add_user(person))
        return f"somebody deletes the user {person}, for {away}"


class IamGroupsOverHttp(IamGroups):
    """The same through boto3."""

    wire = HttpWire
