"""One emulated AWS for each test process, and what tests build in it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from secrets import token_hex
from typing import TYPE_CHECKING, Any, cast

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from jitcloud.emulators.ministack import Ministack
from jitcloud.model import (
    Ask,
    Cloud,
    Credentials,
    Digest,
    Entitlement,
    EntitlementId,
    GroupId,
    PersonId,
    Privilege,
    Request,
    RequestId,
    State,
    Window,
)
from jitcloud.ports import Clock
from jitcloud.providers.aws.clients import Clients
from jitcloud.providers.aws.deny_document import DenyDocument
from jitcloud.providers.aws.deny_text import base_document
from jitcloud.providers.aws.sts_session import StsSession
from tests.aws.fake_aws import FakeAws, faking

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sts import STSClient

_SESSION = boto3.Session()
_ANY = {"Effect": "Allow", "Action": "*", "Resource": "*"}
_DENIALS = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}


def now() -> datetime:
    return datetime.now(UTC)


def policy(*statements: object) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def unique(what: str) -> str:
    # Not counted: this module may be loaded twice, as pytest's own and as everybody's.
    return f"{what}-{token_hex(4)}"


def named(role: str) -> str:
    return role.rpartition("/")[2]


def session_arn(role: str, request: RequestId) -> str:
    return f"{role.replace(':iam:', ':sts:').replace(':role/', ':assumed-role/')}/jit-{request}"


def a_request_id() -> RequestId:
    return RequestId(f"01J{int(token_hex(8), 16):023d}")


def denied(call: Callable[[], object]) -> bool:
    """Whether AWS denies the call; anything else that goes wrong is raised."""
    try:
        call()
    except ClientError as exc:
        if exc.response["Error"]["Code"] in _DENIALS or exc.response["Error"]["Code"] == "403":
            return True
        raise
    return False


@dataclass(frozen=True)
class Aws:
    """One account of the emulated AWS, seen by its root, with a broker that is an IAM user."""

    ministack: Ministack
    account: str
    broker: Credentials = field(repr=False)
    _made: dict[tuple[str, str], Any] = field(default_factory=dict, repr=False)

    @property
    def endpoint_url(self) -> str:
        return self.ministack.endpoint_url

    # Any: whichever service a test asks for.
    def client(self, service: str, credentials: Credentials | None = None) -> Any:
        """Make a client for whoever has the credentials, or for root."""
        key = credentials.access_key_id if credentials else self.account
        if (service, key) not in self._made:
            session: Any = _SESSION
            self._made[service, key] = session.client(
                service,
                region_name=self.ministack.region,
                endpoint_url=self.endpoint_url,
                aws_access_key_id=key,
                aws_secret_access_key=credentials.secret_access_key if credentials else "test",
                aws_session_token=(credentials.session_token or None) if credentials else None,
                config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
            )
        return self._made[service, key]

    def sts(self, credentials: Credentials | None = None) -> STSClient:
        return cast("STSClient", self.client("sts", credentials))

    def iam(self, credentials: Credentials | None = None) -> IAMClient:
        return cast("IAMClient", self.client("iam", credentials))

    def s3(self, credentials: Credentials | None = None) -> S3Client:
        return cast("S3Client", self.client("s3", credentials))

    def deny_document(self) -> str:
        """Make a policy that ends nobody yet, as a set-up does."""
        arn = f"arn:aws:iam::{self.account}:policy/{(name := unique('jitcloud-deny'))}"
        self.iam().create_policy(PolicyName=name, PolicyDocument=base_document(arn))
        return arn

    def managed_policy(self, *statements: object) -> str:
        made = self.iam().create_policy(
            PolicyName=unique("managed"), PolicyDocument=policy(*statements)
        )
        return made["Policy"]["Arn"]

    def role(
        self,
        *statements: object,
        boundary: str | None = None,
        longest: int = 3600,
        trust: object | None = None,
    ) -> str:
        """Make a role that may do all of the statements (anything, unless given any)."""
        name = unique("role")
        trusted = trust or {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{self.account}:root"},
            "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
        }
        made = self.iam().create_role(
            RoleName=name, AssumeRolePolicyDocument=policy(trusted), MaxSessionDuration=longest
        )
        self.iam().put_role_policy(
            RoleName=name, PolicyName="all", PolicyDocument=policy(*(statements or (_ANY,)))
        )
        if boundary is not None:
            self.iam().put_role_permissions_boundary(RoleName=name, PermissionsBoundary=boundary)
        return made["Role"]["Arn"]

    def bucket(self, *principals: str) -> str:
        """Make a bucket with one object; its own policy lets the principals read it."""
        name = unique("bucket")
        self.s3().create_bucket(Bucket=name)
        self.s3().put_object(Bucket=name, Key="o", Body=b"hello")
        if principals:
            statement = {
                "Effect": "Allow",
                "Principal": {"AWS": list(principals)},
                "Action": "s3:GetObject",
                "Resource": f"arn:aws:s3:::{name}/*",
            }
            self.s3().put_bucket_policy(Bucket=name, Policy=policy(statement))
        return name

    def can_read(self, credentials: Credentials, bucket: str) -> bool:
        return not denied(lambda: self.s3(credentials).get_object(Bucket=bucket, Key="o"))

    def role_session(self, role: str, by: Credentials | None = None) -> Credentials:
        """Assume a role, as a broker on Lambda has done before it begins."""
        made = self.sts(by or self.broker).assume_role(RoleArn=role, RoleSessionName="onward")
        return Credentials(
            access_key_id=made["Credentials"]["AccessKeyId"],
            secret_access_key=made["Credentials"]["SecretAccessKey"],
            session_token=made["Credentials"]["SessionToken"],
            expires_at=made["Credentials"]["Expiration"],
        )

    def user(self, *statements: object) -> Credentials:
        """Make an IAM user with a key: not a role session, as a broker on one machine may be."""
        name = unique("user")
        self.iam().create_user(UserName=name)
        self.iam().put_user_policy(
            UserName=name, PolicyName="all", PolicyDocument=policy(*(statements or (_ANY,)))
        )
        key = self.iam().create_access_key(UserName=name)["AccessKey"]
        return Credentials(
            access_key_id=key["AccessKeyId"],
            secret_access_key=key["SecretAccessKey"],
            session_token="",
            expires_at=datetime.max.replace(tzinfo=UTC),
        )


@pytest.fixture(scope="session")
def ministack() -> Iterator[Ministack]:
    with Ministack() as running:
        yield running


@pytest.fixture(scope="session")
def aws(ministack: Ministack) -> Aws:
    bare = Aws(ministack, ministack.account, broker=_NOBODY)
    return Aws(ministack, ministack.account, broker=bare.user())


def clients_of(
    aws: Aws,
    credentials: Credentials,
    external_id: str | None = None,
    *,
    clock: Clock = now,
    identity_center_url: str | None = None,
) -> Clients:
    """Reach AWS with credentials from the environment, as a broker does."""
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("AWS_PROFILE", raising=False)
        environment.delenv("AWS_SESSION_TOKEN", raising=False)
        environment.setenv("AWS_ACCESS_KEY_ID", credentials.access_key_id)
        environment.setenv("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key)
        if credentials.session_token:
            environment.setenv("AWS_SESSION_TOKEN", credentials.session_token)
        clients = Clients(
            clock=clock,
            region="us-east-1",
            endpoint_url=aws.endpoint_url,
            external_id=external_id,
            identity_center_url=identity_center_url,
        )
        clients.sts("aws")  # it has found its credentials now, and keeps them
        return clients


@pytest.fixture(scope="session")
def clients(aws: Aws) -> Clients:
    return clients_of(aws, aws.broker)


@pytest.fixture
def sessions(clients: Clients) -> StsSession:
    return StsSession(clients)


@pytest.fixture
def document(clients: Clients) -> DenyDocument:
    return DenyDocument(clients)


@pytest.fixture
def fake() -> Iterator[FakeAws]:
    with faking() as server:
        yield server


@pytest.fixture
def reach(fake: FakeAws, monkeypatch: pytest.MonkeyPatch) -> Clients:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    return Clients(clock=now, endpoint_url=fake.url)


_NOBODY = Credentials(
    access_key_id="", secret_access_key="", session_token="", expires_at=datetime.now(UTC)
)

HOUR = timedelta(hours=1)


def an_entitlement(**target: object) -> Entitlement:
    return Entitlement(
        id=EntitlementId("prod"),
        title="Production",
        cloud=Cloud.AWS,
        mechanism="aws.sts-session",
        target=target,
        privilege=Privilege.ADMIN,
        environment="production",
        owner=GroupId("platform"),
    )


def a_request(id_: RequestId | None = None, /, **target: object) -> Request:
    """Ana's active request for a session of ``role_arn``, as ``issue`` reads it."""
    ask = Ask(
        person=PersonId("ana"),
        entitlement=an_entitlement(**target),
        duration=HOUR,
        justification="Look into INC-7",
        asked_at=now(),
    )
    return Request(
        id=id_ or a_request_id(),
        ask=ask,
        state=State.ACTIVE,
        seq=4,
        head=Digest("0" * 64),
        updated_at=now(),
    )


def a_window(length: timedelta = HOUR) -> Window:
    """From now on; its deadline is a whole second."""
    start = now()
    return Window(start=start, deadline=(start + length).replace(microsecond=0))


def issued(sessions: StsSession, request: Request, window: Window | None = None) -> Credentials:
    window = window or a_window()
    return sessions.issue(request, window, sessions.lifetime(request, window, now()), now())
