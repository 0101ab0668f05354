"""How one driver reaches AWS: the product's ``Clients`` over clients whose calls may go wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from email.utils import format_datetime
from functools import cache, lru_cache
from typing import Any

from botocore import xform_name
from botocore.exceptions import ConnectionClosedError

from jitcloud.emulators.identity_center.description import exceptions, service_model
from jitcloud.providers.aws.clients import CALL, Clients, SdkClient
from jitcloud.providers.aws.target import parse_arn
from tests.simulation.clouds.aws import CENTER, HOME, Aws, client_error
from tests.simulation.clouds.refusals import Refusal
from tests.simulation.stage import Call, Does, Driver, Trouble

Answer = Mapping[str, Any]

SESSIONS, POLICY, GROUP = "aws.sts-session", "aws.iam-policy", "aws.iam-group"

_GRANTS = frozenset(
    {
        "AddUserToGroup",
        "AssumeRole",
        "CreateAccountAssignment",
        "PutRolePolicy",
        "PutUserPolicy",
    }
)
_REMOVES = frozenset(
    {
        "CreatePolicyVersion",
        "DeleteAccountAssignment",
        "DeletePolicyVersion",
        "DeleteRolePolicy",
        "DeleteUserPolicy",
        "RemoveUserFromGroup",
    }
)
_OF_DOCUMENTS = frozenset(
    {
        "CreatePolicyVersion",
        "DeletePolicyVersion",
        "GetPolicy",
        "GetPolicyVersion",
        "ListEntitiesForPolicy",
        "ListPolicyVersions",
        "ListRoles",
    }
)
_THROTTLING = {
    "iam": "Throttling",
    "organizations": "TooManyRequestsException",
    "sts": "Throttling",
}
_INTERNAL = {
    "iam": "ServiceFailure",
    "organizations": "ServiceException",
    "sts": "ServiceUnavailable",
}
_RENEW = timedelta(minutes=10)


@cache
def call_of(stage: str, service: str, operation: str) -> Call:
    """The constant that stands for one way to call AWS."""
    does = Does.READ
    if operation in _GRANTS and (operation != "AssumeRole" or stage == SESSIONS):
        does = Does.GRANT
    if operation in _REMOVES:
        does = Does.REMOVE
    return Call(stage, f"{_PREFIX.get(service, service)}:{operation}", does, CALL)


_PREFIX = {"sso-admin": "sso"}


def calls_of(stage: str, **named: str) -> tuple[Call, ...]:
    """The calls of a stage: by the service, their names with spaces between."""
    return tuple(
        call_of(stage, service.replace("_", "-"), operation)
        for service, operations in named.items()
        for operation in operations.split()
    )


class Wire:
    """How a call gets to AWS and its answer back: in this process, without anything between."""

    def __init__(self, aws: Aws) -> None:
        self.aws = aws

    def send(
        self, stage: str, service: str, account: str, operation: str, params: Answer
    ) -> Answer:
        """Have a call answered. Raises what boto3 raises."""
        answer = self.aws.answer(stage, service, account, operation, params)
        answer["ResponseMetadata"] = _metadata(self.aws.clock().replace(microsecond=0))
        return answer

    def fail(
        self, stage: str, service: str, account: str, operation: str, trouble: Trouble
    ) -> Exception:
        """What boto3 would raise."""
        del stage, account
        if trouble is Trouble.NO_ANSWER:
            return ConnectionClosedError(endpoint_url=f"https://{service}.amazonaws.com")
        return client_error(service, operation, failure(service, trouble))

    def exceptions(self, service: str) -> object:
        return exceptions(service)


def failure(service: str, trouble: Trouble) -> Refusal:
    """How a service says that it takes no more, or cannot."""
    if trouble is Trouble.THROTTLED:
        return Refusal(_THROTTLING.get(service, "ThrottlingException"), "Rate exceeded", 400)
    code = _INTERNAL.get(service, "InternalServerException")
    return Refusal(code, "An internal failure occurred.", 500)


@lru_cache(maxsize=16_384)  # of a world's seconds many are another's too
def _metadata(second: datetime) -> Answer:
    date = format_datetime(second, usegmt=True)
    return {"HTTPStatusCode": 200, "HTTPHeaders": {"date": date}, "RetryAttempts": 0}


class Client:
    """A client of one service in one account, as boto3's is, each of whose calls may go wrong."""

    def __init__(self, reach: Reach, service: str, account: str, through: str | None) -> None:
        self._reach, self._service, self._account = reach, service, account
        self._through = through

    @property
    def exceptions(self) -> Any:
        return self._reach.wire.exceptions(self._service)

    def __getattr__(self, name: str) -> Callable[..., Answer]:
        operation = operations(self._service).get(name)
        if operation is None:
            raise AttributeError(f"{self._service} has no {name}")
        reach, service, account, through = self._reach, self._service, self._account, self._through
        stage = reach.stage
        if operation in _OF_DOCUMENTS:
            # One driver has one slot kind for all deny documents, whichever stage has made it.
            stage = SESSIONS if account == HOME else CENTER
        call = call_of(stage, service, operation)
        wire, chaos, watch = reach.wire, reach.wire.aws.chaos, reach.watch

        def method(**params: Any) -> Answer:
            if through is not None:
                reach.way_in(through)
            answers: list[Answer] = []

            def do() -> Answer:
                if not answers:
                    answers.append(wire.send(stage, service, account, operation, params))
                    return answers[0]
                with suppress(*wire.aws.REFUSES):
                    wire.send(stage, service, account, operation, params)
                return answers[0]  # it has arrived twice: whoever asked hears the first answer

            def fails(trouble: Trouble) -> Exception:
                return wire.fail(stage, service, account, operation, trouble)

            context: dict[str, object] = {}
            watch._sent(context)  # noqa: SLF001 - botocore calls it, too, where it makes calls
            answer = chaos.call(call, do, fails)
            date = answer["ResponseMetadata"]["HTTPHeaders"]["date"]
            watch._received(context, {"headers": {"Date": date}})  # noqa: SLF001 - the same
            return answer

        setattr(self, name, method)
        return method


@cache
def operations(service: str) -> Mapping[str, str]:
    """What a client calls the operations of a service."""
    return {xform_name(name): name for name in service_model(service).operation_names}


class Reach(Clients):
    """The product's way to AWS, for one driver and one stage."""

    def __init__(self, wire: Wire, stage: str, driver: Driver) -> None:
        super().__init__(clock=driver.clock)
        self.wire = wire
        self.stage = stage
        self._made: dict[tuple[str, str | None], Client] = {}
        self._ways: dict[str, datetime] = {}

    def sts(self, partition: str, region: str | None = None) -> SdkClient:  # noqa: ARG002 - there is one
        return self._client("sts", None)

    def iam(self, partition: str, through: str | None = None) -> SdkClient:  # noqa: ARG002 - there is one
        return self._client("iam", through)

    def _other(self, service: str, region: str, through: str | None) -> SdkClient:  # noqa: ARG002 - there is one
        return self._client(service, through)

    def _client(self, service: str, through: str | None) -> Client:
        made = self._made.get((service, through))
        if made is None:
            account = HOME if through is None else parse_arn(through).account
            made = self._made[service, through] = Client(self, service, account, through)
        return made

    def way_in(self, role: str) -> None:
        """Have credentials for the account that a role is in, as the SDK does before a call."""
        lasts = self._ways.get(role)
        if lasts is None or lasts < self.clock() + _RENEW:
            self._ways[role] = datetime.fromisoformat(self._assume(role)["expiry_time"])
