"""The same on the emulator and on moto, where moto can.

What moto 5.2 does otherwise, and the emulator is for: an operation takes no time, never fails, is
never throttled and conflicts with none; a second create makes a second assignment; a create for
nobody, of no permission set or in no account succeeds; the status of a creation goes with its
assignment; an assignment provisions nothing, and where something is provisioned is not told by
account; a second membership is let in; the id of the identity store is not as AWS's pattern says;
statuses are not listed, boundaries and tags of permission sets are not kept; nobody can be
disabled, and nobody gets a role session.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from jitcloud.emulators.identity_center import IdentityCenter, IdentityCenterServer
from tests.emulators.identity_centers import SERVICES, SettableClock, clients, code

STRANGER = "00000000-0000-4000-8000-000000000000"


@dataclass
class Cloud:
    """Clients, an account, and how to have what was started end."""

    clients: dict[str, Any]
    account: str
    settle: Callable[[], None]

    def __post_init__(self) -> None:
        self.admin, self.store, self.organizations = (self.clients[name] for name in SERVICES)
        [instance] = self.admin.list_instances()["Instances"]
        self.instance = {"InstanceArn": instance["InstanceArn"]}
        self.directory = {"IdentityStoreId": instance["IdentityStoreId"]}
        self.ada = self.user("ada")

    def user(self, name: str) -> str:
        return str(
            self.store.create_user(
                **self.directory,
                UserName=name,
                DisplayName=name,
                Name={"GivenName": name, "FamilyName": name},
                Emails=[{"Value": f"{name}@example.org", "Primary": True}],
            )["UserId"]
        )

    def group(self, name: str) -> str:
        return str(self.store.create_group(**self.directory, DisplayName=name)["GroupId"])

    def permission_set(self, name: str) -> str:
        made = self.admin.create_permission_set(**self.instance, Name=name)
        return str(made["PermissionSet"]["PermissionSetArn"])

    def target(self, permission_set: str) -> dict[str, str]:
        return {
            **self.instance,
            "TargetId": self.account,
            "TargetType": "AWS_ACCOUNT",
            "PermissionSetArn": permission_set,
            "PrincipalType": "USER",
            "PrincipalId": self.ada,
        }

    def listed(self, permission_set: str) -> list[str]:
        answer = self.admin.list_account_assignments(
            **self.instance, AccountId=self.account, PermissionSetArn=permission_set
        )
        return [one["PrincipalId"] for one in answer["AccountAssignments"]]


@pytest.fixture(params=["emulator", "moto"])
def cloud(
    request: pytest.FixtureRequest, server: IdentityCenterServer, over_http: dict[str, Any]
) -> Iterator[Cloud]:
    if request.param == "emulator":
        clock = SettableClock()
        server.center = IdentityCenter(clock)
        server.center.organization.add_account("222233334444", "prod")
        yield Cloud(over_http, "222233334444", lambda: clock.tick(5))
        return
    with mock_aws():
        made = clients()
        made["organizations"].create_organization(FeatureSet="ALL")
        account = made["organizations"].create_account(
            AccountName="prod", Email="prod@example.org"
        )["CreateAccountStatus"]["AccountId"]
        yield Cloud(made, account, lambda: None)


def test_what_is_created_is_listed_and_what_is_deleted_is_not(cloud: Cloud) -> None:
    admins = cloud.permission_set("Admins")
    made = cloud.admin.create_account_assignment(**cloud.target(admins))
    cloud.settle()
    status = cloud.admin.describe_account_assignment_creation_status(
        **cloud.instance,
        AccountAssignmentCreationRequestId=made["AccountAssignmentCreationStatus"]["RequestId"],
    )["AccountAssignmentCreationStatus"]
    assert (status["TargetId"], status["PrincipalId"]) == (cloud.account, cloud.ada)
    assert cloud.listed(admins) == [cloud.ada]
    principal = {"PrincipalId": cloud.ada, "PrincipalType": "USER"}
    has = cloud.admin.list_account_assignments_for_principal(**cloud.instance, **principal)
    assert [one["PermissionSetArn"] for one in has["AccountAssignments"]] == [admins]

    gone = cloud.admin.delete_account_assignment(**cloud.target(admins))
    cloud.settle()
    cloud.admin.describe_account_assignment_deletion_status(
        **cloud.instance,
        AccountAssignmentDeletionRequestId=gone["AccountAssignmentDeletionStatus"]["RequestId"],
    )
    assert cloud.listed(admins) == []


def test_a_request_that_nobody_made_is_not_found(cloud: Cloud) -> None:
    with pytest.raises(ClientError) as raised:
        cloud.admin.describe_account_assignment_creation_status(
            **cloud.instance, AccountAssignmentCreationRequestId=STRANGER
        )
    assert code(raised) == "ResourceNotFoundException"


def test_a_permission_set_is_described_until_it_is_deleted(cloud: Cloud) -> None:
    place = {**cloud.instance, "PermissionSetArn": cloud.permission_set("Admins")}
    assert cloud.admin.describe_permission_set(**place)["PermissionSet"]["Name"] == "Admins"
    cloud.admin.delete_permission_set(**place)
    with pytest.raises(ClientError) as raised:
        cloud.admin.describe_permission_set(**place)
    assert code(raised) == "ResourceNotFoundException"
    assert "Could not find PermissionSet with id ps-" in str(raised.value)


def test_permission_sets_come_in_pages(cloud: Cloud) -> None:
    made = {cloud.permission_set(f"Set{n}") for n in range(5)}
    paginator = cloud.admin.get_paginator("list_permission_sets")
    found = list(paginator.paginate(**cloud.instance, PaginationConfig={"PageSize": 2}))
    assert [len(page["PermissionSets"]) for page in found] == [2, 2, 1]
    assert {arn for page in found for arn in page["PermissionSets"]} == made


@pytest.mark.parametrize("path", ["userName", "emails.value"])
def test_people_are_found_by_name_and_by_mail(cloud: Cloud, path: str) -> None:
    def found(value: str) -> str:
        attribute = {"AttributePath": path, "AttributeValue": value}
        return str(
            cloud.store.get_user_id(
                **cloud.directory, AlternateIdentifier={"UniqueAttribute": attribute}
            )["UserId"]
        )

    assert found("ada" if path == "userName" else "ada@example.org") == cloud.ada
    with pytest.raises(ClientError) as raised:
        found("nobody@example.org")
    assert code(raised) == "ResourceNotFoundException"


def test_members_are_members_until_they_are_not(cloud: Cloud) -> None:
    team, other = cloud.group("team"), cloud.group("other")
    member = {"MemberId": {"UserId": cloud.ada}}
    made = cloud.store.create_group_membership(**cloud.directory, GroupId=team, **member)

    def groups() -> list[str]:
        found = cloud.store.list_group_memberships_for_member(**cloud.directory, **member)
        return [one["GroupId"] for one in found["GroupMemberships"]]

    asked = {**cloud.directory, **member, "GroupIds": [team, other]}
    results = cloud.store.is_member_in_groups(**asked)["Results"]
    assert {one["GroupId"]: one["MembershipExists"] for one in results} == {
        team: True,
        other: False,
    }
    assert groups() == [team]
    cloud.store.delete_group_membership(**cloud.directory, MembershipId=made["MembershipId"])
    assert groups() == []


def test_nobody_joins_a_group_that_is_not_there(cloud: Cloud) -> None:
    member = {"MemberId": {"UserId": cloud.ada}}
    with pytest.raises(ClientError) as raised:
        cloud.store.create_group_membership(**cloud.directory, GroupId=STRANGER, **member)
    assert code(raised) == "ResourceNotFoundException"


def test_a_name_is_taken_once(cloud: Cloud) -> None:
    cloud.group("team")
    for make, name in ((cloud.user, "ada"), (cloud.group, "team")):
        with pytest.raises(ClientError) as raised:
            make(name)
        assert code(raised) == "ConflictException"


def test_a_deleted_user_is_not_found(cloud: Cloud) -> None:
    cloud.store.delete_user(**cloud.directory, UserId=cloud.ada)
    with pytest.raises(ClientError) as raised:
        cloud.store.describe_user(**cloud.directory, UserId=cloud.ada)
    assert code(raised) == "ResourceNotFoundException"


def test_accounts_are_found_from_the_root(cloud: Cloud) -> None:
    [root] = cloud.organizations.list_roots()["Roots"]
    management = cloud.organizations.describe_organization()["Organization"]["MasterAccountId"]
    inside = cloud.organizations.list_accounts_for_parent(ParentId=root["Id"])["Accounts"]
    assert {one["Id"] for one in inside} == {management, cloud.account}
    children = cloud.organizations.list_children(ParentId=root["Id"], ChildType="ACCOUNT")
    assert {one["Id"] for one in children["Children"]} == {management, cloud.account}
    account = cloud.organizations.describe_account(AccountId=cloud.account)["Account"]
    assert (account["Name"], account["Status"]) == ("prod", "ACTIVE")
