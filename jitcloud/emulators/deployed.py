"""The real ``infra/template.yaml`` on an emulated AWS: each function runs with its own role.

What ministack does otherwise than AWS, as far as the template is concerned: functions run under
this very interpreter, whatever ``Runtime`` says, and find its libraries; a layer is not unpacked
at /opt, so the configuration is read where it lies; nobody checks ``sqs:ReceiveMessage``, the
rights on streams, who may invoke on behalf of API Gateway and EventBridge, ``iam:PassRole`` and
permissions boundaries; alarms never go off. ``tests/infra`` holds the text to these instead.
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
import time
import zipfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials as Keys
from botocore.exceptions import ClientError

from jitcloud import packaging
from jitcloud.emulators.bytecode import compiled
from jitcloud.emulators.ministack import Ministack
from jitcloud.errors import Misconfigured
from jitcloud.model import Credentials
from jitcloud.text import printable

STACK = "jitcloud"

FUNCTIONS = (
    "request",
    "approve",
    "judge",
    "look",
    "issue",
    "advance-aws",
    "expire",
    "reconcile",
    "publish",
)
"""As their names end; before that stands the name of the stack."""

_BUCKET = "jitcloud-packages"
_WITHIN = 60.0
_POLL = 0.02
_ANSWERS_WITHIN = 40.0
_MOST_LINES = 10_000
_MOST_SAID = 1000
_KEPT = 3
"""Packages of code that are kept for the next time."""

_CONFIG = Config(
    connect_timeout=5,
    read_timeout=920,  # the longest that a function may run
    retries={"total_max_attempts": 1},
    s3={"addressing_style": "path"},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back over HTTP."""

    status: int
    headers: Mapping[str, str]
    """Their names in small letters."""
    body: bytes = field(repr=False)

    def json(self) -> Any:  # noqa: ANN401 - whatever a test expects
        """Read the body. Raises ``ValueError`` where it is no JSON."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoked:
    """What a function returned, or raised."""

    payload: Any
    """What it returned; with ``error``, what was raised as Lambda tells it."""
    error: str | None
    """``Unhandled`` where it failed."""


class Deployed:
    """One stack of the template, until ``delete``. Safe for several threads, as clients are."""

    def __init__(self, aws: Ministack, stack: str, outputs: Mapping[str, str]) -> None:
        """Take over a stack that is there. ``deploy`` makes one."""
        self.aws = aws
        self.stack = stack
        self.outputs = outputs
        self.api_url = aws.endpoint_url
        """Where to connect to; ``host`` must be the Host header there."""
        port = aws.endpoint_url.rpartition(":")[2]
        self.host = f"{outputs['ApiId']}.execute-api.localhost:{port}"
        self.table = outputs["TableName"]
        self.signing_key = outputs["SigningKeyArn"]
        self.queue = outputs["AwsQueueUrl"]
        self.dead = outputs["AwsDeadUrl"]
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:  # noqa: ANN401 - whichever service a test asks for
        """Speak to the emulated AWS as the account's root."""
        if service not in self._clients:
            self._clients[service] = _client(self.aws, service)
        return self._clients[service]

    def name(self, function: str) -> str:
        """Return the whole name of one of ``FUNCTIONS``."""
        return f"{self.stack}-{function}"

    def role(self, function: str) -> str:
        """Return the ARN of its role."""
        camel = "".join(part.title() for part in function.split("-"))
        return self.outputs[f"{camel}RoleArn"]

    def credentials(self, function: str) -> Credentials:
        """Steal what the function runs with: a session of its role, with all that it may do.

        Only Lambda can take a role on; the account's root changes that first, rights it does not.
        """
        arn = self.role(function)
        trusted = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {
                        "AWS": f"arn:aws:iam::{self.aws.account}:root",
                        "Service": "lambda.amazonaws.com",
                    },
                    "Action": "sts:AssumeRole",
                }
            ],
        }
        self.client("iam").update_assume_role_policy(
            RoleName=arn.rpartition("/")[2], PolicyDocument=json.dumps(trusted)
        )
        made = self.client("sts").assume_role(RoleArn=arn, RoleSessionName="stolen")["Credentials"]
        return Credentials(
            access_key_id=made["AccessKeyId"],
            secret_access_key=made["SecretAccessKey"],
            session_token=made["SessionToken"],
            expires_at=made["Expiration"],
        )

    def call(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        *,
        signed_by: Credentials | None = None,
    ) -> Answer:
        """Call the API over HTTP; with ``signed_by``, signed as its AWS routes want it.

        Raises ``OSError`` and ``http.client.HTTPException`` where no answer comes.
        """
        sent = {"Host": self.host, **(headers or {})}
        if signed_by is not None:
            sent |= self._signature(method, path, sent, body, signed_by)
        where, _, port = self.api_url.removeprefix("http://").partition(":")
        connection = HTTPConnection(where, int(port), timeout=_ANSWERS_WITHIN)
        try:
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            told = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(status=answer.status, headers=told, body=answer.read())
        finally:
            connection.close()

    def invoke(self, function: str, payload: object) -> Invoked:
        """Invoke a function as the account's root, and wait for what it returns."""
        answer = self.client("lambda").invoke(
            FunctionName=self.name(function), Payload=json.dumps(payload).encode()
        )
        said = answer["Payload"].read()
        return Invoked(
            payload=json.loads(said) if said else None, error=answer.get("FunctionError")
        )

    def logs(self, function: str) -> list[str]:
        """Return what a function has logged so far, oldest first."""
        lines: list[str] = []
        group = f"/aws/lambda/{self.name(function)}"
        for page in (
            self.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group)
        ):
            lines += [event["message"].rstrip("\n") for event in page["events"]]
            if len(lines) > _MOST_LINES:
                break
        return lines

    def delete(self) -> None:
        """Delete the stack, and the table that it leaves behind. Waits until it is gone."""
        self.client("cloudformation").delete_stack(StackName=self.stack)
        _finished(self.client("cloudformation"), self.stack)
        dynamodb = self.client("dynamodb")
        with suppress(dynamodb.exceptions.ResourceNotFoundException):
            dynamodb.update_table(TableName=self.table, DeletionProtectionEnabled=False)
            dynamodb.delete_table(TableName=self.table)

    def _signature(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None,
        by: Credentials,
    ) -> dict[str, str]:
        request = AWSRequest(method, f"http://{self.host}{path}", dict(headers), body or b"")
        keys = Keys(by.access_key_id, by.secret_access_key, by.session_token or None)
        SigV4Auth(keys, "execute-api", self.aws.region).add_auth(request)
        return dict(request.headers.items())


def deploy(  # noqa: PLR0913 - all in which one deployment differs from another
    aws: Ministack,
    configuration: Path,
    parameters: Mapping[str, str],
    *,
    stack: str = STACK,
    root: Path = packaging.ROOT,
    code: Iterable[tuple[str, Path]] | None = None,
) -> Deployed:
    """Deploy the template of a checkout as its users would, and wait until all of it is there.

    ``configuration`` is the deployment's folder; it is read where it lies, so what changes there
    is seen by whatever starts after that. ``parameters`` are those of the template without a
    default, and any others. ``code`` stands for the checkout's own functions: names and files.
    Raises ``Misconfigured`` with what AWS says where it cannot be deployed.
    """
    s3, cloudformation = _client(aws, "s3"), _client(aws, "cloudformation")
    s3.create_bucket(Bucket=_BUCKET)
    bodies = {
        "../build/code/": _cached(root, list(code or packaging.code(root))),
        "../build/configuration/": _zipped(
            (f"{packaging.LAYER}/{name}", path.read_bytes())
            for name, path in packaging.configuration(configuration)
        ),
    }
    template = (root / "infra" / "template.yaml").read_text("utf-8")
    for where, body in bodies.items():
        key = f"{hashlib.sha256(body).hexdigest()}.zip"
        s3.put_object(Bucket=_BUCKET, Key=key, Body=body)
        if where not in template:
            raise Misconfigured(f"The template names no {where}; see deploy in this module.")
        template = template.replace(where, f"s3://{_BUCKET}/{key}")
    # It is too long to be sent with the call, as `sam deploy` knows.
    s3.put_object(Bucket=_BUCKET, Key=f"{stack}.yaml", Body=template.encode())
    given = {"ConfigurationFolder": str(configuration.resolve()), **parameters}
    try:
        cloudformation.create_stack(
            StackName=stack,
            TemplateURL=f"{aws.endpoint_url}/{_BUCKET}/{stack}.yaml",
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
            Parameters=[{"ParameterKey": key, "ParameterValue": of} for key, of in given.items()],
        )
    except ClientError as exc:
        said = str(exc.response["Error"].get("Message", ""))
        raise Misconfigured(f"The stack was refused: {printable(said[:_MOST_SAID])}") from None
    return Deployed(aws, stack, _finished(cloudformation, stack))


def make_stack(aws: Ministack, stack: str, template: str) -> Mapping[str, str]:
    """Make a stack of a template that is given whole; return its outputs once it is there."""
    cloudformation = _client(aws, "cloudformation")
    cloudformation.create_stack(
        StackName=stack, TemplateBody=template, Capabilities=["CAPABILITY_IAM"]
    )
    return _finished(cloudformation, stack)


def _finished(cloudformation: Any, stack: str) -> dict[str, str]:  # noqa: ANN401 - boto3's
    until = time.monotonic() + _WITHIN
    while time.monotonic() < until:
        try:
            (found,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
        except ClientError:
            return {}  # deleted
        status = found["StackStatus"]
        if status in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
            return {each["OutputKey"]: each["OutputValue"] for each in found["Outputs"]}
        if status == "DELETE_COMPLETE":
            return {}
        if not status.endswith("_IN_PROGRESS") or status.startswith("ROLLBACK"):
            raise Misconfigured(f"The stack is {status}: {_why(cloudformation, stack)}")
        time.sleep(_POLL)
    raise Misconfigured(f"The stack {stack} is not there after {_WITHIN:.0f} s.")


def _why(cloudformation: Any, stack: str) -> str:  # noqa: ANN401 - boto3's
    pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack)
    return "; ".join(
        f"{event['LogicalResourceId']}: {event['ResourceStatusReason']}"
        for page in pages
        for event in page["StackEvents"]
        if event["ResourceStatus"].endswith("_FAILED")
    )


def _client(aws: Ministack, service: str) -> Any:  # noqa: ANN401 - whichever it is
    session: Any = boto3.Session(aws.access_key_id, aws.secret_access_key, region_name=aws.region)
    return session.client(service, endpoint_url=aws.endpoint_url, config=_CONFIG)


def _cached(root: Path, files: Iterable[tuple[str, Path]]) -> bytes:
    """Zip code with what Python makes of it, or return what an earlier call made of the same."""
    texts = [(name, path.read_bytes()) for name, path in files]
    digest = hashlib.sha256(sys.implementation.cache_tag.encode())
    for name, text in texts:
        digest.update(f"{name}\0{len(text)}\0".encode() + text)
    folder = root / "build" / "emulated"
    kept = folder / f"{digest.hexdigest()}.zip"
    with suppress(OSError):
        return kept.read_bytes()
    body = _zipped(compiled(texts))
    with suppress(OSError):  # a checkout that cannot be written to is as good
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f"{time.time_ns()}.part"
        part.write_bytes(body)
        part.replace(kept)
        for old in sorted(folder.glob("*.zip"), key=lambda each: -each.stat().st_mtime)[_KEPT:]:
            old.unlink(missing_ok=True)
    return body


def _zipped(files: Iterable[tuple[str, bytes]]) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as zipped:
        for name, content in files:
            zipped.writestr(zipfile.ZipInfo(name), content)
    return body.getvalue()
