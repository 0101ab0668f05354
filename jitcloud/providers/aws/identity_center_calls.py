"""The calls of Identity Center's API about assignments: each tried once, counted and translated.

https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_CreateAccountAssignment.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from jitcloud.errors import CloudRefused, OutcomeUnknown, Throttled
from jitcloud.model import SlotKey
from jitcloud.providers.aws.clients import Clients, SdkClient, translated
from jitcloud.providers.aws.identity_center_pace import Pace
from jitcloud.providers.aws.identity_center_places import About, Way, Where, about
from jitcloud.providers.aws.identity_center_status import WORDS, Status, Verb, read
from jitcloud.text import printable

MOST = 100
"""How many entries are asked for at once: as many as AWS tells."""

ASK_ANEW = timedelta(minutes=10)
"""How long it is remembered that nobody here is told what a principal has."""

Told = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list of assignments, which may be empty."""

    found: Sequence[Told]
    after: str
    """Where the next part begins; empty after the last."""

    def names(self, assignment: About) -> bool:
        """Whether an assignment is in it."""
        return any(about(one, account="AccountId") == assignment for one in self.found)


@dataclass(frozen=True, slots=True)
class Api:
    """What is asked about one place, or about one area."""

    clients: Clients
    pace: Pace
    where: Where
    untold: dict[Way, datetime]
    """Since when it is known that nobody is told what a principal has, by the way in."""
    place: SlotKey | None = None
    """Whose turn it is."""

    # ── Lists ────────────────────────────────────────────────────────────────────────────────

    def of_principal(self, after: str) -> Page | None:
        """Read a page of what the principal has in the account; of a user, by groups, too.

        None where that is not told: only the management account is, a delegated administrator is
        not, and what AWS answers of somebody who was deleted it does not say.
        """
        sso, where, now = self._sso, self.where, self.clients.clock()
        since = self.untold.get(where.way)
        if not after and since is not None and now - since < ASK_ANEW:
            return None
        with self._asking("ListAccountAssignmentsForPrincipal"):
            try:
                answer: Told = sso.list_account_assignments_for_principal(
                    InstanceArn=where.instance,
                    PrincipalType=where.principal_type,
                    PrincipalId=where.principal,
                    Filter={"AccountId": where.account},
                    MaxResults=MOST,
                    **_from(after),
                )
            except sso.exceptions.AccessDeniedException:
                if after:
                    raise
                self.untold[where.way] = now
                return None
            except sso.exceptions.ResourceNotFoundException:
                if after:
                    raise
                return None
        return _page(answer)

    def of_place(self, after: str) -> Page:
        """Read a page of who has the permission set in the account."""
        sso, where = self._sso, self.where
        with self._asking("ListAccountAssignments"):
            try:
                answer: Told = sso.list_account_assignments(
                    InstanceArn=where.instance,
                    AccountId=where.account,
                    PermissionSetArn=where.permission_set,
                    MaxResults=MOST,
                    **_from(after),
                )
            except sso.exceptions.ResourceNotFoundException as exc:
                raise CloudRefused(self._nowhere(exc)) from exc
        return _page(answer)

    # ── Create and delete ────────────────────────────────────────────────────────────────────

    def tell(self, verb: Verb) -> Status | None:
        """Have the assignment created or deleted; None when AWS knows of none to delete."""
        sso = self._sso
        tell = sso.create_account_assignment if verb == "put" else sso.delete_account_assignment
        answer: Told | None = None
        with self._asking(f"{WORDS[verb].verb}AccountAssignment", begins=True):
            try:
                answer = tell(**self.where.target)
            except sso.exceptions.ConflictException:
                pass
            except sso.exceptions.ResourceNotFoundException as exc:
                if verb == "remove":
                    return None
                raise CloudRefused(self._nowhere(exc)) from exc
        if answer is None:
            raise Throttled(
                "An earlier change of this assignment has not reached all of Identity Center yet; "
                "it is tried again by itself."
            )
        return _status(answer, verb)

    # ── What is under way ────────────────────────────────────────────────────────────────────

    def status(self, verb: Verb, name: str) -> Status | None:
        """Ask after one; None when AWS knows none of that id, or not any more."""
        sso, words = self._sso, WORDS[verb]
        ask = getattr(sso, words.describe_method)
        with self._asking(words.describe):
            try:
                answer: Told = ask(InstanceArn=self.where.instance, **{words.request: name})
            except sso.exceptions.ResourceNotFoundException:
                return None
        return _status(answer, verb)

    def under_way(self, verb: Verb, after: str) -> tuple[Sequence[Status], str]:
        """Read a page of all that is under way in the instance, and where the next one begins."""
        words = WORDS[verb]
        ask = getattr(self._sso, words.list_method)
        with self._asking(words.list):
            answer: Told = ask(
                InstanceArn=self.where.instance,
                Filter={"Status": "IN_PROGRESS"},
                MaxResults=MOST,
                **_from(after),
            )
        return [read(one) for one in _listed(answer, words.listed)], _after(answer)

    # ── Each of them ─────────────────────────────────────────────────────────────────────────

    @property
    def _sso(self) -> SdkClient:
        return self.clients.sso_admin(self.where.region, self.where.through)

    @contextmanager
    def _asking(self, what: str, *, begins: bool = False) -> Iterator[None]:
        """Count a call and what becomes of it, and tell errors in our own words."""
        clock, pace = self.clients.clock, self.pace
        pace.call(clock())
        try:
            with translated(f"sso:{what} for account {self.where.account}", denied=_DENIED):
                yield
        except Throttled:
            pace.throttled(clock(), begins=begins, place=self.place)
            raise
        except OutcomeUnknown:
            if begins:
                pace.began("/".join(self.where.about), clock())
            raise
        except CloudRefused:
            pace.answered()
            raise
        pace.answered()

    def _nowhere(self, exc: Exception) -> str:
        told = getattr(exc, "response", {}).get("Error", {}).get("Message", "")
        return (
            f"Identity Center in {self.where.region} knows no such instance, permission set or "
            f"account {self.where.account} ({printable(str(told)).rstrip('.')}); correct the "
            "catalog, or restore what is missing."
        )


_DENIED = (
    " Check that the broker, or the account_role it goes through, is in the management account or "
    "in that of the delegated administrator, and may do this there."
)


def _from(after: str) -> dict[str, str]:
    return {"NextToken": after} if after else {}


def _after(answer: Told) -> str:
    return str(answer.get("NextToken") or "")


def _listed(answer: Told, member: str) -> Sequence[Told]:
    found = answer.get(member)
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else ()


def _page(answer: Told) -> Page:
    return Page(_listed(answer, "AccountAssignments"), _after(answer))


def _status(answer: Told, verb: Verb) -> Status:
    told = answer.get(WORDS[verb].status)
    return read(told if isinstance(told, Mapping) else {})
