from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from jitcloud.emulators.identity_center import Behaviour, IdentityCenter
from jitcloud.emulators.identity_center.description import wrong_with_answer, wrong_with_request
from jitcloud.errors import Invalid
from tests.emulators.identity_centers import NOON, PROD, SERVICES, Aws, SettableClock, code

# ── Every operation ──────────────────────────────────────────────────────────────────────────


def instance_and_permission_sets(aws: Aws) -> None:
    center, admin = aws.center, aws.admin
    place = {"PermissionSetArn": aws.admins}
    boundary = {"CustomerManagedPolicyReference": {"Name": "deny", "Path": "/"}}
    [instance] = admin.list_instances()["Instances"]
    assert instance["InstanceArn"] == center.instance_arn
    assert instance["IdentityStoreId"] == center.store.id

    made = admin.create_permission_set(
        **aws.instance,
        Name="Readers",
        SessionDuration="PT1H30M",
        Description="Reading",
        RelayState="https://example.org",
        Tags=[{"Key": "jitcloud", "Value": "exclusive"}],
    )["PermissionSet"]
    readers = {"PermissionSetArn": made["PermissionSetArn"]}
    assert admin.describe_permission_set(**aws.instance, **readers)["PermissionSet"] == made
    assert (made["Name"], made["SessionDuration"]) == ("Readers", "PT1H30M")
    assert center.permission_sets.find(made["PermissionSetArn"]).session == timedelta(minutes=90)
    assert set(admin.list_permission_sets(**aws.instance)["PermissionSets"]) == {
        aws.admins,
        made["PermissionSetArn"],
    }
    tags = admin.list_tags_for_resource(**aws.instance, ResourceArn=made["PermissionSetArn"])
    assert tags["Tags"] == [{"Key": "jitcloud", "Value": "exclusive"}]
    admin.delete_permission_set(**aws.instance, **readers)
    assert admin.list_permission_sets(**aws.instance)["PermissionSets"] == [aws.admins]

    admin.put_permissions_boundary_to_permission_set(
        **aws.instance, **place, PermissionsBoundary=boundary
    )
    told = admin.get_permissions_boundary_for_permission_set(**aws.instance, **place)
    assert told["PermissionsBoundary"] == boundary


def assignments(aws: Aws) -> None:
    admin = aws.admin
    place = {"PermissionSetArn": aws.admins}
    aws.creation(aws.create())
    aws.clock.tick(5)
    aws.deletion(aws.delete(PrincipalType="GROUP", PrincipalId=aws.team))
    assert aws.listed() == {aws.ada}
    found = admin.list_account_assignments_for_principal(
        **aws.instance, PrincipalId=aws.ada, PrincipalType="USER"
    )
    assert [one["AccountId"] for one in found["AccountAssignments"]] == [PROD]
    for created in ("creation", "deletion"):
        call = getattr(admin, f"list_account_assignment_{created}_status")
        assert len(call(**aws.instance)[f"AccountAssignments{created.title()}Status"]) == 1
    sets = admin.list_permission_sets_provisioned_to_account(**aws.instance, AccountId=PROD)
    assert sets["PermissionSets"] == [aws.admins]
    accounts = admin.list_accounts_for_provisioned_permission_set(**aws.instance, **place)
    assert accounts["AccountIds"] == [PROD]

    request = admin.provision_permission_set(
        **aws.instance, **place, TargetType="AWS_ACCOUNT", TargetId=PROD
    )["PermissionSetProvisioningStatus"]["RequestId"]
    aws.clock.tick(5)
    status = admin.describe_permission_set_provisioning_status(
        **aws.instance, ProvisionPermissionSetRequestId=request
    )["PermissionSetProvisioningStatus"]
    assert (status["Status"], status["AccountId"]) == ("SUCCEEDED", PROD)


def users(aws: Aws) -> None:
    store = aws.store
    bob = store.create_user(
        **aws.directory,
        UserName="bob",
        DisplayName="Bob",
        Name={"GivenName": "Bob", "FamilyName": "B"},
        Emails=[{"Value": "bob@example.com", "Primary": True}],
    )["UserId"]
    assert store.describe_user(**aws.directory, UserId=bob)["DisplayName"] == "Bob"
    by_mail = {"AttributePath": "emails.value", "AttributeValue": "bob@example.com"}
    by_mail_found = store.get_user_id(
        **aws.directory, AlternateIdentifier={"UniqueAttribute": by_mail}
    )
    assert by_mail_found["UserId"] == bob
    assert {user["UserId"] for user in store.list_users(**aws.directory)["Users"]} == {
        aws.ada,
        bob,
    }
    store.delete_user(**aws.directory, UserId=bob)
    assert [u["UserName"] for u in store.list_users(**aws.directory)["Users"]] == ["ada"]


def groups(aws: Aws) -> None:
    center, store = aws.center, aws.store
    member = {"GroupId": aws.team, "MemberId": {"UserId": aws.ada}}
    group = store.create_group(**aws.directory, DisplayName="others", Description="The others")
    described = store.describe_group(**aws.directory, GroupId=group["GroupId"])
    assert (described["DisplayName"], described["Description"]) == ("others", "The others")
    by_name = {"AttributePath": "displayName", "AttributeValue": "others"}
    by_name_found = store.get_group_id(
        **aws.directory, AlternateIdentifier={"UniqueAttribute": by_name}
    )
    assert by_name_found["GroupId"] == group["GroupId"]
    named = store.list_groups(
        **aws.directory, Filters=[{"AttributePath": "DisplayName", "AttributeValue": "team"}]
    )
    assert [one["GroupId"] for one in named["Groups"]] == [aws.team]

    membership = store.create_group_membership(**aws.directory, **member)["MembershipId"]
    assert store.get_group_membership_id(**aws.directory, **member)["MembershipId"] == membership
    of_group = store.list_group_memberships(**aws.directory, GroupId=aws.team)
    of_ada = store.list_group_memberships_for_member(**aws.directory, MemberId=member["MemberId"])
    assert of_group["GroupMemberships"] == of_ada["GroupMemberships"]
    asked = {"MemberId": member["MemberId"], "GroupIds": [aws.team, group["GroupId"]]}
    results = store.is_member_in_groups(**aws.directory, **asked)["Results"]
    assert [one["MembershipExists"] for one in results] == [True, False]
    store.delete_group_membership(**aws.directory, MembershipId=membership)
    assert center.store.groups_of(aws.ada) == frozenset()


def organization(aws: Aws) -> None:
    center = aws.center
    organizations = aws.organizations
    unit = center.organization.add_unit("workloads")
    inner = center.organization.add_unit("dev", parent=unit)
    center.organization.add_account("333344445555", "dev", parent=inner)
    told = organizations.describe_organization()["Organization"]
    assert told["MasterAccountId"] == center.organization.management
    [root] = organizations.list_roots()["Roots"]
    assert len(organizations.list_accounts()["Accounts"]) == 3
    in_root = organizations.list_accounts_for_parent(ParentId=root["Id"])["Accounts"]
    assert {one["Id"] for one in in_root} == {PROD, center.organization.management}
    [outer] = organizations.list_organizational_units_for_parent(ParentId=root["Id"])[
        "OrganizationalUnits"
    ]
    assert (outer["Id"], outer["Name"]) == (unit, "workloads")
    children = organizations.list_children(ParentId=unit, ChildType="ORGANIZATIONAL_UNIT")
    assert [one["Id"] for one in children["Children"]] == [inner]
    dev = organizations.describe_account(AccountId="333344445555")["Account"]
    assert (dev["Name"], dev["State"]) == ("dev", "ACTIVE")
    assert dev["Paths"] == [
        f"{told['Id']}/{root['Id']}/{unit}/{inner}/333344445555/",
    ]
    assert organizations.list_tags_for_resource(ResourceId=PROD)["Tags"] == [
        {"Key": "stage", "Value": "prod"}
    ]


def test_every_operation_goes_there_and_back(aws: Aws) -> None:
    """Requests and answers are held to botocore's description of them on the way."""
    for part in (instance_and_permission_sets, assignments, users, groups, organization):
        part(aws)
    for service in SERVICES:
        assert set(aws.center.operations(service)) <= aws.center.calls.keys()


# ── What is refused ──────────────────────────────────────────────────────────────────────────


def user(**attributes: object) -> dict[str, object]:
    name = {"GivenName": "Ada", "FamilyName": "L"}
    return {"UserName": "eve", "DisplayName": "Eve", "Name": name, **attributes}


def unique(path: str, value: str) -> dict[str, object]:
    attribute = {"AttributePath": path, "AttributeValue": value}
    return {"AlternateIdentifier": {"UniqueAttribute": attribute}}


STRANGER = "0123456789-00000000-0000-4000-8000-000000000000"
PEOPLE: list[tuple[str, str, Callable[[Aws], object]]] = [
    (
        "ConflictException",
        "two-of-a-name",
        lambda aws: aws.store.create_user(**aws.directory, **user(UserName="ada")),
    ),
    (
        "ConflictException",
        "two-groups-of-a-name",
        lambda aws: aws.store.create_group(**aws.directory, DisplayName="team"),
    ),
    (
        "ValidationException",
        "reserved",
        lambda aws: aws.store.create_user(**aws.directory, **user(UserName="Administrator")),
    ),
    (
        "ValidationException",
        "no-name",
        lambda aws: aws.store.create_user(**aws.directory, **user(Name={"GivenName": "Eve"})),
    ),
    (
        "ValidationException",
        "line-separator-in-a-name",
        lambda aws: aws.store.create_user(**aws.directory, **user(DisplayName="a\u2028b")),
    ),
    (
        "ValidationException",
        "not-unique",
        lambda aws: aws.store.get_user_id(**aws.directory, **unique("displayName", "ada")),
    ),
    (
        "ValidationException",
        "filter",
        lambda aws: aws.store.list_users(
            **aws.directory, Filters=[{"AttributePath": "Title", "AttributeValue": "x"}]
        ),
    ),
    (
        "ResourceNotFoundException",
        "unknown-name",
        lambda aws: aws.store.get_user_id(**aws.directory, **unique("userName", "eve")),
    ),
    (
        "ResourceNotFoundException",
        "unknown-group-name",
        lambda aws: aws.store.get_group_id(**aws.directory, **unique("displayName", "eve")),
    ),
    (
        "ResourceNotFoundException",
        "unknown-user",
        lambda aws: aws.store.describe_user(**aws.directory, UserId=STRANGER),
    ),
    (
        "ResourceNotFoundException",
        "unknown-group",
        lambda aws: aws.store.list_group_memberships(**aws.directory, GroupId=STRANGER),
    ),
    (
        "ResourceNotFoundException",
        "unknown-membership",
        lambda aws: aws.store.delete_group_membership(**aws.directory, MembershipId=STRANGER),
    ),
    (
        "ResourceNotFoundException",
        "not-a-member",
        lambda aws: aws.store.get_group_membership_id(
            **aws.directory, GroupId=aws.team, MemberId={"UserId": aws.ada}
        ),
    ),
    (
        "ResourceNotFoundException",
        "another-store",
        lambda aws: aws.store.list_users(IdentityStoreId="d-0123456789"),
    ),
]

SETS: list[tuple[str, str, Callable[[Aws], object]]] = [
    (
        "ConflictException",
        "two-sets-of-a-name",
        lambda aws: aws.admin.create_permission_set(**aws.instance, Name="Admins"),
    ),
    (
        "ValidationException",
        "too-long",
        lambda aws: aws.admin.create_permission_set(
            **aws.instance, Name="X", SessionDuration="PT13H"
        ),
    ),
    (
        "ValidationException",
        "too-short",
        lambda aws: aws.admin.create_permission_set(
            **aws.instance, Name="X", SessionDuration="PT59M"
        ),
    ),
    (
        "ValidationException",
        "months",
        lambda aws: aws.admin.create_permission_set(
            **aws.instance, Name="X", SessionDuration="P1M"
        ),
    ),
    (
        "ValidationException",
        "long-name",
        lambda aws: aws.admin.create_permission_set(**aws.instance, Name="X" * 33),
    ),
    (
        "ResourceNotFoundException",
        "no-boundary",
        lambda aws: aws.admin.get_permissions_boundary_for_permission_set(
            **aws.instance, PermissionSetArn=aws.admins
        ),
    ),
    (
        "ValidationException",
        "empty-boundary",
        lambda aws: aws.admin.put_permissions_boundary_to_permission_set(
            **aws.instance, PermissionSetArn=aws.admins, PermissionsBoundary={}
        ),
    ),
    (
        "ValidationException",
        "account-without-id",
        lambda aws: aws.admin.provision_permission_set(
            **aws.instance, PermissionSetArn=aws.admins, TargetType="AWS_ACCOUNT"
        ),
    ),
    (
        "ResourceNotFoundException",
        "tags-of-the-instance",
        lambda aws: aws.admin.list_tags_for_resource(ResourceArn=aws.center.instance_arn),
    ),
    (
        "ValidationException",
        "no-such-type",
        lambda aws: aws.create(PrincipalType="ROLE"),
    ),
    (
        "ValidationException",
        "no-such-id",
        lambda aws: aws.create(PrincipalId="ada"),
    ),
    (
        "ValidationException",
        "arabic-digits",
        lambda aws: aws.create(TargetId="\u0661" * 12),
    ),
]

ACCOUNTS: list[tuple[str, str, Callable[[Aws], object]]] = [
    (
        "AccountNotFoundException",
        "account",
        lambda aws: aws.organizations.describe_account(AccountId="999999999999"),
    ),
    (
        "ParentNotFoundException",
        "parent",
        lambda aws: aws.organizations.list_accounts_for_parent(ParentId="r-zzzz"),
    ),
    (
        "TargetNotFoundException",
        "target",
        lambda aws: aws.organizations.list_tags_for_resource(ResourceId="999999999999"),
    ),
    (
        "InvalidInputException",
        "page",
        lambda aws: aws.organizations.list_accounts(MaxResults=21),
    ),
]


@pytest.mark.parametrize(
    ("said", "call"),
    [pytest.param(said, call, id=name) for said, name, call in (*PEOPLE, *SETS, *ACCOUNTS)],
)
def test_what_aws_refuses_is_refused(aws: Aws, said: str, call: Callable[[Aws], object]) -> None:
    with pytest.raises(ClientError) as raised:
        call(aws)
    assert code(raised) == said


def test_a_membership_is_there_once(aws: Aws) -> None:
    member = {**aws.directory, "GroupId": aws.team, "MemberId": {"UserId": aws.ada}}
    aws.store.create_group_membership(**member)
    with pytest.raises(aws.store.exceptions.ConflictException) as raised:
        aws.store.create_group_membership(**member)
    assert raised.value.response["Reason"] == "UNIQUENESS_CONSTRAINT_VIOLATION"


def test_an_error_says_what_is_not_found(aws: Aws) -> None:
    with pytest.raises(aws.store.exceptions.ResourceNotFoundException) as raised:
        aws.store.describe_user(**aws.directory, UserId=STRANGER)
    assert raised.value.response["ResourceType"] == "USER"


def test_a_permission_set_that_is_provisioned_is_not_deleted(aws: Aws) -> None:
    aws.center.assign_by_hand(aws.ada, aws.admins, PROD)
    place = {**aws.instance, "PermissionSetArn": aws.admins}
    with pytest.raises(aws.admin.exceptions.ConflictException):
        aws.admin.delete_permission_set(**place)
    aws.center.unassign_by_hand(aws.ada, aws.admins, PROD)
    aws.admin.delete_permission_set(**place)


def test_arns_name_as_well_as_ids_and_a_scim_id_too(aws: Aws) -> None:
    owner, store = aws.center.organization.management, aws.center.store
    arn = {"IdentityStoreId": f"arn:aws:identitystore::{owner}:identitystore/{store.id}"}
    eve = store.add_user("eve", external_id="00u1")
    told = aws.store.describe_user(**arn, UserId=f"arn:aws:identitystore:::user/{eve}")
    assert told["UserId"] == eve
    found = aws.store.get_user_id(
        **arn, AlternateIdentifier={"ExternalId": {"Issuer": "scim", "Id": "00u1"}}
    )
    assert found["UserId"] == eve


def test_a_disabled_user_is_said_to_be(aws: Aws) -> None:
    def status() -> object:
        return aws.store.describe_user(**aws.directory, UserId=aws.ada)["UserStatus"]

    assert status() == "ENABLED"
    aws.center.store.disable(aws.ada)
    assert status() == "DISABLED"


def test_where_a_permission_set_has_changed_since_is_told(aws: Aws) -> None:
    aws.center.assign_by_hand(aws.ada, aws.admins, PROD)
    place = {**aws.instance, "PermissionSetArn": aws.admins}

    def latest(*, is_latest: bool) -> list[str]:
        status = f"LATEST_PERMISSION_SET_{'' if is_latest else 'NOT_'}PROVISIONED"
        answer = aws.admin.list_accounts_for_provisioned_permission_set(
            **place, ProvisioningStatus=status
        )
        return list(answer["AccountIds"])

    assert (latest(is_latest=True), latest(is_latest=False)) == ([PROD], [])
    boundary = {"ManagedPolicyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}
    aws.admin.put_permissions_boundary_to_permission_set(**place, PermissionsBoundary=boundary)
    assert (latest(is_latest=True), latest(is_latest=False)) == ([], [PROD])


def test_provisioning_may_be_refused_or_fail(aws: Aws) -> None:
    place = {**aws.instance, "PermissionSetArn": aws.admins, "TargetType": "AWS_ACCOUNT"}
    with pytest.raises(aws.admin.exceptions.ResourceNotFoundException):
        aws.admin.provision_permission_set(**place, TargetId="999999999999")
    aws.center.organization.set_state(PROD, "SUSPENDED")
    answer = aws.admin.provision_permission_set(**place, TargetId=PROD)
    with pytest.raises(aws.admin.exceptions.ConflictException):
        aws.admin.provision_permission_set(**place, TargetId=PROD)
    aws.clock.tick(5)
    status = aws.admin.describe_permission_set_provisioning_status(
        **aws.instance,
        ProvisionPermissionSetRequestId=answer["PermissionSetProvisioningStatus"]["RequestId"],
    )["PermissionSetProvisioningStatus"]
    assert status["Status"] == "FAILED"
    assert "Obtaining permissions to manage your AWS account" in status["FailureReason"]


def test_what_a_delegated_administrator_may_not_manage_stays_as_it_is(aws: Aws) -> None:
    aws.behaviour.delegated = True
    aws.center.assign_by_hand(aws.ada, aws.admins, aws.center.organization.management)
    with pytest.raises(aws.admin.exceptions.AccessDeniedException):
        aws.admin.put_permissions_boundary_to_permission_set(
            **aws.instance,
            PermissionSetArn=aws.admins,
            PermissionsBoundary={"ManagedPolicyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"},
        )


def test_what_aws_would_not_answer_is_said_to_be_the_emulators_fault(aws: Aws) -> None:
    aws.center.store.add_user("a line\u2028separator")
    with pytest.raises(ClientError) as raised:
        aws.store.list_users(**aws.directory)
    assert code(raised) == "EmulatorFault"
    assert "does not match" in str(raised.value)


# ── Pages ────────────────────────────────────────────────────────────────────────────────────


def pages(aws: Aws, **params: object) -> list[list[str]]:
    paginator = aws.store.get_paginator("list_users")
    return [
        [user["UserName"] for user in page["Users"]]
        for page in paginator.paginate(**aws.directory, **params)
    ]


def flat(lists: list[list[str]]) -> list[str]:
    return [name for names in lists for name in names]


def test_pages_hold_as_many_as_asked_for_and_all_of_them_everything(aws: Aws) -> None:
    names = {"ada"} | {
        aws.center.store.users[aws.center.store.add_user(f"u{n}")].name for n in range(9)
    }
    parts = pages(aws, PaginationConfig={"PageSize": 4})
    assert [len(part) for part in parts] == [4, 4, 2]
    assert sorted(flat(parts)) == sorted(names)


def test_pages_may_be_smaller_than_asked_for(aws: Aws) -> None:
    aws.center.store.add_user("bob")
    aws.behaviour.page_size = 1
    assert [len(part) for part in pages(aws, PaginationConfig={"PageSize": 100})] == [1, 1]


def test_empty_pages_with_a_token_may_come_first(aws: Aws) -> None:
    aws.behaviour.empty_pages = 2
    assert pages(aws) == [[], [], ["ada"]]


def test_accounts_come_twenty_at_a_time(aws: Aws) -> None:
    for number in range(30):
        aws.center.organization.add_account(f"4444555566{number:02}", "more")
    paginator = aws.organizations.get_paginator("list_accounts")
    assert [len(page["Accounts"]) for page in paginator.paginate()] == [20, 12]


def test_what_stays_is_told_once_whatever_comes_and_goes_between_pages(aws: Aws) -> None:
    store = aws.center.store
    stays = {store.add_user(f"stays{n}") for n in range(6)}
    goes = [store.add_user(f"goes{n}") for n in range(6)]
    params: dict[str, Any] = {**aws.directory, "MaxResults": 2}
    seen: list[str] = []
    while True:
        answer = aws.store.list_users(**params)
        seen += [user["UserId"] for user in answer["Users"]]
        if "NextToken" not in answer:
            break
        params["NextToken"] = answer["NextToken"]
        if goes:
            store.delete_user(goes.pop())
            store.add_user(f"comes{len(goes)}")
    assert len(seen) == len(set(seen))
    assert stays <= set(seen)


def test_a_token_belongs_to_the_request_it_came_from(aws: Aws) -> None:
    aws.center.store.add_user("bob")
    token = aws.store.list_users(**aws.directory, MaxResults=1)["NextToken"]
    lists = (aws.store.list_groups, aws.store.list_users, aws.store.list_users)
    for call, said in zip(lists, (token, "e30=", "not-one"), strict=True):
        with pytest.raises(aws.store.exceptions.ValidationException):
            call(**aws.directory, NextToken=said)


# ── Without HTTP ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("check", [True, False], ids=["checked", "unchecked"])
def test_a_client_in_this_process_does_the_same(aws: Aws, *, check: bool) -> None:
    local: Any = aws.center.client("sso-admin", check=check)
    request = local.create_account_assignment(**aws.target())
    remote = aws.creation(request["AccountAssignmentCreationStatus"]["RequestId"])
    told = dict(request["AccountAssignmentCreationStatus"])
    assert remote == told
    with pytest.raises(local.exceptions.ConflictException) as raised:
        local.create_account_assignment(**aws.target())
    assert code(raised) == "ConflictException"
    aws.center.behaviour.page_size = 1
    aws.center.permission_sets.add("Readers")
    found = local.get_paginator("list_permission_sets").paginate(**aws.instance)
    assert [len(page["PermissionSets"]) for page in found] == [1, 1]


def test_what_is_not_emulated_is_said(aws: Aws) -> None:
    with pytest.raises(Invalid, match="not emulated"):
        aws.center.client("iam")
    with pytest.raises(AttributeError, match="create_application"):
        aws.center.client("sso-admin").create_application()
    with pytest.raises(Invalid, match="not emulated"):
        aws.center.call("sso-admin", "CreateApplication", {})


def test_calls_are_counted_whatever_comes_of_them(aws: Aws) -> None:
    aws.create()
    with pytest.raises(ClientError):
        aws.create()
    with pytest.raises(ClientError):
        aws.create(PrincipalId="ada")
    assert aws.center.calls == {"CreateAccountAssignment": 3}


def test_of_one_seed_the_same_ids_come() -> None:
    def ids(seed: str) -> tuple[str, str, str]:
        center = IdentityCenter(SettableClock(), Behaviour(), seed=seed)
        return center.instance_arn, center.store.add_user("ada"), center.permission_sets.add("A")

    assert ids("one") == ids("one")
    assert ids("one") != ids("two")


def test_only_twelve_digits_are_an_account(aws: Aws) -> None:
    with pytest.raises(Invalid, match="twelve digits"):
        aws.center.organization.add_account("12345", "short")
    with pytest.raises(Invalid, match="add_unit"):
        aws.center.organization.add_account("123456789012", "lost", parent="ou-none-12345678")


# ── The description ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        pytest.param({"Users": "none"}, "Invalid type", id="type"),
        pytest.param({}, "Missing required", id="missing"),
        pytest.param({"Users": [], "Next": "x"}, "Unknown parameter", id="unknown"),
        pytest.param({"Users": [], "NextToken": " "}, "does not match", id="pattern"),
        pytest.param({"Users": [], "NextToken": "x" * 65536}, "more than 65535", id="long"),
    ],
)
def test_an_answer_is_held_to_the_description(wrong: dict[str, object], said: str) -> None:
    [told] = wrong_with_answer("identitystore", "ListUsers", wrong)
    assert said in told


def test_inner_parts_are_held_to_it_too() -> None:
    status = {"Status": "DONE", "CreatedDate": NOON}
    answer = {"AccountAssignmentsCreationStatus": [status]}
    told = wrong_with_answer("sso-admin", "ListAccountAssignmentCreationStatus", answer)
    assert "is none of IN_PROGRESS, FAILED, SUCCEEDED" in told[0]
    document = {
        "Extensions": {"urn:x": {"any": "thing"}},
        **user(),
        "IdentityStoreId": "d-" + "0" * 10,
    }
    assert "key does not match" in wrong_with_request("identitystore", "CreateUser", document)[0]
