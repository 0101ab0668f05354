"""Account assignments of IAM Identity Center: a user or a group has a permission set in an account.

Identity Center creates and deletes them in its own time, and says how far it is. It takes neither
marks nor deadlines: an assignment looks the same whoever made it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime, timedelta

from jitcloud.errors import CloudRefused, Throttled
from jitcloud.model import (
    Area,
    Followed,
    Hold,
    Listing,
    Operation,
    Progress,
    RequestId,
    Sight,
    Slot,
)
from jitcloud.providers.aws import identity_center_places as places
from jitcloud.providers.aws.clients import CALL, Clients
from jitcloud.providers.aws.identity_center_calls import Api, Page
from jitcloud.providers.aws.identity_center_errands import errand
from jitcloud.providers.aws.identity_center_pace import Pace
from jitcloud.providers.aws.identity_center_places import KIND, Way
from jitcloud.providers.aws.identity_center_status import Status, Verb

CLOCKS = timedelta(minutes=15)
"""What was created longer before, by AWS's clock, is not looked at to find what we have begun."""

MOST_PAGES = 200
"""How many parts of one answer are read; some may be empty."""

MOST_UNDER_WAY = 20
"""How many operations are looked at to find one: AWS has ten under way at a time, it says."""


@dataclass(frozen=True, slots=True)
class AccountAssignment:
    """The slot kind. A slot's ``where`` is what ``identity_center_places`` makes.

    All that one of these does goes by one ``pace``: one is enough for all places of a broker.
    """

    clients: Clients
    _: KW_ONLY
    settle: timedelta = timedelta(seconds=10)
    """AWS names no time after which lists show what a status says is done, only that a write may
    take its time "to propagate to the host serving the current request" (ConflictException, in the
    API reference). So it is what IAM takes as a rule: in the account, it is a role of IAM's."""
    pace: Pace = field(default_factory=Pace)
    timeout: timedelta = timedelta(seconds=10)
    """For one call, and before it the one that assumes the way in."""
    patience: timedelta = timedelta(minutes=15)
    """At the end of a shift grants wait for all removals, at some two a second."""
    name: str = KIND
    grants: bool = True
    takes_standing: bool = True
    _untold: dict[Way, datetime] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    # ── What is there ────────────────────────────────────────────────────────────────────────

    def see(self, slot: Slot, now: datetime) -> Sight:
        """Read whether the assignment exists.

        That of a user who was deleted may go on to exist, and count for whoever gets the same id:
        it is not taken for an absence.
        """
        api = self._api(slot)
        present = any(page.names(api.where.about) for page in self._pages(api))
        return Sight(at=now, present=present)

    def _pages(self, api: Api) -> Iterator[Page]:
        """Read what the principal has in the account, or else who has this there."""
        began = self.clients.clock()
        ask: Callable[[str], Page | None] = api.of_principal
        page = ask("")
        if page is None:
            ask = api.of_place
            page = api.of_place("")
        for _ in range(MOST_PAGES):
            yield page
            if not page.after:
                return
            self._still_in_time(began)
            page = ask(page.after) or Page((), "")
        raise Throttled(
            f"Identity Center tells who has what in {api.where.account} in too many parts; "
            "it is tried again by itself."
        )

    # ── Telling ──────────────────────────────────────────────────────────────────────────────

    def put(self, slot: Slot, wish: Sequence[RequestId], until: datetime) -> str | None:  # noqa: ARG002 - an assignment takes neither marks nor deadlines
        """Have the assignment created. Of one that exists AWS takes that, or has a conflict."""
        return self._tell(slot, "put")

    def remove(self, slot: Slot) -> str | None:
        """Have the assignment deleted. Whether there is none left, a list decides."""
        return self._tell(slot, "remove")

    def _tell(self, slot: Slot, verb: Verb) -> str | None:
        status = self._api(slot).tell(verb)
        if status is None:
            return None
        if status.is_running:
            self.pace.began(status.id, self.clients.clock())
            return status.id
        followed = status.followed(verb)
        if followed.progress is Progress.FAILED:
            raise CloudRefused(followed.reason)
        return None

    # ── What is under way ────────────────────────────────────────────────────────────────────

    def follow(self, slot: Slot, operation: Operation, now: datetime) -> Followed:
        """Ask how far a create or a delete has come. One that AWS does not know is looked for."""
        api, begun_at = self._api(slot), operation.begun_at
        status = api.status(operation.verb, operation.id) if operation.id else None
        may_be_there = False
        if status is None:
            status, may_be_there = self._find(api, operation)
        if status is None:
            # Its call may be on its way still, and what has begun may not show at once.
            if may_be_there or now - begun_at < 2 * self.timeout + self.settle:
                return Followed(progress=Progress.RUNNING, id=operation.id)
            self.pace.ended(operation.id, begun_at, now, known=False)
            return Followed(progress=Progress.UNKNOWN, id=operation.id)
        if status.is_running:
            self.pace.runs(status.id, begun_at, now)
        else:
            self.pace.ended(status.id, begun_at, now, known=True)
        return status.followed(operation.verb)

    def _find(self, api: Api, operation: Operation) -> tuple[Status | None, bool]:
        """Look for an operation among those under way, by its id or by what it is about.

        Return it, and where it is not found whether it may be there all the same: AWS lists one
        as under way, and then says that there is none.
        """
        began, looked, may_be_there = self.clients.clock(), 0, False
        # By AWS's clock: how far ours is from it is not known here. What it is about decides.
        earliest = operation.begun_at - CLOCKS
        for one in self._under_way(api, operation.verb, began):
            if one.id == operation.id:
                return one, True
            if operation.id or (one.created_at is not None and one.created_at < earliest):
                continue
            looked += 1
            if looked > MOST_UNDER_WAY:
                raise Throttled(
                    "Identity Center has too much under way to find out what of it is ours; "
                    "it is tried again by itself."
                )
            self._still_in_time(began)
            status = api.status(operation.verb, one.id)
            if status is not None and status.about == api.where.about:
                return status, True
            may_be_there = may_be_there or status is None
        return None, may_be_there

    def _under_way(self, api: Api, verb: Verb, began: datetime) -> Iterator[Status]:
        after = ""
        for _ in range(MOST_PAGES):
            found, after = api.under_way(verb, after)
            yield from found
            if not after:
                return
            self._still_in_time(began)
        raise Throttled(
            "Identity Center tells in too many parts what is under way; "
            "it is tried again by itself."
        )

    # ── Whose it is ──────────────────────────────────────────────────────────────────────────

    def hold(self, slot: Slot) -> Hold:
        """Take what the catalog said: who is in there is ours, unless others give it too."""
        return Hold.EXCLUSIVE if slot.where.get("exclusive", True) else Hold.SHARED

    def area(self, slot: Slot) -> Area:
        """Everybody who has this permission set in this account."""
        return places.area_of(slot)

    def ours(self, area: Area, after: str | None, now: datetime) -> Listing:  # noqa: ARG002 - AWS does not say as of when it tells
        """Read one page of who has a permission set in an account, users and groups."""
        page = self._api(area).of_place(after or "")
        found = (
            places.place(area, kind, str(one["PrincipalId"]))
            for kind in ("USER", "GROUP")
            for one in page.found
            if one.get("PrincipalType") == kind
        )
        return Listing(found=tuple(found), after=page.after or None)

    # ── Pace and time ────────────────────────────────────────────────────────────────────────

    def turn(self, slot: Slot, now: datetime, *, removes: bool) -> datetime:
        """Say when this place may be driven, so that AWS need not throttle."""
        return self.pace.turn(slot.key, errand(slot, removes=removes), now)

    def _api(self, of: Slot | Area) -> Api:
        place = of.key if isinstance(of, Slot) else None
        return Api(self.clients, self.pace, places.read(of.where), self._untold, place)

    def _still_in_time(self, began: datetime) -> None:
        if self.clients.clock() - began > self.timeout - CALL:
            raise Throttled(
                "Identity Center answers too slowly just now; it is tried again by itself."
            )
