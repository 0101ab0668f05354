"""What the target table of ``aws.identity-center`` may say."""

from __future__ import annotations

import pytest

from jitcloud.errors import Misconfigured
from jitcloud.providers.aws.clients import Clients
from jitcloud.providers.aws.identity_center_access import IdentityCenterAccess
from jitcloud.providers.aws.identity_center_places import KIND
from jitcloud.providers.aws.identity_center_target import read
from tests.aws.conftest import now
from tests.aws.iam_world import an_entitlement
from tests.factories import a_person

INSTANCE = "arn:aws:sso:::instance/ssoins-1234567890abcdef"
ADMINS = "arn:aws:sso:::permissionSet/ssoins-1234567890abcdef/ps-1234567890abcdef"
OTHERS = ADMINS.replace("ssoins-1234567890abcdef", "ssoins-fedcba0987654321")
ANA = "1234567890-a1b2c3d4-5678-90ab-cdef-111111111111"
BEN = "a1b2c3d4-5678-90ab-cdef-222222222222"
DOOR = "arn:aws:iam::111122223333:role/jitcloud-identity-center"
LEAST: dict[str, object] = {
    "instance_arn": INSTANCE,
    "identity_store_id": "d-1234567890",
    "region": "eu-central-1",
    "permission_set_arn": ADMINS,
    "account": "222233334444",
}
MANY = {key: value for key, value in LEAST.items() if key != "account"}
UNIT = {**MANY, "accounts_in": "ou-abcd-12345678"}

access = IdentityCenterAccess(Clients(clock=now))

RIGHT: dict[str, dict[str, object]] = {
    "the least": LEAST,
    "the most for a user": {
        **LEAST,
        "find_user_by": "external-id",
        "external_id_issuer": "https://scim.aws.com/a",
        "users": {"ana": ANA, "ben": BEN},
        "account_role": DOOR,
        "deny_document": "jitcloud-deny-document",
        "deny_role": "jitcloud-account",
        "exclusive": False,
    },
    "a unit": UNIT,
    "nested units": {**UNIT, "nested": True},
    "a root": {**UNIT, "accounts_in": "r-abcd", "nested": True},
    "a tag": {**MANY, "accounts_tagged": {"key": "team", "value": "payments 1/2 @home"}},
    "a tag without a value": {**MANY, "accounts_tagged": {"key": "jit", "value": ""}},
    "a group": {**LEAST, "group_id": BEN},
    "by e-mail": {**LEAST, "find_user_by": "email"},
    "a deny document in the broker's own account": {**LEAST, "deny_document": "deny"},
    "a deny document in several accounts": {**UNIT, "deny_document": "deny", "deny_role": "door"},
    "an identity store by UUID": {**LEAST, "identity_store_id": BEN},
    "China": {
        **LEAST,
        "instance_arn": INSTANCE.replace("aws:", "aws-cn:"),
        "permission_set_arn": ADMINS.replace("aws:", "aws-cn:"),
        "region": "cn-north-1",
    },
}


@pytest.mark.parametrize("what", RIGHT)
def test_what_is_right_is_right(what: str) -> None:
    assert access.check(an_entitlement(KIND, **RIGHT[what])) == ()


def test_places_are_exclusive_unless_the_catalog_says_that_they_are_not() -> None:
    assert read(an_entitlement(KIND, **LEAST)).exclusive
    assert not read(an_entitlement(KIND, **LEAST, exclusive=False)).exclusive


WRONG: dict[str, tuple[dict[str, object], str]] = {
    "nothing there": ({**LEAST, "region": None}, "region: this should be a valid string"),
    "unknown key": ({**LEAST, "accounts": []}, 'there is no key "accounts"'),
    # ── ARNs ──
    "a permission set as instance": ({**LEAST, "instance_arn": ADMINS}, "is not the ARN of an Ide"),
    "an instance as permission set": (
        {**LEAST, "permission_set_arn": INSTANCE},
        "is not the ARN of a permission set, arn:aws:sso:::permissionSet/ssoins-…/ps-…; copy it",
    ),
    "a permission set that only looks like one": (
        {**LEAST, "permission_set_arn": f"{INSTANCE}/ps-1234567890abcdef"},
        "is not the ARN of a permission set",
    ),
    "a permission set with a path": (
        {**LEAST, "permission_set_arn": ADMINS.replace("ps-12", "ps-/2")},
        "is not the ARN of a permission set",
    ),
    "two instances": (
        {**LEAST, "permission_set_arn": OTHERS},
        "permission_set_arn is of another instance than instance_arn; copy both from the same",
    ),
    "two partitions": (
        {**LEAST, "permission_set_arn": ADMINS.replace("aws:", "aws-cn:")},
        "permission_set_arn is in the partition aws-cn, and instance_arn in aws",
    ),
    "a region of another partition": (
        {**LEAST, "region": "us-gov-west-1"},
        "region is in the partition aws-us-gov, and instance_arn in aws",
    ),
    "a role of another partition": (
        {**LEAST, "account_role": DOOR.replace("aws:", "aws-cn:")},
        "account_role is in the partition aws-cn",
    ),
    "a user as role": (
        {**LEAST, "account_role": DOOR.replace(":role", ":user")},
        "must be the ARN of a role",
    ),
    "no region": ({**LEAST, "region": "Frankfurt"}, "is not a region, such as eu-central-1"),
    "no store": ({**LEAST, "identity_store_id": "ana"}, "is not the id of an identity store"),
    # ── Accounts ──
    "no account": (MANY, "name one of account, accounts_in and accounts_tagged"),
    "two kinds of accounts": (
        {**UNIT, "account": "222233334444"},
        "name one of account, accounts_in and accounts_tagged",
    ),
    "an account's name": ({**LEAST, "account": "prod"}, "write its twelve digits"),
    "an account as a number": ({**LEAST, "account": 222233334444}, "should be a valid string"),
    "a unit's name": ({**MANY, "accounts_in": "Workloads"}, "is not the id of an organizational"),
    "nested in an account": ({**LEAST, "nested": True}, "nested is of no use without accounts_in"),
    "a tag alone": ({**MANY, "accounts_tagged": {"key": "team"}}, "accounts_tagged.value is miss"),
    "a tag that cannot be": (
        {**MANY, "accounts_tagged": {"key": "team", "value": "a*"}},
        '"a*" cannot be in a tag',
    ),
    "a tag without a key": (
        {**MANY, "accounts_tagged": {"key": "", "value": "x"}},
        "accounts_tagged.key: the key of a tag has 1 to 128 characters",
    ),
    "a tag that is too long": (
        {**MANY, "accounts_tagged": {"key": "team", "value": "x" * 257}},
        "accounts_tagged.value: the value of a tag has at most 256 characters",
    ),
    # ── People ──
    "another way to find people": (
        {**LEAST, "find_user_by": "name"},
        "find_user_by: this should be 'user-name', 'email' or 'external-id'",
    ),
    "an external id of nobody's": (
        {**LEAST, "find_user_by": "external-id"},
        'external_id_issuer goes with find_user_by = "external-id"; name both or neither',
    ),
    "an issuer without external ids": (
        {**LEAST, "external_id_issuer": "scim"},
        'external_id_issuer goes with find_user_by = "external-id"',
    ),
    "an issuer that cannot be": (
        {**LEAST, "find_user_by": "external-id", "external_id_issuer": "a b"},
        "write what DescribeUser tells as Issuer",
    ),
    "a user's name": ({**LEAST, "users": {"ana": "ana"}}, "is not a user id of Identity Center"),
    "a user's ARN": (
        {**LEAST, "users": {"ana": f"arn:aws:identitystore:::user/{ANA}"}},
        "is not a user id of Identity Center",
    ),
    "a pattern as user": ({**LEAST, "users": {"ana": f"{ANA[:-1]}*"}}, "is not a user id"),
    "one user for two": (
        {**LEAST, "users": {"ana": BEN, "ben": BEN.upper()}},
        'is given to both "ana" and "ben"; each person needs a user of their own',
    ),
    "a group's name": ({**LEAST, "group_id": "team"}, "is not a group id of Identity Center"),
    "users besides a group": (
        {**LEAST, "group_id": BEN, "users": {"ana": ANA}},
        "with group_id nobody's user is looked for; take users out",
    ),
    "a way to find users besides a group": (
        {**LEAST, "group_id": BEN, "find_user_by": "email"},
        "with group_id nobody's user is looked for; take find_user_by out",
    ),
    # ── The deny document ──
    "a group and a deny document": (
        {**LEAST, "group_id": BEN, "deny_document": "deny", "deny_role": "door"},
        "deny_document ends the sessions of one user, and with group_id a group gets access",
    ),
    "a role without a document": (
        {**LEAST, "deny_role": "door"},
        "deny_role is of no use without deny_document; name that policy, or take it out",
    ),
    "a document in several accounts without a role": (
        {**UNIT, "deny_document": "deny"},
        "deny_document is in several accounts; name deny_role too",
    ),
    "a document's ARN": (
        {**LEAST, "deny_document": "arn:aws:iam::222233334444:policy/deny"},
        "is not the name of a managed policy; write its name alone",
    ),
    "a role's ARN": (
        {**LEAST, "deny_document": "deny", "deny_role": DOOR},
        "is not the name of a role; write its name alone",
    ),
    "a role with too long a name": (
        {**LEAST, "deny_document": "deny", "deny_role": "d" * 65},
        "is not the name of a role",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_told_in_a_sentence(what: str) -> None:
    target, words = WRONG[what]
    (said,) = access.check(an_entitlement(KIND, **target))
    assert words in said
    assert said.startswith("target: ")
    assert said.endswith((".", "?"))


def test_a_missing_key_is_told() -> None:
    for key in ("instance_arn", "identity_store_id", "region", "permission_set_arn"):
        without = {name: value for name, value in LEAST.items() if name != key}
        (said,) = access.check(an_entitlement(KIND, **without))
        assert said == f"target: {key} is missing; add it."


def test_what_somebody_typed_cannot_act_on_a_terminal() -> None:
    (said,) = access.check(an_entitlement(KIND, **{**LEAST, "users": {"ana": "\x1b[2Jana"}}))
    assert "\x1b" not in said


def test_a_table_that_is_wrong_is_not_acted_on() -> None:
    wrong = an_entitlement(KIND, **{**LEAST, "permission_set_arn": OTHERS})
    for act in (
        lambda: access.parts(wrong, now()),
        lambda: access.places(wrong, a_person("ana")),
        lambda: access.areas(wrong, now()),
    ):
        with pytest.raises(Misconfigured, match=r"The target of dev-read cannot be used: .*other"):
            act()
