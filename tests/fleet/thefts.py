"""What somebody tries who has stolen what a function runs with, or writes the table by hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from jitcloud.emulators.fleet import BUCKET, DOCUMENT, GROUP, KEY, READER, Fleet
from jitcloud.model import Credentials

_ONCE = Config(
    retries={"total_max_attempts": 1},
    connect_timeout=5,
    read_timeout=30,
    s3={"addressing_style": "path"},
)
_DENIALS = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}

VICTIM = "request#01J00000000000000000000FGD"
"""A request that nobody has made."""


@dataclass(frozen=True)
class Thief:
    """Somebody with the credentials of a function."""

    fleet: Fleet
    stolen: Credentials

    def client(self, service: str) -> Any:
        session: Any = boto3.Session(
            self.stolen.access_key_id,
            self.stolen.secret_access_key,
            self.stolen.session_token,
            region_name=self.fleet.aws.region,
        )
        return session.client(service, endpoint_url=self.fleet.aws.endpoint_url, config=_ONCE)

    def succeeds_at(self) -> set[str]:
        """Name all that AWS lets them do, of what they try."""
        return {name for name, attempt in self.attempts() if _is_allowed(attempt)}

    def attempts(self) -> Iterator[tuple[str, Callable[[], object]]]:
        """What they try, and how; in an order in which none spoils another."""
        deployed, account = self.fleet.deployed, self.fleet.account
        table, region, aws = deployed.table, self.fleet.aws.region, account.id
        of = {"TableName": table}
        forged = {"pk": {"S": VICTIM}, "sk": {"S": "snapshot"}, "body": {"S": "{}"}}
        at = {key: forged[key] for key in ("pk", "sk")}
        dynamodb, functions = self.client("dynamodb"), self.client("lambda")
        iam, sqs = self.client("iam"), self.client("sqs")
        yield "read the record", lambda: dynamodb.get_item(**of, Key=at)
        yield "scan the record", lambda: dynamodb.scan(**of, Limit=1)
        yield (
            "see what is due",
            lambda: dynamodb.query(
                **of,
                IndexName="due",
                KeyConditionExpression="due = :due",
                ExpressionAttributeValues={":due": {"S": "aws#0"}},
                Limit=1,
            ),
        )
        yield "write the record", lambda: dynamodb.put_item(**of, Item=forged)
        yield "delete from the record", lambda: dynamodb.delete_item(**of, Key=at)
        yield (
            "sign",
            lambda: self.client("kms").sign(
                KeyId=deployed.signing_key, Message=b"forged", SigningAlgorithm="ECDSA_SHA_256"
            ),
        )
        yield (
            "take a session of the catalog",
            lambda: self.client("sts").assume_role(
                RoleArn=account.arn("role", READER),
                RoleSessionName="forged",
                Tags=[{"Key": "jitcloud-request", "Value": "forged"}],
            ),
        )
        yield "see who is in", lambda: iam.get_group(GroupName=GROUP)
        yield "let somebody in", lambda: iam.add_user_to_group(GroupName=GROUP, UserName="caro")
        yield (
            "put somebody out",
            lambda: iam.remove_user_from_group(GroupName=GROUP, UserName="caro"),
        )
        yield (
            "take early ends back",
            lambda: iam.create_policy_version(
                PolicyArn=account.arn("policy", DOCUMENT),
                PolicyDocument=json.dumps(_NOTHING),
                SetAsDefault=False,
            ),
        )
        yield (
            "become an administrator",
            lambda: iam.put_user_policy(
                UserName="caro", PolicyName="all", PolicyDocument=json.dumps(_EVERYTHING)
            ),
        )
        for function in ("judge", "look", "advance-aws", "expire"):
            arn = f"arn:aws:lambda:{region}:{aws}:function:{deployed.name(function)}"
            invoke = partial(functions.invoke, FunctionName=arn, Payload=b"{}")
            yield f"ask {function}", invoke
        wake = {"v": 1, "kind": "slot", "id": "nobody", "at": datetime.now(UTC).isoformat()}
        yield (
            "wake things",
            lambda: sqs.send_message(QueueUrl=deployed.queue, MessageBody=json.dumps(wake)),
        )
        yield (
            "see the customers' data",
            lambda: self.client("s3").get_object(Bucket=BUCKET, Key=KEY),
        )


_NOTHING: Mapping[str, object] = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Deny", "Action": "s3:DeleteBucketWebsite", "Resource": "*"}],
}
_EVERYTHING: Mapping[str, object] = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
}


def _is_allowed(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except ClientError as exc:
        if exc.response["Error"]["Code"] in _DENIALS:
            return False
        raise
    return True
