"""What the printed rights say, where no emulator can tell what AWS would make of it."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import replace

import pytest

from jitcloud.errors import Misconfigured
from jitcloud.model import Entitlement
from jitcloud.providers.aws import rights_of_catalog
from jitcloud.providers.aws.rights import (
    BROKER,
    MOST_CHARACTERS,
    MOST_POLICIES,
    Document,
    Right,
    documents,
    literal,
    size,
)
from tests.aws.iam_world import an_entitlement, rights
from tests.aws.rights_world import Allowed, flat

HOME = "111122223333"
BOUNDARY = f"arn:aws:iam::{HOME}:policy/jitcloud-boundary"
READ_ROLE = f"arn:aws:iam::{HOME}:role/read"
READ = rights({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"})
CENTER = {
    "instance_arn": "arn:aws:sso:::instance/ssoins-1234567890abcdef",
    "identity_store_id": "d-1234567890",
    "region": "eu-central-1",
    "permission_set_arn": "arn:aws:sso:::permissionSet/ssoins-1234567890abcdef/ps-1234567890abcdef",
}


def arn(kind: str, name: str, account: str = HOME) -> str:
    return f"arn:aws:iam::{account}:{kind}/{name}"


def a_session(**more: object) -> Entitlement:
    return an_entitlement("aws.sts-session", **{"role_arn": READ_ROLE, **more})


def a_policy(**more: object) -> Entitlement:
    target = {"policy": READ, "permissions_boundary": BOUNDARY, **more}
    return an_entitlement("aws.iam-policy", **target)


def an_assignment(**more: object) -> Entitlement:
    return an_entitlement("aws.identity-center", **CENTER, **more)


def of(*catalog: Entitlement, to_end: bool = False) -> Mapping[str, set[Allowed]]:
    written = rights_of_catalog.policies(catalog, to_end=to_end)
    return {whose: flat(each) for whose, each in written.items()}


# ── Whose, and on what ───────────────────────────────────────────────────────────────────────


def test_what_is_done_in_another_account_is_the_right_of_the_role_there() -> None:
    role = arn("role", "jitcloud-account", "222233334444")
    target = arn("role", "read", "222233334444")
    written = of(a_session(role_arn=target, account_role=role))
    issuing = ("AssumeRole", "SetSourceIdentity", "TagSession")
    assert written[BROKER] == {
        *(Allowed(f"sts:{verb}", target) for verb in issuing),
        Allowed("sts:AssumeRole", role),
    }
    assert written[role] == {Allowed("iam:GetRole", target)}


def test_a_role_that_ending_does_not_need_is_not_reached_to_end() -> None:
    role = arn("role", "jitcloud-account")
    assert of(a_session(account_role=role), to_end=True) == {}


def test_what_could_mean_several_things_means_one() -> None:
    odd = a_session(role_arn=arn("role", "te*m/?/$x/read"))
    resources = {one.resource for one in of(odd)[BROKER]}
    assert resources == {arn("role", "te${*}m/${?}/${$}x/read")}


def test_what_is_included_in_something_wider_is_not_said_twice() -> None:
    one = an_assignment(account="222233334444")
    unit = an_assignment(accounts_in="ou-abcd-12345678", nested=True)
    assert of(one, unit) == of(unit)
    accounts = {a.resource for a in of(one, unit)[BROKER] if ":account/" in a.resource}
    assert accounts == {"arn:aws:sso:::account/*", "arn:aws:organizations::*:account/o-*/*"}


def test_what_is_bound_includes_nothing_that_is_not() -> None:
    put = Right(whose=BROKER, action="iam:PutRolePolicy", resource="*", boundary=BOUNDARY)
    allowed = flat(documents([put, replace(put, resource=READ_ROLE, boundary=None)])[BROKER])
    assert allowed == {Allowed(put.action, "*", BOUNDARY), Allowed(put.action, READ_ROLE)}


def test_a_literal_asterisk_includes_nothing() -> None:
    odd, plain = arn("role", "a*/read"), arn("role", "ab/read")
    both = of(a_session(role_arn=odd), a_session(role_arn=plain))
    assert {one.resource for one in both[BROKER]} == {literal(odd), plain}


def test_where_the_accounts_are_not_named_the_deny_document_is_reached_in_each() -> None:
    spans = {"accounts_tagged": {"key": "team", "value": "payments"}}
    denial = {"deny_document": "jitcloud-deny-document", "deny_role": "jitcloud-account"}
    written = of(an_assignment(**spans, **denial), to_end=True)
    role = "arn:aws:iam::*:role/jitcloud-account"
    assert Allowed("sts:AssumeRole", role) in written[BROKER]
    document = "arn:aws:iam::*:policy/jitcloud-deny-document"
    assert {one.resource for one in written[role] if one.action != "iam:ListRoles"} == {document}
    assert Allowed("iam:ListRoles", "*") in written[role]


def test_ending_assigns_nothing_and_looks_nobody_up() -> None:
    allowed = of(an_assignment(account="222233334444"), to_end=True)[BROKER]
    actions = {one.action for one in allowed}
    assert "sso:DeleteAccountAssignment" in actions
    assert "sso:CreateAccountAssignment" not in actions
    assert {action.split(":")[0] for action in actions} == {"sso"}


# ── Boundaries ───────────────────────────────────────────────────────────────────────────────

# Service Authorization Reference, "Actions defined by AWS Identity and Access Management (IAM)":
# what takes the key, of what is printed.
TAKE_THE_KEY = {
    f"iam:{verb}{kind}Policy" for verb in ("Delete", "Put") for kind in ("Role", "User")
} | {"iam:GetRole"}


@pytest.mark.parametrize(
    ("whose", "verb"),
    [
        ({"role_arn": arn("role", "build")}, "Role"),
        ({"users": {"ana": arn("user", "ana")}}, "User"),
    ],
)
def test_policies_are_written_only_where_the_boundary_is(
    whose: Mapping[str, object], verb: str
) -> None:
    allowed = of(a_policy(**whose))[BROKER]
    bound = {one for one in allowed if one.boundary}
    assert {(one.action, one.boundary) for one in bound} == {(f"iam:Put{verb}Policy", BOUNDARY)}
    assert {one.action for one in bound} <= TAKE_THE_KEY
    # What ends must work though somebody has taken the boundary off.
    assert not any(one.boundary for one in of(a_policy(**whose), to_end=True)[BROKER])


def test_without_a_boundary_nothing_is_printed_that_could_give_any_right_there_is() -> None:
    loose = a_policy(role_arn=arn("role", "build"), permissions_boundary=None)
    with pytest.raises(Misconfigured, match="dev-read names no permissions_boundary") as raised:
        of(loose, loose)
    assert len(str(raised.value).splitlines()) == 2
    assert of(loose, to_end=True).keys() == {BROKER}


def test_the_same_role_with_two_boundaries_needs_either() -> None:
    other = f"arn:aws:iam::{HOME}:policy/another"
    role = arn("role", "build")
    allowed = of(a_policy(role_arn=role), a_policy(role_arn=role, permissions_boundary=other))
    puts = {one.boundary for one in allowed[BROKER] if one.action == "iam:PutRolePolicy"}
    assert puts == {BOUNDARY, other}


@pytest.mark.parametrize(
    ("boundary", "said"),
    [
        (arn("role", "x"), "must be the ARN of a managed policy"),
        (
            arn("policy", "x", "222233334444"),
            "permissions_boundary must be in the account of role_arn, 111122223333",
        ),
    ],
)
def test_a_boundary_that_cannot_be_one_is_refused(boundary: str, said: str) -> None:
    with pytest.raises(Misconfigured, match=said):
        of(a_policy(role_arn=arn("role", "build"), permissions_boundary=boundary))


def test_one_of_aws_can_be_the_boundary() -> None:
    aws = "arn:aws:iam::aws:policy/PowerUserAccess"
    allowed = of(a_policy(role_arn=arn("role", "build"), permissions_boundary=aws))[BROKER]
    assert aws in {one.boundary for one in allowed}


# ── Texts ────────────────────────────────────────────────────────────────────────────────────


def many(number: int) -> list[Entitlement]:
    document = arn("policy", "jitcloud-deny-document")
    return [
        a_session(role_arn=arn("role", f"team-{one}/read"), deny_document=document)
        for one in range(number)
    ]


def test_the_order_of_the_catalog_does_not_matter() -> None:
    catalog = [
        *many(20),
        a_policy(role_arn=arn("role", "build")),
        an_assignment(account="222233334444", account_role=arn("role", "b", "333344445555")),
        an_assignment(account="333344445555", account_role=arn("role", "a", "333344445555")),
    ]
    text = json.dumps(rights_of_catalog.policies(catalog, to_end=False))
    for seed in range(10):
        random.Random(seed).shuffle(catalog)  # noqa: S311 - any order will do
        assert json.dumps(rights_of_catalog.policies(catalog, to_end=False)) == text
    assert list(json.loads(text)) == [
        BROKER,
        arn("role", "a", "333344445555"),
        arn("role", "b", "333344445555"),
    ]


def test_everything_stands_in_order_whatever_a_set_would_make_of_it() -> None:
    catalog = [*many(40), a_policy(role_arn=arn("role", "build"))]
    for document in rights_of_catalog.policies(catalog, to_end=False)[BROKER]:
        statements = document["Statement"]
        assert isinstance(statements, list)
        assert statements == sorted(statements, key=lambda each: each["Action"])
        for each in statements:
            assert each["Action"] == sorted(each["Action"])
            assert each["Resource"] == sorted(each["Resource"])


def test_the_same_thing_stands_in_one_statement_with_all_that_may_be_done_to_it() -> None:
    (document,) = rights_of_catalog.policies(many(3), to_end=False)[BROKER]
    assert document["Version"] == "2012-10-17"
    statements = document["Statement"]
    assert isinstance(statements, list)
    assert [len(each["Resource"]) for each in statements] == [1, 3]


@pytest.mark.parametrize("number", [1, 60, 150, 400])
def test_what_does_not_fit_into_one_policy_stands_in_several(number: int) -> None:
    written = rights_of_catalog.policies(many(number), to_end=False)[BROKER]
    assert all(size(each) <= MOST_CHARACTERS for each in written)
    assert flat(written) == {
        allowed for one in many(number) for allowed in flat(documents_of(one)[BROKER])
    }
    # No more of them than it takes: what is split is full.
    assert len(written) <= 1 + sum(map(size, written)) / (MOST_CHARACTERS / 2)


def documents_of(one: Entitlement) -> Mapping[str, list[Document]]:
    return rights_of_catalog.policies([one], to_end=False)


def test_white_space_is_not_counted() -> None:
    (document,) = documents_of(a_session())[BROKER]
    assert size(document) == len(json.dumps(document).replace(" ", ""))


def test_whoever_gets_several_policies_is_told_so() -> None:
    one = documents(a_right(n) for n in range(1))
    assert list(rights_of_catalog.notes(one)) == []
    several = documents(a_right(n) for n in range(500))
    (said,) = rights_of_catalog.notes(several)
    assert said.startswith(f"The rights of the broker itself are {len(several[BROKER])} policies,")
    too_many = documents(a_right(n) for n in range(5000))
    assert len(too_many[BROKER]) > MOST_POLICIES
    _, said = rights_of_catalog.notes(too_many)
    assert "IAM attaches 10 policies to a role or user unless that quota is raised" in said


def test_a_role_that_is_in_each_account_is_pointed_out() -> None:
    spans = {"accounts_in": "ou-abcd-12345678", "deny_role": "jitcloud-account"}
    everything = an_assignment(**spans, deny_document="jitcloud-deny-document")
    (said,) = rights_of_catalog.notes(documents_of(everything))
    assert said.startswith("arn:aws:iam::*:role/jitcloud-account is a role in each account;")


def a_right(number: int) -> Right:
    return Right(whose=BROKER, action="iam:GetRole", resource=arn("role", f"role-{number}"))


def test_what_other_clouds_grant_needs_nothing_here() -> None:
    assert of(an_entitlement("memory.assignment", role="reader")) == {}
