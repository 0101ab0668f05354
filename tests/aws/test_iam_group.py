"""Who can do what while a grant puts their IAM user into a group, and after it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from jitcloud import slots
from jitcloud.errors import CloudRefused, Refused
from jitcloud.model import Denied, Evidence, Request, State
from jitcloud.providers.aws.clients import Clients
from jitcloud.providers.aws.iam_group import KIND, GroupMembership, IamGroup
from tests.aws.conftest import Aws, named, now
from tests.aws.iam_world import (
    ANYTHING,
    NOTHING,
    PEOPLE,
    Fault,
    Here,
    Member,
    Proxy,
    behind,
    catalog,
    counting,
    documented,
    group,
    may,
    member,
    proxied,
)
from tests.factories import a_person
from tests.world import World

SETTLE = timedelta(seconds=2)
ADDED, REMOVED = "AddUserToGroup", "RemoveUserFromGroup"


@pytest.fixture(scope="module")
def people(aws: Aws) -> dict[str, Member]:
    return {person: member(aws) for person in PEOPLE}


@pytest.fixture(scope="module")
def proxy(aws: Aws) -> Iterator[Proxy]:
    with proxied(aws.endpoint_url) as server:
        yield server


@pytest.fixture(scope="module")
def reach(aws: Aws, proxy: Proxy) -> Clients:
    return behind(proxy, aws.broker)


@dataclass
class Group(Here):
    """What is granted is to be in a group."""

    arn: str
    users: dict[str, str]

    def add_by_hand(self, person: str = "ana") -> None:
        user = named(self.users[person])
        self.aws.iam().add_user_to_group(GroupName=named(self.arn), UserName=user)

    def remove_by_hand(self, person: str = "ana") -> None:
        user = named(self.users[person])
        self.aws.iam().remove_user_from_group(GroupName=named(self.arn), UserName=user)


@pytest.fixture
def here(
    aws: Aws, people: dict[str, Member], proxy: Proxy, reach: Clients, tmp_path: Path
) -> Group:
    return a_broker(aws, people, proxy, reach, tmp_path)


def a_broker(  # noqa: PLR0913, PLR0917 - all that a test may want other than usual
    aws: Aws,
    people: dict[str, Member],
    proxy: Proxy,
    reach: Clients,
    folder: Path,
    through: str | None = None,
) -> Group:
    bucket = aws.bucket()
    target: dict[str, object] = {
        "group_arn": (arn := group(aws, bucket)),
        "users": (users := {person: each.arn for person, each in people.items()}),
    }
    if through is not None:
        target["account_role"] = through
    world = World(
        folder,
        time=proxy.begin(),
        catalog_text=catalog(KIND, dev_read=target, prod_write=target),
        mechanisms={KIND: IamGroup(reach)},
        kinds_={KIND: GroupMembership(reach, settle=SETTLE)},
    )
    sessions = {person: each.key for person, each in people.items()}
    return Group(aws, proxy, sessions, bucket, world, arn, users)


# ── In, and out ──────────────────────────────────────────────────────────────────────────────


def test_whoever_is_let_in_can_do_what_the_group_can_and_nobody_else(here: Group) -> None:
    assert not here.can_read("ana")
    request = here.world.ask()
    assert request.state is State.ACTIVE
    assert here.can_read("ana")
    assert not here.can_read("ben")
    here.world.give_back(request)
    assert not here.can_read("ana")


def test_gone_is_said_only_after_iam_has_had_its_time(here: Group) -> None:
    request = here.world.give_back(here.world.ask())
    assert not here.can_read()
    assert request.state is State.ENDING
    here.world.time.forward(seconds=60)
    here.world.sweep()
    assert here.world.now(request).evidence is Evidence.SEEN_ABSENT


def test_at_the_deadline_a_sweep_takes_the_user_out(here: Group) -> None:
    request = here.world.ask(minutes=10)
    here.world.time.forward(minutes=10)
    here.world.sweep()
    assert not here.can_read()
    here.world.sweep_until_quiet()
    assert here.world.now(request).evidence is Evidence.SEEN_ABSENT


def test_of_two_grants_for_one_person_the_longer_one_keeps_them_in(here: Group) -> None:
    short = here.world.ask(minutes=10)
    long = here.world.approve(here.world.ask(what="prod-write", minutes=60))
    assert long.state is State.ACTIVE
    here.world.time.forward(minutes=10)
    here.world.sweep()
    assert here.world.now(short).evidence is Evidence.OTHERS_HOLD
    assert here.can_read()
    assert here.give_back(long).evidence is Evidence.SEEN_ABSENT
    assert not here.can_read()
    assert here.proxy.changes == [ADDED, REMOVED]


def test_one_persons_end_leaves_the_others_in(here: Group) -> None:
    anas, bens = here.world.ask("ana"), here.world.ask("ben")
    assert here.give_back(anas).evidence is Evidence.SEEN_ABSENT
    assert (here.can_read("ana"), here.can_read("ben")) == (False, True)
    assert here.world.now(bens).state is State.ACTIVE


def test_an_extension_keeps_the_user_in_without_another_call(here: Group) -> None:
    request = here.world.ask(minutes=10)
    here.world.extend(request, minutes=30)
    here.world.time.forward(minutes=20)
    here.world.sweep()
    assert here.can_read()
    assert here.proxy.changes == [ADDED]
    here.world.time.forward(minutes=20)
    here.world.sweep()
    assert not here.can_read()


def test_whoever_the_catalog_names_no_user_of_is_told_so_and_let_in_nowhere(
    aws: Aws, people: dict[str, Member], proxy: Proxy, reach: Clients, tmp_path: Path
) -> None:
    here = a_broker(aws, {"ben": people["ben"]}, proxy, reach, tmp_path)
    with pytest.raises(Refused, match="names no IAM user of yours"):
        here.world.ask("ana")
    here.world.sweep_until_quiet(step=600)
    (request,) = here.world.store.by_state(State.LAPSED, 10).requests
    assert request.person == "ana"
    assert here.proxy.changes == []


# ── Who was there before, and what others do ─────────────────────────────────────────────────


def test_whoever_was_in_the_group_before_stays_in_it(here: Group) -> None:
    here.add_by_hand()
    request = here.world.ask()
    assert request.state is State.ACTIVE
    assert here.give_back(request).evidence is Evidence.OTHERS_HOLD
    assert here.can_read()
    assert here.proxy.changes == []


def test_a_membership_that_somebody_takes_away_meanwhile_ends_as_any_other(here: Group) -> None:
    request = here.world.ask()
    here.remove_by_hand()
    assert not here.can_read()
    assert here.give_back(request).evidence is Evidence.SEEN_ABSENT


def test_a_membership_that_somebody_gives_again_after_the_removal_is_not_said_to_be_gone(
    here: Group,
) -> None:
    request = here.world.give_back(here.world.ask())
    here.add_by_hand()
    here.world.time.forward(seconds=60)
    here.world.sweep()
    assert here.world.now(request).state is State.ENDING
    assert not here.can_read(), "what is in our place while we end it is taken for ours"


def test_a_user_that_is_deleted_meanwhile_has_ended_it(
    aws: Aws, people: dict[str, Member], proxy: Proxy, reach: Clients, tmp_path: Path
) -> None:
    gone = member(aws)
    here = a_broker(aws, {**people, "ana": gone}, proxy, reach, tmp_path)
    request = here.world.ask()
    here.remove_by_hand()
    aws.iam().delete_user_policy(UserName=gone.name, PolicyName="all")
    aws.iam().delete_access_key(UserName=gone.name, AccessKeyId=gone.key.access_key_id)
    aws.iam().delete_user(UserName=gone.name)
    assert here.give_back(request).evidence is Evidence.SEEN_ABSENT


def test_a_group_that_is_deleted_meanwhile_has_ended_it(here: Group) -> None:
    request = here.world.ask()
    here.remove_by_hand()
    here.aws.iam().delete_group_policy(GroupName=named(here.arn), PolicyName="rights")
    here.aws.iam().delete_group(GroupName=named(here.arn))
    assert here.give_back(request).evidence is Evidence.SEEN_ABSENT


# ── What goes wrong on the way ───────────────────────────────────────────────────────────────


@pytest.mark.parametrize("fault", list(Fault))
def test_whatever_becomes_of_its_calls_an_end_is_said_only_when_access_is_gone_for_good(
    here: Group, fault: Fault
) -> None:
    here.proxy.faults.append(fault)
    request = here.world.ask(minutes=10)
    here.proxy.faults.extend([fault] * 2)
    here.world.give_back(request)
    here.ended_is_never_said_while_access_can_come_back(request)


@pytest.mark.parametrize("fault", list(Fault))
def test_a_removal_that_fails_in_any_way_is_tried_until_access_is_gone(
    here: Group, fault: Fault
) -> None:
    request = here.world.ask(minutes=10)
    assert here.can_read()
    here.proxy.faults.extend([fault] * 2)
    here.world.give_back(request)
    here.ended_is_never_said_while_access_can_come_back(request)


def test_a_grant_that_is_lost_is_made_by_the_next_try(here: Group) -> None:
    here.proxy.faults.append(Fault.LOST)
    request = here.world.ask(minutes=10)
    assert request.state is State.ACTIVATING
    here.world.time.forward(seconds=20)
    here.world.sweep()
    assert here.world.now(request).state is State.ACTIVE
    assert here.can_read()


def test_while_iam_throttles_the_end_is_tried_again_and_not_said(here: Group) -> None:
    request = here.world.ask(minutes=10)
    here.proxy.faults.extend([Fault.THROTTLED] * 5)
    here.world.give_back(request)
    for _ in range(4):
        assert here.world.now(request).state is State.ENDING
        assert "limits the rate" in here.world.slot(request).trouble
        here.world.time.forward(seconds=15)
        here.world.sweep()
    assert here.can_read()
    here.world.time.forward(seconds=60)
    here.world.sweep_until_quiet()
    assert not here.can_read()
    assert here.world.now(request).evidence is Evidence.SEEN_ABSENT


def test_a_broker_that_may_not_look_any_more_says_so_and_not_that_access_is_gone(
    aws: Aws, people: dict[str, Member], proxy: Proxy, tmp_path: Path
) -> None:
    broker = aws.user()
    here = a_broker(aws, people, proxy, behind(proxy, broker), tmp_path)
    request = here.world.ask(minutes=10)
    may(aws, broker, NOTHING)
    here.give_back(request)
    assert here.world.now(request).state is State.ENDING
    assert "remove them" in here.world.slot(request).trouble
    assert here.can_read()

    may(aws, broker, ANYTHING)
    here.world.time.forward(minutes=5)
    here.world.sweep_until_quiet()
    assert not here.can_read()
    assert here.world.now(request).evidence is Evidence.SEEN_ABSENT


# ── What it costs, and what it needs ─────────────────────────────────────────────────────────


def test_each_step_is_one_call(here: Group, reach: Clients) -> None:
    here.world.ask()  # the broker has learnt who it is
    kind, slot = here.world.kinds[KIND], here.world.slot(here.world.ask("ben"))
    for step, call in (
        (lambda: kind.see(slot, now()), "ListGroupsForUser"),
        (lambda: kind.put(slot, (), now()), "AddUserToGroup"),
        (lambda: kind.remove(slot), "RemoveUserFromGroup"),
    ):
        with counting(reach) as calls:
            step()
        assert calls == [call]


def test_the_rights_in_operations_are_enough_for_a_whole_life(
    aws: Aws, people: dict[str, Member], proxy: Proxy, tmp_path: Path
) -> None:
    broker = aws.user(NOTHING)
    here = a_broker(aws, people, proxy, behind(proxy, broker), tmp_path)
    users = ",".join(each.arn for each in people.values())
    rights = documented("iam:AddUserToGroup", group=here.arn, user=users)
    may(aws, broker, *rights)
    request = here.world.ask()
    assert request.state is State.ACTIVE
    assert request.plan is not None
    assert not any("could not look" in note for note in request.plan.notes)
    assert here.give_back(request).evidence is Evidence.SEEN_ABSENT


def test_a_group_in_another_account_is_reached_through_a_role_there(
    aws: Aws, proxy: Proxy, reach: Clients, tmp_path: Path
) -> None:
    far = replace(aws, account="999988887777")
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{aws.account}:root"},
        "Action": "sts:AssumeRole",
    }
    people = {person: member(far) for person in PEOPLE}
    here = a_broker(far, people, proxy, reach, tmp_path, through=far.role(trust=trust))
    request = here.world.ask()
    assert here.can_read()
    assert here.give_back(request).evidence is Evidence.SEEN_ABSENT
    assert not here.can_read()


def test_where_the_broker_would_look_into_another_account_it_finds_nothing_out(
    aws: Aws, proxy: Proxy, reach: Clients, tmp_path: Path
) -> None:
    far = replace(aws, account="999988887777")
    here = a_broker(far, {person: member(far) for person in PEOPLE}, proxy, reach, tmp_path)
    request = here.world.ask()
    assert request.state is State.DENIED
    assert "name an account_role there" in " ".join(_because(request))
    place = here.world.mechanisms[KIND].places(request.entitlement, a_person(request.person)).grant
    assert place is not None
    kind = here.world.kinds[KIND]
    for call in (
        lambda: kind.see(slots.at(place), now()),
        lambda: kind.put(slots.at(place), (), now()),
        lambda: kind.remove(slots.at(place)),
    ):
        with pytest.raises(CloudRefused, match="name an account_role there"):
            call()


def _because(request: Request) -> tuple[str, ...]:
    """Why policy said no, or what is in the way."""
    assert isinstance(request.decision, Denied)
    return request.decision.because
