"""What a plan for an inline policy says beforehand, and what is told when IAM says no."""

from __future__ import annotations

from datetime import timedelta

import pytest

from jitcloud.errors import CloudRefused, OutcomeUnknown, Throttled
from jitcloud.model import Guarantee, Plan, Slot, SlotKey
from jitcloud.providers.aws import iam_outlook, timed_policy
from jitcloud.providers.aws.clients import Clients
from jitcloud.providers.aws.iam_policy import KIND, IamPolicy, InlinePolicy
from jitcloud.providers.aws.iam_room import MOST_POLICIES
from jitcloud.providers.aws.outlook import STAYS_OPEN
from tests.aws.conftest import HOUR, Aws, clients_of, named, now, policy
from tests.aws.fake_aws import WHO, Answer, FakeAws, closes, error
from tests.aws.iam_world import NOTHING, an_entitlement, counting, member, reading, rights

READ = reading("bucket")


def plan(clients: Clients, statement: dict[str, object] = READ, /, **target: object) -> Plan:
    said = {"policy": rights(statement), **target}
    return IamPolicy(clients).plan(an_entitlement(KIND, **said), HOUR, now())


def filling(characters: int) -> str:
    """A policy of exactly so many characters, white space left out."""
    empty = policy({"Effect": "Allow", "Action": "s3:GetObject", "Resource": ""})
    room = characters - timed_policy.counted(empty)
    return empty.replace('"Resource": ""', f'"Resource": "{"x" * room}"')


# ── Beforehand ───────────────────────────────────────────────────────────────────────────────


def test_a_plan_says_who_else_has_the_rights_meanwhile(aws: Aws, clients: Clients) -> None:
    others = f"whoever may assume it has them too until then: arn:aws:iam::{aws.account}:root."
    assert plan(clients, role_arn=aws.role(NOTHING)) == Plan(
        guarantee=Guarantee.CLOUD,
        early_end=iam_outlook.POLICY_GOES,
        residual=(STAYS_OPEN,),
        notes=(f"The rights go to the role, so {others}",),
    )


TRUST: dict[str, tuple[object, str]] = {
    "anybody": ({"Principal": "*"}, "*."),
    "several": (
        {"Principal": {"AWS": ["111122223333", "*"], "Service": "ec2.amazonaws.com"}},
        "111122223333, *, ec2.amazonaws.com.",
    ),
    "many": (
        {"Principal": {"Service": [f"s{number}.amazonaws.com" for number in range(8)]}},
        "s4.amazonaws.com and 3 more.",
    ),
    "nobody": ({"Effect": "Deny", "Principal": "*"}, "nobody, as its trust policy stands."),
}


@pytest.mark.parametrize("who", TRUST)
def test_a_trust_policy_is_told_as_it_stands(aws: Aws, clients: Clients, who: str) -> None:
    changed, words = TRUST[who]
    assert isinstance(changed, dict)
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", **changed}
    (note,) = plan(clients, role_arn=aws.role(NOTHING, trust=trust)).notes
    assert note.endswith(words)


def test_a_plan_says_what_the_policy_lets_somebody_make_that_stays(
    aws: Aws, clients: Clients
) -> None:
    more = {**READ, "Action": ["kms:CreateGrant", "s3:GetObject"]}
    found = plan(clients, more, role_arn=aws.role(NOTHING), allow_escape=["kms-grants"])
    assert found.residual == (
        "kms-grants is open: A KMS grant stays until it is retired.",
        STAYS_OPEN,
    )


def test_a_plan_says_that_the_role_does_not_exist(aws: Aws, clients: Clients) -> None:
    elsewhere = aws.role(NOTHING).replace(":role/", ":role/team/")
    for arn in (f"arn:aws:iam::{aws.account}:role/nowhere", elsewhere):
        (problem,) = plan(clients, role_arn=arn).problems
        assert "does not exist" in problem


@pytest.mark.parametrize("kind", ["role", "user"])
def test_what_is_there_already_counts_before_iam_counts_it(
    aws: Aws, clients: Clients, kind: str
) -> None:
    target: dict[str, object]
    if kind == "role":
        target = {"role_arn": (arn := aws.role(NOTHING))}
    else:
        target = {"users": {"ana": (arn := member(aws).arn)}}
    taken = timed_policy.counted(policy(NOTHING)) + timed_policy.characters([READ])
    left = timed_policy.MOST_CHARACTERS[kind] - taken
    _put(aws, arn, filling(left))
    assert plan(clients, **target).problems == ()
    _put(aws, arn, filling(left + 1))
    (problem,) = plan(clients, **target).problems
    most = timed_policy.MOST_CHARACTERS[kind]
    assert f"this one has {timed_policy.characters([READ])}, and IAM takes {most} in all" in problem


def _put(aws: Aws, arn: str, text: str) -> None:
    iam, name = aws.iam(), named(arn)
    if ":role/" in arn:
        iam.put_role_policy(RoleName=name, PolicyName="large", PolicyDocument=text)
    else:
        iam.put_user_policy(UserName=name, PolicyName="large", PolicyDocument=text)


def test_a_grant_that_is_there_already_does_not_count_twice(aws: Aws, clients: Clients) -> None:
    arn, kind = aws.role(), InlinePolicy(clients)
    large = {**READ, "Resource": ["x" * 2000, "y" * 2000, "z" * 2000]}
    where = {"principal_arn": arn, "statements": [large]}
    kind.put(Slot(key=SlotKey("k"), kind=KIND, where=where), (), now() + HOUR)
    assert plan(clients, large, role_arn=arn).problems == ()


def test_a_user_without_room_is_no_problem_for_the_others(aws: Aws, clients: Clients) -> None:
    ana, ben = member(aws).arn, member(aws).arn
    _put(aws, ana, filling(2000))
    found = plan(clients, users={"ana": ana, "ben": ben})
    assert found.problems == ()
    (note,) = found.notes
    assert f"Other inline policies of the user {named(ana)} have" in note


def test_of_many_policies_only_so_many_are_measured(aws: Aws, clients: Clients) -> None:
    arn = aws.role(NOTHING)
    for number in range(MOST_POLICIES + 5):
        aws.iam().put_role_policy(
            RoleName=named(arn), PolicyName=f"p{number}", PolicyDocument=policy(NOTHING)
        )
    with counting(clients) as calls:
        plan(clients, role_arn=arn)
    assert calls == ["GetRole", "ListRolePolicies", *["GetRolePolicy"] * MOST_POLICIES]


def test_a_role_where_the_broker_cannot_reach_is_a_problem(clients: Clients) -> None:
    (problem,) = plan(clients, role_arn="arn:aws:iam::999988887777:role/far").problems
    assert problem == (
        "The role far is in account 999988887777, and the broker in another; "
        "name an account_role there."
    )


def test_a_plan_without_the_right_to_look_says_so_and_is_no_problem(aws: Aws) -> None:
    found = plan(clients_of(aws, aws.user(NOTHING)), role_arn=aws.role(NOTHING))
    assert found.problems == ()
    (note,) = found.notes
    assert "The broker could not look around: AWS refused iam:GetRole" in note


def test_clocks_that_mean_different_instants_by_a_deadline_are_a_problem(
    aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", aws.broker.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", aws.broker.secret_access_key)
    for apart in (timedelta(minutes=2), timedelta(minutes=-2)):
        behind = Clients(clock=lambda by=apart: now() + by, endpoint_url=aws.endpoint_url)  # type: ignore[misc] # a clock with a default
        (problem,) = plan(behind, role_arn=aws.role(NOTHING)).problems
        assert "mean different instants by a deadline; set this one right" in problem


# ── While it lasts ───────────────────────────────────────────────────────────────────────────


def a_slot(kind: str) -> Slot:
    where = {"principal_arn": f"arn:aws:iam::111122223333:{kind}/x", "statements": [READ]}
    return Slot(key=SlotKey("k"), kind=KIND, where=where)


@pytest.mark.parametrize("kind", ["role", "user"])
def test_what_iam_says_to_a_grant_is_told_as_what_to_do(
    fake: FakeAws, reach: Clients, kind: str
) -> None:
    full = error(409, "LimitExceeded", "Maximum policy size of 10240 bytes exceeded")
    fake.answers = [WHO, error(404, "NoSuchEntity"), full]
    for words in ("does not exist in account 111122223333; create", "no room for this one .Max"):
        with pytest.raises(CloudRefused, match=words):
            InlinePolicy(reach).put(a_slot(kind), (), now())


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
    fake.answers = [WHO, answer, answer, answer, error(404, "NoSuchEntity")]
    kind, slot = InlinePolicy(reach), a_slot("role")
    with pytest.raises(raised):
        kind.see(slot, now())
    with pytest.raises(raised):
        kind.put(slot, (), now())
    with pytest.raises(raised):
        kind.remove(slot)
    assert not kind.see(slot, now()).present
