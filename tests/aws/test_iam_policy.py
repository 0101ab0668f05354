"""Who can do what while a grant lets a role or a user do more, and after it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from jitcloud import slots
from jitcloud.errors import CloudRefused
from jitcloud.model import (
    SKEW,
    Credentials,
    Evidence,
    Guarantee,
    Request,
    RequestId,
    Slot,
    SlotKey,
    State,
)
from jitcloud.ports import Change
from jitcloud.providers.aws.clients import Clients
from jitcloud.providers.aws.iam_policy import KIND, NEVER, IamPolicy, InlinePolicy
from tests.aws.conftest import Aws, named, now, policy
from tests.aws.iam_world import (
    ANYTHING,
    NOTHING,
    PEOPLE,
    Fault,
    Here,
    Proxy,
    behind,
    catalog,
    counting,
    documented,
    goes_on_until,
    may,
    member,
    proxied,
    reading,
    rights,
)
from tests.world import World, caller

SETTLE = timedelta(seconds=2)


@pytest.fixture(scope="module")
def proxy(aws: Aws) -> Iterator[Proxy]:
    with proxied(aws.endpoint_url) as server:
        yield server


@pytest.fixture(scope="module")
def reach(aws: Aws, proxy: Proxy) -> Clients:
    return behind(proxy, aws.broker)


@pytest.fixture(scope="module")
def role(aws: Aws) -> tuple[str, Credentials]:
    """A role that may do nothing, and a session of it that somebody has."""
    arn = aws.role(NOTHING)
    return arn, aws.role_session(arn)


def a_broker(
    aws: Aws,
    proxy: Proxy,
    reach: Clients,
    folder: Path,
    sessions: dict[str, Credentials],
    **target: object,
) -> Here:
    bucket = aws.bucket()
    table = {"policy": rights(reading(bucket)), **target}
    world = World(
        folder,
        time=proxy.begin(),
        catalog_text=catalog(KIND, dev_read=table, prod_write=table),
        mechanisms={KIND: IamPolicy(reach)},
        kinds_={KIND: InlinePolicy(reach, settle=SETTLE)},
    )
    return Here(aws, proxy, sessions, bucket, world)


@pytest.fixture
def here(
    aws: Aws, proxy: Proxy, reach: Clients, tmp_path: Path, role: tuple[str, Credentials]
) -> Here:
    """All three people work in one role."""
    sessions = dict.fromkeys(PEOPLE, role[1])
    return a_broker(aws, proxy, reach, tmp_path, sessions, role_arn=role[0])


def ours(here: Here, role: str) -> list[Any]:
    """The policies of this test that the role has now."""
    iam, name = here.aws.iam(), named(role)
    found: list[Any] = [
        iam.get_role_policy(RoleName=name, PolicyName=each)["PolicyDocument"]
        for each in iam.list_role_policies(RoleName=name)["PolicyNames"]
        if each.startswith("jit-")
    ]
    return [each for each in found if here.bucket in each["Statement"][0]["Resource"]]


def deadlines(here: Here, role: str) -> list[str]:
    """Until when each of their statements grants."""
    return [
        statement["Condition"]["DateLessThan"]["aws:CurrentTime"]
        for each in ours(here, role)
        for statement in each["Statement"]
    ]


def shown(request: Request) -> str:
    assert request.window is not None
    return f"{request.window.deadline:%Y-%m-%dT%H:%M:%SZ}"


# ── In, and out ──────────────────────────────────────────────────────────────────────────────


def test_iam_itself_ends_a_grant_at_its_deadline(here: Here, role: tuple[str, Credentials]) -> None:
    request = here.world.ask()
    kind, slot = here.world.kinds[KIND], here.world.slot(request)
    deadline = now().replace(microsecond=0) + timedelta(seconds=2)
    kind.put(slot, [request.id], deadline)
    assert kind.see(slot, now()).until == deadline
    assert here.can_read() or now() >= deadline
    assert goes_on_until(lambda: not here.can_read(), deadline), "nobody but IAM ends it"
    assert now() >= deadline
    assert kind.see(slot, now()).present, "what no longer grants is still there to be deleted"
    kind.remove(slot)
    assert ours(here, role[0]) == []


def test_a_grant_lets_the_role_do_more_and_its_end_leaves_what_was_there(
    aws: Aws, proxy: Proxy, reach: Clients, tmp_path: Path
) -> None:
    own = aws.bucket()
    arn = aws.role(reading(own))
    session = aws.role_session(arn)
    here = a_broker(aws, proxy, reach, tmp_path, {"ana": session}, role_arn=arn)
    assert not here.can_read()
    request = here.world.ask()
    assert request.state is State.ACTIVE
    assert request.guarantee is Guarantee.CLOUD
    assert here.can_read()
    assert deadlines(here, arn) == [shown(request)]
    assert here.give_back(request).evidence is Evidence.SEEN_ABSENT
    assert not here.can_read()
    assert aws.can_read(session, own)


def test_a_grant_to_a_person_goes_to_their_own_user(
    aws: Aws, proxy: Proxy, reach: Clients, tmp_path: Path
) -> None:
    people = {person: member(aws) for person in PEOPLE}
    here = a_broker(
        aws,
        proxy,
        reach,
        tmp_path,
        {person: each.key for person, each in people.items()},
        users={person: each.arn for person, each in people.items()},
    )
    request = here.world.ask("ben")
    assert [here.can_read(person) for person in PEOPLE] == [False, True, False]
    assert here.give_back(request).evidence is Evidence.SEEN_ABSENT
    assert not here.can_read("ben")
    assert here.proxy.changes == ["PutUserPolicy", "DeleteUserPolicy"]


def test_a_condition_of_the_catalog_binds_as_it_did(
    aws: Aws, proxy: Proxy, reach: Clients, tmp_path: Path, role: tuple[str, Credentials]
) -> None:
    bucket = aws.bucket()
    never = {"StringEquals": {"aws:PrincipalTag/team": "payments"}}
    target = {"policy": rights({**reading(bucket), "Condition": never}), "role_arn": role[0]}
    here = a_broker(aws, proxy, reach, tmp_path, {"ana": role[1]}, **target)
    assert here.world.ask().state is State.ACTIVE
    assert not aws.can_read(role[1], bucket)


def test_at_the_deadline_a_sweep_deletes_what_is_left(
    here: Here, role: tuple[str, Credentials]
) -> None:
    request = here.world.ask(minutes=10)
    here.world.time.forward(minutes=10)
    here.world.sweep_until_quiet()
    assert ours(here, role[0]) == []
    assert here.world.now(request).evidence is Evidence.SEEN_ABSENT


# ── Later and earlier deadlines ──────────────────────────────────────────────────────────────


def test_an_extension_is_written_into_the_policy(here: Here, role: tuple[str, Credentials]) -> None:
    request = here.world.ask(minutes=10)
    here.world.extend(request, minutes=20)
    here.world.sweep()
    later = here.world.now(request)
    assert later.window is not None
    assert request.window is not None
    assert later.window.deadline == request.window.deadline + timedelta(minutes=20)
    assert deadlines(here, role[0]) == [shown(later)]
    here.world.time.forward(minutes=15)
    here.world.sweep()
    assert here.can_read()
    assert here.world.now(request).state is State.ACTIVE
    assert here.give_back(later).evidence is Evidence.SEEN_ABSENT
    assert not here.can_read()


def test_an_extension_that_iam_does_not_take_leaves_the_earlier_deadline(
    here: Here, role: tuple[str, Credentials]
) -> None:
    request = here.world.ask(minutes=10)
    here.proxy.faults.extend([Fault.REFUSED] * 3)
    here.world.extend(request, minutes=20)
    here.world.sweep()
    assert deadlines(here, role[0]) == [shown(request)]
    here.world.time.forward(minutes=5)
    here.world.sweep_until_quiet_but(here.world.now(request))
    for _ in range(5):
        here.world.time.forward(seconds=10)
        here.world.sweep()
    assert deadlines(here, role[0]) == [shown(here.world.now(request))]


def test_two_who_are_granted_the_same_share_a_policy_until_the_later_deadline(
    here: Here, role: tuple[str, Credentials]
) -> None:
    anas = here.world.ask("ana", minutes=10)
    bens = here.world.ask("ben", minutes=60)
    assert deadlines(here, role[0]) == [shown(bens)]
    here.world.time.forward(minutes=10)
    here.world.sweep()
    assert here.world.now(anas).evidence is Evidence.OTHERS_HOLD
    assert here.can_read("ben")
    assert here.give_back(bens).evidence is Evidence.SEEN_ABSENT
    assert ours(here, role[0]) == []


def test_when_the_longer_of_two_ends_first_the_deadline_comes_forward(
    here: Here, role: tuple[str, Credentials]
) -> None:
    anas = here.world.ask("ana", minutes=10)
    bens = here.world.ask("ben", minutes=60)
    assert here.give_back(bens).evidence is Evidence.OTHERS_HOLD
    assert deadlines(here, role[0]) == [shown(anas)]
    assert here.can_read("ana")


def test_the_longer_of_two_has_not_ended_while_the_policy_says_so_long(
    here: Here, role: tuple[str, Credentials]
) -> None:
    """Though what was seen there counts as seen after the end, as by a clock that is ahead."""
    shorter, longer = here.world.ask(minutes=10), here.world.ask("ben", minutes=30)
    here.world.broker.give_back(caller("ben"), longer.id, here.world.time())
    ahead = here.world.slot(longer)
    assert ahead.seen is not None
    seen = replace(ahead.seen, at=here.world.now(longer).updated_at)
    changed = replace(ahead, seen=seen, version=ahead.version + 1)
    here.world.store.commit(Change(slots=(changed,)))
    here.world.advance.wake(longer.id)
    assert deadlines(here, role[0]) == [shown(shorter)], "jitcloud may be dead from here on"
    assert here.world.now(longer).state is State.ENDING, "what is seen may be of the past"
    here.world.time.forward(seconds=(SETTLE + SKEW).seconds + 1)
    here.world.sweep()
    assert here.world.now(longer).state is State.ENDED
    assert deadlines(here, role[0]) == [shown(shorter)]


def test_grants_of_different_rights_to_one_role_end_apart(
    aws: Aws, proxy: Proxy, reach: Clients, tmp_path: Path, role: tuple[str, Credentials]
) -> None:
    here = a_broker(aws, proxy, reach, tmp_path, {"ana": role[1]}, role_arn=role[0])
    other = aws.bucket()
    reads = {"role_arn": role[0], "policy": rights(reading(here.bucket))}
    more = {"role_arn": role[0], "policy": rights(reading(other))}
    here.world.catalog_text = catalog(KIND, dev_read=reads, prod_write=more)
    here.world.put_together()
    one, two = here.world.ask(), here.world.approve(here.world.ask(what="prod-write"))
    assert here.can_read()
    assert aws.can_read(role[1], other)
    assert here.give_back(one).evidence is Evidence.SEEN_ABSENT
    assert not here.can_read()
    assert aws.can_read(role[1], other)
    assert here.give_back(two).evidence is Evidence.SEEN_ABSENT


# ── What others do ───────────────────────────────────────────────────────────────────────────


def test_a_policy_that_somebody_made_endless_is_seen_to_be_so_and_written_anew(
    here: Here, role: tuple[str, Credentials]
) -> None:
    request = here.world.ask(minutes=10)
    slot = here.world.slot(request)
    name = slot.key.rpartition("/")[2]
    endless = policy(reading(here.bucket))
    here.aws.iam().put_role_policy(RoleName=named(role[0]), PolicyName=name, PolicyDocument=endless)
    kind = here.world.kinds[KIND]
    assert kind.see(slot, now()).until == NEVER
    assert not slots.fits(slot, kind.see(slot, now()), slots.wish(slot, here.world.time()))
    here.world.ask("ben", minutes=5)
    assert deadlines(here, role[0]) == [shown(request)]


def test_a_policy_that_somebody_deleted_ends_as_any_other(
    here: Here, role: tuple[str, Credentials]
) -> None:
    request = here.world.ask()
    name = here.world.slot(request).key.rpartition("/")[2]
    here.aws.iam().delete_role_policy(RoleName=named(role[0]), PolicyName=name)
    assert not here.can_read()
    assert here.give_back(request).evidence is Evidence.SEEN_ABSENT


def test_a_role_that_is_deleted_meanwhile_has_ended_it(
    aws: Aws, proxy: Proxy, reach: Clients, tmp_path: Path
) -> None:
    arn = aws.role(NOTHING)
    here = a_broker(aws, proxy, reach, tmp_path, {}, role_arn=arn)
    request = here.world.ask()
    iam, name = aws.iam(), named(arn)
    for each in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        iam.delete_role_policy(RoleName=name, PolicyName=each)
    iam.delete_role(RoleName=name)
    assert here.give_back(request).evidence is Evidence.SEEN_ABSENT


# ── What goes wrong on the way ───────────────────────────────────────────────────────────────


@pytest.mark.parametrize("fault", list(Fault))
def test_whatever_becomes_of_its_calls_an_end_is_said_only_when_access_is_gone_for_good(
    here: Here, fault: Fault
) -> None:
    here.proxy.faults.append(fault)
    request = here.world.ask(minutes=10)
    here.proxy.faults.extend([fault] * 2)
    here.world.give_back(request)
    here.ended_is_never_said_while_access_can_come_back(request)


@pytest.mark.parametrize("fault", list(Fault))
def test_a_removal_that_fails_in_any_way_is_tried_until_access_is_gone(
    here: Here, fault: Fault
) -> None:
    request = here.world.ask(minutes=10)
    assert here.can_read()
    here.proxy.faults.extend([fault] * 2)
    here.world.give_back(request)
    here.ended_is_never_said_while_access_can_come_back(request)


def test_while_iam_throttles_the_end_is_tried_again_and_not_said(here: Here) -> None:
    request = here.world.ask(minutes=10)
    here.proxy.faults.extend([Fault.THROTTLED] * 3)
    here.world.give_back(request)
    for _ in range(2):
        assert here.world.now(request).state is State.ENDING
        assert "limits the rate" in here.world.slot(request).trouble
        here.world.time.forward(seconds=5)
        here.world.sweep()
    here.world.sweep_until_quiet()
    assert not here.can_read()
    assert here.world.now(request).evidence is Evidence.SEEN_ABSENT


def test_a_broker_that_may_not_look_any_more_says_so_and_not_that_access_is_gone(
    aws: Aws, proxy: Proxy, tmp_path: Path, role: tuple[str, Credentials]
) -> None:
    broker = aws.user()
    here = a_broker(aws, proxy, behind(proxy, broker), tmp_path, {"ana": role[1]}, role_arn=role[0])
    request = here.world.ask(minutes=10)
    may(aws, broker, NOTHING)
    assert here.give_back(request).state is State.ENDING
    assert "may get, put and delete inline policies" in here.world.slot(request).trouble
    assert here.can_read()
    may(aws, broker, ANYTHING)
    here.world.time.forward(minutes=5)
    here.world.sweep_until_quiet()
    assert not here.can_read()
    assert here.world.now(request).evidence is Evidence.SEEN_ABSENT


# ── What it costs, and what it needs ─────────────────────────────────────────────────────────


def test_each_step_is_one_call(here: Here, reach: Clients) -> None:
    request = here.world.ask()  # the broker has learnt who it is
    kind, slot = here.world.kinds[KIND], here.world.slot(request)
    until = now() + timedelta(minutes=1)
    for step, call in (
        (lambda: kind.see(slot, now()), "GetRolePolicy"),
        (lambda: kind.put(slot, [RequestId("r")], until), "PutRolePolicy"),
        (lambda: kind.remove(slot), "DeleteRolePolicy"),
    ):
        with counting(reach) as calls:
            step()
        assert calls == [call]


def test_the_rights_in_operations_are_enough_for_a_whole_life_and_for_this_role_alone(
    aws: Aws, proxy: Proxy, tmp_path: Path, role: tuple[str, Credentials]
) -> None:
    broker = aws.user(*documented("iam:PutRolePolicy", role=role[0]))
    here = a_broker(aws, proxy, behind(proxy, broker), tmp_path, {"ana": role[1]}, role_arn=role[0])
    request = here.world.ask()
    assert request.state is State.ACTIVE, here.world.slot(request).trouble
    assert request.plan is not None
    assert not any("could not look" in note for note in request.plan.notes)
    assert here.give_back(request).evidence is Evidence.SEEN_ABSENT
    where = {"principal_arn": aws.role(NOTHING), "statements": [reading(here.bucket)]}
    other = Slot(key=SlotKey("other"), kind=KIND, where=where)
    with pytest.raises(CloudRefused, match="iam:PutRolePolicy"):
        here.world.kinds[KIND].put(other, [request.id], now() + timedelta(minutes=1))


def test_a_role_in_another_account_is_reached_through_a_role_there(
    aws: Aws, proxy: Proxy, reach: Clients, tmp_path: Path
) -> None:
    far = replace(aws, account="999988887777")
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{aws.account}:root"},
        "Action": "sts:AssumeRole",
    }
    arn, door = far.role(NOTHING, trust=trust), far.role(trust=trust)
    sessions = {"ana": far.role_session(arn)}
    here = a_broker(far, proxy, reach, tmp_path, sessions, role_arn=arn, account_role=door)
    request = here.world.ask()
    assert here.can_read()
    assert here.give_back(request).evidence is Evidence.SEEN_ABSENT
    assert not here.can_read()


def test_where_the_broker_would_look_into_another_account_it_finds_nothing_out(
    reach: Clients,
) -> None:
    where = {
        "principal_arn": "arn:aws:iam::999988887777:role/far",
        "statements": [reading("bucket")],
    }
    kind = InlinePolicy(reach)
    slot = Slot(key=SlotKey("far"), kind=KIND, where=where)
    for call in (
        lambda: kind.see(slot, now()),
        lambda: kind.put(slot, (), now()),
        lambda: kind.remove(slot),
    ):
        with pytest.raises(CloudRefused, match="name an account_role there"):
            call()
