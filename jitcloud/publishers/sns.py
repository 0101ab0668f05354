"""Passes events on to a topic of Amazon SNS, standard or FIFO.

A FIFO topic keeps the order of each request, and drops what it was sent within five minutes.
https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from jitcloud.envelopes import id_of, text_of, type_of
from jitcloud.model import Request, Sealed
from jitcloud.publishers.aws import Reach, region_of, sending

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sns.type_defs import PublishInputTypeDef


class SnsPublisher:
    """Sends each event to one topic."""

    def __init__(
        self,
        channel: str,
        topic: str,
        *,
        texts: bool = False,
        profile: str | None = None,
        endpoint_url: str | None = None,
    ) -> None:
        """Take the topic by its ARN. Connects to nothing."""
        self.channel = channel
        self._topic = topic
        self._texts = texts
        self._reach = Reach(
            "sns", region=region_of(topic), profile=profile, endpoint_url=endpoint_url
        )

    def __repr__(self) -> str:
        return f"SnsPublisher({self.channel}, {self._topic})"

    def publish(self, request: Request, events: Sequence[Sealed]) -> None:
        for line in events:
            message: PublishInputTypeDef = {
                "TopicArn": self._topic,
                "Message": text_of(line, request, texts=self._texts),
                # What subscriptions can select by.
                "MessageAttributes": {
                    "type": {"DataType": "String", "StringValue": type_of(line.event)},
                    "entitlement": {"DataType": "String", "StringValue": request.entitlement.id},
                },
            }
            if self._topic.endswith(".fifo"):
                message["MessageGroupId"] = request.id
                message["MessageDeduplicationId"] = id_of(line)
            with sending("sns:Publish", f"the topic {self._topic}"):
                cast("SNSClient", self._reach.client()).publish(**message)
