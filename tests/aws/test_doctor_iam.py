"""Groups, users and roles that are not there, or take nothing more."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from jitcloud.doctor import Finding, Grade
from jitcloud.emulators.ministack import Ministack
from jitcloud.providers.aws import doctor_iam, iam_targets, timed_policy
from jitcloud.providers.aws.iam_targets import PolicyTarget
from tests.aws import iam_world
from tests.aws.conftest import named, policy, unique
from tests.aws.doctor_world import HOME, Clinic, changed, consulting


@pytest.fixture(scope="module")
def clinic(ministack: Ministack) -> Iterator[Clinic]:
    with consulting(ministack) as opened:
        opened.home.iam().put_role_policy(
            RoleName=named(opened.broker),
            PolicyName="all",
            PolicyDocument=policy({"Effect": "Allow", "Action": "iam:*", "Resource": "*"}),
        )
        yield opened


# ── Groups ───────────────────────────────────────────────────────────────────────────────────


def of_group(clinic: Clinic, **other: object) -> list[Finding]:
    return clinic.found(doctor_iam.groups, changed(clinic.good[1], **other))


def test_a_group_whose_users_can_join_is_fine(clinic: Clinic) -> None:
    assert of_group(clinic) == []


def test_a_group_that_is_not_there_is_a_failure(clinic: Clinic) -> None:
    arn = f"arn:aws:iam::{HOME}:group/none"
    (finding,) = of_group(clinic, group_arn=arn)
    assert (finding.grade, finding.about) == (Grade.FAILURE, f"group {arn} (join)")
    assert finding.what == "IAM knows none of that name and path."


def test_a_group_of_that_name_under_another_path_is_not_the_group(clinic: Clinic) -> None:
    there = str(clinic.good[1].target["group_arn"])
    (finding,) = of_group(clinic, group_arn=there.replace(":group/", ":group/team/"))
    assert finding.about.startswith("group ")


def test_a_user_that_is_not_there_is_a_failure_and_hides_no_other(clinic: Clinic) -> None:
    gone, full = f"arn:aws:iam::{HOME}:user/nobody", crowded(clinic)
    both = of_group(clinic, users={"ana": gone, "ben": full})
    assert [finding.grade for finding in both] == [Grade.FAILURE, Grade.FAILURE]
    assert both[0].about == f"user {gone} (join)"
    assert both[1].what == "The user is in 10 groups, and IAM allows no more."


def crowded(clinic: Clinic, *groups: str) -> str:
    """Make a user who is in ten groups, these among them."""
    user = clinic.member()
    iam = clinic.home.iam()
    for group in (*groups, *(unique("other") for _ in range(10 - len(groups)))):
        if group not in groups:
            iam.create_group(GroupName=group)
        iam.add_user_to_group(GroupName=group, UserName=named(user))
    return user


def test_whoever_is_in_it_already_needs_no_room(clinic: Clinic) -> None:
    group = named(str(clinic.good[1].target["group_arn"]))
    assert of_group(clinic, users={"ana": crowded(clinic, group)}) == []


def test_a_bounded_number_of_users_is_looked_at(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor_iam, "MOST_USERS", 1)
    before = clinic.clients.watch.calls
    users = {"ana": clinic.member(), "ben": f"arn:aws:iam::{HOME}:user/nobody"}
    (finding,) = of_group(clinic, users=users)
    assert (finding.grade, finding.about) == (Grade.NOTICE, "this run")
    assert finding.what == "Of 2 users of groups the first 1 were looked at."
    assert clinic.clients.watch.calls - before == 2


# ── Policies ─────────────────────────────────────────────────────────────────────────────────


def of_policy(clinic: Clinic, **other: object) -> list[Finding]:
    return clinic.found(doctor_iam.policies, changed(clinic.good[2], **other))


def test_a_role_that_takes_the_policy_is_fine(clinic: Clinic) -> None:
    assert of_policy(clinic) == []


def test_a_role_that_is_not_there_is_a_failure(clinic: Clinic) -> None:
    (finding,) = of_policy(clinic, role_arn=f"arn:aws:iam::{HOME}:role/nobody")
    assert finding.what == "IAM knows none of that name and path."


def test_a_user_that_is_not_there_is_one_too(clinic: Clinic) -> None:
    gone = f"arn:aws:iam::{HOME}:user/nobody"
    users = {"ana": clinic.member(), "ben": gone}
    (finding,) = of_policy(clinic, role_arn=None, users=users)
    assert finding.about == f"holder {gone} (deploy)"


def test_a_role_that_is_bounded_otherwise_is_a_failure(clinic: Clinic) -> None:
    other = clinic.home.managed_policy(iam_world.ANYTHING)
    (finding,) = of_policy(clinic, permissions_boundary=other)
    assert finding.grade is Grade.FAILURE
    assert finding.remedy == f"Attach {other} to it as its permissions boundary."


def test_that_nothing_has_to_bound_it_is_told(clinic: Clinic) -> None:
    (finding,) = of_policy(clinic, permissions_boundary=None)
    assert finding.grade is Grade.NOTICE
    assert "no permissions_boundary" in finding.what


def test_a_role_without_room_is_a_failure_to_the_character(clinic: Clinic) -> None:
    role = named(str(clinic.good[2].target["role_arn"]))
    wanted = iam_targets.read(PolicyTarget, clinic.good[2])
    left = wanted.room - timed_policy.characters(wanted.statements)

    def beside(characters: int) -> list[Finding]:
        padding = "x" * (characters - len(policy(iam_world.reading("")).replace(" ", "")))
        text = policy(iam_world.reading(padding))
        iam = clinic.home.iam()
        iam.put_role_policy(RoleName=role, PolicyName="other", PolicyDocument=text)
        try:
            return of_policy(clinic)
        finally:
            iam.delete_role_policy(RoleName=role, PolicyName="other")

    assert beside(left) == []
    (finding,) = beside(left + 1)
    assert finding.grade is Grade.FAILURE
    assert f"have {left + 1} characters" in finding.what
    assert "IAM takes 10240 in all" in finding.what


def test_what_is_in_another_account_is_not_taken_for_what_has_its_name_here(
    clinic: Clinic,
) -> None:
    there = str(clinic.good[1].target["group_arn"]).replace(HOME, "333344445555")
    users = {"ana": "arn:aws:iam::333344445555:user/ana"}
    group, user = of_group(clinic, group_arn=there, users=users)
    assert "name an account_role there" in group.what
    assert "name an account_role there" in user.what
