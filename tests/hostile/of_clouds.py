"""Parsers of what a cloud tells: through its SDK, and of what that has read; and of messages."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.headerregistry import Address
from functools import cache
from typing import Any

import boto3
from botocore.config import Config

from jitcloud.errors import CloudError, Refused
from jitcloud.model import Notice
from jitcloud.notifiers.message import written
from jitcloud.providers.aws import deny_text, identity_center_status, timed_policy
from jitcloud.providers.aws.clients import translated
from jitcloud.providers.aws.deny_subjects import Denials, SsoUser
from jitcloud.providers.aws.doctor_documents import _number
from jitcloud.providers.aws.identity_center_facts import _session
from tests.factories import NOW, request_id
from tests.hostile import mangling
from tests.hostile.anybody import Anybody, answering, anybody
from tests.hostile.parser import Parser

DOCUMENT = "arn:aws:iam::111122223333:policy/jitcloud-deny"
UNTIL = datetime(2026, 12, 1, 10, 30, tzinfo=UTC)
A = request_id(1)
READ = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
ENDED = Denials(
    requests=frozenset({A}),
    users={SsoUser("Admin", "10e1d8a0-c051-70d8-1f2e-0a1b2c3d4e5f"): UNTIL},
)


@cache
def _client(service: str) -> Any:
    once = Config(
        connect_timeout=2,
        read_timeout=5,
        retries={"total_max_attempts": 1},
        parameter_validation=False,
    )
    session: Any = boto3.Session()  # any: whichever service is named
    return session.client(
        service,
        region_name="eu-central-1",
        endpoint_url=anybody().url,
        aws_access_key_id="A",
        aws_secret_access_key="s",  # noqa: S106 - of nobody
        config=once,
    )


def _policy_document(_: Anybody) -> object:
    with translated("iam:GetUserPolicy"):
        answer = _client("iam").get_user_policy(UserName="u", PolicyName="p")
    document = answer.get("PolicyDocument")
    return timed_policy.deadline_in(document, [READ]), timed_policy.untimed(document)


def _assignments(_: Anybody) -> object:
    with translated("sso:DescribeAccountAssignmentCreationStatus"):
        answer = _client("sso-admin").describe_account_assignment_creation_status(
            InstanceArn="i", AccountAssignmentCreationRequestId="r"
        )
    told = answer.get("AccountAssignmentCreationStatus", {})
    status = identity_center_status.read(told if isinstance(told, dict) else {})
    return status, identity_center_status.why("put", status.reason)


def _denials(document: Any) -> object:
    if not isinstance(document, dict):
        return None
    found = deny_text.denials_in(DOCUMENT, document)
    if deny_text.is_exactly(DOCUMENT, document, found):
        return json.loads(deny_text.document(DOCUMENT, found))
    return None


def _mail(table: Any) -> object:
    """An e-mail about what people have typed: no header of it is theirs."""
    if not isinstance(table, dict) or not all(isinstance(each, str) for each in table.values()):
        return None
    if table.keys() != NOTICE.keys():
        return None
    sender = Address("jitcloud", "jitcloud", "example.com")
    sent = written(Notice(**table), sender, NOW).as_bytes()
    read = message_from_bytes(sent)
    assert {name.lower() for name in read.keys()} == HEADERS  # noqa: SIM118 - names may come twice
    assert len(read.keys()) == len(HEADERS)
    return sent


NOTICE = {
    "id": "n",
    "to": "ana",
    "request": request_id(1),
    "address": "ana@example.com",
    "name": "Ana",
    "subject": "Ana asks",
    "body": "Look into INC-7\n.\n",
}
HEADERS = {
    *("from", "to", "subject", "date", "message-id", "in-reply-to", "references"),
    *("auto-submitted", "content-type", "content-transfer-encoding", "mime-version"),
}
TIMED = timed_policy.document([READ], UNTIL)
INLINE = (
    b"<GetUserPolicyResponse><GetUserPolicyResult><UserName>u</UserName>"
    b"<PolicyName>p</PolicyName><PolicyDocument>%7B%22Version%22%3A%221%22%7D"
    b"</PolicyDocument></GetUserPolicyResult></GetUserPolicyResponse>"
)
STATUS = {
    "AccountAssignmentCreationStatus": {
        "Status": "FAILED",
        "RequestId": "r",
        "FailureReason": "why",
        "CreatedDate": 1796115600,
    }
}

PARSERS = (
    Parser(
        name="an inline policy of IAM",
        read=answering(_policy_document),
        valid=(INLINE,),
        mangled=mangling.OCTETS,
        raises=(CloudError,),
        most=64 * 1024,
    ),
    Parser(
        name="how far Identity Center has come",
        read=answering(_assignments),
        valid=(STATUS,),
        mangled=mangling.JSON_BYTES,
        raises=(CloudError,),
        found=(
            (b"\xff\xfe{}", "no UTF-8: botocore raises UnicodeDecodeError"),
            (
                b'{"AccountAssignmentCreationStatus": {"CreatedDate": "soon"}}',
                "an instant that is none: botocore raises ValueError",
            ),
            (
                b'{"AccountAssignmentCreationStatus": {"CreatedDate": 1%s}}' % (b"0" * 40),
                "an instant beyond all calendars: botocore raises RuntimeError",
            ),
        ),
        most=64 * 1024,
    ),
    Parser(
        name="what AWS refuses",
        read=answering(_assignments, status=400, headers="x-amzn-errortype: AccessDenied\r\n"),
        valid=(),
        also=({"__type": "AccessDeniedException", "message": "no"},),
        mangled=mangling.JSON_BYTES,
        raises=(CloudError,),
        most=64 * 1024,
    ),
    Parser(
        name="a timed policy",
        read=lambda document: timed_policy.deadline_in(document, [READ]),
        valid=(json.loads(TIMED),),
        mangled=mangling.TABLE,
        written=lambda until: json.loads(timed_policy.document([READ], until)),
    ),
    Parser(
        name="a deny document",
        read=_denials,
        valid=(json.loads(deny_text.document(DOCUMENT, ENDED)),),
        mangled=mangling.TABLE,
        found=(
            (
                json.loads(deny_text.document(DOCUMENT, ENDED).replace(f'"{A}"', f'["{A}"]')),
                "a list in a list: TypeError, as of a set",
            ),
        ),
        written=lambda document: document,
    ),
    Parser(
        name="how long a session of Identity Center lives",
        read=lambda text: _session({"SessionDuration": text}),
        valid=("PT8H",),
        mangled=mangling.TEXT,
        found=(("P999999999D", "taken as it was, and nothing can be added to it"),),
        longest=timedelta(hours=12),
    ),
    Parser(
        name="the version of a policy",
        read=_number,
        valid=("v17",),
        mangled=mangling.TEXT,
    ),
    Parser(
        name="what an e-mail is made of",
        read=_mail,
        valid=(NOTICE,),
        mangled=mangling.TABLE,
        raises=(Refused,),
    ),
)
