"""Builds in an emulated AWS account what a real set-up has, and says who can do what there now.

The broker gets a role with the rights it needs and no others, so that what runs here would run
there; people get users without any right, which is what they have before jitcloud.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from jitcloud.emulators.ministack import Ministack
from jitcloud.model import Credentials, Privilege
from jitcloud.providers.aws.deny_text import base_document
from jitcloud.providers.aws.target import REQUEST_TAG

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sts import STSClient

Statement = Mapping[str, object]

BROKER_ROLE = "jitcloud-broker"

OK = "ok"
"""What ``attempt`` says when AWS does as it is asked; else it says AWS's error code."""

ASSUMING = ("sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession")
"""On each target role. A role's trust policy must allow the broker the same."""

LOOKING = ("iam:GetRole",)
"""On each target role: its longest session, and whether its sessions can be ended early."""

DENYING = (
    "iam:CreatePolicyVersion",
    "iam:DeletePolicyVersion",
    "iam:GetPolicy",
    "iam:GetPolicyVersion",
    "iam:ListEntitiesForPolicy",
    "iam:ListPolicyVersions",
)
"""On the deny document alone, which can never grant."""

_READING = ("s3:GetObject", "s3:ListBucket")
_MAY: Mapping[Privilege, Sequence[str]] = {
    Privilege.READ: _READING,
    Privilege.WRITE: (*_READING, "s3:DeleteObject", "s3:PutObject"),
    Privilege.ADMIN: ("s3:*",),
}

_LONGEST = 12 * 3600

_CONFIG = Config(
    connect_timeout=5,
    read_timeout=10,
    retries={"total_max_attempts": 1},
    s3={"addressing_style": "path"},
)


class Account:
    """One account of a running emulator, as its root. Call it in ``surroundings.apart()``."""

    def __init__(self, aws: Ministack) -> None:
        """Reach the emulator's default account."""
        self._aws = aws
        self.id = aws.account
        root = self._session(_set(aws.access_key_id, aws.secret_access_key))
        endpoint = aws.endpoint_url
        self._iam: IAMClient = root.client("iam", endpoint_url=endpoint, config=_CONFIG)
        self._s3: S3Client = root.client("s3", endpoint_url=endpoint, config=_CONFIG)
        self._sts: STSClient = root.client("sts", endpoint_url=endpoint, config=_CONFIG)
        self._s3_as: dict[tuple[str, str], S3Client] = {}

    def arn(self, kind: Literal["role", "policy", "user"], name: str) -> str:
        """Name something in this account."""
        return f"arn:aws:iam::{self.id}:{kind}/{name}"

    # ── What a set-up makes ──────────────────────────────────────────────────────────────────

    def bucket(self, name: str, objects: Mapping[str, bytes]) -> None:
        """Make a bucket that holds these objects."""
        self._s3.create_bucket(Bucket=name)
        for key, body in objects.items():
            self._s3.put_object(Bucket=name, Key=key, Body=body)

    def deny_document(self, name: str) -> str:
        """Make the policy that ends sessions early, ending nobody yet; return its ARN."""
        arn = self.arn("policy", name)
        self._iam.create_policy(PolicyName=name, PolicyDocument=base_document(arn))
        return arn

    def broker_role(self, roles: Iterable[str], documents: Iterable[str]) -> None:
        """Make the broker's own role. Do it first: the others' trust names it."""
        statements = broker_rights(sorted(roles), sorted(documents))
        self._role(BROKER_ROLE, self._trusting("root", ("sts:AssumeRole",)), statements)

    def group(self, name: str, bucket: str) -> str:
        """Make a group whose members may read and write a bucket's objects; return its ARN."""
        arn = self._iam.create_group(GroupName=name)["Group"]["Arn"]
        self._iam.put_group_policy(
            GroupName=name,
            PolicyName="rights",
            PolicyDocument=_policy(_on_bucket(Privilege.WRITE, bucket)),
        )
        return arn

    def target_role(
        self,
        name: str,
        privilege: Privilege,
        bucket: str,
        boundary: str | None,
        *,
        trusting: str = BROKER_ROLE,
    ) -> None:
        """Make a role that the broker hands out sessions of, for one bucket."""
        # Only sessions that carry a request's id: no other could be ended by name.
        marked = {"StringLike": {f"aws:RequestTag/{REQUEST_TAG}": "?*"}}
        trust = {**self._trusting(f"role/{trusting}", ASSUMING), "Condition": marked}
        self._role(name, trust, _on_bucket(privilege, bucket))
        if boundary is not None:
            self._iam.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=boundary)

    def person(self, name: str) -> Credentials:
        """Make an IAM user that may do nothing: somebody's everyday identity."""
        self._iam.create_user(UserName=name)
        key = self._iam.create_access_key(UserName=name)["AccessKey"]
        return _set(key["AccessKeyId"], key["SecretAccessKey"])

    def let_call(self, name: str, api: str) -> None:
        """Let a person's IAM user call an HTTP API, where the API asks for a signature of AWS's."""
        arn = f"arn:aws:execute-api:{self._aws.region}:{self.id}:{api}/*"
        statement = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": arn}
        self._iam.put_user_policy(
            UserName=name, PolicyName="calls", PolicyDocument=_policy([statement])
        )

    def broker(self) -> Credentials:
        """A session of the broker's role: it holds no secret that outlives the day."""
        made = self._sts.assume_role(
            RoleArn=self.arn("role", BROKER_ROLE),
            RoleSessionName=BROKER_ROLE,
            DurationSeconds=_LONGEST,
        )["Credentials"]
        return Credentials(
            access_key_id=made["AccessKeyId"],
            secret_access_key=made["SecretAccessKey"],
            session_token=made["SessionToken"],
            expires_at=made["Expiration"],
        )

    def environment(self, credentials: Credentials) -> dict[str, str]:
        """What makes any SDK in a child process act with these credentials, on this emulator."""
        said = {
            **self._aws.environment,
            "AWS_ACCESS_KEY_ID": credentials.access_key_id,
            "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
        }
        if credentials.session_token:
            said["AWS_SESSION_TOKEN"] = credentials.session_token
        return said

    # ── Who can do what, now ─────────────────────────────────────────────────────────────────

    def s3(self, credentials: Credentials) -> S3Client:
        """S3 as whoever has these credentials. One attempt a call."""
        key = (credentials.access_key_id, credentials.session_token)
        if key not in self._s3_as:  # making one takes longer than what it is asked for
            self._s3_as[key] = self._session(credentials).client(
                "s3", endpoint_url=self._aws.endpoint_url, config=_CONFIG
            )
        return self._s3_as[key]

    def _role(self, name: str, trust: Statement, statements: Sequence[Statement]) -> None:
        self._iam.create_role(
            RoleName=name,
            AssumeRolePolicyDocument=_policy([trust]),
            MaxSessionDuration=_LONGEST,
        )
        self._iam.put_role_policy(
            RoleName=name, PolicyName="rights", PolicyDocument=_policy(statements)
        )

    def _trusting(self, who: str, actions: Sequence[str]) -> Statement:
        principal = {"AWS": f"arn:aws:iam::{self.id}:{who}"}
        return {"Effect": "Allow", "Principal": principal, "Action": list(actions)}

    def _session(self, credentials: Credentials) -> boto3.Session:
        return boto3.Session(
            credentials.access_key_id,
            credentials.secret_access_key,
            credentials.session_token or None,
            region_name=self._aws.region,
        )


def broker_rights(roles: Sequence[str], documents: Sequence[str]) -> list[Statement]:
    """All that the broker needs, for these target roles and deny documents."""
    rights: list[Statement] = [
        {"Effect": "Allow", "Action": [*ASSUMING, *LOOKING], "Resource": list(roles)}
    ]
    if documents:
        rights.append({"Effect": "Allow", "Action": list(DENYING), "Resource": list(documents)})
    return rights


def _on_bucket(privilege: Privilege, bucket: str) -> list[Statement]:
    """What a role of that privilege may do: its bucket, and see which buckets there are."""
    arn = f"arn:aws:s3:::{bucket}"
    return [
        {"Effect": "Allow", "Action": list(_MAY[privilege]), "Resource": [arn, f"{arn}/*"]},
        {"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"},
    ]


def read(s3: S3Client, bucket: str, key: str) -> str:
    """Read an object; return ``OK`` or the error code that AWS gave."""
    try:
        s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as exc:
        return _code(exc)
    return OK


def write(s3: S3Client, bucket: str, key: str) -> str:
    """Write an object; return ``OK`` or the error code that AWS gave."""
    try:
        s3.put_object(Bucket=bucket, Key=key, Body=b"written in a trial")
    except ClientError as exc:
        return _code(exc)
    return OK


def _code(exc: ClientError) -> str:
    return str(exc.response["Error"]["Code"])


def _policy(statements: Sequence[Statement]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def _set(key: str, secret: str) -> Credentials:
    """Credentials of a user or a root, which do not end by themselves."""
    return Credentials(
        access_key_id=key,
        secret_access_key=secret,
        session_token="",
        expires_at=datetime.max.replace(tzinfo=UTC),
    )
