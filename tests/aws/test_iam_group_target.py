"""What the target table of ``aws.iam-group`` may say, and whom it lets in."""

from __future__ import annotations

import pytest

from jitcloud.errors import Misconfigured, Refused
from jitcloud.model import Place
from jitcloud.providers.aws.clients import Clients
from jitcloud.providers.aws.iam_group import KIND, IamGroup
from jitcloud.providers.aws.iam_targets import GroupTarget
from tests.aws.conftest import now
from tests.aws.iam_world import an_entitlement, keys_on_page, needed, on_page
from tests.factories import a_person

GROUP = "arn:aws:iam::111122223333:group/team/on-call"
ANA = "arn:aws:iam::111122223333:user/eng/ana.lima"
BEN = "arn:aws:iam::111122223333:user/ben"
DOOR = "arn:aws:iam::111122223333:role/jitcloud-account"
ELSEWHERE = "222233334444"

groups = IamGroup(Clients(clock=now))


def place(person: str = "ana", **target: object) -> Place:
    said = {"group_arn": GROUP, "users": {"ana": ANA, "ben": BEN}, **target}
    found = groups.places(an_entitlement(KIND, **said), a_person(person)).grant
    assert found is not None
    return found


def test_a_whole_table_is_right() -> None:
    target = {"group_arn": GROUP, "users": {"ana": ANA, "ben": BEN}, "account_role": DOOR}
    assert groups.check(an_entitlement(KIND, **target)) == ()


WRONG: dict[str, tuple[dict[str, object], str]] = {
    "nothing": ({"users": {"ana": ANA}}, "group_arn is missing; add it."),
    "nobody": ({"group_arn": GROUP}, "users is missing; add it."),
    "an empty table": ({"group_arn": GROUP, "users": {}}, "name at least one person"),
    "unknown key": ({"group_arn": GROUP, "users": {"ana": ANA}, "group": "x"}, "there is no key"),
    "a name": ({"group_arn": "on-call", "users": {"ana": ANA}}, "is not the ARN of an IAM group"),
    "a user as group": ({"group_arn": ANA, "users": {"ana": ANA}}, "must be the ARN of a group"),
    "a group as user": ({"group_arn": GROUP, "users": {"ana": GROUP}}, "the ARN of a user"),
    "a name as user": ({"group_arn": GROUP, "users": {"ana": "ana"}}, "is not the ARN of an IAM"),
    "a pattern as user": (
        {"group_arn": GROUP, "users": {"ana": "arn:aws:iam::111122223333:user/{person}"}},
        "is not the ARN of an IAM",
    ),
    "a user as door": (
        {"group_arn": GROUP, "users": {"ana": ANA}, "account_role": ANA},
        "must be the ARN of a role",
    ),
    "one user for two": (
        {"group_arn": GROUP, "users": {"ana": ANA, "ben": ANA}},
        'is given to both "ana" and "ben"; each person needs an IAM user of their own',
    ),
    "one user for two, in other letters and on another path": (
        {"group_arn": GROUP, "users": {"ana": ANA, "ben": ANA.replace("eng/ana", "ops/Ana")}},
        'is given to both "ana" and "ben"',
    ),
    "another account's user": (
        {"group_arn": GROUP, "users": {"ana": ANA, "ben": BEN.replace("111122223333", ELSEWHERE)}},
        "users.ben must be in the account of group_arn, 111122223333",
    ),
    "another partition's user": (
        {"group_arn": GROUP, "users": {"ana": ANA.replace("arn:aws:", "arn:aws-cn:")}},
        "users.ana must be in the account of group_arn",
    ),
    "another account's door": (
        {
            "group_arn": GROUP,
            "users": {"ana": ANA},
            "account_role": DOOR.replace("111122223333", ELSEWHERE),
        },
        "account_role must be in the account of group_arn",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_told_in_a_sentence(what: str) -> None:
    target, words = WRONG[what]
    (said,) = groups.check(an_entitlement(KIND, **target))
    assert words in said
    assert said.endswith((".", "?"))


def test_a_table_that_is_wrong_is_not_acted_on() -> None:
    with pytest.raises(Misconfigured, match=r"The target of dev-read cannot be used: .*group_arn"):
        groups.places(an_entitlement(KIND, users={"ana": ANA}), a_person("ana"))


def test_a_place_names_the_group_and_the_user_of_the_person() -> None:
    assert place().where == {"group_arn": GROUP, "user_arn": ANA}
    assert place("ben").where == {"group_arn": GROUP, "user_arn": BEN}
    assert place(account_role=DOOR).where["account_role"] == DOOR
    assert place().kind == KIND
    assert place().key != place("ben").key


def test_however_a_group_and_a_user_are_written_they_are_one_place() -> None:
    spelled = {"ana": ANA.replace("eng/ana.lima", "Ana.Lima")}
    assert place(group_arn=GROUP.replace("team/on", "On"), users=spelled).key == place().key


@pytest.mark.parametrize("person", ["caro", "Ana", "ana ", "", "ana.lima", ANA])
def test_whoever_the_table_does_not_name_is_not_let_in(person: str) -> None:
    with pytest.raises(Refused, match="names no IAM user of yours for dev-read; ask whoever"):
        place(person)


# ── What the page says ───────────────────────────────────────────────────────────────────────


def test_the_keys_on_the_page_are_those_that_are_read() -> None:
    assert keys_on_page("group_arn") == needed(GroupTarget)


def test_the_entitlement_on_the_page_would_be_accepted() -> None:
    assert groups.check(on_page(KIND)) == ()
