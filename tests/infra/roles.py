"""What each role may do, line by line, and whether a template says that and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from tests.infra.text import NOTHING, Grant, Template, functions, grants, of_type

CHECK, MANY = "dynamodb:ConditionCheckItem", "dynamodb:BatchGetItem"
PUT, UPDATE = "dynamodb:PutItem", "dynamodb:UpdateItem"
TRAILS = "dynamodb:Query"
"""On the table itself: the events of a request, or of the deployment."""
STREAM = {
    Grant("dynamodb:DescribeStream", "Table.StreamArn"),
    Grant("dynamodb:GetRecords", "Table.StreamArn"),
    Grant("dynamodb:GetShardIterator", "Table.StreamArn"),
    Grant("dynamodb:ListStreams", "${Table.Arn}/stream/*"),
    Grant("sqs:SendMessage", "Undelivered.Arn"),
}
"""What a mapping of the table's stream reads by, and where it tells of what it could not hand over
(Lambda developer guide, "Process DynamoDB records with Lambda")."""


def _table(*actions: str, of: Iterable[str] = ()) -> set[Grant]:
    """Reading an item of the table, and whatever else is named; writing some items alone."""
    items = ",".join(of)
    return {Grant("dynamodb:GetItem", "Table.Arn")} | {
        Grant(action, "Table.Arn", items if action in {PUT, UPDATE} else "") for action in actions
    }


_SEARCH = Grant("dynamodb:Query", "${Table.Arn}/index/*")
"""All that can be done with an index (Service Authorization Reference, Amazon DynamoDB)."""

_JOURNAL = {
    Grant("s3:GetObject", "arn:${AWS::Partition}:s3:::${JournalBucket}/*", "HasJournal"),
    Grant("s3:ListBucket", "arn:${AWS::Partition}:s3:::${JournalBucket}", "HasJournal"),
}
_ANCHORS = {
    Grant(
        "s3:PutObject",
        "arn:${AWS::Partition}:s3:::${AnchorsBucket}/*",
        "HasAnchors,s3:if-none-match",
    ),
    Grant("s3:GetObjectVersion", "arn:${AWS::Partition}:s3:::${AnchorsBucket}/*", "HasAnchors"),
    Grant("s3:PutObjectRetention", "arn:${AWS::Partition}:s3:::${AnchorsBucket}/*", "HasAnchors"),
    Grant("s3:ListBucketVersions", "arn:${AWS::Partition}:s3:::${AnchorsBucket}", "HasAnchors"),
}
"""A lock is asked for with the object that it is on, which takes a right of its own; reading a
version, and listing them, too (API reference of S3, GetObject and ListObjectVersions)."""
_MARKS = ("mark#notices/*", "mark#publish-*")
_SECRET = Grant("secretsmanager:GetSecretValue", "SecretArn", "HasSecret")


_VERIFY = Grant("kms:GetPublicKey", "SigningKey.Arn")
_DUE = "${Table.Arn}/index/due"

RIGHTS: Mapping[str, set[Grant]] = {
    "Request": {Grant("lambda:InvokeFunction", "Judge.Arn")},
    "Approve": {Grant("lambda:InvokeFunction", "Judge.Arn")},
    "Judge": {
        *_table(MANY, PUT, TRAILS, UPDATE),
        _SEARCH,
        Grant("lambda:InvokeFunction", "Look.Arn"),
        _SECRET,
        *_ANCHORS,
    },
    "Look": set(),
    "Issue": {*_table(PUT, TRAILS, UPDATE, of=(*_MARKS, "request#*")), _VERIFY},
    "AdvanceAws": {
        *_table(CHECK, MANY, PUT, TRAILS, UPDATE),
        _SEARCH,
        _SECRET,
        _VERIFY,
        *STREAM,
        Grant("sqs:ChangeMessageVisibility", "AwsQueue.Arn"),
        Grant("sqs:DeleteMessage", "AwsQueue.Arn"),
        Grant("sqs:GetQueueAttributes", "AwsQueue.Arn"),
        Grant("sqs:ReceiveMessage", "AwsQueue.Arn"),
        Grant("sqs:SendMessage", "AwsQueue.Arn"),
        *_JOURNAL,
        Grant("s3:PutObject", "arn:${AWS::Partition}:s3:::${JournalBucket}/*", "HasJournal"),
    },
    "Expire": {
        Grant("dynamodb:Query", _DUE),
        Grant("sqs:SendMessage", "AwsQueue.Arn"),
        Grant("sqs:DeleteMessage", "AwsDead.Arn"),
        Grant("sqs:ReceiveMessage", "AwsDead.Arn"),
    },
    "Reconcile": {
        *_table(MANY, PUT, UPDATE),
        Grant(TRAILS, "Table.Arn", "controls"),  # when the record was restored
        _SEARCH,
        *_JOURNAL,
    },
    "Publish": {
        *_table(MANY, PUT, TRAILS, of=_MARKS),
        _SEARCH,
        _SECRET,
        _VERIFY,
        *STREAM,
        Grant("events:PutEvents", "EventBusArn", "HasEventBus"),
        Grant("sns:Publish", "TopicArns[]", "HasTopics"),
    },
}
"""Function -> what its role may do, besides writing its own log and what the catalog says."""

CATALOG = {
    "Look": "LookRights",
    "Issue": "IssueRights",
    "AdvanceAws": "AdvanceAwsRights",
    "Reconcile": "ReconcileRights",
}
"""Function -> the parameter that names what it may do in clouds; others may do nothing there."""

PATTERNS = {
    "${Table.Arn}/index/*": "the table's indexes are listed in one place, and there is no other",
    "${Table.Arn}/stream/*": "IAM knows streams of a table by their instants alone",
    "arn:${AWS::Partition}:s3:::${JournalBucket}/*": "an object for each place",
    "arn:${AWS::Partition}:s3:::${AnchorsBucket}/*": "an object for each checkpoint",
}
"""The only things named by a pattern, and why."""


def complaints(template: Template) -> Iterator[str]:
    """Yield, a line each, in what roles differ from what is listed here."""
    roles = of_type(template, "AWS::IAM::Role")
    for name in roles.keys() ^ {f"{function}Role" for function in RIGHTS}:
        yield f"{name}: there is a role too many, or too few"
    for function, rights in RIGHTS.items():
        role = roles.get(f"{function}Role", {})
        found = set(grants(role))
        wanted = {*rights, *_logs(function)}
        for grant in sorted(found - wanted):
            yield f"{function}: may {grant.action} on {grant.thing}, and need not"
        for grant in sorted(wanted - found):
            yield f"{function}: may not {grant.action} on {grant.thing}"
        if role.get("ManagedPolicyArns") != _managed(function):
            yield f"{function}: other managed policies than those of the catalog"
    for name, made in functions(template).items():
        if made["Role"] != {"Fn::GetAtt": [f"{name}Role", "Arn"]} or made.get("Policies"):
            yield f"{name}: has not its own role alone"
    for kind in ("Policy", "ManagedPolicy", "RolePolicy", "UserPolicy", "User", "Group"):
        for name in of_type(template, f"AWS::IAM::{kind}"):
            yield f"{name}: rights are given beside the roles"


def _logs(function: str) -> set[Grant]:
    verbs = ("CreateLogStream", "PutLogEvents")
    return {Grant(f"logs:{verb}", f"{function}Log.Arn") for verb in verbs}


def _managed(function: str) -> object:
    parameter = CATALOG.get(function)
    if parameter is None:
        return None
    return {"Fn::If": [f"Has{parameter}", {"Fn::Split": [",", {"Ref": parameter}]}, NOTHING]}
