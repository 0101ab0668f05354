"""All of AWS that one world has: accounts, an Identity Center, and what answers a call to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from jitcloud.emulators.identity_center import Behaviour, Fault, IdentityCenter
from jitcloud.emulators.identity_center.description import exceptions
from jitcloud.ports import Clock
from jitcloud.providers.aws.deny_text import base_document
from tests.simulation.clouds.account import ANYTHING, Account, Role
from tests.simulation.clouds.iam_calls import Answer, Calls, Params
from tests.simulation.clouds.refusals import Refusal, denied
from tests.simulation.stage import Chaos, Setting

if TYPE_CHECKING:
    from tests.simulation.clouds.aws_stage import AwsStage

HOME, PROD = "111122223333", "222233334444"
"""The account that the broker is in, which is the organization's management account; another."""

DOCUMENT, WAY_IN = "jitcloud-deny", "jitcloud-way-in"
SETTLE = timedelta(seconds=10)
"""What slot kinds of IAM and Identity Center are told unless a configuration says otherwise."""

IDENTITY_CENTER = frozenset({"identitystore", "organizations", "sso-admin"})
_LAGGING = frozenset({"ListAccountAssignments", "ListAccountAssignmentsForPrincipal"})
_CHANGES = ("Add", "Assume", "Create", "Delete", "Put", "Remove")
_FORGETS = ("DescribeAccountAssignmentCreationStatus", "DescribeAccountAssignmentDeletionStatus")
_BEGINS = {"CreateAccountAssignment": "create", "DeleteAccountAssignment": "delete"}

CENTER = "aws.identity-center"
CREATE_FAILS, DELETE_FAILS = "create fails", "delete fails"
TAKES_FOR_EVER, FORGOTTEN = "operation takes for ever", "operation is forgotten"
SHUT = "the broker may do nothing for a while"
OF_CENTER = (CREATE_FAILS, DELETE_FAILS, TAKES_FOR_EVER, FORGOTTEN)


class Aws:
    """One organization, as it stands at the right time."""

    def __init__(self, clock: Clock, chaos: Chaos) -> None:
        self.clock = clock
        self.chaos = chaos
        self._begun_at = clock()
        self._keys = 0
        self.accounts = {HOME: Account(HOME, clock), PROD: Account(PROD, clock)}
        self._calls = {id_: Calls(account, self._key) for id_, account in self.accounts.items()}
        for account in self.accounts.values():
            arn = account.arn(f"policy/{DOCUMENT}")
            account.add_policy(DOCUMENT, base_document(arn))
        self.accounts[PROD].add_role(WAY_IN, ANYTHING)
        self.center: IdentityCenter | None = None
        self.stages: list[AwsStage] = []
        self.shut: dict[str, datetime] = {}
        """Until when the broker is refused everything, by stage."""

    @classmethod
    def of(cls, setting: Setting) -> Aws:
        """The one that all stages of a world share."""
        made = setting.shared.get("aws")
        if made is None:
            made = setting.shared["aws"] = cls(setting.clock, setting.chaos)
        assert isinstance(made, Aws)
        return made

    def begin_center_here(self, behaviour: Behaviour) -> IdentityCenter:
        """Make the organization's Identity Center."""
        center = self.center = begin_center(self.clock, behaviour)
        self.accounts[PROD].permission_sets = lambda: _roles_in(center, PROD)
        return center

    REFUSES = (ClientError,)
    """What an answer may be besides an answer."""

    # ── Answering ────────────────────────────────────────────────────────────────────────────

    def answer(
        self, stage: str, service: str, account: str, operation: str, params: Params
    ) -> Answer:
        """Answer a call. Raises what boto3 raises."""
        shut = self.shut.get(stage)
        try:
            if shut is not None and self.clock() < shut and operation != "GetCallerIdentity":
                raise denied(f"{service}:{operation}")
            if service in IDENTITY_CENTER:
                return self._of_center(stage, service, operation, params)
            return self._of_account(stage, account, operation, params)
        except Refusal as refusal:
            raise client_error(service, operation, refusal) from None

    def _of_account(self, stage: str, account: str, operation: str, params: Params) -> Answer:
        if operation == "AssumeRole":
            account = params["RoleArn"].split(":")[4]
        age = timedelta(0) if operation.startswith(_CHANGES) else self._age(stage)
        return self._calls[account].answer(operation, params, self.clock() - age)

    def _of_center(self, stage: str, service: str, operation: str, params: Params) -> Answer:
        center = self.center
        assert center is not None
        if operation in _LAGGING:
            center.behaviour.lag = self._age(stage)
        if (does := _BEGINS.get(operation)) is not None:
            self._trouble(center, stage, operation, does)
        elif operation in _FORGETS and self.chaos.strikes(stage, FORGOTTEN, 0.03):
            center.faults.append(Fault.FORGOTTEN, on=operation)
        try:
            return dict(center.call(service, operation, params, check=False))
        finally:
            center.behaviour.lag = timedelta(0)
            center.faults.clear()

    def _age(self, stage: str) -> timedelta:
        """How old an answer is; nobody asks for what was before this world."""
        return min(self.chaos.age(stage, SETTLE), self.clock() - self._begun_at)

    def _trouble(self, center: IdentityCenter, stage: str, operation: str, does: str) -> None:
        fails = CREATE_FAILS if does == "create" else DELETE_FAILS
        if self.chaos.strikes(stage, fails, 0.04):
            center.faults.append(Fault.FAILS, on=operation)
        elif self.chaos.strikes(stage, TAKES_FOR_EVER, 0.02):
            center.faults.append(Fault.NEVER_FINISHES, on=operation)
            wait = timedelta(minutes=self.chaos.dice.number(2, 15))
            self.later(self.clock() + wait, center.release)

    def later(self, at: datetime, deed: Callable[[], object]) -> None:
        """Have something done some time, by nobody's call."""
        self.chaos.at(at, deed)

    def _key(self) -> str:
        self._keys += 1
        return f"ASIA{self._keys:016d}"


def begin_center(clock: Clock, behaviour: Behaviour) -> IdentityCenter:
    """Make one, of which the ids are always the same."""
    center = IdentityCenter(clock, behaviour, management_account=HOME)
    center.organization.add_account(PROD, "prod")
    return center


def _roles_in(center: IdentityCenter, account: str) -> list[Role]:
    """What the permission sets are in an account, as IAM has it."""
    found = []
    center.now()  # what has become due is done first, and none of it while they are gone through
    for place in tuple(center.permission_sets.provisioned):
        role = center.permission_sets.role(*place)
        if role is not None and role.account == account:
            found.append(as_iam_role(role))
    return found


def as_iam_role(role: Any) -> Role:
    """A role of Identity Center as IAM has it."""
    return _iam_role(role.arn, role.id, role.boundary_arn)


@lru_cache(maxsize=256)
def _iam_role(arn: str, id_: str, boundary: str | None) -> Role:
    path, _, name = arn.partition(":role")[2].rpartition("/")
    return Role(name, arn, id_, f"{path}/", _LONG_AGO, boundary=boundary)


_LONG_AGO = datetime.fromisoformat("2020-01-01T00:00:00+00:00")


# ── What boto3 raises ────────────────────────────────────────────────────────────────────────


def client_error(service: str, operation: str, refusal: Refusal) -> ClientError:
    """Make the exception that a client of boto3 raises when it is answered so."""
    told = {
        "Error": {"Type": "Sender", "Code": refusal.code, "Message": refusal.message},
        "ResponseMetadata": {
            "HTTPStatusCode": refusal.status,
            "HTTPHeaders": {},
            "RetryAttempts": 0,
        },
    }
    return exception_of(service, refusal.code)(told, operation)


@cache
def exception_of(service: str, code: str) -> Callable[[Mapping[str, object], str], ClientError]:
    """The class of the exception of a service that has this code."""
    made = exceptions(service).from_code(code)
    return cast("Callable[[Mapping[str, object], str], ClientError]", made)
