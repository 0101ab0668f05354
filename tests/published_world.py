"""A small organisation whose trails are passed on to other programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from jitcloud.errors import Unavailable
from jitcloud.model import Mark, Request, Sealed
from jitcloud.ports import Publisher
from jitcloud.publishers.memory import MemoryPublisher
from jitcloud.publishing import Publication, Subscription
from tests.told_world import PEOPLE
from tests.world import World

CHANNEL = "publish-test"


@dataclass
class Receiver(MemoryPublisher):
    """Takes events, unless a test says otherwise."""

    channel: str = CHANNEL
    before: Callable[[Sealed], None] = lambda _line: None
    """Called before an event is taken; may raise."""

    def publish(self, request: Request, events: Sequence[Sealed]) -> None:
        for line in events:
            self.before(line)
        super().publish(request, events)

    def got(self) -> list[str]:
        """What has arrived: the number of each event, and what happened."""
        return [f"{each['seq']}.{each['type'].removeprefix('request.')}" for each in self.read()]

    def read(self) -> list[dict[str, Any]]:
        return [json.loads(text) for text in self.sent]


@dataclass
class Published(World):
    """The small organisation, with one receiver; others may be added to its channels."""

    people_text: str = PEOPLE
    receiver: Receiver = field(default_factory=Receiver)
    channels: tuple[str, ...] = (CHANNEL,)

    def put_together(self) -> None:
        super().put_together()
        self.listen(*self.channels)
        self.publication = self.a_publication()

    def listen(self, *channels: str) -> None:
        """Have commits make the marks of these channels due."""
        self.ledger = replace(self.ledger, channels=channels)
        self.broker = replace(self.broker, ledger=self.ledger)
        self.advance = replace(self.advance, ledger=self.ledger)

    def a_publication(
        self, publisher: Publisher | None = None, types: frozenset[str] | None = None
    ) -> Publication:
        """Make one as another process would."""
        publisher = publisher or self.receiver
        subscription = Subscription(publisher=publisher)
        if types is not None:
            subscription = replace(subscription, types=types)
        return Publication(self.store, subscription, self.time)

    def mark(self, request: Request, channel: str = CHANNEL) -> Mark:
        mark = self.store.mark(channel, request.id)
        assert mark is not None
        return mark

    def pass_on(self, *requests: Request) -> list[str]:
        """Wake what is due; return what could not be passed on."""
        return [self.publication.wake(request.id) for request in requests]

    def a_life(self) -> Request:
        """Ask, approve, use, and give back."""
        request = self.ask(what="prod-write")
        self.approve(request)
        self.give_back(request)
        return self.now(request)


def down(_line: Sealed) -> None:
    raise Unavailable("The receiver is down.")


def fine(_line: Sealed) -> None:
    pass
