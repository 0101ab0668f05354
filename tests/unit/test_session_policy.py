"""What a session is bound by: the text that AWS is given, its size, and the ways out it closes."""

from __future__ import annotations

import fnmatch
import json
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import unquote

import botocore.session
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jitcloud.model import PersonId, RequestId
from jitcloud.providers.aws import escapes
from jitcloud.providers.aws.names import person_mark, session_name
from jitcloud.providers.aws.session_policy import (
    MOST_CHARACTERS,
    SessionPolicy,
    Statement,
    session_policy,
)

DEADLINE = datetime(2026, 11, 21, 21, 0, 0, tzinfo=UTC)
DOCUMENT = "arn:aws:iam::111122223333:policy/jitcloud-deny"
READ: Statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
TAGS = {"jitcloud-request": "0" * 26}


# Any: a policy document is whatever JSON holds.
def statements(policy: SessionPolicy) -> list[Any]:
    return list(json.loads(policy.text)["Statement"])


def closed(policy: SessionPolicy) -> set[str]:
    """What is denied besides everything."""
    denials = (s["Action"] for s in statements(policy) if s["Effect"] == "Deny")
    listed = (actions if isinstance(actions, list) else [actions] for actions in denials)
    return {action for actions in listed for action in actions} - {"*"}


# ── The text ─────────────────────────────────────────────────────────────────────────────────


def test_the_deadline_is_denied_in_so_many_words_and_to_the_second() -> None:
    first = statements(session_policy(deadline=DEADLINE + timedelta(microseconds=999_999)))[0]
    assert first == {
        "Effect": "Deny",
        "Action": "*",
        "Resource": "*",
        "Condition": {"DateGreaterThanEquals": {"aws:CurrentTime": "2026-11-21T21:00:00Z"}},
    }


def test_a_deadline_in_another_zone_is_the_same_instant() -> None:
    there = DEADLINE.astimezone(timezone(timedelta(hours=9)))
    assert session_policy(deadline=there) == session_policy(deadline=DEADLINE)


def test_everything_is_allowed_up_to_the_deadline_only_where_nothing_narrows() -> None:
    def allowed(policy: SessionPolicy) -> list[Any]:
        return [statement for statement in statements(policy) if statement["Effect"] == "Allow"]

    (everything,) = allowed(session_policy(deadline=DEADLINE))
    assert everything["Action"] == "*"
    assert everything["Condition"] == {"DateLessThan": {"aws:CurrentTime": "2026-11-21T21:00:00Z"}}
    assert allowed(session_policy(deadline=DEADLINE, arns=[DOCUMENT])) == []
    assert allowed(session_policy(deadline=DEADLINE, narrowing=[READ])) == [READ]
    assert allowed(session_policy(deadline=DEADLINE, narrowing=[READ], arns=[DOCUMENT])) == [READ]


# ── Ways out ─────────────────────────────────────────────────────────────────────────────────

CLOSED = [
    "sts:AssumeRole",
    "sts:AssumeRoot",
    "sts:GetFederationToken",
    "sts:GetSessionToken",
    "sts:GetServiceBearerToken",
    "sts:GetWebIdentityToken",
    "sts:GetDelegatedAccessToken",
    "sso:CreateAccountAssignment",
    "sso-directory:AddMemberToGroup",
    "identitystore:CreateGroupMembership",
    "organizations:DetachPolicy",
    "rolesanywhere:CreateProfile",
    "signin:CreateOAuth2Token",
    "iam:PassRole",
    "codeartifact:GetAuthorizationToken",
    "ecr:GetAuthorizationToken",
    "ecr-public:GetAuthorizationToken",
    "s3:GetDataAccess",
    "kms:CreateGrant",
]
OPEN = [
    "sts:GetCallerIdentity",
    "sts:GetAccessKeyInfo",
    "s3:GetObject",
    "s3:PutObject",
    "ec2:RunInstances",
    "kms:Decrypt",
    "ecr:GetDownloadUrlForLayer",
    "codeartifact:GetPackageVersionAsset",
    "lambda:InvokeFunction",
]


def _is_denied(action: str, policy: SessionPolicy) -> bool:
    return any(fnmatch.fnmatchcase(action, pattern) for pattern in closed(policy))


@pytest.mark.parametrize("action", CLOSED)
def test_by_default_no_way_out_is_open(action: str) -> None:
    assert _is_denied(action, session_policy(deadline=DEADLINE))


@pytest.mark.parametrize("action", OPEN)
def test_what_leads_nowhere_is_left_alone(action: str) -> None:
    assert not _is_denied(action, session_policy(deadline=DEADLINE))


def test_all_of_iam_is_closed_but_what_only_reads() -> None:
    iam = botocore.session.get_session().get_service_model("iam").operation_names
    policy = session_policy(deadline=DEADLINE)
    left = {name for name in iam if not _is_denied(f"iam:{name}", policy)}
    assert {
        name for name in left if not name.startswith(("Get", "List", "Generate", "Simulate"))
    } == set()
    assert "GetRole" in left


@pytest.mark.parametrize("name", escapes.NAMES)
def test_a_name_opens_its_own_way_out_and_no_other(name: str) -> None:
    own = {action for escape in escapes.opened([name]) for action in escape.actions}
    policy = session_policy(deadline=DEADLINE, allow_escape=[name])
    assert not any(escapes.overlap(one, other) for one in own for other in closed(policy))
    others = {a for e in escapes.ESCAPES if e.name != name for a in e.actions}
    assert all(any(escapes.overlap(a, c) for c in closed(policy)) for a in others)


def test_what_narrowing_does_not_allow_is_not_denied_once_more() -> None:
    assert closed(session_policy(deadline=DEADLINE, narrowing=[READ])) == {"sts:AssumeR*"}


@pytest.mark.parametrize(
    ("action", "kept"),
    [
        ("iam:*", {"iam:C*", "iam:Pa*"}),
        ("IAM:createAccessKey", {"iam:C*"}),
        ("i?m:CreateU*", {"iam:C*"}),
        ("kms:*Grant", {"kms:CreateG*"}),
        ("*", {"sso:*", "sts:Get?e*"}),
    ],
)
def test_what_narrowing_does_allow_is_denied(action: str, kept: set[str]) -> None:
    narrowing = [READ, {**READ, "Action": ["s3:List*", action]}]
    assert kept <= closed(session_policy(deadline=DEADLINE, narrowing=narrowing))


def test_where_narrowing_is_not_known_all_is_denied() -> None:
    everything = closed(session_policy(deadline=DEADLINE))
    all_but = {"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}
    assert closed(session_policy(deadline=DEADLINE, arns=[DOCUMENT])) == everything
    assert (
        closed(session_policy(deadline=DEADLINE, narrowing=[READ], arns=[DOCUMENT])) == everything
    )
    assert closed(session_policy(deadline=DEADLINE, narrowing=[all_but])) == everything


_PATTERN = st.text(alphabet="ab*?", max_size=7)
_ACTION = st.text(alphabet="abAB", max_size=7)


@settings(deadline=None)
@given(_PATTERN, _PATTERN, _ACTION)
def test_patterns_that_share_an_action_overlap(one: str, other: str, action: str) -> None:
    fits = [fnmatch.fnmatchcase(action.lower(), pattern) for pattern in (one, other)]
    assert escapes.overlap(one, other) or not all(fits)
    assert escapes.overlap(one, other) == escapes.overlap(other, one)


# ── Sizes ────────────────────────────────────────────────────────────────────────────────────


def test_the_default_leaves_room_by_either_limit() -> None:
    policy = session_policy(deadline=DEADLINE)
    assert policy.characters == 641
    assert policy.packed_percent(TAGS) < 90


def test_all_that_can_be_measured_of_the_limit_counts() -> None:
    arns = [f"arn:aws:iam::111122223333:policy/{'x' * 120}" for _ in range(10)]
    policy = session_policy(deadline=DEADLINE, arns=arns)
    assert policy.characters == len(policy.text) + sum(map(len, arns))
    assert policy.characters > MOST_CHARACTERS


def test_the_estimate_fits_what_others_measured() -> None:
    # aws-actions/configure-aws-credentials, issue 1898: nine tags and no policy, 498 %.
    nine = {f"T{number}": "a" * 250 for number in range(1, 10)}
    assert abs(SessionPolicy(text="", arns=()).packed_percent(nine) - 498) <= 1


# ── Names ────────────────────────────────────────────────────────────────────────────────────


def test_a_session_is_named_after_its_request() -> None:
    assert session_name(RequestId("01JD8Z6N3V5E6X7Y8Z9ABCDEFG")) == "jit-01JD8Z6N3V5E6X7Y8Z9ABCDEFG"


@pytest.mark.parametrize(
    ("person", "mark"),
    [
        ("ana@example.com", "ana@example.com"),
        ("00u1abcd-EF.g_h+i", "00u1abcd-EF.g_h+i"),
        ("oidc|corp:4711", "oidc=7Ccorp=3A4711"),
        ("a=b", "a=3Db"),
        ("aws:ana", "aws=3Aana"),
        ("Zoë", "Zo=C3=AB"),
    ],
)
def test_a_person_is_named_so_that_one_can_read_who_it_is(person: str, mark: str) -> None:
    assert person_mark(PersonId(person)) == mark


@settings(deadline=None)
@given(st.text(min_size=1), st.text(min_size=1))
def test_every_person_has_a_name_of_their_own_that_aws_takes(one: str, other: str) -> None:
    mark = person_mark(PersonId(_encodable(one)))
    assert re.fullmatch(r"[A-Za-z0-9_+=,.@-]{2,64}", mark)
    if not mark.startswith("sha256-"):
        assert unquote(mark.replace("=", "%")) == _encodable(one)
    if _encodable(one) != _encodable(other):
        assert mark != person_mark(PersonId(_encodable(other)))


def _encodable(text: str) -> str:
    return text.encode(errors="replace").decode()
