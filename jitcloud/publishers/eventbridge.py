"""Passes events on to a bus of Amazon EventBridge.

One entry a call: the bus takes ten at once, but may refuse one and take the next, which would
then stand before it. EventBridge itself hands events to targets in no certain order.
https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from jitcloud.envelopes import text_of, type_of
from jitcloud.model import Request, Sealed
from jitcloud.publishers.aws import Reach, refuse, region_of, sending

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

SOURCE = "jitcloud"
"""What rules select by, beside the type of an event (``detail-type``)."""

RIGHT = "events:PutEvents"


class EventBridgePublisher:
    """Puts each event on one bus."""

    def __init__(  # noqa: PLR0913 - keyword-only beyond the two that name it
        self,
        channel: str,
        bus: str,
        *,
        texts: bool = False,
        region: str | None = None,
        profile: str | None = None,
        endpoint_url: str | None = None,
    ) -> None:
        """Take the bus by its name or its ARN, whose region then counts. Connects to nothing."""
        self.channel = channel
        self._bus = bus
        self._texts = texts
        self._reach = Reach(
            "events", region=region_of(bus) or region, profile=profile, endpoint_url=endpoint_url
        )

    def __repr__(self) -> str:
        return f"EventBridgePublisher({self.channel}, {self._bus})"

    def publish(self, request: Request, events: Sequence[Sealed]) -> None:
        where = f"the bus {self._bus}"
        for line in events:
            text = text_of(line, request, texts=self._texts)
            with sending(RIGHT, where):
                client = cast("EventBridgeClient", self._reach.client())
                answer = client.put_events(
                    Entries=[
                        {
                            "Source": SOURCE,
                            "DetailType": type_of(line.event),
                            "Detail": text,
                            "Time": line.event.at,
                            "EventBusName": self._bus,
                        }
                    ]
                )
            for entry in answer.get("Entries", []):
                if "ErrorCode" in entry or "EventId" not in entry:
                    code, said = entry.get("ErrorCode", ""), entry.get("ErrorMessage", "")
                    refuse(RIGHT, where, code, said)
