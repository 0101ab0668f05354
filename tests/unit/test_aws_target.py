"""What the target table of ``aws.sts-session`` may say, and what is told when it cannot."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from jitcloud.errors import Misconfigured
from jitcloud.model import Cloud, Entitlement, EntitlementId, GroupId, Privilege
from jitcloud.providers.aws.clients import Clients
from jitcloud.providers.aws.sts_session import StsSession
from jitcloud.providers.aws.target import read
from tests.factories import a_person

ROLE = "arn:aws:iam::111122223333:role/team/admin"
DENY = "arn:aws:iam::111122223333:policy/jitcloud-deny"
READ = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}


def an_entitlement(**target: object) -> Entitlement:
    return Entitlement(
        id=EntitlementId("prod"),
        title="Production",
        cloud=Cloud.AWS,
        mechanism="aws.sts-session",
        target=target,
        privilege=Privilege.ADMIN,
        environment="production",
        owner=GroupId("platform"),
    )


@pytest.fixture
def sessions() -> StsSession:
    return StsSession(Clients(clock=lambda: datetime.now(UTC)))


def narrow(*statements: object) -> dict[str, object]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def test_a_whole_table_is_right(sessions: StsSession) -> None:
    entitlement = an_entitlement(
        role_arn=ROLE,
        region="eu-central-1",
        external_id="jitcloud:4711",
        account_role="arn:aws:iam::111122223333:role/jitcloud",
        deny_document=DENY,
        narrow_policy_arns=["arn:aws:iam::aws:policy/ReadOnlyAccess", DENY],
        narrow_policy=narrow(READ, {"Effect": "Deny", "NotAction": ["s3:*"], "NotResource": "x"}),
        allow_escape=["pass-role", "kms-grants"],
        session_tags={"team": "Zahlungen + so", "empty": ""},
    )
    assert sessions.check(entitlement) == ()
    assert read(entitlement).role.name == "admin"


def test_narrowing_may_be_json(sessions: StsSession) -> None:
    entitlement = an_entitlement(role_arn=ROLE, narrow_policy=json.dumps(narrow(READ)))
    assert sessions.check(entitlement) == ()
    assert read(entitlement).narrowing == (READ,)


WRONG: dict[str, tuple[dict[str, object], str]] = {
    "no role": ({}, "role_arn is missing; add it."),
    "unknown key": ({"role_arn": ROLE, "role": "x"}, "there is no key"),
    "not an ARN": ({"role_arn": "admin"}, "is not the ARN of an IAM role"),
    "a policy as role": ({"role_arn": DENY}, "must be the ARN of a role"),
    "a role as document": ({"role_arn": ROLE, "deny_document": ROLE}, "ARN of a managed policy"),
    "another account's document": (
        {"role_arn": ROLE, "deny_document": DENY.replace("1111", "2222")},
        "deny_document must be in the role's own account, 111122223333",
    ),
    "another account's door": (
        {"role_arn": ROLE, "account_role": ROLE.replace("1111", "2222")},
        "account_role must be in the role's own account",
    ),
    "another account's narrowing": (
        {"role_arn": ROLE, "narrow_policy_arns": [DENY.replace("1111", "2222")]},
        "must be in the role's own account",
    ),
    "too many ARNs": ({"role_arn": ROLE, "narrow_policy_arns": [DENY] * 11}, "at most 10"),
    "external id": ({"role_arn": ROLE, "external_id": "a b"}, "an external id has 2 to 1,224"),
    "opening": ({"role_arn": ROLE, "allow_escape": ["asume-role"]}, 'Did you mean "assume-role"?'),
    "reserved tag": (
        {"role_arn": ROLE, "session_tags": {"JitCloud-Request": "x"}},
        "or is jitcloud-request",
    ),
    "tag twice": ({"role_arn": ROLE, "session_tags": {"a": "x", "A": "y"}}, "stands here twice"),
    "tag key": ({"role_arn": ROLE, "session_tags": {"aws:x": "y"}}, "cannot be the key"),
    "tag value": ({"role_arn": ROLE, "session_tags": {"a": "x|y"}}, "cannot be the value"),
    "not JSON": ({"role_arn": ROLE, "narrow_policy": "{"}, "this text is not JSON"),
    "JSON list": ({"role_arn": ROLE, "narrow_policy": "[]"}, "narrow_policy"),
    "old version": (
        {"role_arn": ROLE, "narrow_policy": {"Version": "2008-10-17", "Statement": [READ]}},
        'write Version = "2012-10-17"',
    ),
    "no statements": ({"role_arn": ROLE, "narrow_policy": narrow()}, "at least one statement"),
    "other parts": (
        {"role_arn": ROLE, "narrow_policy": {**narrow(READ), "Rules": 1}},
        '"Rules" means nothing',
    ),
    "no table": ({"role_arn": ROLE, "narrow_policy": narrow("x")}, "statement 1 must be a table"),
    "principal": (
        {"role_arn": ROLE, "narrow_policy": narrow(READ, {**READ, "Principal": "*"})},
        'statement 2 holds "Principal"',
    ),
    "no effect": (
        {"role_arn": ROLE, "narrow_policy": narrow({**READ, "Effect": "allow"})},
        "needs Effect",
    ),
    "no resource": (
        {"role_arn": ROLE, "narrow_policy": narrow({"Effect": "Allow", "Action": "s3:*"})},
        "needs either Resource or NotResource",
    ),
    "action and not": (
        {"role_arn": ROLE, "narrow_policy": narrow({**READ, "NotAction": "s3:*"})},
        "needs either Action or NotAction",
    ),
    "number": (
        {"role_arn": ROLE, "narrow_policy": narrow({**READ, "Action": [1]})},
        "a list of texts, as its Action",
    ),
    "condition": (
        {"role_arn": ROLE, "narrow_policy": narrow({**READ, "Condition": "x"})},
        "needs a table as its Condition",
    ),
    "allows nothing": (
        {"role_arn": ROLE, "narrow_policy": narrow({**READ, "Effect": "Deny"})},
        "narrow_policy allows nothing",
    ),
    "too large": (
        {"role_arn": ROLE, "narrow_policy": narrow({**READ, "Action": [f"s3:{'x' * 2000}"]})},
        "and STS takes 2048. Shorten narrow_policy",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_told_in_a_sentence(sessions: StsSession, what: str) -> None:
    target, words = WRONG[what]
    (said,) = sessions.check(an_entitlement(**target))
    assert words in said
    assert said.endswith((".", "?"))


def test_denies_beside_managed_policies_are_narrowing_enough(sessions: StsSession) -> None:
    deny = narrow({**READ, "Effect": "Deny"})
    entitlement = an_entitlement(role_arn=ROLE, narrow_policy_arns=[DENY], narrow_policy=deny)
    assert sessions.check(entitlement) == ()


def test_a_table_that_is_wrong_is_not_acted_on() -> None:
    with pytest.raises(Misconfigured, match=r"The target of prod cannot be used: .*role_arn"):
        read(an_entitlement())


def test_a_grant_sits_nowhere_and_its_denial_in_the_accounts_document(
    sessions: StsSession,
) -> None:
    ana = a_person()
    assert sessions.places(an_entitlement(role_arn=ROLE), ana).denial is None
    door = "arn:aws:iam::111122223333:role/jitcloud"
    places = sessions.places(
        an_entitlement(role_arn=ROLE, deny_document=DENY, account_role=door), ana
    )
    assert places.grant is None
    assert places.denial is not None
    assert places.denial.key == f"aws.deny-document/{DENY}"
    assert places.denial.kind == "aws.deny-document"
    assert places.denial.where == {"policy_arn": DENY, "account_role": door}
    assert places.denial.detail == ROLE
