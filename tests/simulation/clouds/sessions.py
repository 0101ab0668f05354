"""``aws.sts-session``: credentials of roles, and the deny document that ends them early."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import ClassVar

from jitcloud.model import Credentials, EntitlementId, PersonId, Request
from jitcloud.ports import Mechanism, SlotKind
from jitcloud.providers.aws.deny_document import DenyDocument
from jitcloud.providers.aws.deny_text import base_document
from jitcloud.providers.aws.names import person_mark
from jitcloud.providers.aws.sts_session import StsSession
from tests.simulation.clouds.account import ANYTHING, Session
from tests.simulation.clouds.aws import DOCUMENT, HOME
from tests.simulation.clouds.aws_stage import AwsStage, entitlement
from tests.simulation.clouds.http import HttpWire
from tests.simulation.clouds.reach import SESSIONS, Reach, Wire, calls_of
from tests.simulation.dice import Dice
from tests.simulation.stage import PEOPLE, Access, Setting

RESOURCE = "arn:aws:s3:::orders/today"
ACTIONS = {
    "session-read": "s3:GetObject",
    "session-write": "s3:PutObject",
    "session-admin": "s3:DeleteObject",
}
"""By entitlement, whose name its role has too: something that its sessions can do."""

UNBOUND = "session-admin"
"""No deny document bounds its role: its sessions live to the deadline, whatever happens."""

UNBOUNDED = "a role has no boundary for a while"
WAYS_OUT = ("sts:AssumeRole", "iam:CreateUser", "iam:PutRolePermissionsBoundary")
"""What no session may do, because what comes of it would outlive the session."""

ARN = f"arn:aws:iam::{HOME}:policy/{DOCUMENT}"

_BY_MARK = {person_mark(PersonId(name)): PersonId(name) for name in PEOPLE}


def _target(id_: str) -> str:
    target = f'role_arn = "arn:aws:iam::{HOME}:role/{id_}"'
    if id_ != UNBOUND:
        target += f', deny_document = "{ARN}"'
    if id_ == "session-write":
        statement = f'Effect = "Allow", Action = "{ACTIONS[id_]}", Resource = "{RESOURCE}"'
        policy = f'Version = "2012-10-17", Statement = [{{ {statement} }}]'
        target += f', narrow_policy = {{ {policy} }}, session_tags = {{ team = "orders" }}'
    return target


class StsSessions(AwsStage):
    """Three roles: one as it is, one narrowed, one whose sessions cannot be ended early."""

    name = SESSIONS
    wire = Wire
    held_by_cloud = True
    own_faults = (*AwsStage.own_faults, UNBOUNDED)
    catalog: ClassVar[str] = "".join(
        entitlement(
            SESSIONS,
            id_,
            "dev" if id_ == "session-read" else "prod",
            id_.partition("-")[2],
            _target(id_),
        )
        for id_ in ACTIONS
    )
    calls = calls_of(
        SESSIONS,
        sts="AssumeRole GetCallerIdentity",
        iam=(
            "GetRole GetPolicy GetPolicyVersion ListPolicyVersions CreatePolicyVersion "
            "DeletePolicyVersion ListEntitiesForPolicy"
        ),
    )

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self.account = self.aws.accounts[HOME]
        for name in ACTIONS:
            bound = None if name == UNBOUND else ARN
            self.account.add_role(name, ANYTHING, boundary=bound)
        self._looked_at = 0
        self._useless: tuple[str, ...] = ()

    def put_together(self, reach: Reach) -> tuple[Mapping[str, Mechanism], Mapping[str, SlotKind]]:
        document = DenyDocument(reach)
        return {SESSIONS: StsSession(reach)}, {document.name: document}

    def who_can(self) -> Iterator[Access]:
        return self._able(lambda role: role != UNBOUND)

    def outlived(self) -> frozenset[Access]:
        """Whose sessions nothing but the deadline ends: that they go on was said beforehand."""
        return frozenset(self._able(lambda role: role == UNBOUND))

    def _able(self, meant: Callable[[str], bool]) -> Iterator[Access]:
        account, seen = self.account, set[Access]()
        if not account.sessions:
            return
        for then in self.instants(account.changed_at):
            for session in account.sessions:
                one = self._whose(session)
                if one is not None and one not in seen and meant(session.role):
                    action = ACTIONS[one.entitlement]
                    if account.session_may(session, action, RESOURCE, then):
                        seen.add(one)
                        yield one

    def _whose(self, session: Session) -> Access | None:
        if session.role not in ACTIONS:
            return None
        return Access(_BY_MARK[session.whose], EntitlementId(session.role))

    def received(self, request: Request, credentials: Credentials) -> None:
        """Look whether what was handed out can do what it was asked for, and for no longer."""
        name = request.entitlement.id
        made = next(s for s in self.account.sessions if s.key == credentials.access_key_id)
        now = self.clock()
        if not self.account.session_may(made, ACTIONS[name], RESOURCE, now):
            self._useless = (*self._useless, f"{request.person} got credentials that cannot {name}")

    def has(self) -> frozenset[Access]:
        return frozenset()  # nobody takes a session from anybody

    def complaints(self) -> tuple[str, ...]:
        account, now = self.account, self.clock()
        if account.made == self._looked_at:
            return self._useless
        self._looked_at = account.made
        return self._useless + tuple(
            f"a session of {session.role} may {action}"
            for session in account.sessions
            for action in WAYS_OUT
            if session.role in ACTIONS and account.session_may(session, action, "*", now)
        )

    def edited(self, dice: Dice, *, before: bool) -> str | None:
        policy = self.account.policies[ARN].now
        assert policy is not None
        if before:
            return None
        if dice.chance(0.5):
            role = dice.pick([name for name in ACTIONS if name != UNBOUND])
            lives = any(session.role == role for session in self.account.sessions)
            if lives or policy.text != base_document(ARN):
                return None
            if not self.chaos.strikes(self.name, UNBOUNDED, 1):
                return None
            self.account.bind(role, None)
            lasts = timedelta(minutes=dice.number(1, 10))
            self.aws.later(self.clock() + lasts, lambda: self.account.bind(role, ARN))
            return f"somebody takes the boundary off {role}, for {lasts}"
        if len(policy.versions) >= 5:
            return None
        said = json.loads(policy.text)
        said["Statement"].append({"Effect": "Deny", "Action": "s3:DeleteBucket", "Resource": "*"})
        self.account.write(ARN, json.dumps(said))
        return "somebody adds to the deny document"


class StsSessionsOverHttp(StsSessions):
    """The same through boto3."""

    wire = HttpWire
