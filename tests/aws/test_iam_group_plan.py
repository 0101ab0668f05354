"""What a plan for a membership says beforehand, and what is told when IAM says no."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from jitcloud import slots
from jitcloud.errors import CloudRefused, OutcomeUnknown, Throttled
from jitcloud.model import Guarantee, Plan, Slot
from jitcloud.providers.aws import iam_outlook
from jitcloud.providers.aws.clients import CALL, Clients
from jitcloud.providers.aws.iam_group import KIND, GroupMembership, IamGroup
from jitcloud.providers.aws.iam_room import MOST_GROUPS, MOST_PAGES, WITHIN
from tests.aws.conftest import HOUR, Aws, clients_of, named, now
from tests.aws.fake_aws import WHO, Answer, FakeAws, closes, error, iam_says
from tests.aws.iam_world import NOTHING, an_entitlement, group, member
from tests.factories import a_person


def plan(clients: Clients, arn: str, *users: str) -> Plan:
    people = {f"person-{number}": user for number, user in enumerate(users)}
    return IamGroup(clients).plan(an_entitlement(KIND, group_arn=arn, users=people), HOUR, now())


def filled(aws: Aws, user: str, groups: int) -> None:
    for _ in range(groups):
        aws.iam().add_user_to_group(GroupName=named(group(aws)), UserName=named(user))


# ── Beforehand ───────────────────────────────────────────────────────────────────────────────


def test_a_plan_says_that_the_broker_ends_it_and_what_that_leaves(
    aws: Aws, clients: Clients
) -> None:
    found = plan(clients, group(aws), member(aws).arn)
    assert found == Plan(
        guarantee=Guarantee.BROKER,
        early_end=iam_outlook.LEAVES_GROUP,
        residual=(iam_outlook.BROKER_ENDS, iam_outlook.MADE_MEANWHILE),
    )


def test_a_plan_says_how_many_are_in_the_group_already(aws: Aws, clients: Clients) -> None:
    arn = group(aws)
    for _ in range(2):
        aws.iam().add_user_to_group(GroupName=named(arn), UserName=member(aws).name)
    assert "The group has 2 users already" in plan(clients, arn, member(aws).arn).notes[0]


def test_a_plan_says_that_the_group_does_not_exist(aws: Aws, clients: Clients) -> None:
    ana = member(aws).arn
    gone = f"arn:aws:iam::{aws.account}:group/nowhere"
    elsewhere = group(aws).replace(":group/", ":group/team/")
    for arn in (gone, elsewhere):
        (problem,) = plan(clients, arn, ana).problems
        assert "does not exist" in problem


def test_a_user_that_does_not_exist_is_a_problem_where_there_is_no_other(
    aws: Aws, clients: Clients
) -> None:
    arn, gone = group(aws), f"arn:aws:iam::{aws.account}:user/nobody"
    (problem,) = plan(clients, arn, gone).problems
    assert "The IAM user nobody does not exist" in problem
    both = plan(clients, arn, gone, member(aws).arn)
    assert both.problems == ()
    assert both.notes == (problem,)


def test_a_user_that_is_in_as_many_groups_as_iam_allows_is_told_before_iam_says_no(
    aws: Aws, clients: Clients
) -> None:
    arn, ana = group(aws), member(aws)
    filled(aws, ana.arn, MOST_GROUPS - 1)
    assert plan(clients, arn, ana.arn).problems == ()
    filled(aws, ana.arn, 1)
    (problem,) = plan(clients, arn, ana.arn).problems
    assert f"{ana.name} is in 10 groups, and IAM allows no more" in problem


def test_a_user_that_is_in_the_group_already_needs_no_room(aws: Aws, clients: Clients) -> None:
    arn, ana = group(aws), member(aws)
    filled(aws, ana.arn, MOST_GROUPS - 1)
    aws.iam().add_user_to_group(GroupName=named(arn), UserName=ana.name)
    assert plan(clients, arn, ana.arn).problems == ()


def test_of_many_users_none_is_looked_at(aws: Aws, clients: Clients) -> None:
    gone = [f"arn:aws:iam::{aws.account}:user/nobody-{number}" for number in range(6)]
    found = plan(clients, group(aws), *gone)
    assert (found.problems, found.notes) == ((), ())
    assert plan(clients, group(aws), *gone[:5]).problems != ()


def test_a_plan_without_the_right_to_look_says_so_and_is_no_problem(aws: Aws) -> None:
    found = plan(clients_of(aws, aws.user(NOTHING)), group(aws), member(aws).arn)
    assert found.problems == ()
    (note,) = found.notes
    assert "The broker could not look around: AWS refused iam:GetGroup" in note


# ── While it lasts ───────────────────────────────────────────────────────────────────────────

ACCOUNT = "arn:aws:iam::111122223333"
TARGET = {"group_arn": f"{ACCOUNT}:group/On-call", "users": {"ana": f"{ACCOUNT}:user/ana"}}


def a_slot() -> Slot:
    found = IamGroup(Clients(clock=now)).places(an_entitlement(KIND, **TARGET), a_person("ana"))
    assert found.grant is not None
    return slots.at(found.grant)


def groups(*names: str, more: bool = False) -> Answer:
    onward = "<IsTruncated>true</IsTruncated><Marker>next</Marker>" if more else ""
    listed = "".join(f"<member><GroupName>{name}</GroupName></member>" for name in names)
    return iam_says("ListGroupsForUser", f"<Groups>{listed}</Groups>{onward}")


def test_a_group_that_iam_tells_on_a_later_page_is_seen(fake: FakeAws, reach: Clients) -> None:
    fake.answers = [WHO, groups("a", more=True), groups("ON-CALL")]
    assert GroupMembership(reach).see(a_slot(), now()).present
    assert [asked.get("Marker") for asked in fake.asked] == [None, None, "next"]


def test_part_of_an_answer_is_no_absence(fake: FakeAws, reach: Clients) -> None:
    fake.answers = [WHO, *[groups("a", more=True)] * MOST_PAGES]
    with pytest.raises(Throttled, match="in too many parts"):
        GroupMembership(reach).see(a_slot(), now())
    fake.answers = [groups("a", more=True)]
    with pytest.raises(Throttled, match="too slowly"):
        GroupMembership(reach, timeout=CALL - timedelta(seconds=1)).see(a_slot(), now())


def test_a_user_in_too_many_groups_is_told_as_such(fake: FakeAws, reach: Clients) -> None:
    fake.answers = [WHO, error(409, "LimitExceeded")]
    with pytest.raises(CloudRefused, match="IAM allows no more; take it out of one"):
        GroupMembership(reach).put(a_slot(), (), now())


def test_who_is_missing_is_told_as_what_to_do(fake: FakeAws, reach: Clients) -> None:
    fake.answers = [WHO, error(404, "NoSuchEntity", "The user with name ana cannot be found.")]
    with pytest.raises(CloudRefused, match=r"does not exist \(The user with .* create it, or"):
        GroupMembership(reach).put(a_slot(), (), now())


@pytest.mark.parametrize(
    ("answer", "raised"),
    [
        pytest.param(error(400, "Throttling"), Throttled, id="throttled"),
        pytest.param(error(403, "AccessDenied"), CloudRefused, id="denied"),
        pytest.param(error(500, "ServiceFailure"), OutcomeUnknown, id="failed"),
        pytest.param(closes, OutcomeUnknown, id="closed"),
    ],
)
def test_no_answer_but_an_absence_is_an_absence(
    fake: FakeAws, reach: Clients, answer: Answer, raised: type[Exception]
) -> None:
    fake.answers = [WHO, answer, answer, answer]
    kind, slot = GroupMembership(reach), a_slot()
    with pytest.raises(raised):
        kind.see(slot, now())
    with pytest.raises(raised):
        kind.put(slot, (), now())
    with pytest.raises(raised):
        kind.remove(slot)


def test_a_plan_that_takes_too_long_is_given_up(
    fake: FakeAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, time = now(), [now()]

    found = iam_says("GetGroup", f"<Group><Arn>{TARGET['group_arn']}</Arn></Group><Users/>")

    def slow(handler: Any) -> None:
        time[0] = began + WITHIN
        found(handler)

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    fake.answers = [WHO, slow]
    reach = Clients(clock=lambda: time[0], endpoint_url=fake.url)
    with pytest.raises(Throttled, match="too slowly"):
        plan(reach, str(TARGET["group_arn"]), f"{ACCOUNT}:user/ana")
    assert fake.asked[-1]["Action"] == "GetGroup"
