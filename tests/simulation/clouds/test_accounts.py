"""Who can do what in an account: a table of what is written, instants, and who can."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from jitcloud.model import RequestId
from jitcloud.providers.aws.deny_subjects import Denials
from jitcloud.providers.aws.deny_text import base_document, document
from jitcloud.providers.aws.session_policy import session_policy
from tests.simulation.clock import START, Clock
from tests.simulation.clouds.account import ANYTHING, Account, Session
from tests.simulation.clouds.aws_stage import allowing
from tests.simulation.clouds.iam_calls import Calls
from tests.simulation.clouds.refusals import Refusal

READ = ("s3:GetObject", "arn:aws:s3:::b/o")
MINUTE = timedelta(minutes=1)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def account(clock: Clock) -> Account:
    made = Account("111122223333", clock)
    made.add_user("ana")
    made.add_group("team", allowing(*READ))
    made.add_policy("deny", base_document(made.arn("policy/deny")))
    made.add_role("worker", ANYTHING, boundary=made.arn("policy/deny"))
    return made


def called(account: Account, operation: str, **params: Any) -> Mapping[str, Any]:
    return Calls(account, lambda: "ASIA").answer(operation, params, account.clock())


def can(account: Account, user: str = "ana") -> bool:
    return account.user_may(user, *READ, account.clock())


def a_session(account: Account, **more: Any) -> Session:
    called(account, "AssumeRole", **{**_ASKED, "RoleArn": account.arn("role/worker"), **more})
    return account.sessions[-1]


_ASKED = {
    "RoleSessionName": "jit-1",
    "SourceIdentity": "ana",
    "DurationSeconds": 900,
    "Policy": session_policy(deadline=START + 5 * MINUTE).text,
    "Tags": [{"Key": "jitcloud-request", "Value": "01A"}],
}


def able(account: Account, session: Session, call: tuple[str, str] = READ) -> bool:
    return account.session_may(session, *call, account.clock())


def _deny(account: Account, request: str) -> None:
    arn = account.arn("policy/deny")
    account.write(arn, document(arn, Denials(requests=frozenset({RequestId(request)}))))


def _deny_unbound(account: Account) -> None:
    _deny(account, "01A")
    account.bind("worker", None)


def test_whoever_is_in_a_group_can_what_the_group_may(account: Account) -> None:
    assert not can(account)
    called(account, "AddUserToGroup", GroupName="TEAM", UserName="Ana")
    assert can(account)
    called(account, "RemoveUserFromGroup", GroupName="team", UserName="ana")
    assert not can(account)


def test_whoever_is_deleted_can_nothing_and_neither_can_who_comes_after(
    account: Account, clock: Clock
) -> None:
    called(account, "AddUserToGroup", GroupName="team", UserName="ana")
    account.put_inline("user", "ana", "own", allowing(*READ))
    clock.forward(MINUTE)
    account.delete_user("ana")
    assert not can(account)
    account.add_user("ana")
    assert not can(account)


def test_an_inline_policy_counts_until_it_says_so(account: Account, clock: Clock) -> None:
    dated = {"aws:CurrentTime": "2026-12-01T09:01:00Z"}
    account.put_inline("user", "ana", "jit", allowing(*READ, DateLessThan=dated))
    assert can(account)
    clock.to(START + MINUTE)
    assert not can(account)


@pytest.mark.parametrize(
    ("change", "is_able"),
    [
        pytest.param(lambda a: None, True, id="as it is"),  # noqa: ARG005 - nothing is changed
        pytest.param(lambda a: a.bind("worker", None), True, id="unbound"),
        pytest.param(lambda a: a.bind("worker", a.arn("policy/none")), False, id="bound by none"),
        pytest.param(
            lambda a: a.put_inline("role", "worker", "jit", None), False, id="it may nothing"
        ),
        pytest.param(lambda a: a.delete_role("worker"), False, id="deleted"),
    ],
)
def test_whoever_assumes_a_role_can_what_it_may(
    account: Account, change: Any, *, is_able: bool
) -> None:
    dated = {"aws:CurrentTime": "2026-12-01T09:01:00Z"}
    account.put_inline("role", "worker", "rights", None)
    account.put_inline("role", "worker", "jit", allowing(*READ, DateLessThan=dated))
    change(account)
    asked = (READ[0], "s3:PutObject")
    assert account.role_may_of("worker", asked, READ[1], START) == asked[:is_able]


def test_a_policy_of_a_role_counts_until_it_says_so(account: Account, clock: Clock) -> None:
    dated = {"aws:CurrentTime": "2026-12-01T09:01:00Z"}
    account.put_inline("role", "worker", "rights", allowing(*READ, DateLessThan=dated))
    clock.to(START + MINUTE - timedelta(microseconds=1))
    assert account.role_may_of("worker", READ[:1], READ[1], clock.now) == READ[:1]
    clock.to(START + MINUTE)
    assert account.role_may_of("worker", READ[:1], READ[1], clock.now) == ()


def test_what_was_is_remembered(account: Account, clock: Clock) -> None:
    account.set_member("ana", "team", present=True)
    clock.forward(MINUTE)
    account.set_member("ana", "team", present=False)
    assert not can(account)
    assert account.user_may("ana", *READ, START)
    assert not account.user_may("ana", *READ, START - MINUTE)


def test_what_was_taken_by_hand_is_gone_at_once_for_everybody(
    account: Account, clock: Clock
) -> None:
    account.set_member("ana", "team", present=True)
    clock.forward(MINUTE)
    account.take(account.members["ana"]["team"])
    assert not account.user_may("ana", *READ, clock.now - timedelta(seconds=9))


@pytest.mark.parametrize(
    ("after", "is_able"),
    [
        (timedelta(0), True),
        (5 * MINUTE - timedelta(microseconds=1), True),
        (5 * MINUTE, False),
        (16 * MINUTE, False),
    ],
)
def test_a_session_can_until_its_deadline(
    account: Account, clock: Clock, after: timedelta, *, is_able: bool
) -> None:
    session = a_session(account)
    clock.to(START + after)
    assert able(account, session) is is_able


def test_a_session_expires_though_nothing_denies_it(account: Account, clock: Clock) -> None:
    session = a_session(account, Policy=ANYTHING)
    clock.to(START + 15 * MINUTE - timedelta(seconds=1))
    assert able(account, session)
    clock.to(START + 15 * MINUTE)
    assert not able(account, session)


@pytest.mark.parametrize(
    ("change", "is_able"),
    [
        pytest.param(lambda a: None, True, id="as it is"),  # noqa: ARG005 - nothing is changed
        pytest.param(lambda a: _deny(a, "01A"), False, id="denied"),
        pytest.param(lambda a: _deny(a, "01B"), True, id="another is denied"),
        pytest.param(_deny_unbound, True, id="denied by what does not bind it"),
        pytest.param(lambda a: a.bind("worker", a.arn("policy/none")), False, id="bound by none"),
        pytest.param(
            lambda a: a.put_inline("role", "worker", "rights", allowing("s3:PutObject")),
            False,
            id="the role may something else",
        ),
        pytest.param(
            lambda a: a.put_inline("role", "worker", "rights", None), False, id="it may nothing"
        ),
    ],
)
def test_a_session_can_what_role_boundary_and_session_policy_all_allow(
    account: Account, change: Any, *, is_able: bool
) -> None:
    session = a_session(account)
    change(account)
    assert able(account, session) is is_able


def test_a_session_can_no_more_than_its_own_policy_says(account: Account) -> None:
    session = a_session(account, Policy=allowing(*READ))
    assert able(account, session)
    assert not able(account, session, ("s3:PutObject", "arn:aws:s3:::b/o"))


@pytest.mark.parametrize(
    ("operation", "params", "code"),
    [
        ("AddUserToGroup", {"GroupName": "team", "UserName": "nobody"}, "NoSuchEntity"),
        ("AddUserToGroup", {"GroupName": "none", "UserName": "ana"}, "NoSuchEntity"),
        ("GetUserPolicy", {"UserName": "ana", "PolicyName": "none"}, "NoSuchEntity"),
        ("DeleteUserPolicy", {"UserName": "ana", "PolicyName": "none"}, "NoSuchEntity"),
        (
            "PutUserPolicy",
            {"UserName": "ana", "PolicyName": "p", "PolicyDocument": "none"},
            "MalformedPolicyDocument",
        ),
        (
            "PutUserPolicy",
            {"UserName": "ana", "PolicyName": "p", "PolicyDocument": allowing("s" * 2048)},
            "LimitExceeded",
        ),
        ("GetRole", {"RoleName": "none"}, "NoSuchEntity"),
    ],
)
def test_what_cannot_be_is_refused(
    account: Account, operation: str, params: dict[str, Any], code: str
) -> None:
    with pytest.raises(Refusal) as refused:
        called(account, operation, **params)
    assert refused.value.code == code


def test_a_user_is_in_ten_groups_at_the_most(account: Account) -> None:
    for number in range(10):
        account.add_group(f"g{number}", allowing("x:*"))
        called(account, "AddUserToGroup", GroupName=f"g{number}", UserName="ana")
    with pytest.raises(Refusal, match="GroupsPerUser"):
        called(account, "AddUserToGroup", GroupName="team", UserName="ana")
    called(account, "AddUserToGroup", GroupName="g1", UserName="ana")


def test_a_policy_has_five_versions_at_the_most(account: Account) -> None:
    arn = account.arn("policy/deny")
    asked = {"PolicyArn": arn, "PolicyDocument": ANYTHING, "SetAsDefault": True}
    for _ in range(4):
        called(account, "CreatePolicyVersion", **asked)
    with pytest.raises(Refusal) as refused:
        called(account, "CreatePolicyVersion", **asked)
    assert refused.value.code == "LimitExceeded"
    called(account, "DeletePolicyVersion", PolicyArn=arn, VersionId="v1")
    made = called(account, "CreatePolicyVersion", **asked)["PolicyVersion"]["VersionId"]
    assert made == "v6"
    assert json.loads(account.written(arn, account.clock())) == json.loads(ANYTHING)


def test_no_more_of_a_list_is_told_than_was_asked_for(account: Account) -> None:
    for name in ("b", "c", "d"):
        account.add_user(name)
        account.set_member(name, "team", present=True)
    page = called(account, "GetGroup", GroupName="team", MaxItems=2)
    assert [user["UserName"] for user in page["Users"]] == ["b", "c"]
    rest = called(account, "GetGroup", GroupName="team", MaxItems=2, Marker=page["Marker"])
    assert [user["UserName"] for user in rest["Users"]] == ["d"]
    assert not rest["IsTruncated"]
