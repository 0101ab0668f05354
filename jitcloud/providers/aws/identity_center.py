"""Account assignments of IAM Identity Center: a user or a group has a permission set in an account.

Identity Center creates and deletes them in its own time, and says how far it is. It takes neither
marks nor deadlines: an assignment looks the same whoever made it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime, timedelta

from jitcloud.errors import CloudRefused, OutcomeUnknown, Throttled
from jitcloud.model import (
    SKEW,
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
from jitcloud.providers.aws import identity_center_status as statuses
from jitcloud.providers.aws.clients import CALL, Clients, SdkClient, translated
from jitcloud.providers.aws.identity_center_pace import Pace, errand
from jitcloud.providers.aws.identity_center_places import KIND, Where
from jitcloud.providers.aws.identity_center_status import WORDS, Status, Verb
from jitcloud.text import printable

PAGE = 100
"""How many assignments are asked for at once: as many as AWS tells."""

MOST_PAGES = 20
"""How many parts of one answer are read; some may be empty."""

MOST_UNDER_WAY = 20
"""How many operations are looked at to find one: AWS has ten under way at a time, it says."""

ASK_ANEW = timedelta(minutes=10)
"""How long it is remembered that nobody here is told what a principal has."""

Told = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class AccountAssignment:
    """The slot kind. A slot's ``where`` is what ``identity_center_places`` makes.

    All that one of these does is under one ``pace``: one is enough for all of a broker's places.
    """

    clients: Clients
    _: KW_ONLY
    settle: timedelta = timedelta(seconds=10)
    """AWS names no time after which lists show what a status says is done, only that a write may
    take its time "to propagate to the host serving the current request" (ConflictException in the
    API reference). What IAM takes for the same, as a rule: the role in the account is IAM's."""
    pace: Pace = field(default_factory=Pace)
    timeout: timedelta = timedelta(seconds=10)
    """For one call, and before it the one that assumes the way in."""
    patience: timedelta = timedelta(minutes=15)
    """At the end of a shift grants wait for all removals, at some two a second."""
    name: str = KIND
    grants: bool = True
    takes_standing: bool = True

    _untold: dict[tuple[str, str | None], datetime] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    """Since when it is known of a way in that nobody is told there what a principal has."""

    # ── What is there ────────────────────────────────────────────────────────────────────────

    def see(self, slot: Slot, now: datetime) -> Sight:
        """Read whether the assignment exists.

        That of a user who was deleted may go on to exist, and count for whoever gets the same id:
        it is not taken for an absence.
        """
        where = places.read(slot.where)
        began = self.clients.clock()
        for number, told in enumerate(self._pages(where), start=1):
            if any(_about(one) == where.about for one in told):
                return Sight(at=now, present=True)
            if number == MOST_PAGES:
                raise Throttled(
                    f"Identity Center tells who has what in {where.account} in too many parts; "
                    "it is tried again by itself."
                )
            self._still_in_time(began)
        return Sight(at=now, present=False)

    def _pages(self, where: Where) -> Iterator[Sequence[Told]]:
        """Read what the principal has in the account, or else who has this there, page by page."""
        one, answer = self._of_principal, self._of_principal(where, "")
        if answer is None:
            one, answer = self._of_place, self._of_place(where, "")
        while answer is not None:
            yield _listed(answer, "AccountAssignments")
            after = str(answer.get("NextToken") or "")
            answer = one(where, after) if after else None

    def _of_principal(self, where: Where, after: str) -> Told | None:
        """Read a page of what the principal has in the account; None where that is not told.

        Only the management account is: a delegated administrator may ask who has something, and
        what AWS answers of somebody who was deleted it does not say. Of a user, it is also told
        what the user's groups have.
        """
        sso, now = self._sso(where), self.clients.clock()
        since = self._untold.get(where.way)
        if not after and since is not None and now - since < ASK_ANEW:
            return None
        with self._asking("sso:ListAccountAssignmentsForPrincipal", where):
            try:
                answer: Told = sso.list_account_assignments_for_principal(
                    InstanceArn=where.instance,
                    PrincipalType=where.principal_type,
                    PrincipalId=where.principal,
                    Filter={"AccountId": where.account},
                    MaxResults=PAGE,
                    **_from(after),
                )
            except sso.exceptions.AccessDeniedException:
                if after:
                    raise
                self._untold[where.way] = now
                return None
            except sso.exceptions.ResourceNotFoundException:
                if after:
                    raise
                return None
        return answer

    def _of_place(self, where: Where, after: str) -> Told:
        """Read a page of who has this permission set in the account."""
        sso = self._sso(where)
        with self._asking("sso:ListAccountAssignments", where):
            try:
                answer: Told = sso.list_account_assignments(
                    InstanceArn=where.instance,
                    AccountId=where.account,
                    PermissionSetArn=where.permission_set,
                    MaxResults=PAGE,
                    **_from(after),
                )
            except sso.exceptions.ResourceNotFoundException as exc:
                raise CloudRefused(_nowhere(where, exc)) from exc
        return answer

    # ── Telling ──────────────────────────────────────────────────────────────────────────────

    def put(self, slot: Slot, wish: Sequence[RequestId], until: datetime) -> str | None:  # noqa: ARG002 - an assignment takes neither marks nor deadlines
        """Have the assignment created. AWS does so twice, or has a conflict until it shows."""
        return self._tell("put", places.read(slot.where))

    def remove(self, slot: Slot) -> str | None:
        """Have the assignment deleted. That there is none is for the list to say."""
        return self._tell("remove", places.read(slot.where))

    def _tell(self, verb: Verb, where: Where) -> str | None:
        sso = self._sso(where)
        tell = sso.create_account_assignment if verb == "put" else sso.delete_account_assignment
        name = "Create" if verb == "put" else "Delete"
        with self._asking(f"sso:{name}AccountAssignment", where, begins=True):
            try:
                answer: Told | None = tell(**where.target)
            except sso.exceptions.ResourceNotFoundException as exc:
                if verb == "remove":
                    return None
                raise CloudRefused(_nowhere(where, exc)) from exc
            except sso.exceptions.ConflictException:
                answer = None
        if answer is None:
            raise Throttled(
                "An earlier change of this assignment has not reached all of Identity Center yet; "
                "it is tried again by itself."
            )
        status = _status(answer, verb)
        if status.is_running:
            self.pace.began(status.id, self.clients.clock())
            return status.id
        followed = status.followed(verb)
        if followed.progress is Progress.FAILED:
            raise CloudRefused(followed.reason)
        return None

    # ── What is under way ────────────────────────────────────────────────────────────────────

    def follow(self, slot: Slot, operation: Operation, now: datetime) -> Followed:
        """Ask how far a create or a delete has come. One that has been forgotten is looked for."""
        where = places.read(slot.where)
        status = self._describe(where, operation.verb, operation.id) if operation.id else None
        if status is None:
            status = self._find(where, operation)
        if status is None:
            # Its call may still be on its way, and what has begun may not show yet.
            if now - operation.begun_at < 2 * self.timeout + self.settle:
                return Followed(progress=Progress.RUNNING, id=operation.id)
            self.pace.ended(operation.id, operation.begun_at, now, known=False)
            return Followed(progress=Progress.UNKNOWN, id=operation.id)
        if status.is_running:
            self.pace.runs(status.id, operation.begun_at, now)
        else:
            self.pace.ended(status.id, operation.begun_at, now, known=True)
        return status.followed(operation.verb)

    def _describe(self, where: Where, verb: Verb, name: str) -> Status | None:
        """Ask after one; None when AWS knows none of that id, or not any more."""
        sso, words = self._sso(where), WORDS[verb]
        with self._asking(f"sso:{words.describe}", where):
            try:
                answer: Told = getattr(sso, words.describe_method)(
                    InstanceArn=where.instance, **{words.request: name}
                )
            except sso.exceptions.ResourceNotFoundException:
                return None
        return _status(answer, verb)

    def _find(self, where: Where, operation: Operation) -> Status | None:
        """Look for an operation among those under way: by its id, or by what it is about."""
        began, looked = self.clients.clock(), 0
        earliest = operation.begun_at - SKEW - timedelta(seconds=1)  # AWS may tell whole seconds
        for one in self._under_way(where, operation.verb, began):
            if one.id == operation.id:
                return one
            if operation.id or (one.created_at is not None and one.created_at < earliest):
                continue
            looked += 1
            if looked > MOST_UNDER_WAY:
                raise Throttled(
                    "Identity Center has too much under way to find out what is ours; "
                    "it is tried again by itself."
                )
            self._still_in_time(began)
            status = self._describe(where, operation.verb, one.id)
            if status is not None and status.about == where.about:
                return status
        return None

    def _under_way(self, where: Where, verb: Verb, began: datetime) -> Iterator[Status]:
        sso, words, after = self._sso(where), WORDS[verb], ""
        for _ in range(MOST_PAGES):
            with self._asking(f"sso:{words.list}", where):
                answer: Told = getattr(sso, words.list_method)(
                    InstanceArn=where.instance,
                    Filter={"Status": "IN_PROGRESS"},
                    MaxResults=PAGE,
                    **_from(after),
                )
            yield from map(statuses.read, _listed(answer, words.listed))
            after = str(answer.get("NextToken") or "")
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
        answer = self._of_place(places.read(area.where), after or "")
        found = (
            places.place(area, kind, str(one.get("PrincipalId", "")))
            for one in _listed(answer, "AccountAssignments")
            for kind in ("USER", "GROUP")
            if one.get("PrincipalType") == kind
        )
        return Listing(found=tuple(found), after=str(answer.get("NextToken") or "") or None)

    # ── Pace, time and errors ────────────────────────────────────────────────────────────────

    def turn(self, slot: Slot, now: datetime, *, removes: bool) -> datetime:
        """Say when this place may be driven, so that AWS need not throttle; see ``Pace``."""
        return self.pace.turn(slot.key, errand(slot, removes=removes), now)

    def _sso(self, where: Where) -> SdkClient:
        return self.clients.sso_admin(where.region, where.through)

    def _still_in_time(self, began: datetime) -> None:
        if self.clients.clock() - began > self.timeout - CALL:
            raise Throttled(
                "Identity Center answers too slowly just now; it is tried again by itself."
            )

    @contextmanager
    def _asking(self, what: str, where: Where, *, begins: bool = False) -> Iterator[None]:
        """Count a call and what becomes of it, and tell errors in our own words."""
        clock, pace = self.clients.clock, self.pace
        pace.call(clock())
        try:
            with translated(f"{what} on {where.account}", denied=_DENIED):
                yield
        except Throttled:
            pace.throttled(clock(), begins=begins)
            raise
        except OutcomeUnknown:
            if begins:
                pace.began("/".join(where.about), clock())
            raise
        except CloudRefused:
            pace.answered()
            raise
        pace.answered()


_DENIED = (
    " Check that the broker, or the account_role it goes through, is in the management account or "
    "in the delegated administrator's, and may do this there."
)


def _nowhere(where: Where, exc: Exception) -> str:
    said = printable(str(getattr(exc, "response", {}).get("Error", {}).get("Message", "")))
    return (
        f"Identity Center in {where.region} knows no such instance, permission set or account "
        f"{where.account} ({said.rstrip('.')}); correct the catalog, or whatever is missing there."
    )


def _from(after: str) -> dict[str, str]:
    return {"NextToken": after} if after else {}


def _listed(answer: Told, member: str) -> Sequence[Told]:
    found = answer.get(member)
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else ()


def _about(told: Told) -> tuple[str, str, str, str]:
    """What an assignment is about, in small letters."""
    names = ("AccountId", "PermissionSetArn", "PrincipalType", "PrincipalId")
    account, permission_set, kind, principal = (str(told.get(name, "")).lower() for name in names)
    return account, permission_set, kind, principal


def _status(answer: Told, verb: Verb) -> Status:
    told = answer.get(WORDS[verb].status)
    return statuses.read(told if isinstance(told, Mapping) else {})
