"""A record that makes no sense is said to, and tried again: it is no defect, and stops nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from jitcloud.errors import Tampered
from jitcloud.marking import FIRST_RETRY, LAST_RETRY
from jitcloud.model import Activating, Decided, Event, Mark, RequestId, Sealed
from tests.told_world import Told, down

NO_ZONE = datetime(2026, 12, 1, 9)  # noqa: DTZ001 - that is the point
BEFORE_TIME = datetime.min.replace(tzinfo=timezone(timedelta(hours=14)))
"""It has no name in UTC."""


@pytest.fixture
def world(tmp_path: Path) -> Told:
    return Told(tmp_path)


class Forged:
    """A store whose trails somebody has written to."""

    def __init__(self, world: Told, forge: Callable[[Event], Event]) -> None:
        self.mark, self.put_mark = world.store.mark, world.store.put_mark
        self._events, self._forge = world.store.events, forge

    def events(self, request: RequestId) -> tuple[Sealed, ...]:
        found = self._events(request)
        return tuple(replace(line, event=self._forge(line.event)) for line in found)


def without_zone(event: Event) -> Event:
    return replace(event, at=NO_ZONE)


def lapsing_before_time(event: Event) -> Event:
    if not isinstance(event.what, Decided):
        return event
    return replace(event, what=replace(event.what, lapses_at=BEFORE_TIME))


def ending_without_zone(event: Event) -> Event:
    if not isinstance(event.what, Activating):
        return event
    window = replace(event.what.window, start=NO_ZONE, deadline=NO_ZONE + timedelta(hours=1))
    return replace(event, what=replace(event.what, window=window))


def beyond_all_times(_event: Event) -> Event:
    raise OverflowError


@pytest.mark.parametrize(
    ("what", "forge"),
    [
        ("prod-write", without_zone),
        ("prod-write", lapsing_before_time),
        ("dev-read", ending_without_zone),
        ("dev-read", beyond_all_times),
    ],
)
def test_what_makes_no_sense_is_trouble_and_no_defect(
    world: Told, what: str, forge: Callable[[Event], Event]
) -> None:
    request = world.ask(what=what)
    world.teller.store = Forged(world, forge)  # type: ignore[assignment] # what a teller needs
    said = world.tell(request)
    mark = world.mark(request)
    assert said == [""]
    assert f"Nobody can be told of request {request.id}" in mark.trouble
    assert mark.wake_at == world.time() + FIRST_RETRY


@pytest.mark.parametrize("error", [OverflowError, ValueError, TypeError])
def test_a_mark_that_cannot_be_read_is_said_to(world: Told, error: type[Exception]) -> None:
    request = world.ask(what="prod-write")

    def broken(_channel: str, _request: RequestId) -> None:
        raise error

    world.store.mark = broken  # type: ignore[method-assign,assignment] # a fault put into one object
    with pytest.raises(Tampered, match=error.__name__):
        world.tell(request)


def test_the_mark_of_another_is_not_written(world: Told) -> None:
    request, other = world.ask(what="prod-write"), world.ask(what="prod-write")
    before, read = world.mark(other), world.store.mark

    def swapped(channel: str, request: RequestId) -> Mark | None:  # noqa: ARG001 - a fault put into one object
        return read(channel, other.id)

    world.store.mark = swapped  # type: ignore[method-assign] # a fault put into one object
    with pytest.raises(Tampered, match="that of another"):
        world.tell(request)
    assert world.mark(other) == before
    assert world.post.sent == []


@pytest.mark.parametrize("attempts", [-(10**400), -1, 10**400])
def test_no_number_of_tries_is_too_odd_to_wait_after(world: Told, attempts: int) -> None:
    request = world.ask(what="prod-write")
    mark = world.mark(request)
    world.store.put_mark(replace(mark, attempts=attempts, version=mark.version + 1))
    world.post.answer = down
    world.tell(request)
    wake_at = world.mark(request).wake_at
    assert wake_at is not None
    assert FIRST_RETRY <= wake_at - world.time() <= LAST_RETRY
