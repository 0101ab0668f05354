"""``publish``: passes on what was committed, measures it, and says how the deployment stands.

It reads the record and writes how far it has come, and nothing else of it. Nobody's access waits
for it: it can be late, and what it loses is found again by its schedule.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from jitcloud import adapters, metrics
from jitcloud.clock import utc_now
from jitcloud.errors import Conflict, JitError
from jitcloud.fleet.environment import Context, folder, give_up, secrets
from jitcloud.model import RequestId, Sealed
from jitcloud.observing import emf, logs, measures
from jitcloud.outbox import publish_due
from jitcloud.ports import Store
from jitcloud.publishing import Subscription
from jitcloud.settings import FILE, read_settings
from jitcloud.sign_ins import SignInBook
from jitcloud.stores.dynamodb import items
from jitcloud.sweep import to_tell
from jitcloud.telling import CHANNEL, Teller

SPARE = timedelta(seconds=25)
"""So long before the platform ends a call nothing more is begun: one message may take long."""

PERSON = "person#"
"""How the partitions begin that keep what tokens said of people."""

MOST = 1000
"""How many requests are passed on in one call, at the most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Publishing:
    """Whoever passes on."""

    store: Store
    subscriptions: Sequence[Subscription]
    teller: Teller | None
    """Who writes to people, if anybody does."""

    def measure(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Write down how long things took, as the trails say that these records are of."""
        now = utc_now()
        found: list[emf.Measured] = []
        for record in records:
            try:
                found += self._measured(record)
            except Exception as exc:  # noqa: BLE001 - one record must not keep others from it
                # What cannot be read is for `audit verify`; the record itself grants nothing on it.
                logs.event("unmeasured", level=logging.WARNING, error=exc)
        emf.write(sys.stdout, now, *found)

    def pass_on(self, context: Context) -> dict[str, object]:
        """Pass on what is due, for as long as the call may last; the next one goes on."""
        until = give_up(context, SPARE)
        others = () if self.teller is None else (CHANNEL,)
        published = publish_due(
            self.store, self.subscriptions, utc_now, MOST, until - utc_now(), others=others
        )
        troubles = [*published.troubles]
        told = 0
        for request in self._to_tell():
            if utc_now() >= until:
                break
            told += 1
            troubles += self._told(request)
        for name, why in troubles:
            logs.event("trouble", level=logging.WARNING, what=name, why=why)
        return {"published": published.requests, "told": told}

    def stand(self) -> None:
        """Write down how the deployment stands: what is overdue, above all."""
        now = utc_now()
        try:
            figures = metrics.snapshot(self.store, now)
        except JitError as exc:
            # That nothing is told sets off an alarm; what is to be passed on does not wait for it.
            logs.event("unmeasured", level=logging.ERROR, why=str(exc))
            return
        emf.write(
            sys.stdout,
            now,
            emf.overdue_age(figures.oldest_overdue),
            emf.overdue_ends(figures.overdue),
        )
        if figures.since_checkpoint is not None:
            emf.write(sys.stdout, now, emf.checkpoint_age(figures.since_checkpoint))

    def _measured(self, record: Mapping[str, Any]) -> Iterator[emf.Measured]:
        change = record.get("dynamodb")
        image = change.get("NewImage") if isinstance(change, Mapping) else None
        if not isinstance(image, Mapping):
            return
        partition = image.get("pk")
        if isinstance(partition, Mapping) and str(partition.get("S")).startswith(PERSON):
            yield emf.signed_events(1)  # what a token said of somebody is kept signed, too
        if not isinstance(image.get("lines"), Mapping):
            return
        lines: list[Sealed] = list(items.to_events([dict(image)]))
        if not lines:
            return
        name = lines[0].event.request
        request = self.store.request(name)
        if request is not None:  # the deployment's own trail is of no request
            yield from measures.of(request, lines, lambda: self.store.events(name))

    def _to_tell(self) -> Sequence[RequestId]:
        return () if self.teller is None else to_tell(self.store, utc_now())

    def _told(self, request: RequestId) -> Iterator[tuple[str, str]]:
        if self.teller is None:
            return
        try:
            trouble = self.teller.wake(request)
        except Conflict:
            return  # another call is at it
        except JitError as exc:
            trouble = str(exc)
        if trouble:
            yield request, trouble


def made() -> Publishing:
    """Put it together from the environment: neither policy, nor catalog, nor clouds, nor a key."""
    secrets()
    here = folder()
    settings = read_settings(here / FILE)
    store = adapters.store_of(settings, here)
    notifier = adapters.notifier_of(settings, here, utc_now)
    teller = None
    if notifier is not None:
        _, verifier = adapters.signer_of(settings, here, utc_now, signs=False)
        kept = adapters.sign_ins_of(settings, here)
        book = None if kept is None else SignInBook(kept, verifier, None)
        directory = adapters.people_of(adapters.directory_of(settings, here), utc_now, book)
        teller = Teller(store, directory, notifier, utc_now)
    return Publishing(
        store=store,
        subscriptions=adapters.publishers_of(settings, here, utc_now),
        teller=teller,
    )
