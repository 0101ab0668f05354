"""A fleet that has all that a deployment may have: so each of its roles has all of its rights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3

from jitcloud.emulators.fleet import BUCKET, PEOPLE, Fleet
from tests.contract.notifiers.mailbox import Mailbox

LAB, FEW = "lab", "few"
"""Entitlements: a group that others fill too, for everybody; and one for hardly anybody."""

JOURNAL, ANCHORS = "jitcloud-journal", "jitcloud-anchors"
HEARD, TOPIC = "jitcloud-heard", "jitcloud-told"
SOMEBODY = {f"p{number}": f"P{number}" for number in range(90)}
"""More than tasks need in one run, for whom one was for that failed may be in for a while.

And no more than one statement of a role can name.
"""

_CATALOG = """
[[entitlement]]
id = "lab"
title = "The lab"
cloud = "aws"
mechanism = "aws.iam-group"
privilege = "write"
environment = "lab"
owner = "leads"

[entitlement.target]
group_arn = "arn:aws:iam::{account}:group/lab"
exclusive = false

[entitlement.target.users]
{users}

[[entitlement]]
id = "few"
title = "For hardly anybody"
cloud = "aws"
mechanism = "aws.iam-group"
privilege = "write"
environment = "lab"
owner = "leads"

[entitlement.target]
group_arn = "arn:aws:iam::{account}:group/few"

[entitlement.target.users]
ana = "arn:aws:iam::{account}:user/ana"
ben = "arn:aws:iam::{account}:user/ben"
"""

_RULES = """
@id("the-lab-takes-a-lead")
@approval("1 of leads")
permit (principal in Group::"staff", action == Action::"request", resource in Environment::"lab")
when { context.duration <= duration("1h") };
"""

_MORE = """
[reconcile]
end_leaked = true

[journal]
bucket = "{journal}"

[anchors]
bucket = "{anchors}"
every = "1m"

[[publish.eventbridge]]
name = "bus"
bus = "{bus}"
endpoint_url = "{aws}"

[[publish.sns]]
name = "topic"
topic = "{topic}"
endpoint_url = "{aws}"

[mail]
host = "127.0.0.1"
port = {port}
tls = "none"
from_address = "jitcloud@example.com"
"""


class Outfitted(Fleet):
    """All that a deployment may name: a journal, anchors, a secret, a bus, a topic and mail.

    And people whose groups their tokens name.
    """

    def __init__(self, folder: Path, mailbox: Mailbox) -> None:
        super().__init__(folder, people={**PEOPLE, **SOMEBODY})
        self.mailbox = mailbox
        self.heard = ""
        """The queue in which all ends up that is passed on to the bus and to the topic."""

    def configure(self, catalog: str = "", rules: str = "") -> None:
        users = "\n".join(f'{name} = "{self.account.arn("user", name)}"' for name in self.people)
        account = self.account.id
        for group in (LAB, FEW):
            self.account.group(group, BUCKET)
        super().configure(_CATALOG.format(account=account, users=users) + catalog, _RULES + rules)
        self.account.bucket(JOURNAL, {})
        self._client("s3").create_bucket(Bucket=ANCHORS, ObjectLockEnabledForBucket=True)
        bus, topic = self._channels()
        held = self._client("secretsmanager").create_secret(Name="held", SecretString="{}")
        self.more = {
            "EventBusArn": bus,
            "TopicArns": topic,
            "JournalBucket": JOURNAL,
            "AnchorsBucket": ANCHORS,
            "SecretArn": held["ARN"],
        }
        file = self.folder / "jitcloud.toml"
        told = _MORE.format(
            journal=JOURNAL,
            anchors=ANCHORS,
            bus=bus,
            topic=topic,
            aws=self.aws.endpoint_url,
            port=self.mailbox.port,
        )
        issuer = f'url = "{self.issuer.url}"\n'
        text = file.read_text().replace(issuer, f'{issuer}groups_claim = "groups"\n')
        file.write_text(text + told)
        for lead in ("ben", "caro"):
            self.issuer.add(lead, email=f"{lead}@example.com", name=lead, groups=["leads"])

    def _channels(self) -> tuple[str, str]:
        """Have all that comes to a bus and to a topic put into a queue; return their ARNs."""
        region, account = self.aws.region, self.account.id
        sqs, sns, events = (self._client(name) for name in ("sqs", "sns", "events"))
        queue = f"arn:aws:sqs:{region}:{account}:{HEARD}"
        anybody = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage"}
        policy = {"Version": "2012-10-17", "Statement": [{**anybody, "Resource": queue}]}
        made = sqs.create_queue(QueueName=HEARD, Attributes={"Policy": json.dumps(policy)})
        self.heard = made["QueueUrl"]
        topic: str = sns.create_topic(Name=TOPIC)["TopicArn"]
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
        events.put_rule(Name=HEARD, EventPattern=json.dumps({"source": ["jitcloud"]}))
        events.put_targets(Rule=HEARD, Targets=[{"Id": "queue", "Arn": queue}])
        return f"arn:aws:events:{region}:{account}:event-bus/default", topic

    def _client(self, service: str) -> Any:
        session: Any = boto3.Session(
            self.aws.access_key_id, self.aws.secret_access_key, region_name=self.aws.region
        )
        return session.client(service, endpoint_url=self.aws.endpoint_url)
