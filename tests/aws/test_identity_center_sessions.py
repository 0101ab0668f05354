"""What becomes of a role session that somebody has when their grant ends.

The whole core over an emulated Identity Center, by HTTP, and an account with a real IAM API, in
which the deny document is; whether a session works is judged by what that document then says.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from jitcloud.emulators.identity_center import IdentityCenterServer, Session
from jitcloud.model import Evidence, Request, State
from jitcloud.providers.aws import deny_document
from jitcloud.providers.aws.deny_document import DenyDocument
from jitcloud.providers.aws.identity_center import AccountAssignment
from jitcloud.providers.aws.identity_center_access import IdentityCenterAccess
from jitcloud.providers.aws.identity_center_places import KIND
from tests.aws.conftest import Aws, clients_of
from tests.aws.sessions_world import World as Organization
from tests.world import POLICY, Time, World

ENTITLEMENT = """
[[entitlement]]
id = "{id}"
title = "Operate"
cloud = "aws"
mechanism = "aws.identity-center"
privilege = "write"
environment = "dev"
owner = "leads"
[entitlement.target]
instance_arn = "{center.instance_arn}"
identity_store_id = "{center.store.id}"
region = "eu-west-1"
permission_set_arn = "{permission_set}"
account = "{account}"
"""


@dataclass
class Here:
    aws: Organization
    world: World
    time: Time

    def grant(self, person: str = "ana", what: str = "ops", minutes: float = 30) -> Request:
        request = self.world.ask(person, what, minutes=minutes)
        self.on(seconds=15)
        assert self.world.now(request).state is State.ACTIVE
        return request

    def session(self, person: str = "ana", what: str = "ops") -> Session:
        """A role session of somebody who has it, in a role that IAM has too."""
        user = {"ana": self.aws.ana, "ben": self.aws.ben}[person]
        name = {"ops": self.aws.admin, "other": self.aws.other}[what]
        made = self.aws.center.sign_in(user, self.aws.names[name], self.aws.aws.account)
        self.aws.mirror(made.role.arn, self.aws.arn)
        return made

    def on(self, **by: float) -> None:
        until = self.time() + timedelta(**by)
        for _ in range(2_000):
            due = self.world.store.due(until, 1)
            if not due:
                break
            self.move(max(self.time(), due[0].wake_at))
            self.world.sweep()
        self.move(until)

    def move(self, to: object) -> None:
        self.time.now = self.aws.clock.now = to  # type: ignore[assignment] # an instant


@pytest.fixture
def here(aws: Aws, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Here]:
    denies = getattr(request, "param", True)
    organization = Organization(aws, DenyDocument(clients_of(aws, aws.broker)))
    time = Time(organization.clock.now)
    with IdentityCenterServer(organization.center) as server:
        reach = clients_of(aws, aws.broker, clock=time, identity_center_url=server.url)
        more = f'deny_document = "{organization.arn.rpartition("/")[2]}"\n' if denies else ""
        catalog = "".join(
            ENTITLEMENT.format(
                id=id_,
                center=organization.center,
                permission_set=organization.names[name],
                account=aws.account,
            )
            + more
            for id_, name in (("ops", organization.admin), ("other", organization.other))
        )
        kind = AccountAssignment(reach)
        world = World(
            tmp_path,
            time=time,
            policy_text=POLICY.partition('@id("prod-write")')[0],
            catalog_text=catalog,
            mechanisms={KIND: IdentityCenterAccess(reach)},
            kinds_={KIND: kind, deny_document.KIND: DenyDocument(reach)},
        )
        yield Here(organization, world, time)


def test_an_early_end_denies_a_running_session_in_the_same_wake_up(here: Here) -> None:
    request = here.grant()
    here.grant("ben")
    here.grant(what="other")
    mine, bens, elsewhere = here.session(), here.session("ben"), here.session(what="other")
    assert all(map(here.aws.works, (mine, bens, elsewhere)))
    here.world.give_back(request)
    assert not here.aws.works(mine)
    assert here.aws.works(bens), "of another user of the same permission set"
    assert here.aws.works(elsewhere), "of the same user's other role"


def test_so_does_the_deadline(here: Here) -> None:
    request = here.grant(minutes=10)
    mine = here.session()
    here.move(here.world.now(request).window.deadline)  # type: ignore[union-attr] # it is active
    here.world.sweep()
    assert not here.aws.works(mine)


def test_a_session_made_while_the_removal_is_under_way_is_denied_as_well(here: Here) -> None:
    request = here.grant()
    here.session()
    here.world.give_back(request)
    here.on(seconds=2)
    assert not here.aws.works(here.session())


def test_the_end_is_recorded_once_both_are_seen(here: Here) -> None:
    request = here.grant()
    here.session()
    here.world.give_back(request)
    here.on(seconds=40)
    ended = here.world.now(request)
    assert (ended.state, ended.evidence) == (State.ENDED, Evidence.SEEN_ABSENT)
    here.world.verify_all()


def test_a_new_grant_gives_new_sessions_and_wakes_no_old_one(here: Here) -> None:
    first = here.grant()
    old = here.session()
    here.world.give_back(first)
    here.on(minutes=2)
    here.grant()
    here.on(seconds=30)
    new = here.session()
    assert here.aws.works(new)
    assert not here.aws.works(old)


def test_another_grant_of_the_same_keeps_sessions_going(here: Here) -> None:
    first = here.grant()
    here.grant(minutes=60)
    mine = here.session()
    here.world.give_back(first)
    here.on(minutes=1)
    assert here.aws.works(mine)


def test_nobody_is_denied_what_they_have_by_hand(here: Here) -> None:
    here.aws.center.assign_by_hand(
        here.aws.ana, here.aws.names[here.aws.admin], here.aws.aws.account
    )
    request = here.world.ask(what="ops")
    mine = here.session()
    here.world.give_back(request)
    here.on(minutes=5)
    assert here.world.now(request).state is State.ENDED
    assert here.aws.works(mine)


def test_the_document_is_pruned_once_nothing_it_denies_can_live(here: Here) -> None:
    request = here.grant()
    mine = here.session()
    here.world.give_back(request)
    here.on(minutes=55)
    assert not here.aws.works(mine)
    here.on(minutes=20)
    assert here.aws.center.now() >= mine.expires_at
    assert here.aws.ana not in str(here.aws.in_effect())


@pytest.mark.parametrize("here", [False], indirect=True, ids=["no deny document"])
def test_without_a_document_the_worst_case_is_told_before_and_waited_out(here: Here) -> None:
    request = here.grant()
    assert any("1h" in left for left in here.world.now(request).residual)
    mine = here.session()
    here.world.give_back(request)
    here.on(minutes=2)
    left = here.world.now(request)
    assert left.state is State.ENDING
    assert left.removed_at is not None
    assert left.credentials_dead_by == left.removed_at + timedelta(hours=1)
    assert here.aws.works(mine), "as was said"
    here.on(hours=1)
    assert not here.aws.works(mine)
    assert here.world.now(request).state is State.ENDED
