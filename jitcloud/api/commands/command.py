"""One command: what it takes, and what it does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from jitcloud import shapes
from jitcloud.api.commands import around
from jitcloud.api.inputs import RequestName, Strict
from jitcloud.api.message import Answer
from jitcloud.api.seeing import Seeing
from jitcloud.errors import JitError
from jitcloud.library import Acting
from jitcloud.model import Happening, Request, RequestId, Slot

A = TypeVar("A", bound=BaseModel)

Body = dict[str, object]


class OfRequest(Strict):
    """Names a request."""

    request: RequestName


class Nothing(Strict):
    """Takes nothing."""


@dataclass(frozen=True)
class Doing:
    """A command while it is done: by whom, and whether perhaps for a second time."""

    acting: Acting
    now: datetime
    id_: RequestId | None = None
    """What a request that this asks for is to be called; None for any name."""
    since: datetime | None = None
    """When it was begun before, by somebody who may have done it and died; None the first time."""

    @cached_property
    def seeing(self) -> Seeing:
        """What whoever speaks may see."""
        return Seeing(self.acting)

    def did(self, name: RequestId, what: type[Happening], **facts: object) -> bool:
        """Whether this has happened to a request already, by whoever died at it."""
        return self._stands(self.acting.deployment.ledger.store.events(name), what, facts)

    def did_for_all(self, what: type[Happening], **facts: object) -> bool:
        """The same, of the deployment's own trail."""
        return self._stands(self.acting.deployment.ledger.store.control_events(), what, facts)

    def _stands(
        self, lines: Iterable[Any], what: type[Happening], facts: Mapping[str, object]
    ) -> bool:
        return self.since is not None and any(
            isinstance(line.event.what, what)
            and line.event.actor.id == self.acting.caller.person
            and line.event.at >= self.since
            and all(getattr(line.event.what, name) == value for name, value in facts.items())
            for line in lines
        )


@dataclass(frozen=True, kw_only=True)
class Command(Generic[A]):
    """What the judge can be told to do."""

    name: str
    takes: type[A]
    run: Callable[[Doing, A], Answer] = field(repr=False)
    takes_key: bool = False
    """Whether an ``Idempotency-Key`` means anything: whether it changes the record."""
    made: Callable[[Doing], Answer | None] | None = field(default=None, repr=False)
    """Answers from the record where it has what this made; None where it has not.

    Its answer need not be kept then. Only for what makes something that is called ``id_``.
    """


def told(doing: Doing, request: Request, *, status: int = 200) -> Answer:
    """Answer with one request as it stands."""
    return Answer(status=status, body=shape(doing, request))


def shape(doing: Doing, request: Request) -> Body:
    """Return a request for somebody who may see it."""
    return {
        **shapes.of_request(request),
        **shapes.of_age(request, doing.now),
        **around.of_request(doing.seeing, request, doing.now),
    }


def places(doing: Doing, request: Request) -> tuple[Slot, ...]:
    """The places of a request that is not finished: what holds there now is others' affair."""
    if request.state.is_finished:
        return ()
    named = (request.places.grant, request.places.denial)
    keys = [place.key for place in named if place is not None]
    try:
        return doing.acting.deployment.ledger.store.slots(keys)
    except JitError:
        return ()  # a place that cannot be read hides nothing else of its request
