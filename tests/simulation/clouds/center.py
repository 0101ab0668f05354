"""``aws.identity-center``: permission sets in accounts, and the role sessions made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from jitcloud.emulators.identity_center import Behaviour, IdentityCenter, Session
from jitcloud.emulators.identity_center.nouns import PrincipalType
from jitcloud.model import EntitlementId, PersonId
from jitcloud.ports import Mechanism, SlotKind
from jitcloud.providers.aws.deny_document import DenyDocument
from jitcloud.providers.aws.identity_center import AccountAssignment
from jitcloud.providers.aws.identity_center_access import IdentityCenterAccess
from jitcloud.providers.aws.identity_center_pace import Pace
from tests.simulation.clouds.aws import (
    CENTER,
    DOCUMENT,
    OF_CENTER,
    PROD,
    WAY_IN,
    as_iam_role,
    begin_center,
)
from tests.simulation.clouds.aws_stage import AwsStage, entitlement
from tests.simulation.clouds.http import HttpWire
from tests.simulation.clouds.reach import Reach, Wire, calls_of
from tests.simulation.dice import Dice
from tests.simulation.stage import PEOPLE, Access, Setting

TEAMS = ("333344445555", "444455556666")
"""Accounts in a unit of the organization."""

SUSPENDED = "an account is suspended for a while"
DELETED = "a user is deleted for a while"
DISSOLVED = "a group is deleted for a while"
ADMIN, WRITE, READ = "center-admin", "center-write", "center-read"
OF_TEAM = TEAM_READ, TEAM_WRITE = "team-read", "team-write"
TEAM = PersonId("the group team")
MEMBERS = PEOPLE[:2]
ANYTHING = "s3:GetObject", "arn:aws:s3:::any/thing"
"""Whoever is not denied everything may do this."""


@dataclass(frozen=True, slots=True)
class Made:
    """What is in every Identity Center here, by its ids, which are alike in all worlds."""

    unit: str
    sets: Mapping[str, str]
    """By entitlement; one of them a person and the group can have beside each other."""
    elsewhere: str
    """A permission set that the catalog does not know."""
    users: Mapping[str, PersonId]
    team: str
    """A group."""


def furnish(center: IdentityCenter) -> Made:
    unit = center.organization.add_unit("teams")
    for account in TEAMS:
        center.organization.add_account(account, account, parent=unit)
    boundary = {"CustomerManagedPolicyReference": {"Name": DOCUMENT}}
    add, store = center.permission_sets.add, center.store
    admin, write, read = add("Admin", boundary=boundary), add("Write"), add("Read")
    made = Made(
        unit=unit,
        sets={ADMIN: admin, WRITE: write, READ: read, TEAM_READ: add("Team"), TEAM_WRITE: write},
        elsewhere=add("Elsewhere"),
        users={store.add_user(name): PersonId(name) for name in PEOPLE},
        team=store.add_group("team"),
    )
    for user, name in made.users.items():
        if name in MEMBERS:
            store.add_member(made.team, user)
    return made


def _alike() -> tuple[IdentityCenter, Made]:
    center = begin_center(lambda: datetime(2026, 1, 1, tzinfo=UTC), Behaviour())
    return center, furnish(center)


_CENTER, _MADE = _alike()
_COMMON = ", ".join(
    (
        f'instance_arn = "{_CENTER.instance_arn}"',
        f'identity_store_id = "{_CENTER.store.id}"',
        'region = "us-east-1"',
    )
)


def _target(id_: str) -> str:
    target = f'{_COMMON}, permission_set_arn = "{_MADE.sets[id_]}"'
    if id_ == READ:
        return f'{target}, accounts_in = "{_MADE.unit}"'
    if id_ in OF_TEAM:
        target += f', account = "{PROD}", group_id = "{_MADE.team}"'
        return target if id_ == TEAM_READ else f"{target}, exclusive = false"
    if id_ == WRITE:
        return f'{target}, account = "{PROD}", exclusive = false'
    return f'{target}, account = "{PROD}", deny_document = "{DOCUMENT}", deny_role = "{WAY_IN}"'


class Assignments(AwsStage):
    """Three permission sets of people: sessions of the first can be ended early; one is in two
    accounts. Two of a group, one of which others give too: whoever is in it has them."""

    name = CENTER
    wire = Wire
    own_faults = (*AwsStage.own_faults, *OF_CENTER, SUSPENDED, DELETED, DISSOLVED)
    ends_within = timedelta(minutes=1)
    catalog: ClassVar[str] = "".join(
        entitlement(
            CENTER,
            id_,
            "dev" if id_.endswith("-read") else "prod",
            id_.partition("-")[2],
            _target(id_),
        )
        for id_ in _MADE.sets
    )
    lets_in: ClassVar[Mapping[EntitlementId, PersonId]] = {
        EntitlementId(id_): TEAM for id_ in OF_TEAM
    }
    calls = calls_of(
        CENTER,
        sso_admin=(
            "CreateAccountAssignment DeleteAccountAssignment "
            "DescribeAccountAssignmentCreationStatus DescribeAccountAssignmentDeletionStatus "
            "ListAccountAssignmentCreationStatus ListAccountAssignmentDeletionStatus "
            "ListAccountAssignments ListAccountAssignmentsForPrincipal DescribePermissionSet "
            "GetPermissionsBoundaryForPermissionSet"
        ),
        identitystore="GetUserId DescribeUser DescribeGroup",
        organizations="DescribeAccount ListAccountsForParent",
        iam=(
            "GetPolicy GetPolicyVersion ListPolicyVersions CreatePolicyVersion "
            "DeletePolicyVersion ListEntitiesForPolicy ListRoles"
        ),
        sts="AssumeRole GetCallerIdentity",
    )

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        dice = setting.dice
        behaviour = Behaviour(
            takes=timedelta(seconds=dice.pick((1, 5, 20))),
            already="conflict" if dice.chance(0.3) else "accepted",
            missing=dice.pick(("fails", "not found", "succeeds")),
            orphaned=dice.pick(("fails", "succeeds")),
            delegated=dice.chance(0.3),
            page_size=dice.pick((1, 100)),
            empty_pages=dice.number(0, 1),
        )
        self.center = self.aws.begin_center_here(behaviour)
        self.made = furnish(self.center)
        assert self.made == _MADE, "ids are not alike in all worlds"
        self._whose = {**self.made.users, self.made.team: TEAM}
        self._principal = {who: id_ for id_, who in self._whose.items()}
        self._entitlement = {
            (arn, _type(id_)): EntitlementId(id_) for id_, arn in self.made.sets.items()
        }
        self._foreign: set[str] = set()
        self._known: tuple[object, frozenset[Access]] = (None, frozenset())
        self._complained: tuple[object, tuple[str, ...]] = (None, ())
        self._sessions: list[tuple[Access, Session]] = []

    def put_together(self, reach: Reach) -> tuple[Mapping[str, Mechanism], Mapping[str, SlotKind]]:
        pace, document = Pace(), DenyDocument(reach)
        kind = AccountAssignment(reach, pace=pace)
        access = IdentityCenterAccess(reach, pace=pace, pause=lambda _: None)
        return {CENTER: access}, {kind.name: kind, document.name: document}

    # ── What is true ─────────────────────────────────────────────────────────────────────────

    def access(self) -> frozenset[Access]:
        return self.has()

    def has(self) -> frozenset[Access]:
        store = self.center.store
        held, there = self.center.holders(), (*store.users, *store.groups)
        if self._known[0] != (held, there):
            whose, named = self._whose, self._entitlement
            found = frozenset(
                Access(whose[one.principal], named[what], _part(one.account))
                for one in held
                if (what := (one.permission_set, one.principal_type)) in named
                and one.principal in there
            )
            self._known = ((held, there), found)
        return self._known[1]

    def outlived(self) -> frozenset[Access]:
        if not self._sessions:
            return frozenset()
        now, account = self.clock(), self.aws.accounts[PROD]
        self._sessions = [each for each in self._sessions if each[1].expires_at > now]
        return frozenset(
            one
            for then in self.instants(account.changed_at)
            for one, session in self._sessions
            if one not in self._standing
            and account.sso_session_may(
                user=session.user,
                user_name=session.user_name,
                role=as_iam_role(session.role),
                issued_at=session.issued_at,
                action=ANYTHING[0],
                resource=ANYTHING[1],
                as_of=then,
            )
        )

    def complaints(self) -> tuple[str, ...]:
        if not self._foreign:
            return ()
        held = self.center.holders()
        if self._complained[0] is not held:
            elsewhere = self.made.elsewhere
            left = {one.principal for one in held if one.permission_set == elsewhere}
            lost = sorted(self._foreign - left)
            said = tuple(f"{self._whose[each]} lost another permission set" for each in lost)
            self._complained = (held, said)
        return self._complained[1]

    # ── What others do ───────────────────────────────────────────────────────────────────────

    def used(self, person: PersonId, entitlement: EntitlementId) -> str | None:
        """Sign in, of a group whoever is in it: what comes of that outlives the assignment."""
        who = self.lets_in.get(entitlement, person)
        mine = sorted(
            one for one in self.has() if (one.person, one.entitlement) == (who, entitlement)
        )
        store = self.center.store
        may = sorted(store.people(_type(entitlement), self._principal[who]))
        if not mine or not may:
            return None
        one, user = self.chaos.dice.pick(mine), self.chaos.dice.pick(may)
        permission_set = self.made.sets[entitlement]
        account = one.part or PROD
        session = self.center.sign_in(user, permission_set, account, through_portal=True)
        self._sessions.append((one, session))
        return f"{self.made.users[user]} signs in to {entitlement} in {account}"

    def edited(self, dice: Dice, *, before: bool) -> str | None:
        person, name = dice.pick(PEOPLE), dice.pick(tuple(self.made.sets))
        account = dice.pick(TEAMS) if name == READ else PROD
        if before:
            who, kind = self.lets_in.get(EntitlementId(name), PersonId(person)), _type(name)
            principal = self._principal[who]
            self.center.assign_by_hand(principal, self.made.elsewhere, PROD, kind)
            self._foreign.add(principal)
            if dice.chance(0.5) or (self.compared and name not in {WRITE, TEAM_WRITE}):
                return f"{who} has another permission set"
            self.center.assign_by_hand(principal, self.made.sets[name], account, kind)
            self._standing |= {Access(who, EntitlementId(name), _part(account))}
            return f"{who} has {name} in {account} from before"
        act = dice.pick((*(self._take, self._delete, self._dissolve) * 2, self._suspend))
        return act(dice)

    def _take(self, dice: Dice) -> str | None:
        ours = sorted(self.has() - self._standing)
        if not ours:
            return None
        one = dice.pick(ours)
        account = one.part or PROD
        principal, kind = self._principal[one.person], _type(one.entitlement)
        self.center.unassign_by_hand(principal, self.made.sets[one.entitlement], account, kind)
        self._taken |= {one}
        return f"somebody takes {one.entitlement} in {account} from {one.person}"

    def _delete(self, dice: Dice) -> str | None:
        """Delete somebody to whom others gave nothing, and take that back later."""
        users = self.center.store.users
        may = [
            person
            for id_, person in self.made.users.items()
            if id_ in users and id_ not in self._foreign and not self.keeps(person)
        ]
        if not may:
            return None
        person = dice.pick(may)
        id_ = self._principal[person]
        user = users[id_]
        if not self.chaos.strikes(self.name, DELETED, 1):
            return None
        self._taken |= {one for one in self.has() if one.person == person}
        self.center.store.delete_user(id_)
        away = timedelta(minutes=dice.number(1, 8))
        self.aws.later(self.clock() + away, lambda: users.setdefault(id_, user))
        return f"somebody deletes the user {person}, for {away}"

    def _dissolve(self, dice: Dice) -> str | None:
        """Delete the group, if others gave it nothing, and take that back later."""
        groups, id_ = self.center.store.groups, self.made.team
        if id_ not in groups or id_ in self._foreign or self.keeps(TEAM):
            return None
        if not self.chaos.strikes(self.name, DISSOLVED, 1):
            return None
        self.loses(TEAM)
        group, away = groups.pop(id_), timedelta(minutes=dice.number(1, 8))
        self.aws.later(self.clock() + away, lambda: groups.setdefault(id_, group))
        return f"somebody deletes {TEAM}, for {away}"

    def _suspend(self, dice: Dice) -> str | None:
        account = dice.pick((PROD, *TEAMS))
        if not self.chaos.strikes(self.name, SUSPENDED, 1):
            return None
        lasts = timedelta(minutes=dice.number(1, 8))
        organization = self.center.organization
        organization.set_state(account, "SUSPENDED")
        self.aws.later(self.clock() + lasts, lambda: organization.set_state(account, "ACTIVE"))
        return f"somebody suspends {account}, for {lasts}"


def _type(entitlement: str) -> PrincipalType:
    """Whether a person's own user is assigned it, or the group."""
    return "GROUP" if entitlement in OF_TEAM else "USER"


def _part(account: str) -> str:
    """What the accounts of an entitlement that spans several are called."""
    return "" if account == PROD else account


class AssignmentsOverHttp(Assignments):
    """The same through boto3."""

    wire = HttpWire
