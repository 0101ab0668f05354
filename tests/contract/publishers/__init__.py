"""What every publisher must do. To try one of yours, derive from the class here.

What was committed arrives: in order, at least once, and nothing that must not leave the record.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped] # its stubs are not installed
import pytest

from jitcloud.envelopes import LARGEST, TYPES, envelope, id_of, type_of
from jitcloud.errors import Refused, Unavailable
from jitcloud.marking import FIRST_RETRY, LEASE
from jitcloud.model import Actor, Request, Sealed
from jitcloud.ports import Publisher
from tests.docs.pages import blocks
from tests.faults import Killed
from tests.published_world import Published
from tests.world import caller

SCHEMA = next(
    json.loads(block.text)
    for block in blocks("docs/publishing.md")
    if block.language == "json" and "$schema" in block.text
)

SECRETS = ("justified-by-a-secret", "no-because-of-a-secret")
"""What people wrote."""

TEXTS = [
    pytest.param("Zoë Łódź 東京 مرحبا 👩‍🚒 “quoted” \U0010fffd", id="scripts"),
    pytest.param('{"a": "b\\n"}, </script> & \\ \' " %', id="quotes"),
    pytest.param("x" * 999 + "y", id="long"),
]


@dataclass(frozen=True)
class Inbox:
    """A publisher, the same one that also sends texts, and what has arrived at its receiver."""

    publisher: Publisher
    with_texts: Publisher
    arrived: Callable[[int], list[str]]
    """Waits for so many messages, and returns them all, in the order of their arrival."""

    def read(self, count: int) -> list[dict[str, Any]]:
        return [json.loads(text) for text in self.arrived(count)]


@dataclass
class Faulty:
    """A publisher whose receiver fails, once, at one event: before it has that, or after."""

    publisher: Publisher
    at: int
    is_lost: bool
    """Whether the event is; else its answer."""
    calls: int = 0

    @property
    def channel(self) -> str:
        return self.publisher.channel

    def publish(self, request: Request, events: Sequence[Sealed]) -> None:
        self.calls += 1
        if self.calls == self.at and self.is_lost:
            raise Unavailable("The receiver is down.")
        self.publisher.publish(request, events)
        if self.calls == self.at:
            raise Unavailable("No answer came.")


def once(messages: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Drop what came twice, by its id, as a receiver does."""
    return list({each["id"]: each for each in messages}.values())


class PublisherContract(ABC):
    @pytest.fixture
    @abstractmethod
    def inbox(self) -> Inbox: ...

    @pytest.fixture
    def world(self, tmp_path: Path, inbox: Inbox) -> Published:
        return Published(tmp_path, channels=(inbox.publisher.channel,))

    def test_a_lifetime_arrives_whole_and_in_order(self, world: Published, inbox: Inbox) -> None:
        request = world.a_life()
        world.a_publication(inbox.publisher).wake(request.id)
        trail = world.store.events(request.id)
        arrived = inbox.read(len(trail))
        assert [each["seq"] for each in arrived] == list(range(1, len(trail) + 1))
        assert [each["id"] for each in arrived] == list(map(id_of, trail))
        assert [each["hash"] for each in arrived] == [line.hash for line in trail]
        assert [each["type"] for each in arrived] == [type_of(line.event) for line in trail]
        assert {each["type"] for each in arrived} <= set(TYPES)
        assert [each["state"] for each in arrived[-2:]] == ["ending", "ended"]
        assert {each["person"] for each in arrived} == {"ana"}
        for each in arrived:
            jsonschema.validate(each, SCHEMA, format_checker=jsonschema.FormatChecker())

    def test_nothing_that_anybody_wrote_is_sent_unless_that_is_wanted(
        self, world: Published, inbox: Inbox
    ) -> None:
        request = world.ask(what="prod-write", justification=SECRETS[0])
        world.broker.deny(caller("ben"), request.id, world.time(), SECRETS[1])
        trail = world.store.events(request.id)
        world.a_publication(inbox.publisher).wake(request.id)
        sent = "".join(inbox.arrived(len(trail)))
        assert "token" in "".join(line.text for line in trail)
        for secret in (*SECRETS, "token", "sha256", "target", "@example.com"):
            assert secret not in sent
        inbox.with_texts.publish(world.now(request), trail)
        sent = "".join(inbox.arrived(2 * len(trail)))
        assert SECRETS[0] in sent
        assert SECRETS[1] in sent
        assert "token" not in sent

    @pytest.mark.parametrize("text", TEXTS)
    def test_text_arrives_unharmed(self, world: Published, inbox: Inbox, text: str) -> None:
        request = world.ask(justification=text)
        inbox.with_texts.publish(request, world.store.events(request.id)[:1])
        (message,) = inbox.read(1)
        assert message["texts"] == {"justification": text}
        jsonschema.validate(message, SCHEMA)

    def test_a_crash_between_sending_and_recording_loses_nothing(
        self, world: Published, inbox: Inbox
    ) -> None:
        request = world.a_life()
        count = len(world.store.events(request.id))
        dying = world.a_publication(_Dying(inbox.publisher, at=3))
        with pytest.raises(Killed):
            dying.wake(request.id)
        world.time.now += LEASE
        world.a_publication(inbox.publisher).wake(request.id)
        arrived = inbox.read(3 + count)
        assert [each["seq"] for each in once(arrived)] == list(range(1, count + 1))
        # What comes twice is known by its id.
        assert len({each["id"] for each in arrived}) == count

    @pytest.mark.parametrize("is_lost", [True, False])
    def test_a_receiver_that_fails_half_way_gets_all_of_it_in_order(
        self, world: Published, inbox: Inbox, *, is_lost: bool
    ) -> None:
        request = world.a_life()
        count = len(world.store.events(request.id))
        publication = world.a_publication(Faulty(inbox.publisher, at=3, is_lost=is_lost))
        assert publication.wake(request.id) == ""
        assert [each["seq"] for each in inbox.read(2 if is_lost else 3)][:2] == [1, 2]
        world.time.now += FIRST_RETRY
        publication.wake(request.id)
        arrived = inbox.read(count if is_lost else count + 1)
        assert [each["seq"] for each in once(arrived)] == list(range(1, count + 1))

    def test_only_what_is_wanted_is_sent(self, world: Published, inbox: Inbox) -> None:
        request = world.a_life()
        wanted = frozenset({"request.approved", "request.ended"})
        world.a_publication(inbox.publisher, types=wanted).wake(request.id)
        assert [each["type"] for each in inbox.read(2)] == ["request.approved", "request.ended"]
        assert world.mark(request, inbox.publisher.channel).wake_at is None

    def test_what_is_too_large_is_refused_and_not_cut(self, world: Published, inbox: Inbox) -> None:
        request = world.ask()
        line = world.store.events(request.id)[0]

        def by(actor: str) -> Sealed:
            return replace(line, event=replace(line.event, actor=Actor(id=actor)))

        room = LARGEST - len(json.dumps(envelope(by(""), request), separators=(",", ":")))
        with pytest.raises(Refused, match="would take more than"):
            inbox.publisher.publish(request, (by("x" * (room + 1)),))
        inbox.publisher.publish(request, (by("x" * room),))
        (message,) = inbox.read(1)
        assert message["actor"] == "x" * room

    def test_its_repr_shows_where_it_leads_and_no_secret(self, inbox: Inbox) -> None:
        assert len(repr(inbox.publisher)) < 200
        assert "whsec" not in repr(inbox.publisher)
        assert inbox.publisher.channel.startswith("publish-")


@dataclass
class _Dying:
    """The process dies once so many events were sent."""

    publisher: Publisher
    at: int
    calls: int = 0

    @property
    def channel(self) -> str:
        return self.publisher.channel

    def publish(self, request: Request, events: Sequence[Sealed]) -> None:
        self.publisher.publish(request, events)
        self.calls += 1
        if self.calls == self.at:
            raise Killed
