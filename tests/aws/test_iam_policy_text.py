"""What the target table of ``aws.iam-policy`` may say, and the policy that is made of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitcloud.errors import Refused
from jitcloud.model import Place
from jitcloud.providers.aws import timed_policy
from jitcloud.providers.aws.clients import Clients
from jitcloud.providers.aws.iam_outlook import MOST_USERS
from jitcloud.providers.aws.iam_policy import KIND, IamPolicy
from jitcloud.providers.aws.iam_room import MOST_GROUPS
from jitcloud.providers.aws.iam_targets import PolicyTarget
from tests.aws.conftest import now
from tests.aws.iam_world import an_entitlement, keys_on_page, needed, on_page, rights
from tests.docs.pages import prose
from tests.factories import a_person

ROLE = "arn:aws:iam::111122223333:role/team/Operator"
ANA = "arn:aws:iam::111122223333:user/ana"
BEN = "arn:aws:iam::111122223333:user/ben"
READ = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
UNTIL = datetime(2026, 12, 1, 10, 30, 0, tzinfo=UTC)
DATE = "2026-12-01T10:30:00Z"

policies = IamPolicy(Clients(clock=now))


def check(**target: object) -> tuple[str, ...]:
    return policies.check(an_entitlement(KIND, **target))


def place(person: str = "ana", **target: object) -> Place:
    said = {"policy": rights(READ), **target}
    found = policies.places(an_entitlement(KIND, **said), a_person(person)).grant
    assert found is not None
    return found


# ── The table ────────────────────────────────────────────────────────────────────────────────


def test_a_whole_table_is_right() -> None:
    conditions = {"StringEquals": {"aws:PrincipalTag/team": ["a", "b"]}, "Bool": {"x:y": True}}
    table = rights(
        {**READ, "Sid": "Read1", "Condition": conditions},
        {"Effect": "Allow", "NotAction": ["iam:*"], "NotResource": ["*"]},
    )
    everything = [
        escape.name for escape in timed_policy.opened([{"Effect": "Allow", "NotAction": "a:b"}])
    ]
    assert (
        check(
            role_arn=ROLE,
            policy=table,
            allow_escape=everything,
            account_role="arn:aws:iam::111122223333:role/jitcloud",
        )
        == ()
    )
    assert check(users={"ana": ANA, "ben": BEN}, policy=json.dumps(rights(READ))) == ()


def one(**changed: object) -> dict[str, object]:
    return {"role_arn": ROLE, "policy": rights({**READ, **changed})}


WRONG: dict[str, tuple[dict[str, object], str]] = {
    "nobody": ({"policy": rights(READ)}, "name either role_arn or users"),
    "a role and users": (
        {"role_arn": ROLE, "users": {"ana": ANA}, "policy": rights(READ)},
        "name either role_arn or users",
    ),
    "no policy": ({"role_arn": ROLE}, "policy is missing; add it."),
    "a user as role": ({"role_arn": ANA, "policy": rights(READ)}, "must be the ARN of a role"),
    "another account's door": (
        {
            "role_arn": ROLE,
            "account_role": ROLE.replace("1111", "2222"),
            "policy": rights(READ),
        },
        "account_role must be in the account of role_arn, 111122223333",
    ),
    "not JSON": ({"role_arn": ROLE, "policy": "{"}, "this text is not JSON"),
    "JSON without an end": ({"role_arn": ROLE, "policy": "[" * 100_000}, "this text is not JSON"),
    "other parts": ({"role_arn": ROLE, "policy": {**rights(READ), "Id": "x"}}, "means nothing"),
    "old version": (
        {"role_arn": ROLE, "policy": {**rights(READ), "Version": "2008-10-17"}},
        'write Version = "2012-10-17": that is how jitcloud sends it to IAM',
    ),
    "no statements": ({"role_arn": ROLE, "policy": rights()}, "at least one statement"),
    "no table": ({"role_arn": ROLE, "policy": rights(READ, "x")}, "statement 2 must be a table"),
    "principal": (one(Principal="*"), 'statement 1 holds "Principal", which no inline policy'),
    "a denial": (one(Effect="Deny"), "is a Deny, which would also take away what was there"),
    "no effect": (one(Effect="allow"), 'statement 1 needs Effect = "Allow"'),
    "action and not": (one(NotAction="s3:*"), "needs either Action or NotAction"),
    "no resource": (
        {"role_arn": ROLE, "policy": rights({"Effect": "Allow", "Action": "s3:GetObject"})},
        "needs either Resource or NotResource",
    ),
    "number": (one(Action=[1]), "a list of texts, as its Action"),
    "empty list": (one(Resource=[]), "a list of texts, as its Resource"),
    "beyond Latin-1": (one(Resource="arn:aws:s3:::\u0442est"), "as its Resource"),
    "no action": (one(Action="s3.GetObject"), '"s3.GetObject", which is no action; write one as'),
    "Sid": (one(Sid="to-read"), "has a Sid that is not made of ASCII letters and digits alone"),
    "Sid twice": (
        {"role_arn": ROLE, "policy": rights({**READ, "Sid": "a"}, {**READ, "Sid": "a"})},
        "two statements have the same Sid",
    ),
    "condition": (one(Condition="x"), "needs a table as its Condition"),
    "condition without keys": (one(Condition={"Bool": {}}), 'as its Condition "Bool"'),
    "condition of a number": (
        one(Condition={"NumericLessThan": {"s3:max-keys": 1}}),
        'needs a table of texts, or lists of texts, as its Condition "NumericLessThan"',
    ),
    "condition beyond Latin-1": (
        one(Condition={"Bool": {"aws:\u0421urrentTime": "true"}}),
        'as its Condition "Bool"',
    ),
    "operator twice": (
        one(Condition={"Bool": {"a:b": "true"}, "BOOL": {"a:b": "false"}}),
        "has one operator or key of its Condition twice",
    ),
    "key twice": (
        one(Condition={"Bool": {"a:b": "true", "A:B": "false"}}),
        "has one operator or key of its Condition twice",
    ),
    "a deadline of its own": (
        one(Condition={"DateLessThan": {"aws:CurrentTime": "2099-01-01T00:00:00Z"}}),
        "has a condition DateLessThan on aws:CurrentTime of its own; take it out",
    ),
    "a deadline of its own, in other letters": (
        one(Condition={"datelessthan": {"AWS:currenttime": "2099-01-01T00:00:00Z"}}),
        "has a condition DateLessThan on aws:CurrentTime of its own; take it out",
    ),
    "a way out": (
        one(Action=["s3:GetObject", "IAM:create*"]),
        "would outlive the grant; allow less, or name it in allow_escape: iam-write",
    ),
    "all ways out": (one(Action="*"), "in allow_escape: assume-role, web-identity-token"),
    "all but one": (
        {
            "role_arn": ROLE,
            "policy": rights({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}),
        },
        "in allow_escape: assume-role",
    ),
    "unknown way out": (
        {"role_arn": ROLE, "policy": rights(READ), "allow_escape": ["iam-writ"]},
        'Did you mean "iam-write"?',
    ),
    "too large for a role": (
        one(Resource=[f"arn:aws:s3:::{number:0100}" for number in range(90)]),
        "and IAM takes 10240 in all inline policies of a role; shorten it",
    ),
    "too large for a user": (
        {
            "users": {"ana": ANA},
            "policy": rights({**READ, "Resource": ["x" * 1000, "y" * 1000]}),
        },
        "and IAM takes 2048 in all inline policies of a user; shorten it",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_told_in_a_sentence(what: str) -> None:
    target, words = WRONG[what]
    (said,) = check(**target)
    assert words in said
    assert said.endswith((".", "?"))


def test_what_is_named_to_outlive_a_grant_is_right() -> None:
    assert check(**one(Action="iam:PassRole"), allow_escape=["pass-role"]) == ()


# ── The policy ───────────────────────────────────────────────────────────────────────────────


def written(*statements: Mapping[str, object]) -> list[dict[str, object]]:
    made = json.loads(timed_policy.document(statements, UNTIL))
    assert made["Version"] == "2012-10-17"
    found: list[dict[str, object]] = made["Statement"]
    return found


def test_every_statement_ends_at_the_deadline() -> None:
    other = {**READ, "Action": "s3:ListBucket"}
    condition = {"DateLessThan": {"aws:CurrentTime": DATE}}
    assert written(READ, other) == [
        {**READ, "Condition": condition},
        {**other, "Condition": condition},
    ]


def test_what_the_catalog_demands_stays_demanded() -> None:
    given = {
        "StringEquals": {"aws:PrincipalTag/team": ["a", "b"]},
        "DateGreaterThan": {"aws:CurrentTime": "2026-01-01T00:00:00Z"},
        "dateLessThan": {"aws:TokenIssueTime": "2027-01-01T00:00:00Z"},
    }
    (statement,) = written({**READ, "Condition": given})
    assert statement["Condition"] == {
        **given,
        "dateLessThan": {
            "aws:TokenIssueTime": "2027-01-01T00:00:00Z",
            "aws:CurrentTime": DATE,
        },
    }


def test_a_deadline_is_written_as_a_whole_second_of_utc() -> None:
    elsewhere = UNTIL.astimezone(timezone(timedelta(hours=9))) + timedelta(microseconds=999_999)
    assert timed_policy.document([READ], elsewhere) == timed_policy.document([READ], UNTIL)


INSTANTS = st.floats(0, 4e9).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


@given(INSTANTS)
def test_the_deadline_of_a_policy_is_read_as_it_was_written(until: datetime) -> None:
    made = json.loads(timed_policy.document([READ], until))
    assert timed_policy.deadline_in(made, [READ]) == until.replace(microsecond=0)
    assert timed_policy.characters([READ]) == len(timed_policy.document([READ], until))


EDITS: dict[str, object] = {
    "another statement": [*written(READ), {"Effect": "Allow", "Action": "*", "Resource": "*"}],
    "none": [],
    "no condition": [READ],
    "more allowed": [{**written(READ)[0], "Action": "s3:*"}],
    "two deadlines": [
        {**READ, "Condition": {"DateLessThan": {"aws:CurrentTime": [DATE, "2099-01-01T00:00:00Z"]}}}
    ],
    "a deadline that is none": [
        {**READ, "Condition": {"DateLessThan": {"aws:CurrentTime": "tomorrow"}}}
    ],
    "if it exists": [{**READ, "Condition": {"DateLessThanIfExists": {"aws:CurrentTime": DATE}}}],
    "another key": [{**READ, "Condition": {"DateLessThan": {"aws:EpochTime": DATE}}}],
    "no list": written(READ)[0],
    "text": "x",
}


@pytest.mark.parametrize("edit", EDITS)
def test_a_policy_that_somebody_edited_has_no_deadline_that_we_know_of(edit: str) -> None:
    edited = {"Version": "2012-10-17", "Statement": EDITS[edit]}
    assert timed_policy.deadline_in(edited, [READ]) is None


@pytest.mark.parametrize("other", [None, "text", [], {}, {"Statement": {"Condition": []}}])
def test_what_is_no_policy_has_no_deadline(other: object) -> None:
    assert timed_policy.deadline_in(other, [READ]) is None


# ── The place ────────────────────────────────────────────────────────────────────────────────


def test_a_place_holds_all_that_its_end_needs() -> None:
    door = "arn:aws:iam::111122223333:role/jitcloud"
    assert place(role_arn=ROLE, account_role=door).where == {
        "principal_arn": ROLE,
        "statements": [READ],
        "account_role": door,
    }
    assert place("ben", users={"ana": ANA, "ben": BEN}).where["principal_arn"] == BEN


def test_the_same_rights_of_the_same_principal_are_one_place_and_others_another() -> None:
    mine = place(role_arn=ROLE)
    assert place("ben", role_arn=ROLE.replace("team/O", "o")).key == mine.key
    other = rights({**READ, "Action": "s3:ListBucket"})
    keys = {
        mine.key,
        place(role_arn=ROLE, policy=other).key,
        place(role_arn=f"{ROLE}2").key,
        place(users={"ana": ANA}).key,
        place("ben", users={"ben": BEN}).key,
    }
    assert len(keys) == 5


def test_whoever_the_table_does_not_name_gets_nothing() -> None:
    with pytest.raises(Refused, match="names no IAM user of yours"):
        place("caro", users={"ana": ANA})


# ── What the page says ───────────────────────────────────────────────────────────────────────


def test_the_keys_on_the_page_are_those_that_are_read() -> None:
    assert keys_on_page("policy") == needed(PolicyTarget)


def test_the_entitlement_on_the_page_would_be_accepted() -> None:
    assert policies.check(on_page(KIND)) == ()


def test_the_sizes_on_the_page_are_those_that_are_counted() -> None:
    page = prose("docs/policy.md")
    role, user = (timed_policy.MOST_CHARACTERS[kind] for kind in ("role", "user"))
    assert f"IAM takes {role:,} characters of inline policies on a role and {user:,} on a" in page
    assert (MOST_GROUPS, MOST_USERS) == (10, 5)
    assert "lets a user into ten groups" in page
    assert "of `users` only up to five are looked at" in page
