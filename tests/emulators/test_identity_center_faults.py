from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from jitcloud.emulators.identity_center import Fault, IdentityCenterServer
from jitcloud.errors import Invalid
from tests.emulators.identity_centers import PROD, Aws, code


def list_users(aws: Aws) -> Any:
    return aws.store.list_users(**aws.directory)


def list_accounts(aws: Aws) -> Any:
    return aws.organizations.list_accounts()


@pytest.mark.parametrize(
    ("fault", "call", "said", "status"),
    [
        pytest.param(Fault.THROTTLED, Aws.create, "ThrottlingException", 400, id="throttled"),
        pytest.param(Fault.DENIED, Aws.create, "AccessDeniedException", 400, id="denied"),
        pytest.param(Fault.CONFLICT, Aws.create, "ConflictException", 400, id="conflict"),
        pytest.param(Fault.INTERNAL, Aws.create, "InternalServerException", 500, id="internal"),
        pytest.param(Fault.THROTTLED, list_users, "ThrottlingException", 400, id="people"),
        pytest.param(Fault.THROTTLED, list_accounts, "TooManyRequestsException", 400, id="accts"),
        pytest.param(Fault.INTERNAL, list_accounts, "ServiceException", 500, id="accts-internal"),
    ],
)
def test_a_fault_is_answered_once_and_nothing_is_done(
    aws: Aws, fault: Fault, call: Callable[[Aws], object], said: str, status: int
) -> None:
    aws.center.faults.append(fault)
    with pytest.raises(ClientError) as raised:
        call(aws)
    assert code(raised) == said
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    aws.clock.tick(60)
    assert aws.center.holders() == frozenset()
    assert aws.center.faults.struck == {fault: 1}
    call(aws)
    assert aws.center.faults.struck == {fault: 1}


def test_a_fault_waits_for_the_operation_it_is_meant_for(aws: Aws) -> None:
    aws.center.faults.append(Fault.DENIED, on="DeleteAccountAssignment")
    aws.create()
    aws.clock.tick(5)
    with pytest.raises(aws.admin.exceptions.AccessDeniedException):
        aws.delete()


def test_a_fault_waits_for_an_operation_that_it_can_strike(aws: Aws) -> None:
    aws.center.faults.append(Fault.CONFLICT)
    aws.listed()  # a list conflicts with nothing
    assert len(aws.center.faults) == 1
    with pytest.raises(aws.admin.exceptions.ConflictException):
        aws.create()
    aws.center.faults.append(Fault.FAILS)
    aws.center.faults.clear()
    assert len(aws.center.faults) == 0


@pytest.mark.parametrize(
    ("fault", "operation"),
    [
        pytest.param(Fault.FAILS, "ListUsers", id="fails"),
        pytest.param(Fault.NEVER_FINISHES, "DescribeAccount", id="never-finishes"),
        pytest.param(Fault.FORGOTTEN, "CreateAccountAssignment", id="forgotten"),
    ],
)
def test_a_fault_that_could_never_strike_is_not_queued(
    aws: Aws, fault: Fault, operation: str
) -> None:
    with pytest.raises(Invalid, match=f"cannot strike {operation}"):
        aws.center.faults.append(fault, on=operation)


def test_a_connection_that_ends_before_anything_was_done(aws: Aws) -> None:
    aws.center.faults.append(Fault.HANG_UP)
    with pytest.raises(ConnectionClosedError):
        aws.create()
    aws.clock.tick(60)
    assert aws.who() == set()
    assert aws.center.faults.struck == {Fault.HANG_UP: 1}


def test_a_connection_that_ends_after_it_was_done(aws: Aws) -> None:
    aws.center.faults.append(Fault.HANG_UP_DONE)
    with pytest.raises(ConnectionClosedError):
        aws.create()
    aws.clock.tick(4.9)
    assert aws.who() == set()
    aws.clock.tick(0.1)
    assert aws.who() == {aws.ada}


def test_a_call_that_lands_late(aws: Aws) -> None:
    aws.center.faults.append(Fault.LATE, after=timedelta(seconds=30))
    with pytest.raises(ConnectionClosedError):
        aws.create()
    aws.clock.tick(29)
    aws.create(PrincipalType="GROUP", PrincipalId=aws.team)  # nothing is in progress of ada's yet
    aws.clock.tick(5.9)
    assert aws.who() == set()
    aws.clock.tick(0.1)
    assert aws.who() == {aws.ada}


def test_a_call_that_lands_when_it_is_refused_does_nothing(aws: Aws) -> None:
    aws.center.faults.append(Fault.LATE, after=timedelta(seconds=30))
    with pytest.raises(ConnectionClosedError):
        aws.create()
    aws.clock.tick(28)
    aws.create()
    aws.clock.tick(60)
    assert aws.center.calls["CreateAccountAssignment"] == 2
    listed = aws.admin.list_account_assignment_creation_status(**aws.instance)
    assert len(listed["AccountAssignmentsCreationStatus"]) == 1


def test_an_operation_that_never_finishes_until_it_is_released(aws: Aws) -> None:
    aws.center.assign_by_hand(aws.ada, aws.admins, PROD)
    aws.center.faults.append(Fault.NEVER_FINISHES)
    request = aws.delete()
    aws.clock.tick(30 * 24 * 3600)
    assert (aws.deletion(request)["Status"], aws.who()) == ("IN_PROGRESS", {aws.ada})
    with pytest.raises(aws.admin.exceptions.ConflictException):
        aws.create()
    assert aws.center.release() == 1
    assert (aws.deletion(request)["Status"], aws.who()) == ("SUCCEEDED", set())
    assert aws.center.release() == 0


def test_an_operation_that_fails_says_why_and_does_nothing(aws: Aws) -> None:
    aws.center.faults.append(Fault.FAILS, reason="The quota of roles is reached.")
    request = aws.create()
    assert aws.creation(request)["Status"] == "IN_PROGRESS"
    aws.clock.tick(5)
    status = aws.creation(request)
    assert (status["Status"], status["FailureReason"]) == (
        "FAILED",
        "The quota of roles is reached.",
    )
    assert aws.center.holders() == frozenset()
    assert aws.center.permission_sets.role(PROD, aws.admins) is None


def test_what_was_refused_was_not_struck(aws: Aws) -> None:
    aws.center.faults.append(Fault.FAILS)
    with pytest.raises(aws.admin.exceptions.ResourceNotFoundException):
        aws.create(TargetId="999999999999")
    assert aws.center.faults.struck[Fault.FAILS] == 0
    request = aws.create()
    aws.clock.tick(5)
    assert aws.creation(request)["Status"] == "FAILED"
    assert aws.center.faults.struck == {Fault.FAILS: 1}


def test_a_status_may_be_forgotten(aws: Aws) -> None:
    aws.center.faults.append(Fault.FORGOTTEN)
    request = aws.create()
    with pytest.raises(aws.admin.exceptions.ResourceNotFoundException):
        aws.creation(request)
    assert aws.creation(request)["Status"] == "IN_PROGRESS"


def test_provisioning_is_struck_too(aws: Aws) -> None:
    aws.center.faults.append(Fault.FAILS, on="ProvisionPermissionSet", reason="no")
    answer = aws.admin.provision_permission_set(
        **aws.instance, PermissionSetArn=aws.admins, TargetType="AWS_ACCOUNT", TargetId=PROD
    )
    request = answer["PermissionSetProvisioningStatus"]["RequestId"]
    aws.clock.tick(5)
    told = aws.admin.describe_permission_set_provisioning_status(
        **aws.instance, ProvisionPermissionSetRequestId=request
    )["PermissionSetProvisioningStatus"]
    assert (told["Status"], told["FailureReason"]) == ("FAILED", "no")


# ── What boto3 would not send ────────────────────────────────────────────────────────────────


def post(
    server: IdentityCenterServer, body: bytes, **headers: str
) -> tuple[int, bytes, str | None]:
    connection = HTTPConnection(str(urlsplit(server.url).netloc), timeout=10)
    try:
        connection.request("POST", "/", body, {k.replace("_", "-"): v for k, v in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.getheader("Date")
    finally:
        connection.close()


LIST = {"X_Amz_Target": "SWBExternalService.ListInstances", "Authorization": "AWS4-HMAC-SHA256"}


@pytest.mark.parametrize(
    ("body", "headers", "status", "said"),
    [
        pytest.param(b"{}", LIST, 200, b"Instances", id="right"),
        pytest.param(b"{}", {**LIST, "Authorization": ""}, 403, b"MissingAuth", id="unsigned"),
        pytest.param(b"{}", {**LIST, "X_Amz_Target": "x"}, 400, b"UnknownOp", id="no-target"),
        pytest.param(
            b"{}",
            {**LIST, "X_Amz_Target": "SWBExternalService.CreateApplication"},
            400,
            b"UnknownOp",
            id="not-emulated",
        ),
        pytest.param(b"[]", LIST, 400, b"SerializationException", id="no-object"),
        pytest.param(b"{", LIST, 400, b"SerializationException", id="no-json"),
        pytest.param(b"[" * 99_999, LIST, 400, b"SerializationException", id="deep"),
        pytest.param(b'{"MaxResults": 101}', LIST, 400, b"ValidationException", id="too-many"),
        pytest.param(b'{"Other": 1}', LIST, 400, b"ValidationException", id="undescribed"),
    ],
)
def test_requests_are_held_to_the_description(
    aws: Aws, body: bytes, headers: dict[str, str], status: int, said: bytes
) -> None:
    answered, told, date = post(aws.server, body, **headers)
    assert (answered, said in told) == (status, True)
    assert date == "Thu, 01 Jan 2026 12:00:00 GMT"


def test_a_body_without_end_is_not_read(aws: Aws) -> None:
    assert post(aws.server, b"", Content_Length=str(2**40), **LIST)[0] == 413


def test_a_server_that_was_stopped_answers_nobody(aws: Aws) -> None:
    server = IdentityCenterServer(aws.center).start()
    server.stop()
    server.stop()
    with pytest.raises(ConnectionRefusedError):
        post(server, b"{}", **LIST)
