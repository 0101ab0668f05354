"""What documents say, by what AWS says of documents: a table of calls and instants."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from jitcloud.emulators.identity_center.deny import leaves_anything
from jitcloud.model import RequestId
from jitcloud.providers.aws.deny_subjects import Denials, SsoUser
from jitcloud.providers.aws.deny_text import document
from jitcloud.providers.aws.session_policy import session_policy
from jitcloud.providers.aws.timed_policy import document as timed
from tests.simulation.clouds.documents import Document, Unjudged, Value, Verdict

T = datetime(2026, 12, 1, 10, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
USER = "94482488-3041-7026-18f3-be45837cd0e4"
OTHER = "14482488-3041-7026-18f3-be45837cd0e4"
ARN = "arn:aws:iam::222233334444:policy/deny"
PATH = "arn:aws:iam::222233334444:role/aws-reserved/sso.amazonaws.com"
ROLE = f"{PATH}/AWSReservedSSO_Admin_0123456789abcdef"

DENIES, ALLOWS, SILENT = Verdict.DENIES, Verdict.ALLOWS, Verdict.SILENT
READ = ("s3:GetObject", "arn:aws:s3:::b/o")


def says(text: str, call: tuple[str, str] = READ, **context: Value) -> Verdict:
    named = {key.replace("__", ":").replace("_slash_", "/"): said for key, said in context.items()}
    return Document(text).says(*call, named)


def policy(**elements: object) -> str:
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*", **elements}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.mark.parametrize(
    ("after", "verdict"),
    [
        (-SECOND, ALLOWS),
        (timedelta(microseconds=-1), ALLOWS),
        (timedelta(0), DENIES),
        (SECOND, DENIES),
    ],
)
def test_a_session_ends_at_its_deadline_to_the_instant(after: timedelta, verdict: Verdict) -> None:
    text = session_policy(deadline=T).text
    assert says(text, aws__currenttime=T + after) is verdict


@pytest.mark.parametrize("action", ["sts:AssumeRole", "iam:CreateUser", "IAM:createuser"])
def test_a_session_may_not_make_what_outlives_it(action: str) -> None:
    text = session_policy(deadline=T).text
    assert says(text, (action, "*"), aws__currenttime=T - SECOND) is DENIES


@pytest.mark.parametrize(
    ("after", "verdict"), [(-SECOND, ALLOWS), (timedelta(0), SILENT), (SECOND, SILENT)]
)
def test_a_timed_policy_allows_until_its_deadline(after: timedelta, verdict: Verdict) -> None:
    text = timed([{"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}], T)
    assert says(text, aws__currenttime=T + after) is verdict


@pytest.mark.parametrize(
    ("issued", "user", "role", "verdict"),
    [
        (T - SECOND, USER, ROLE, DENIES),
        (T, USER, ROLE, DENIES),
        (T + SECOND, USER, ROLE, ALLOWS),
        (T - SECOND, OTHER, ROLE, ALLOWS),
        (T - SECOND, USER, ROLE.replace("Admin", "Admins"), ALLOWS),
        (T - SECOND, USER, ROLE.replace("2222", "3333"), ALLOWS),
        (T - SECOND, USER, ROLE.replace("/AWS", "/eu-west-1/AWS"), DENIES),
    ],
)
def test_a_deny_document_tells_sessions_by_user_role_and_second(
    issued: datetime, user: str, role: str, verdict: Verdict
) -> None:
    text = document(ARN, Denials(users={SsoUser("Admin", USER): T}))
    context: dict[str, Value] = {
        "aws:tokenissuetime": issued,
        "identitystore:userid": user,
        "aws:principalarn": role,
    }
    assert Document(text).says(*READ, context) is verdict
    assert leaves_anything(json.loads(text), context) is (verdict is ALLOWS)


def test_a_deny_document_tells_sessions_by_their_tag() -> None:
    text = document(ARN, Denials(requests=frozenset({RequestId("01A"), RequestId("01B")})))
    tag = "aws:principaltag/jitcloud-request"
    assert Document(text).says(*READ, {tag: "01B"}) is DENIES
    assert Document(text).says(*READ, {tag: "01C"}) is ALLOWS
    assert Document(text).says(*READ, {}) is ALLOWS


@pytest.mark.parametrize(
    ("elements", "call", "verdict"),
    [
        ({"Action": "s3:Get*"}, READ, ALLOWS),
        ({"Action": "S3:getobject"}, READ, ALLOWS),
        ({"Action": "s3:Put*"}, READ, SILENT),
        ({"Action": ["s3:Put*", "s3:Ge?Object"]}, READ, ALLOWS),
        ({"Resource": "arn:aws:s3:::B/*"}, READ, SILENT),
        ({"Resource": "arn:aws:s3:::b/*"}, READ, ALLOWS),
    ],
)
def test_actions_are_told_without_case_and_resources_with_it(
    elements: dict[str, object], call: tuple[str, str], verdict: Verdict
) -> None:
    assert says(policy(**elements), call) is verdict


def test_not_action_and_not_resource_mean_all_but() -> None:
    statement = {"Effect": "Deny", "NotAction": ["s3:Get*"], "NotResource": "arn:aws:s3:::b/*"}
    text = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    assert says(text, ("s3:PutObject", "arn:aws:s3:::c/o")) is DENIES
    assert says(text, ("s3:PutObject", "arn:aws:s3:::b/o")) is SILENT
    assert says(text, ("s3:GetObject", "arn:aws:s3:::c/o")) is SILENT


@pytest.mark.parametrize(
    ("operator", "after", "verdict"),
    [
        ("DateLessThan", -SECOND, DENIES),
        ("DateLessThan", timedelta(0), SILENT),
        ("DateLessThanEquals", timedelta(0), DENIES),
        ("DateLessThanEquals", SECOND, SILENT),
        ("DateGreaterThan", timedelta(0), SILENT),
        ("DateGreaterThan", SECOND, DENIES),
        ("DateGreaterThanEquals", timedelta(0), DENIES),
        ("DateGreaterThanEquals", -SECOND, SILENT),
    ],
)
def test_dates_are_compared_as_their_operators_say(
    operator: str, after: timedelta, verdict: Verdict
) -> None:
    text = policy(Effect="Deny", Condition={operator: {"aws:CurrentTime": "2026-12-01T10:00:00Z"}})
    assert says(text, aws__currenttime=T + after) is verdict


def test_keys_are_joined_by_and_and_values_by_or() -> None:
    condition = {
        "StringEquals": {"aws:PrincipalAccount": ["1", "2"], "aws:SourceIdentity": "ana"},
    }
    text = policy(Condition=condition)
    assert says(text, aws__principalaccount="2", aws__sourceidentity="ana") is ALLOWS
    assert says(text, aws__principalaccount="3", aws__sourceidentity="ana") is SILENT
    assert says(text, aws__principalaccount="2") is SILENT


@pytest.mark.parametrize("written", ["2026-13-01T10:00:00Z", "soon"])
def test_a_malformed_date_matches_nothing(written: str) -> None:
    text = policy(Effect="Deny", Condition={"DateGreaterThan": {"aws:CurrentTime": written}})
    assert says(text, aws__currenttime=T) is SILENT


@pytest.mark.parametrize(
    "elements",
    [
        {"Principal": "*"},
        {"Effect": "allow"},
        {"NotAction": "s3:*"},
        {"Resource": "arn:aws:s3:::${aws:username}"},
        {"Condition": {"StringNotEquals": {"aws:PrincipalAccount": "1"}}},
        {"Condition": {"StringEqualsIfExists": {"aws:PrincipalAccount": "1"}}},
        {"Condition": {"StringEquals": {"aws:SourceVpc": "vpc-1"}}},
        {"Condition": {"StringEquals": {"aws:PrincipalAccount": []}}},
        {"Condition": {"ArnLike": {"aws:PrincipalArn": "no-arn"}}},
    ],
)
def test_what_is_not_known_is_not_guessed(elements: dict[str, object]) -> None:
    with pytest.raises(Unjudged):
        Document(policy(**elements))


def test_a_deny_counts_more_than_any_allow() -> None:
    statements = [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "s3:*", "Resource": "*"},
        {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
    ]
    for listed in (statements, statements[::-1]):
        text = json.dumps({"Version": "2012-10-17", "Statement": listed})
        assert says(text) is DENIES
