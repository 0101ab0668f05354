"""Amazon SQS: hands out a wake-up after a delay of at most 15 minutes.

A standard queue repeats messages and may reorder them; both do no harm. Whoever gets one too
early, because the delay could not be long enough or was rounded down, queues it again.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-delay-queues.html
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from jitcloud.due import Wake
from jitcloud.errors import Invalid, Unavailable

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

LONGEST = timedelta(minutes=15)
"""The longest delay that SQS takes for one message (API reference, SendMessageBatch)."""

BATCH = 10
"""How many messages SQS takes at once (API reference, SendMessageBatch)."""

MOST_TEXT = 4096
"""How long a message may be that is read: ours are a tenth of it."""

MOST_TRIES = 1000

MOST_BEHIND = 60
"""Seconds."""

KINDS = ("request", "slot", "brakes")

CONFIG = Config(
    connect_timeout=1.5, read_timeout=5, retries={"total_max_attempts": 3, "mode": "standard"}
)
"""Sending twice does no harm, so the SDK may try again by itself."""


class SqsQueue:
    """Puts wake-ups into one queue of SQS. Safe for several threads, as boto3's clients are."""

    def __init__(self, client: SQSClient, url: str) -> None:
        self._client = client
        self._url = url

    def put(self, wakes: Sequence[Wake], now: datetime) -> None:
        """Send them in batches. Raises ``Unavailable`` unless SQS has taken all of them."""
        for begin in range(0, len(wakes), BATCH):
            batch = wakes[begin : begin + BATCH]
            entries: list[SendMessageBatchRequestEntryTypeDef] = [
                {
                    "Id": str(number),
                    "MessageBody": encode(wake),
                    "DelaySeconds": _delay(wake, now),
                }
                for number, wake in enumerate(batch)
            ]
            try:
                answer = self._client.send_message_batch(QueueUrl=self._url, Entries=entries)
            except (ClientError, BotoCoreError) as exc:
                raise Unavailable(f"The queue took no wake-ups: {said(exc)}") from exc
            failed = answer.get("Failed", [])
            if failed:
                why = code(str(failed[0].get("Code", "")))
                raise Unavailable(f"The queue took not all wake-ups: {len(failed)} failed ({why}).")

    def sweep(self, dead: str, most: int, now: datetime) -> int:
        """Put back what the queue ``dead`` holds of this one; return how many messages those were.

        A message that nobody could read is let go: the record knows what it was about.
        """
        count = 0
        try:
            while count < most:
                answer = self._client.receive_message(
                    QueueUrl=dead, MaxNumberOfMessages=BATCH, VisibilityTimeout=60
                )
                messages = answer.get("Messages", [])
                if not messages:
                    break
                found = [each for each in map(_readable, messages) if each is not None]
                self.put(found, now)
                for message in messages:
                    self._client.delete_message(
                        QueueUrl=dead, ReceiptHandle=message["ReceiptHandle"]
                    )
                count += len(messages)
        except (ClientError, BotoCoreError) as exc:
            raise Unavailable(f"The dead-letter queue cannot be swept: {said(exc)}") from exc
        return count


def encode(wake: Wake) -> str:
    """Return the text of a message: what is to be woken, and when. It holds nothing else."""
    at = wake.at.astimezone(UTC).isoformat()
    said: dict[str, object] = {"v": 1, "kind": wake.kind, "id": wake.id, "at": at}
    said |= {"behind": wake.behind.total_seconds()} if wake.behind else {}
    return json.dumps(said | ({"tries": wake.tries} if wake.tries else {}))


def decode(text: str) -> Wake:
    """Read a message. Raises ``Invalid`` for what is none of ours."""
    found = _wake(text)
    if found is None:
        raise Invalid("This message is no wake-up of jitcloud; it was let go.")
    return found


def _wake(text: str) -> Wake | None:
    if len(text) > MOST_TEXT:
        return None
    try:
        said = json.loads(text)
        kind, name, at = said["kind"], said["id"], datetime.fromisoformat(said["at"])
        if said.get("v") != 1 or kind not in KINDS or at.tzinfo is None:
            return None
        tries = said.get("tries", 0)
        if type(tries) is not int or not 0 <= tries <= MOST_TRIES:
            return None
        behind = said.get("behind", 0)
        if type(behind) not in {int, float} or not 0 <= behind <= MOST_BEHIND:
            return None
        name.encode()  # what is half of a character is no text
        # An instant at the edge of the calendar may be none in UTC, in which it is passed on.
        at, later = at.astimezone(UTC), timedelta(seconds=behind)
        return Wake(kind=kind, id=name, at=at, behind=later, tries=tries)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
        return None


def _readable(message: Any) -> Wake | None:  # noqa: ANN401 - the shape is the SDK's
    try:
        return decode(message["Body"])
    except Invalid:
        return None


def _delay(wake: Wake, now: datetime) -> int:
    """Whole seconds, rounded down: late cannot be made good, early can."""
    left = min(max(wake.at - now + wake.behind, timedelta(0)), LONGEST)
    return int(left.total_seconds())


def said(exc: Exception) -> str:
    """What AWS or its SDK calls an error: a code alone, for the rest may quote what was sent."""
    if isinstance(exc, ClientError):
        return code(str(exc.response["Error"].get("Code", "")))
    return type(exc).__name__


def code(text: str) -> str:
    """A code as it may be shown: letters, digits and dots, and no more than a line of them."""
    return "".join(letter for letter in text if letter.isalnum() or letter == ".")[:80]
