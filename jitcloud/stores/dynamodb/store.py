"""The record in one DynamoDB table, which any number of processes share."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from jitcloud.due import Due
from jitcloud.errors import Tampered
from jitcloud.model import (
    Controls,
    Mark,
    PersonId,
    Request,
    RequestId,
    Sealed,
    Slot,
    SlotKey,
    State,
)
from jitcloud.ports import Change, Page
from jitcloud.stores import rules
from jitcloud.stores.dynamodb import due, items, keys, transactions
from jitcloud.stores.dynamodb.keys import Index, Item, text
from jitcloud.stores.dynamodb.pages import Bound, rows
from jitcloud.stores.dynamodb.reach import Reach
from jitcloud.stores.dynamodb.reading import get, get_many, trail

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

T = TypeVar("T")


class DynamoStore:
    """Keeps everything in one table. Safe for several threads and processes, anywhere.

    Whatever is read by its name is read as last committed. What is searched for goes through
    indexes that follow each commit a moment later, as a rule within a second. So something that
    was just written may not be found yet; but what is found is loaded anew, and left out where it
    no longer fits, so that nobody acts on what is out of date.

    Besides what the port says, ``commit`` raises ``Refused`` for more than DynamoDB writes at
    once. After ``Unavailable`` it may have written all of it, where no answer came for seconds
    and nothing could be read either; whoever tries again finds that out by reading.
    """

    def __init__(  # noqa: PLR0913 - all in which one way to a table differs from another
        self,
        table: str,
        *,
        region: str | None = None,
        profile: str | None = None,
        endpoint_url: str | None = None,
        client: Callable[[], DynamoDBClient] | None = None,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        """Remember where the table is. Connects to nothing yet.

        ``client`` makes the SDK's client where another than the usual one is wanted, and ``pause``
        waits for so many seconds before something is tried again.
        """
        self._is_closed = False
        self._reached = Reach(
            table,
            region=region,
            profile=profile,
            endpoint_url=endpoint_url,
            client=client,
            pause=pause,
        )

    def commit(self, change: Change) -> None:
        rules.check(change)
        transactions.commit(self._reach, change)

    def request(self, request: RequestId) -> Request | None:
        item = get(self._reach, keys.request(request))
        return None if item is None else _request(item, request)

    def requests(self, names: Sequence[RequestId]) -> tuple[Request, ...]:
        return tuple(self._snapshots(tuple(dict.fromkeys(names))))

    def wake_at(self, request: RequestId) -> datetime | None:
        item = get(self._reach, keys.request(request))
        return None if item is None else items.to_wake(item)

    def events(self, request: RequestId) -> tuple[Sealed, ...]:
        return tuple(items.to_events(trail(self._reach, keys.request(request))))

    def controls(self) -> Controls | None:
        item = get(self._reach, keys.CONTROLS)
        return None if item is None else items.to_controls(item)

    def control_events(self) -> tuple[Sealed, ...]:
        return tuple(items.to_events(trail(self._reach, keys.CONTROLS)))

    def slot(self, key: SlotKey) -> Slot | None:
        item = get(self._reach, keys.slot(key))
        return None if item is None else items.to_slot(item)

    def slots(self, keys_: Sequence[SlotKey]) -> tuple[Slot, ...]:
        return tuple(self._slots(dict.fromkeys(keys_)))

    def due(self, now: datetime, limit: int) -> tuple[Due, ...]:
        rules.check_limit(limit)
        reach = self._reach
        return tuple(item for _, item in due.due(reach, reach.table, now, most=limit))

    def due_marks(self, now: datetime, limit: int, channel: str | None = None) -> tuple[Due, ...]:
        rules.check_limit(limit)
        reach = self._reach
        return tuple(due.due_marks(reach, reach.table, now, most=limit, channel=channel))

    def by_person(self, person: PersonId, limit: int, after: RequestId | None = None) -> Page:
        return self._page(
            keys.BY_PERSON, [person], lambda request: request.person == person, limit, after
        )

    def by_state(self, state: State, limit: int, after: RequestId | None = None) -> Page:
        return self._page(
            keys.BY_STATE,
            keys.shards(state),
            lambda request: request.state == state,
            limit,
            after,
        )

    def unreviewed(
        self, limit: int, person: PersonId | None = None, before: datetime | None = None
    ) -> tuple[Request, ...]:
        rules.check_limit(limit)
        bound = None if before is None else Bound("<=", keys.instant(before))

        def fits(request: Request) -> bool:
            at = request.review_by
            return at is not None and (before is None or at <= before)

        if person is None:
            found = self._rows(keys.BY_REVIEW, keys.shards("review"), bound, limit)
        else:
            found = self._rows(keys.BY_REVIEWED, [person], bound, limit)
        fitting = islice(filter(fits, self._requests(found, limit)), limit)
        return tuple(sorted(fitting, key=lambda request: (request.review_by, request.id)))

    def mark(self, channel: str, request: RequestId) -> Mark | None:
        item = get(self._reach, keys.mark(channel, request))
        return None if item is None else items.to_mark(item)

    def put_mark(self, mark: Mark) -> None:
        rules.check_mark(mark)
        transactions.put_mark(self._reach, mark)

    def all_slots(self, limit: int, after: SlotKey | None = None) -> tuple[Slot, ...]:
        names = self._listed("slot", limit, after)
        found = self._chunked(names, limit, lambda some: self._slots(map(SlotKey, some)))
        return tuple(islice(found, limit))

    def ids(
        self, limit: int, after: RequestId | None = None, state: State | None = None
    ) -> tuple[RequestId, ...]:
        if state is None:
            found = self._listed("request", limit, after)
        else:
            rules.check_limit(limit)
            bound = Bound(">", text(after)) if after else None
            in_state = self._rows(keys.BY_STATE, keys.shards(state), bound, limit)
            found = (row["id"]["S"] for row in in_state)
        return tuple(map(RequestId, islice(found, limit)))

    def close(self) -> None:
        self._is_closed = True
        self._reached.close()

    @property
    def _reach(self) -> Reach:
        if self._is_closed:
            raise ValueError("The store is closed.")
        return self._reached

    # ── What indexes find ────────────────────────────────────────────────────────────────────

    def _page(
        self,
        index: Index,
        partitions: Sequence[str],
        fits: Callable[[Request], bool],
        limit: int,
        after: RequestId | None,
    ) -> Page:
        rules.check_limit(limit)
        bound = Bound("<", text(after)) if after else None
        found = self._rows(index, partitions, bound, limit + 1, newest_first=True)
        # One more than a page shows that there is another one.
        fitting = islice(filter(fits, self._requests(found, limit + 1)), limit + 1)
        return rules.page(tuple(fitting), limit)

    def _listed(self, what: str, limit: int, after: str | None) -> Iterator[str]:
        rules.check_limit(limit)
        bound = Bound(">", text(after)) if after else None
        found = self._rows(keys.LISTING, keys.shards(what), bound, limit)
        return (row["id"]["S"] for row in found)

    def _rows(
        self,
        index: Index,
        partitions: Sequence[str],
        bound: Bound | None,
        most: int,
        *,
        newest_first: bool = False,
    ) -> Iterator[Item]:
        reach = self._reach
        some = tuple(filter(keys.fits, partitions))
        return rows(reach, reach.table, index, some, bound, most=most, newest_first=newest_first)

    # ── What they name, as last committed ────────────────────────────────────────────────────

    def _requests(self, found: Iterable[Item], most: int) -> Iterator[Request]:
        names = (row["pk"]["S"].partition("#")[2] for row in found)
        return self._chunked(names, most, self._snapshots)

    def _snapshots(self, names: Sequence[str]) -> Iterator[Request]:
        found = get_many(self._reach, map(keys.request, names))
        for name in names:
            item = found.get(keys.request(name))
            if item is not None:
                yield _request(item, name)

    def _slots(self, names: Iterable[SlotKey]) -> Iterator[Slot]:
        partitions = [keys.slot(name) for name in names]
        found = get_many(self._reach, partitions)
        return (items.to_slot(found[each]) for each in partitions if each in found)

    def _chunked(
        self, names: Iterator[str], size: int, load: Callable[[Sequence[str]], Iterator[T]]
    ) -> Iterator[T]:
        """Load some at a time: more than are wanted only where some no longer fit."""
        while chunk := list(islice(names, size)):
            yield from load(chunk)


def _request(item: Item, name: str) -> Request:
    request = items.to_request(item)
    if request.id != name:
        raise Tampered(
            f"The item of request {name} holds another one: see `jitcloud audit verify`."
        )
    return request
