from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError

from tests.emulators.identity_centers import PROD, Aws, code

# ── Access begins and ends when an operation does ────────────────────────────────────────────


def test_access_begins_when_the_create_ends_and_not_before(aws: Aws) -> None:
    request = aws.create()
    aws.clock.tick(4.9)
    assert (aws.creation(request)["Status"], aws.who(), aws.listed()) == (
        "IN_PROGRESS",
        set(),
        set(),
    )
    aws.clock.tick(0.1)
    assert aws.who() == {aws.ada}
    assert aws.creation(request)["Status"] == "SUCCEEDED"
    assert aws.listed() == {aws.ada}


def test_access_ends_when_the_delete_ends_and_not_before(aws: Aws) -> None:
    aws.center.assign_by_hand(aws.ada, aws.admins, PROD)
    request = aws.delete()
    aws.clock.tick(4.9)
    assert (aws.deletion(request)["Status"], aws.who()) == ("IN_PROGRESS", {aws.ada})
    aws.clock.tick(0.1)
    assert (aws.deletion(request)["Status"], aws.who(), aws.listed()) == (
        "SUCCEEDED",
        set(),
        set(),
    )


def test_an_operation_ends_at_its_own_time_however_late_anybody_looks(aws: Aws) -> None:
    aws.create()
    aws.clock.tick(60)
    aws.center.store.delete_user(aws.ada)
    [held] = aws.center.holders()
    assert held.principal == aws.ada


def test_a_status_repeats_what_was_asked_for(aws: Aws) -> None:
    status = aws.creation(aws.create())
    assert status["CreatedDate"] == aws.clock.now
    asked = aws.target()
    assert {name: status[name] for name in asked if name != "InstanceArn"} == {
        name: value for name, value in asked.items() if name != "InstanceArn"
    }


def test_the_status_of_a_creation_is_not_that_of_a_deletion(aws: Aws) -> None:
    request = aws.create()
    with pytest.raises(ClientError) as raised:
        aws.deletion(request)
    assert code(raised) == "ResourceNotFoundException"


def test_a_status_is_forgotten_some_time_after_the_end(aws: Aws) -> None:
    aws.behaviour.remembers = timedelta(seconds=10)
    request = aws.create()
    aws.clock.tick(14.9)
    assert aws.creation(request)["Status"] == "SUCCEEDED"
    aws.clock.tick(0.1)
    with pytest.raises(aws.admin.exceptions.ResourceNotFoundException):
        aws.creation(request)
    assert aws.who() == {aws.ada}


def test_statuses_are_listed_and_filtered(aws: Aws) -> None:
    done = aws.create()
    aws.clock.tick(5)
    doing = aws.create(PrincipalType="GROUP", PrincipalId=aws.team)

    def listed(**params: object) -> set[str]:
        answer = aws.admin.list_account_assignment_creation_status(**aws.instance, **params)
        return {one["RequestId"] for one in answer["AccountAssignmentsCreationStatus"]}

    assert listed() == {done, doing}
    assert listed(Filter={"Status": "IN_PROGRESS"}) == {doing}
    deletions = aws.admin.list_account_assignment_deletion_status(**aws.instance)
    assert deletions["AccountAssignmentsDeletionStatus"] == []


# ── What AWS does not say, both ways ─────────────────────────────────────────────────────────


def test_a_create_of_what_exists_succeeds_and_changes_nothing(aws: Aws) -> None:
    aws.center.assign_by_hand(aws.ada, aws.admins, PROD)
    request = aws.create()
    aws.clock.tick(5)
    assert aws.creation(request)["Status"] == "SUCCEEDED"
    assert len(aws.center.holders()) == 1


def test_a_create_of_what_exists_can_conflict(aws: Aws) -> None:
    aws.behaviour.already = "conflict"
    aws.center.assign_by_hand(aws.ada, aws.admins, PROD)
    with pytest.raises(aws.admin.exceptions.ConflictException):
        aws.create()


def test_a_delete_of_what_does_not_exist_fails_in_the_end(aws: Aws) -> None:
    request = aws.delete()
    aws.clock.tick(5)
    status = aws.deletion(request)
    assert status["Status"] == "FAILED"
    assert "EntitlementItem doesn't exist" in status["FailureReason"]


def test_a_delete_of_what_does_not_exist_can_be_not_found(aws: Aws) -> None:
    aws.behaviour.missing = "not found"
    with pytest.raises(aws.admin.exceptions.ResourceNotFoundException):
        aws.delete()


def test_a_delete_of_what_does_not_exist_can_succeed(aws: Aws) -> None:
    aws.behaviour.missing = "succeeds"
    request = aws.delete()
    aws.clock.tick(5)
    assert aws.deletion(request)["Status"] == "SUCCEEDED"


# ── Who or what is not there, or not any more ────────────────────────────────────────────────


def test_a_create_for_a_deleted_user_fails_in_the_end(aws: Aws) -> None:
    aws.center.store.delete_user(aws.ada)
    request = aws.create()
    aws.clock.tick(5)
    status = aws.creation(request)
    assert (status["Status"], aws.center.holders()) == ("FAILED", frozenset())
    assert "was not found in directory" in status["FailureReason"]


def test_a_create_for_a_disabled_user_succeeds(aws: Aws) -> None:
    aws.center.store.disable(aws.ada)
    request = aws.create()
    aws.clock.tick(5)
    assert aws.creation(request)["Status"] == "SUCCEEDED"


def test_a_user_is_no_group(aws: Aws) -> None:
    request = aws.create(PrincipalType="GROUP")
    aws.clock.tick(5)
    assert aws.creation(request)["Status"] == "FAILED"


def test_what_a_deleted_user_had_stays_and_cannot_be_deleted(aws: Aws) -> None:
    aws.center.assign_by_hand(aws.ada, aws.admins, PROD)
    aws.center.store.delete_user(aws.ada)
    request = aws.delete()
    aws.clock.tick(5)
    assert aws.deletion(request)["Status"] == "FAILED"
    assert (len(aws.center.holders()), aws.listed(), aws.who()) == (1, {aws.ada}, set())


def test_what_a_deleted_user_had_can_be_made_to_go(aws: Aws) -> None:
    aws.behaviour.orphaned = "succeeds"
    aws.center.assign_by_hand(aws.ada, aws.admins, PROD)
    aws.center.store.delete_user(aws.ada)
    request = aws.delete()
    aws.clock.tick(5)
    assert aws.deletion(request)["Status"] == "SUCCEEDED"
    assert aws.center.holders() == frozenset()


def test_nothing_is_done_in_a_suspended_account(aws: Aws) -> None:
    aws.center.assign_by_hand(aws.ada, aws.admins, PROD)
    aws.center.organization.set_state(PROD, "SUSPENDED")
    created, deleted = aws.create(PrincipalType="GROUP", PrincipalId=aws.team), aws.delete()
    aws.clock.tick(5)
    for status in (aws.creation(created), aws.deletion(deleted)):
        assert status["Status"] == "FAILED"
        assert "Obtaining permissions to manage your AWS account" in status["FailureReason"]
    assert {held.principal for held in aws.center.holders()} == {aws.ada}


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"TargetId": "999999999999"}, id="account"),
        pytest.param({"InstanceArn": f"arn:aws:sso:::instance/ssoins-{'0' * 16}"}, id="instance"),
        pytest.param(
            {"PermissionSetArn": f"arn:aws:sso:::permissionSet/ssoins-{'0' * 16}/ps-{'0' * 16}"},
            id="permission-set",
        ),
    ],
)
def test_what_is_not_there_is_not_found(aws: Aws, other: dict[str, str]) -> None:
    for change in (aws.create, aws.delete):
        with pytest.raises(aws.admin.exceptions.ResourceNotFoundException):
            change(**other)


def test_a_permission_set_may_go_while_it_is_being_assigned(aws: Aws) -> None:
    place = {**aws.instance, "PermissionSetArn": aws.admins}
    provisioned = aws.admin.provision_permission_set(
        **place, TargetType="AWS_ACCOUNT", TargetId=PROD
    )["PermissionSetProvisioningStatus"]["RequestId"]
    request = aws.create()
    aws.admin.delete_permission_set(**place)
    aws.clock.tick(5)
    assert aws.creation(request)["Status"] == "FAILED"
    told = aws.admin.describe_permission_set_provisioning_status(
        **aws.instance, ProvisionPermissionSetRequestId=provisioned
    )
    assert told["PermissionSetProvisioningStatus"]["Status"] == "FAILED"
    assert aws.center.holders() == frozenset()


def test_the_management_account_is_not_for_a_delegated_administrator(aws: Aws) -> None:
    management = aws.center.organization.management
    aws.create(TargetId=management)
    aws.clock.tick(5)
    assert aws.center.who_can(aws.admins, management) == {aws.ada}

    aws.behaviour.delegated = True
    for account in (management, PROD):  # the permission set is provisioned in management now
        with pytest.raises(aws.admin.exceptions.AccessDeniedException):
            aws.delete(TargetId=account)
    other = aws.center.permission_sets.add("Readers")
    aws.create(PermissionSetArn=other)


# ── One at a time, and not too many ──────────────────────────────────────────────────────────


def test_a_second_operation_on_an_assignment_conflicts_until_the_first_ends(aws: Aws) -> None:
    aws.create()
    for change in (aws.create, aws.delete):
        with pytest.raises(aws.admin.exceptions.ConflictException):
            change()
    aws.create(PrincipalType="GROUP", PrincipalId=aws.team)
    aws.clock.tick(5)
    aws.delete()


def test_of_several_at_once_one_gets_in(aws: Aws) -> None:
    def attempt(_: int) -> str:
        try:
            return aws.create()
        except aws.admin.exceptions.ConflictException:
            return ""

    with ThreadPoolExecutor(8) as threads:
        requests = [request for request in threads.map(attempt, range(16)) if request]
    assert len(requests) == 1
    assert aws.center.calls["CreateAccountAssignment"] == 16


def test_conflicts_may_reach_further(aws: Aws) -> None:
    other = aws.center.permission_sets.add("Readers")
    aws.behaviour.conflicts_within = "role"
    aws.create()
    with pytest.raises(aws.admin.exceptions.ConflictException):
        aws.create(PrincipalType="GROUP", PrincipalId=aws.team)
    aws.create(PermissionSetArn=other)
    aws.clock.tick(5)
    aws.behaviour.conflicts_within = "account"
    aws.delete()
    with pytest.raises(aws.admin.exceptions.ConflictException):
        aws.delete(PermissionSetArn=other)


def test_creates_and_deletes_together_are_at_most_ten_at_once(aws: Aws) -> None:
    users = [aws.center.store.add_user(f"user{n}") for n in range(11)]
    for user in users[:5]:
        aws.center.assign_by_hand(user, aws.admins, PROD)
        aws.delete(PrincipalId=user)
    for user in users[5:10]:
        aws.create(PrincipalId=user)
    for change in (aws.create, aws.delete):
        with pytest.raises(aws.admin.exceptions.ThrottlingException) as raised:
            change(PrincipalId=users[10])
        assert "too many requests processing" in str(raised.value)
    aws.clock.tick(5)
    aws.create(PrincipalId=users[10])


def test_twenty_calls_a_second_and_no_more(aws: Aws) -> None:
    for _ in range(20):
        aws.admin.list_permission_sets(**aws.instance)
    for throttled in (aws.create, aws.delete, aws.listed):
        with pytest.raises(aws.admin.exceptions.ThrottlingException, match="Rate exceeded"):
            throttled()
    aws.store.list_users(**aws.directory)
    aws.clock.tick(0.05)
    aws.create()
    with pytest.raises(aws.admin.exceptions.ThrottlingException):
        aws.delete()
    aws.clock.tick(600)
    for _ in range(20):
        aws.listed()
    with pytest.raises(aws.admin.exceptions.ThrottlingException):
        aws.listed()
    aws.behaviour.rate = None
    aws.listed()


# ── Roles ────────────────────────────────────────────────────────────────────────────────────


def test_the_first_assignment_makes_the_role_and_the_last_takes_it_along(aws: Aws) -> None:
    sets = aws.center.permission_sets
    assert sets.role(PROD, aws.admins) is None
    aws.create()
    aws.clock.tick(5)
    first = sets.role(PROD, aws.admins)
    assert first is not None
    assert first.arn.startswith(
        f"arn:aws:iam::{PROD}:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Admins_"
    )

    aws.create(PrincipalType="GROUP", PrincipalId=aws.team)
    aws.clock.tick(5)
    aws.delete()
    aws.clock.tick(5)
    assert sets.role(PROD, aws.admins) is first
    aws.delete(PrincipalType="GROUP", PrincipalId=aws.team)
    aws.clock.tick(5)
    assert sets.role(PROD, aws.admins) is None

    aws.create()
    aws.clock.tick(5)
    second = sets.role(PROD, aws.admins)
    assert second is not None
    assert second.arn != first.arn
    assert second.arn.rpartition("_")[0] == first.arn.rpartition("_")[0]


# ── Lists that are behind ────────────────────────────────────────────────────────────────────


def test_a_list_may_be_behind_the_truth(aws: Aws) -> None:
    aws.behaviour.lag = timedelta(seconds=30)
    aws.create()
    aws.clock.tick(5)
    assert (aws.who(), aws.listed()) == ({aws.ada}, set())
    aws.clock.tick(30)
    assert aws.listed() == {aws.ada}
    aws.delete()
    aws.clock.tick(5)
    assert (aws.who(), aws.listed()) == (set(), {aws.ada})
    aws.clock.tick(29)
    assert aws.listed() == {aws.ada}
    aws.clock.tick(1)
    assert aws.listed() == set()


def test_other_lists_are_as_far_behind(aws: Aws) -> None:
    aws.behaviour.lag = timedelta(seconds=30)
    aws.center.store.add_member(aws.team, aws.ada)
    aws.center.assign_by_hand(aws.ada, aws.admins, PROD)

    def seen() -> list[int]:
        member = {"MemberId": {"UserId": aws.ada}}
        for_member = aws.store.list_group_memberships_for_member(**aws.directory, **member)
        of_group = aws.store.list_group_memberships(**aws.directory, GroupId=aws.team)
        provisioned = aws.admin.list_permission_sets_provisioned_to_account(
            **aws.instance, AccountId=PROD
        )
        accounts = aws.admin.list_accounts_for_provisioned_permission_set(
            **aws.instance, PermissionSetArn=aws.admins
        )
        principal = {"PrincipalId": aws.ada, "PrincipalType": "USER"}
        of_ada = aws.admin.list_account_assignments_for_principal(**aws.instance, **principal)
        return [
            len(for_member["GroupMemberships"]),
            len(of_group["GroupMemberships"]),
            len(provisioned["PermissionSets"]),
            len(accounts["AccountIds"]),
            len(of_ada["AccountAssignments"]),
        ]

    assert seen() == [0] * 5
    aws.clock.tick(30)
    assert seen() == [1] * 5


def test_a_list_for_a_user_tells_what_the_users_groups_have(aws: Aws) -> None:
    aws.center.assign_by_hand(aws.team, aws.admins, PROD, "GROUP")
    aws.center.store.add_member(aws.team, aws.ada)

    def listed(**params: object) -> list[tuple[str, str]]:
        answer = aws.admin.list_account_assignments_for_principal(
            **aws.instance, PrincipalId=aws.ada, PrincipalType="USER", **params
        )
        return [(one["PrincipalType"], one["PrincipalId"]) for one in answer["AccountAssignments"]]

    assert listed() == [("GROUP", aws.team)]
    assert listed(Filter={"AccountId": PROD}) == [("GROUP", aws.team)]
    assert listed(Filter={"AccountId": aws.center.organization.management}) == []
    aws.behaviour.inherited = False
    assert listed() == []
    aws.behaviour.delegated = True
    with pytest.raises(aws.admin.exceptions.AccessDeniedException):
        listed()
