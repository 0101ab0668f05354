"""``expire``: looks ahead every minute, and queues what will be due.

Starts often, so it loads no more than it needs: the SDK, and neither pydantic nor the core.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, cast

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import get_session

from jitcloud.ahead import look_ahead
from jitcloud.clock import utc_now
from jitcloud.due import Wake, wake_up
from jitcloud.errors import Misconfigured, Unavailable
from jitcloud.fleet.environment import variable
from jitcloud.observing import emf, logs
from jitcloud.queues.sqs import CONFIG, SqsQueue, said
from jitcloud.stores.dynamodb.due import due
from jitcloud.stores.dynamodb.keys import CLOUDS

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient

DEAD = 1000
"""How many messages one look puts back that a queue gave up on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiring:
    """Whoever looks ahead."""

    client: DynamoDBClient
    table: str
    queues: Mapping[str, SqsQueue]
    dead: Mapping[str, str]
    """The dead-letter queue of each cloud, by its URL."""

    def look(self) -> dict[str, object]:
        """Look ahead once. Raises ``Unavailable`` unless all of it could be queued."""
        now = utc_now()
        queued = look_ahead(self._found, self.queues, now)
        troubles = [*queued.troubles]
        revived = 0
        for cloud, url in self.dead.items():
            try:
                revived += self.queues[cloud].sweep(url, DEAD, now)
            except Unavailable as exc:
                troubles.append(f"{cloud}: {exc}")
        emf.write(sys.stdout, now, emf.backlog_age(queued.oldest), emf.dead_letters(revived))
        for cloud in queued.unrouted:
            logs.event("no queue", level=logging.ERROR, what=cloud)
        for trouble in troubles:
            logs.event("trouble", level=logging.ERROR, why=trouble)
        if troubles:
            raise Unavailable(f"Not everything that is due was queued: {troubles[0]}")
        return {"wakes": queued.wakes, "revived": revived}

    def _found(self, until: datetime, limit: int) -> Iterable[tuple[str, Wake]]:
        try:
            # Cloud by cloud: what is stuck in one must not stand before what ends in another.
            for each in CLOUDS:
                for cloud, item in due(self.client, self.table, until, most=limit, clouds=[each]):
                    if (wake := wake_up(item)) is not None:
                        yield cloud, wake
                    if cloud not in self.queues:
                        break  # one of what nobody takes is enough to tell of it
        except (ClientError, BotoCoreError) as exc:
            raise Unavailable(f"What is due cannot be read ({said(exc)}).") from exc


def made() -> Expiring:
    """Put it together from the environment. Opens no connection. Raises ``Misconfigured``."""
    session = get_session()  # boto3 itself would add a third to the time that this takes
    sqs = cast("SQSClient", session.create_client("sqs", config=CONFIG))
    config = Config(connect_timeout=1.5, read_timeout=5, retries={"total_max_attempts": 3})
    return Expiring(
        client=cast("DynamoDBClient", session.create_client("dynamodb", config=config)),
        table=variable("JITCLOUD_TABLE"),
        queues={cloud: SqsQueue(sqs, url) for cloud, url in _urls("JITCLOUD_QUEUE").items()},
        dead=_urls("JITCLOUD_DEAD"),
    )


def _urls(name: str) -> dict[str, str]:
    """Read a variable that names a queue for each cloud, as JSON."""
    try:
        said = json.loads(variable(name))
    except (ValueError, RecursionError) as exc:
        raise Misconfigured(f"{name} is no JSON; infra/template.yaml writes it.") from exc
    if not isinstance(said, dict) or not all(isinstance(url, str) for url in said.values()):
        raise Misconfigured(f'{name} names a queue for each cloud, such as {{"aws": "https://…"}}.')
    return said
